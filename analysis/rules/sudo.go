package rules

import (
	"strings"

	"github.com/layerwise/layerwise/analysis"
)

// Sudo finds commands that are run by sudo.
var Sudo = &Rule{
	ID:           "sudo",
	Severity:     analysis.Warning,
	OffByDefault: true,
	Hadolint:     []string{"DL3004"},
	Doc: Doc{
		Summary: "sudo runs a command",
		What:    "Finds `RUN sudo ...`.",
		Why: "A build is root until `USER` says otherwise; where it is not, sudo may ask for a password that " +
			"nobody gives.",
		Example: "FROM buildpack-deps\nRUN sudo true\n",
		Instead: "FROM buildpack-deps\nRUN true\n",
	},
	check: func(p *pass) {
		for in := range p.every("RUN") {
			if text := p.Text.Slice(in.ArgsSpan); strings.HasPrefix(text, "sudo ") ||
				strings.Contains(text, "&& sudo ") ||
				strings.Contains(text, "; sudo ") {
				span := in.ArgsSpan
				span.Start += strings.Index(text, "sudo ")
				span.End = span.Start + len("sudo")
				p.found(in, span, nil, "sudo is not needed: a build is root until USER says otherwise")
			}
		}
	},
}
