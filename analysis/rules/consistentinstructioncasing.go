package rules

import (
	"strings"

	"github.com/layerwise/layerwise/analysis"
)

// ConsistentInstructionCasing finds instructions that are not in the case of most others.
var ConsistentInstructionCasing = &Rule{
	ID:       "ConsistentInstructionCasing",
	Severity: analysis.Information,
	BuildKit: buildKitPage + "consistent-instruction-casing/",
	FileOnly: true,
	Style:    true,
	Doc: Doc{
		Summary: "An instruction is written in another case than most",
		What: "Counts the instructions in upper and in lower case, and finds those that are not like the majority " +
			"or in mixed case. The fix changes their case.",
		Why:     "A file in one case is easier to read. Upper case, which is the convention, wins a draw.",
		Example: "FROM alpine\nrun apk add curl\nCMD [\"curl\"]\n",
		Instead: "FROM alpine\nRUN apk add curl\nCMD [\"curl\"]\n",
	},
	check: checkConsistentInstructionCasing,
}

func checkConsistentInstructionCasing(p *pass) {
	lower, upper := 0, 0
	for _, in := range p.file().Instructions {
		switch {
		case in.Stage < 0:
		case in.Keyword.Text == in.Meant:
			upper++
		case in.Keyword.Text == strings.ToLower(in.Meant):
			lower++
		}
	}
	for _, in := range p.file().Instructions {
		want, name := in.Meant, "uppercase"
		if lower > upper {
			want, name = strings.ToLower(want), "lowercase"
		}
		typed := in.Keyword.Text
		if in.Stage < 0 || typed == want || !strings.EqualFold(typed, want) {
			continue // a misspelt one is another rule's
		}
		p.found(nil, in.Keyword.Span, replace(in.Keyword.Span, want, true),
			"command '%s' should match the case of the command majority (%s)", typed, name)
	}
}
