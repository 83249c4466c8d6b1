package rules

import (
	"github.com/layerwise/layerwise/analysis"
)

// MultipleInstructionsDisallowed finds CMD, ENTRYPOINT and HEALTHCHECK that a later one replaces.
var MultipleInstructionsDisallowed = &Rule{
	ID:       "MultipleInstructionsDisallowed",
	Severity: analysis.Warning,
	Hadolint: []string{"DL3012", "DL4003", "DL4004"},
	BuildKit: buildKitPage + "multiple-instructions-disallowed/",
	Doc: Doc{
		Summary: "A stage has several CMD, ENTRYPOINT or HEALTHCHECK",
		What:    "Finds each of them that another one further down in the same stage replaces.",
		Why:     "Only the last one counts. What stands above looks as if it did something, but does nothing.",
		Example: "FROM alpine\nCMD [\"a\"]\nCMD [\"b\"]\n",
		Instead: "FROM alpine\nCMD [\"b\"]\n",
	},
	check: func(p *pass) {
		if p.lostStage() {
			return
		}
		for _, name := range []string{"CMD", "ENTRYPOINT", "HEALTHCHECK"} {
			list := p.of(name)
			for i := 1; i < len(list); i++ {
				earlier, later := list[i-1], list[i]
				if earlier.Stage < 0 || earlier.Stage != later.Stage || earlier.Command == nil || later.Command == nil {
					continue
				}
				// BuildKit asks the later one's comments, but reports the one that is of no use.
				p.found(later, earlier.Keyword.Span, change("Remove this "+name, p.lines(earlier), "", false),
					"multiple %s instructions should not be used in the same stage because only the last one "+
						"will be used: line %d replaces this one", name, later.Line)
			}
		}
	},
}
