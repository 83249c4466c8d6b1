package rules

import (
	"github.com/layerwise/layerwise/analysis"
)

// StageNameCasing finds stage names with capital letters.
var StageNameCasing = &Rule{
	ID:       "StageNameCasing",
	Severity: analysis.Information,
	BuildKit: buildKitPage + "stage-name-casing/",
	Style:    true,
	Doc: Doc{
		Summary: "A stage name has capital letters",
		What:    "Finds `FROM ... AS Name`. The fix writes the name in lower case.",
		Why: "BuildKit keeps stage names in lower case: `COPY --from=Name` finds the stage nevertheless, but " +
			"`FROM Name` does not and looks for an image.",
		Example: "FROM alpine AS Build\nFROM alpine\nCOPY --from=build /a /a\n",
		Instead: "FROM alpine AS build\nFROM alpine\nCOPY --from=build /a /a\n",
	},
	check: func(p *pass) {
		for _, stage := range p.file().Stages {
			word := stage.NameWord
			if word.Text == stage.Name || stage.From.From == nil {
				continue
			}
			p.found(stage.From, word.Span, replace(word.Span, stage.Name, true), "stage name '%s' should be lowercase",
				word.Text)
		}
	},
}
