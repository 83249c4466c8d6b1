package rules

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
)

// SwallowedInstruction finds instructions that belong to the one above, as that one's line is continued.
var SwallowedInstruction = &Rule{
	ID:       "swallowed-instruction",
	Severity: analysis.Warning,
	Doc: Doc{
		Summary: "A continued line takes in the instruction below it",
		What: "Finds lines that begin with an instruction in capitals and are one, as far as they go, but belong to " +
			"the instruction above since its line ends with the escape character. " +
			"The fix removes that character, and an operator that then has nothing to join. Where BuildKit stops at " +
			"it, the error is another rule's.",
		Why: "The line is not an instruction, but arguments of the one above: `RUN apk add curl \\` with `CMD " +
			"[\"curl\"]` below it installs a package `CMD`.",
		Example: "FROM alpine\nRUN apk add curl \\\nUSER app\n",
		Instead: "FROM alpine\nRUN apk add curl\nUSER app\n",
	},
	each: checkSwallowedInstruction,
}

func checkSwallowedInstruction(p *pass, in *dockerfile.Instruction) {
	if at, ok := p.swallows(in); ok && in.Meant != "" {
		p.report(in, p.swallowed(in, p.Text.LineAt(at)))
	}
}

// swallows returns where the first line of an instruction starts that is meant to be another one.
func (p *pass) swallows(in *dockerfile.Instruction) (int, bool) {
	if in.Line == in.EndLine {
		return 0, false
	}
	all := p.Text.Slice(in.Span)
	args := all[:in.ArgsSpan.End-in.Span.Start]
	for at := strings.IndexByte(args, '\n') + 1; at > 0; { // the second line and on
		line, _, more := strings.Cut(args[at:], "\n")
		text := strings.TrimSuffix(line, "\r")
		if in.Meant == "RUN" { // of others the lines below are indented more often
			text = strings.TrimLeft(text, " \t")
		}
		word, rest, _ := strings.Cut(text, " ")
		if rest != "" && keywords[word] && p.mayBegin(in, at, word) {
			below := dockerfile.Parse(source.New("FROM scratch\n"+all[at:]+"\n"), nil)
			if len(below.Instructions) > 1 && below.Instructions[1].Meant == word && !hasErrors(below.Instructions[1]) {
				return in.Span.Start + at, true
			}
		}
		if !more {
			break
		}
		at += len(line) + 1
	}
	return 0, false
}

// mayBegin reports whether a line that starts at an offset of an instruction may be one of its own, by what is above.
func (p *pass) mayBegin(in *dockerfile.Instruction, at int, word string) bool {
	above := strings.TrimSuffix(p.Text.Slice(in.Span.Part(0, at-1)), "\r")
	if !balanced(above) {
		return false // in a string
	}
	goesOn := in.Meant == "ONBUILD" || in.Meant == "HEALTHCHECK" && word == "CMD"
	return !goesOn || strings.Contains(above, "\n") // "ONBUILD \" goes on so
}

func hasErrors(in *dockerfile.Instruction) bool {
	for _, problem := range in.Problems {
		if !problem.Warning {
			return true
		}
	}
	return false
}

func (p *pass) swallowed(in *dockerfile.Instruction, line int) analysis.Finding {
	span := p.Text.Line(line)
	span.Start += len(p.Text.Slice(span)) - len(strings.TrimLeft(p.Text.Slice(span), " \t"))
	word, _, _ := strings.Cut(p.Text.Slice(span), " ")
	// Comments and empty lines may lie between.
	above := line - 1
	for above > in.Line-1 {
		text := strings.TrimSpace(p.Text.Slice(p.Text.Line(above)))
		if text != "" && text[0] != '#' {
			break
		}
		above--
	}
	text := p.Text.Slice(p.Text.Line(above))
	kept := strings.TrimRight(strings.TrimSuffix(strings.TrimRight(text, " \t\r"), string(p.Escape)), " \t")
	for _, op := range []string{"&&", "||", ";", "|"} {
		if in.Meant == "RUN" && strings.HasSuffix(kept, op) {
			kept = strings.TrimRight(strings.TrimSuffix(kept, op), " \t")
			break
		}
	}
	severity := analysis.Warning
	if in.Command == nil && in.From == nil || in.Meant == "EXPOSE" || in.Meant == "STOPSIGNAL" {
		severity = analysis.Error
	}
	return analysis.Finding{
		Severity: severity,
		Span:     span.Part(0, len(word)),
		Message: fmt.Sprintf(
			"this belongs to the %s of line %d, since line %d ends with a %s",
			in.Meant,
			in.Line,
			above+1,
			p.escapeName(),
		),
		Fixes: p.unswallow(in, above, len(kept)),
	}
}

// pathEnd matches a Windows path at the end of a line whose last backslash is a part of it.
var pathEnd = regexp.MustCompile(`(^|[ \t"'=])[A-Za-z]:(\\[^\\\s]+)*\\$`)

// unswallow ends an instruction at the end of a line, of which kept bytes stay.
func (p *pass) unswallow(in *dockerfile.Instruction, above, kept int) []analysis.Fix {
	start, text := p.Text.LineStart(above), p.Text.Slice(p.Text.Line(above))
	if trimmed := strings.TrimRight(text, " \t\r"); p.Escape == '\\' && in.Meant != "RUN" &&
		pathEnd.MatchString(trimmed) {
		end := start + len(trimmed)
		return change("Change the backslash at the end to a slash", source.Between(end-1, end), "/", false)
	}
	return change(fmt.Sprintf("Remove the %s at the end of line %d", p.escapeName(), above+1),
		source.Between(start+kept, start+len(text)), "", true)
}

var keywords = func() map[string]bool {
	set := map[string]bool{}
	for _, keyword := range dockerfile.Keywords() {
		set[keyword] = true
	}
	return set
}()
