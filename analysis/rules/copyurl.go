package rules

import (
	"fmt"
	"strings"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
)

// CopyURL finds COPYs of what only ADD can fetch.
var CopyURL = &Rule{
	ID:       "copy-url",
	Severity: analysis.Error,
	Doc: Doc{
		Summary: "COPY cannot fetch a URL or a Git repository",
		What: "Finds `COPY` with a source that begins with `https://` or is a Git repository, and " +
			"URLs whose scheme is misspelt, stands twice or lacks a colon or a slash. The fix makes it an `ADD`, " +
			"or writes the URL.",
		Why: "The build stops when it comes to the instruction: `COPY` takes files of the build context, of " +
			"stages and of images only.",
		Example: "FROM alpine\nCOPY https://github.com/krallin/tini.git#v0.19.0 /src/\n",
		Instead: "FROM alpine\nADD https://github.com/krallin/tini.git#v0.19.0 /src/\n",
	},
	check: func(p *pass) {
		for in := range p.every("ADD", "COPY") {
			p.checkSourceAddress(in)
		}
		for in := range p.every("COPY") {
			c, ok := in.Command.(*instructions.CopyCommand)
			if !ok || in.Stage < 0 {
				continue
			}
			for i, src := range c.SourcePaths {
				expanded, known := src, true
				if strings.ContainsAny(src, "$\"'\\`") {
					expanded, known = p.variables().Expand(in.Stage, in.Span.Start, src)
				}
				if bare := unquoted(src); !known &&
					(strings.HasPrefix(bare, "http://") || strings.HasPrefix(bare, "https://")) {
					expanded, known = bare, true // whatever the variables in it are
				}
				kind := dockerfile.KindOfSource(expanded)
				if !known || kind == dockerfile.PathSource || i >= len(in.Args) {
					continue
				}
				what := "a URL"
				if kind == dockerfile.GitSource {
					what = "a git ref"
				}
				finding := analysis.Finding{
					Span:    in.Args[i].Span,
					Message: fmt.Sprintf("source can't be %s for COPY", what),
				}
				if canBeAdd(in) {
					finding.Fixes = replace(in.Keyword.Span, matching("ADD", in.Keyword.Text), true)
				}
				p.report(nil, finding)
				break
			}
		}
	},
}

// checkSourceAddress looks for an address that is not right, so that it is taken for a file.
func (p *pass) checkSourceAddress(in *dockerfile.Instruction) {
	if in.JSON || in.Command == nil || len(in.Args) < 2 || in.Meant == "COPY" && !hasContextSource(in) {
		return
	}
	for _, word := range in.Args[:len(in.Args)-1] {
		meant := meantAddress(word.Text)
		if strings.HasPrefix(word.Text, "www.") && strings.Contains(word.Text, "/") && in.Meant == "ADD" {
			meant = "https://" + word.Text
		}
		if meant == "" || p.Text.Slice(word.Span) != word.Text {
			continue
		}
		fixes := replace(word.Span, meant, true)
		if in.Meant == "COPY" && canBeAdd(in) {
			add := matching("ADD", in.Keyword.Text)
			fixes[0].Title = "Change to " + add + " " + meant
			fixes[0].Edits = append([]source.Edit{{Span: in.Keyword.Span, NewText: add}}, fixes[0].Edits...)
		}
		p.report(in, analysis.Finding{
			Severity: analysis.Warning, Span: word.Span,
			Message: fmt.Sprintf("%s is not a URL: it is taken for a file (did you mean %s?)", word.Text, meant),
			Fixes:   fixes,
		})
	}
}

// canBeAdd reports whether ADD has all of a COPY's flags.
func canBeAdd(in *dockerfile.Instruction) bool {
	for _, flag := range in.Flags {
		if name := flag.Name.Text; name == "from" || name == "parents" {
			return false
		}
	}
	return true
}
