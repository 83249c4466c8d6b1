package rules

import (
	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
)

// DuplicateStageName finds a second stage of the same name.
var DuplicateStageName = &Rule{
	ID:       "DuplicateStageName",
	Severity: analysis.Warning,
	Hadolint: []string{"DL3024"},
	BuildKit: buildKitPage + "duplicate-stage-name/",
	FileOnly: true,
	Doc: Doc{
		Summary: "Two stages have the same name",
		What:    "Finds a stage whose name an earlier stage has.",
		Why: "The later stage hides the earlier one: what is below takes the later one's files, what stands " +
			"between takes the earlier one's.",
		Example: "FROM alpine AS build\nFROM debian AS build\n",
		Instead: "FROM alpine AS tools\nFROM debian AS build\n",
	},
	check: func(p *pass) {
		first := map[string]*dockerfile.Stage{}
		for _, stage := range p.file().Stages {
			if stage.Name == "" {
				continue
			}
			if other := first[stage.Name]; other != nil {
				p.found(nil, stage.NameWord.Span, nil,
					"duplicate stage name %q, stage names should be unique: line %d has it, too", stage.Name,
					other.From.Line)
				continue
			}
			first[stage.Name] = stage
		}
	},
}
