package rules

import (
	"slices"
	"strings"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
)

// PointlessCommand finds commands that do nothing for an image.
var PointlessCommand = &Rule{
	ID:           "pointless-command",
	Severity:     analysis.Information,
	OffByDefault: true,
	Hadolint:     []string{"DL3001"},
	Doc: Doc{
		Summary: "A command does nothing for the image",
		What: "Finds `RUN` with `ssh`, `vim`, `ps`, `top`, `free`, `kill`, `mount`, `ifconfig` and `shutdown`, but for " +
			"`kill` where a command runs in the background, `ssh` with a mount of that type, and `vim` with `-c` or `+`.",
		Why:     "They show or change what runs, or wait for somebody. An image keeps only files.",
		Example: "FROM alpine\nRUN ps aux\n",
		Instead: "FROM alpine\nRUN true\n",
	},
	of: []string{"RUN"},
	each: ofCommands(func(p *pass, in *dockerfile.Instruction, c command) {
		if slices.Contains(pointless, c.words[0]) && !p.hasAPoint(in, c) {
			p.found(in, c.span(p, in, 0, 1), nil, "%s does nothing for the image, which keeps only files", c.words[0])
		}
	}),
}

var pointless = strings.Fields("ssh vim ps top free kill mount ifconfig shutdown")

// hasAPoint reports whether one of these commands does something for the image: it ends what runs only for a while,
// takes a key for a host, or installs what an editor needs.
func (p *pass) hasAPoint(in *dockerfile.Instruction, c command) bool {
	switch c.words[0] {
	case "kill":
		run := p.shellRun(in)
		return run != nil && run.starts
	case "ssh":
		return slices.ContainsFunc(in.Mounts(), func(m dockerfile.Mount) bool { return m.Type() == "ssh" })
	case "vim":
		return slices.ContainsFunc(c.words[1:], func(word string) bool {
			return word == "-c" || strings.HasPrefix(word, "+")
		})
	}
	return false
}
