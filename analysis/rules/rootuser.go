package rules

import (
	"slices"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
)

// RootUser finds images whose last USER is root.
var RootUser = &Rule{
	ID:           "root-user",
	Severity:     analysis.Warning,
	OffByDefault: true,
	Hadolint:     []string{"DL3002"},
	Doc: Doc{
		Summary: "The last USER is root",
		What:    "Finds a last stage whose last `USER` is root.",
		Why:     "The container runs as root: whoever breaks into the program has all rights within it.",
		Example: "FROM alpine\nUSER root\nCMD [\"top\"]\n",
		Instead: "FROM alpine\nUSER nobody\nCMD [\"top\"]\n",
	},
	check: func(p *pass) {
		var last *dockerfile.Instruction
		for _, in := range p.of("USER") {
			if in.Stage == len(p.file().Stages)-1 && len(in.Args) > 0 {
				last = in
			}
		}
		if last == nil {
			return
		}
		if isRoot(last.Args[0].Text) {
			p.found(last, last.Args[0].Span, nil, "the image's user is root")
		}
	},
}

// isRoot reports whether a USER is root, with root's group if with any.
func isRoot(user string) bool {
	return slices.Contains([]string{"root", "0", "root:root", "0:0"}, user)
}
