package rules

import (
	"github.com/layerwise/layerwise/analysis"
)

// ReservedStageName finds stages with a name that means something else.
var ReservedStageName = &Rule{
	ID:       "ReservedStageName",
	Severity: analysis.Warning,
	BuildKit: buildKitPage + "reserved-stage-name/",
	FileOnly: true,
	Doc: Doc{
		Summary: "A stage is named scratch or context",
		What:    "Finds stages with one of the two names that BuildKit keeps for itself.",
		Why:     "`FROM scratch` means the empty image, and `context` the build context; nobody expects a stage there.",
		Example: "FROM alpine AS context\n",
		Instead: "FROM alpine AS files\n",
	},
	check: func(p *pass) {
		for _, stage := range p.file().Stages {
			if stage.Name == "context" || stage.Name == "scratch" {
				p.found(nil, stage.NameWord.Span, nil, "stage name should not use the same name as reserved stage %q",
					stage.Name)
			}
		}
	},
}
