package rules

import (
	"slices"
	"strings"

	"github.com/distribution/reference"
	"github.com/layerwise/layerwise/analysis"
)

// InvalidDefaultArgInFrom finds FROMs that are no image reference without --build-arg.
var InvalidDefaultArgInFrom = &Rule{
	ID:       "InvalidDefaultArgInFrom",
	Severity: analysis.Information,
	BuildKit: buildKitPage + "invalid-default-arg-in-from/",
	FileOnly: true,
	Doc: Doc{
		Summary: "FROM needs a --build-arg to work",
		What:    "Finds `FROM` with variables whose default values leave it empty or make it no valid image name.",
		Why: "The file cannot be built without `--build-arg`, also not by tools that only look at it. A default " +
			"says what a sensible value is.",
		Example: "ARG TAG\nFROM alpine:${TAG}\n",
		Instead: "ARG TAG=3.20\nFROM alpine:${TAG}\n",
	},
	check: func(p *pass) {
		for _, stage := range p.file().Stages {
			if stage.From.From == nil || strings.IndexByte(stage.Base.Text, '$') < 0 {
				continue // without a variable it is InvalidImage's
			}
			if p.given(stage.Base.Text) {
				continue // every build that is known of sets it
			}
			name, known := p.variables().Expand(-1, stage.Span.Start, stage.Base.Text)
			if _, err := reference.ParseNormalizedNamed(name); !known || err == nil {
				continue
			}
			p.found(nil, stage.Base.Span, nil, "default value for ARG %s results in empty or invalid base image name",
				stage.Base.Text)
		}
	},
}

// given reports whether the builds that are known of set one of the variables in a text.
func (p *pass) given(text string) bool {
	return len(p.opts().BuildArgs) > 0 && slices.ContainsFunc(p.opts().BuildArgs, func(name string) bool {
		return strings.Contains(text, "$"+name) || strings.Contains(text, "${"+name)
	})
}
