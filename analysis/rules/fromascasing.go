package rules

import (
	"strings"

	"github.com/layerwise/layerwise/analysis"
)

// FromAsCasing finds an AS that is not in the case of its FROM.
var FromAsCasing = &Rule{
	ID:       "FromAsCasing",
	Severity: analysis.Information,
	BuildKit: buildKitPage + "from-as-casing/",
	Style:    true,
	Doc: Doc{
		Summary: "FROM and AS are written in different cases",
		What:    "Finds `FROM ... as name` and `from ... AS name`. The fix writes AS as FROM is written.",
		Why:     "It is harder to read, and other instructions are expected to keep to one case, too.",
		Example: "FROM alpine as build\n",
		Instead: "FROM alpine AS build\n",
	},
	check: func(p *pass) {
		for _, in := range p.of("FROM") {
			if len(in.Args) < 3 || in.From == nil {
				continue
			}
			as, want := in.Args[1], ""
			switch in.Keyword.Text {
			case strings.ToLower(in.Keyword.Text):
				want = "as"
			case strings.ToUpper(in.Keyword.Text):
				want = "AS"
			}
			if want == "" || as.Text == want {
				continue // where FROM itself is in mixed case ConsistentInstructionCasing speaks
			}
			p.found(in, as.Span, replace(as.Span, want, true), "'%s' and '%s' keywords' casing do not match", as.Text,
				in.Keyword.Text)
		}
	},
}
