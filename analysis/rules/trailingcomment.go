package rules

import (
	"fmt"
	"strings"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
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
			span := source.Span{Start: in.Args[i].Span.Start, End: in.ArgsSpan.End}
			finding := analysis.Finding{
				Span:    span,
				Message: fmt.Sprintf("%s reads the comment as arguments: only a whole line can be a comment", name),
			}
			if in.Line == in.EndLine {
				start := p.Text.LineStart(in.Line - 1)
				indent := p.Text.Slice(source.Span{Start: start, End: in.Span.Start})
				finding.Fixes = []analysis.Fix{{
					Title: "Move the comment above",
					Edits: []source.Edit{
						{
							Span:    source.Span{Start: in.Span.Start, End: in.Span.Start},
							NewText: asComment(p.Text.Slice(span)) + p.newline + indent,
						},
						{Span: source.Span{Start: in.Args[i-1].Span.End, End: span.End}},
					},
					Preferred: start != 0 ||
						!strings.Contains(p.Text.Slice(span), "="), // else it might be read as a directive
				}}
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
		in.Meant == "ONBUILD" || in.Meant == "SHELL" {
		return -1
	}
	switch c := in.Command.(type) {
	case *instructions.EnvCommand:
		if len(c.Env) == 1 && c.Env[0].NoDelim {
			return -1 // "ENV PROMPT #" may mean it
		}
	case *instructions.LabelCommand:
		if len(c.Labels) == 1 && c.Labels[0].NoDelim {
			return -1
		}
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

// asComment is a comment of another language as one of a Dockerfile's.
func asComment(text string) string {
	if rest, ok := strings.CutPrefix(text, "//"); ok {
		return "#" + rest
	}
	return text
}
