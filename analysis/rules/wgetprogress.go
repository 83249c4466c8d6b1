package rules

import (
	"slices"
	"strings"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
)

// WgetProgress finds wget that fills the log of the build.
var WgetProgress = &Rule{
	ID:           "wget-progress",
	Severity:     analysis.Information,
	OffByDefault: true,
	Hadolint:     []string{"DL3047"},
	Doc: Doc{
		Summary: "wget fills the log of the build with its progress",
		What:    "Finds `wget` without `--progress`, `--quiet` or `--no-verbose`. The fix adds `--progress=dot:giga`.",
		Why:     "Without a terminal wget writes a line for each 50 KB. BusyBox's wget has no such flag.",
		Example: "FROM buildpack-deps\nRUN wget https://example.com/a\n",
		Instead: "FROM buildpack-deps\nRUN wget --progress=dot:giga https://example.com/a\n",
	},
	of: []string{"RUN"},
	each: ofCommands(func(p *pass, in *dockerfile.Instruction, c command) {
		if c.words[0] != "wget" || len(c.words) < 2 || slices.ContainsFunc(c.words[1:], func(word string) bool {
			return word == "-nv" || word == "-o" || word == "-a" || strings.HasPrefix(word, "--progress") ||
				word == "--quiet" || word == "--no-verbose" || strings.HasPrefix(word, "--output-file") ||
				strings.HasPrefix(word, "--append-output") || word == "--version" || word == "--help" ||
				len(word) > 1 && word[0] == '-' && word[1] != '-' && strings.Contains(word, "q")
		}) {
			return
		}
		name := c.span(p, in, 0, 1)
		finding := analysis.Finding{Span: name, Message: "wget writes its progress to the log of the build"}
		if image, known := p.imageOf(in); known && !strings.Contains(image, "alpine") && image != "busybox" {
			at := source.At(name.End)
			finding.Fixes = change("Add --progress=dot:giga", at, " --progress=dot:giga", false)
		}
		p.report(in, finding)
	}),
}
