package rules

import (
	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
)

// LinkedShell finds a link in the place of /bin/sh.
var LinkedShell = &Rule{
	ID:           "linked-shell",
	Severity:     analysis.Warning,
	OffByDefault: true,
	Hadolint:     []string{"DL4005"},
	Doc: Doc{
		Summary: "/bin/sh is made a link to another shell",
		What:    "Finds `ln` whose last argument is `/bin/sh`.",
		Why: "Scripts of packages expect the distribution's own `/bin/sh`. `SHELL` says which shell the instructions " +
			"below use, and changes nothing else.",
		Example: "FROM debian\nRUN ln -sf /bin/bash /bin/sh\n",
		Instead: "FROM debian\nSHELL [\"/bin/bash\", \"-c\"]\n",
	},
	of: []string{"RUN"},
	each: ofCommands(func(p *pass, in *dockerfile.Instruction, c command) {
		if last := len(c.words) - 1; c.words[0] == "ln" && last > 1 && c.words[last] == "/bin/sh" {
			p.found(in, c.span(p, in, last, last+1), nil, "SHELL says which shell is used, without another /bin/sh")
		}
	}),
}
