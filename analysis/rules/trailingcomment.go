package rules

import (
	"fmt"
	"strings"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
)

// TrailingComment finds comments behind an instruction.
var TrailingComment = &Rule{
	ID:       "trailing-comment",
	Severity: analysis.Warning,
	Doc: Doc{
		Summary: "A comment behind an instruction is read as its arguments",
		What: "Finds a `#` between blanks in instructions that are not shell commands. The fix moves the comment " +
			"to a line of its own above. Where BuildKit stops at it, it is an error.",
		Why:     "Only a whole line can be a comment. `WORKDIR /app # the app` makes a folder of that name.",
		Example: "FROM alpine\nWORKDIR /app # the app\n",
		Instead: "FROM alpine\n# the app\nWORKDIR /app\n",
	},
	check: checkTrailingComment,
}

func checkTrailingComment(p *pass) {
	for _, name := range []string{"ADD", "ARG", "COPY", "ENV", "EXPOSE", "FROM", "LABEL", "STOPSIGNAL", "USER",
		"VOLUME", "WORKDIR"} {
		for _, in := range p.of(name) {
			i := trailingComment(in)
			if i < 0 {
				continue
			}
			span := source.Between(in.Args[i].Span.Start, in.ArgsSpan.End)
			finding := analysis.Finding{
				Span:    span,
				Message: fmt.Sprintf("%s reads the comment as arguments: only a whole line can be a comment", name),
			}
			if in.Line == in.EndLine {
				start := p.Text.LineStart(in.Line - 1)
				indent := p.Text.Slice(source.Between(start, in.Span.Start))
				comment := p.Text.Slice(span)
				if rest, ok := strings.CutPrefix(comment, "//"); ok {
					comment = "#" + rest
				}
				directive := start == 0 && strings.Contains(comment, "=") // it might be read as one
				finding.Fixes = change("Move the comment above", source.At(in.Span.Start), comment+p.newline+indent,
					!directive, source.Edit{Span: source.Between(in.Args[i-1].Span.End, span.End)})
			}
			if in.Command == nil && in.From == nil || name == "EXPOSE" || name == "STOPSIGNAL" {
				finding.Severity = analysis.Error
			}
			p.report(in, finding)
		}
	}
}

// trailingComment returns the index of the argument that begins a comment, or -1.
func trailingComment(in *dockerfile.Instruction) int {
	if in.JSON || in.Meant == "RUN" || in.Meant == "CMD" || in.Meant == "ENTRYPOINT" || in.Meant == "HEALTHCHECK" ||
		in.Meant == "ONBUILD" || in.Meant == "SHELL" || freeText(in) {
		return -1 // "ENV PROMPT #" may mean it
	}
	for i, word := range in.Args {
		if i > 0 && word.Text == "//" && i < len(in.Args)-1 {
			return i
		}
		if copies := in.Meant == "COPY" || in.Meant == "ADD"; i > 1 && copies && strings.HasPrefix(word.Text, "#") ||
			i > 0 && (word.Text == "#" || strings.HasPrefix(word.Text, "##")) {
			return i
		}
	}
	return -1
}
