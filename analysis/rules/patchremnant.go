package rules

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
)

// PatchRemnant finds what merges and diffs leave in a file.
var PatchRemnant = &Rule{
	ID:       "patch-remnant",
	Severity: analysis.Error,
	Doc: Doc{
		Summary: "A line is left over from a merge conflict or a diff",
		What: "Finds the lines `<<<<<<<`, `=======` and `>>>>>>>` that Git writes around a conflict, and lines of " +
			"a diff. Fixes keep one side of the conflict, or remove the line. Within an instruction, where BuildKit " +
			"does not stop at it, it is a warning.",
		Why:     "The merge is not finished; the build stops there.",
		Example: "FROM alpine\n@@ -1,2 +1,2 @@\nRUN apk add curl\n",
		Instead: "FROM alpine\nRUN apk add curl\n",
	},
	check: checkPatchRemnant,
}

// conflict is one conflict of a merge: the lines, counted from 0, of its markers. Base is that of "|||||||", or -1.
type conflict struct{ ours, base, theirs, end int }

func checkPatchRemnant(p *pass) {
	leftovers := p.patchLines()
	for _, c := range p.conflicts() {
		name := func(line int) string {
			_, name, _ := strings.Cut(p.Text.Slice(p.Text.Line(line)), " ")
			return strings.TrimSpace(name)
		}
		upper := c.theirs
		if c.base >= 0 {
			upper = c.base
		}
		lines := func(from, to int) source.Span { // up to to, exclusive
			return source.Between(p.Text.LineStart(from), p.Text.LineStart(to))
		}
		finding := analysis.Finding{
			Span:    p.Text.Line(c.ours),
			Message: fmt.Sprintf("a merge conflict that is not resolved, up to line %d", c.end+1),
			Fixes: append(
				change("Keep the upper side ("+name(c.ours)+")", lines(c.ours, c.ours+1), "", false,
					source.Edit{Span: lines(upper, c.end+1)}),
				change("Keep the lower side ("+name(c.end)+")", lines(c.ours, c.theirs+1), "", false,
					source.Edit{Span: lines(c.end, c.end+1)})...),
		}
		if !slices.ContainsFunc(
			p.file().Instructions,
			func(in *dockerfile.Instruction) bool {
				return leftovers[in] && c.ours <= in.Line-1 && in.Line-1 <= c.end+1
			},
		) {
			finding.Severity = analysis.Warning
		}
		p.report(nil, finding)
	}
	conflicts := p.conflicts()
	for i, in := range p.file().Instructions {
		if leftovers[in] && !within(conflicts, in.Line-1) &&
			!(i > 0 && p.continuesConflict(conflicts, p.file().Instructions[i-1], in)) {
			p.found(nil, source.Between(in.Span.Start, p.Text.Line(in.Line-1).End),
				change("Remove this line", p.lines(in), "", true), "a line of a diff")
		}
	}
}

// conflicts returns the conflicts that have all their markers.
func (p *pass) conflicts() (list []conflict) {
	if !strings.Contains(p.Text.String(), "<<<<<<< ") {
		return nil
	}
	c := conflict{ours: -1, base: -1, theirs: -1}
	for line, span := range p.Text.Lines() {
		switch text := p.Text.Slice(span); {
		case strings.HasPrefix(text, "<<<<<<< "):
			c = conflict{ours: line, base: -1, theirs: -1}
		case c.ours < 0:
		case strings.HasPrefix(text, "||||||| "):
			c.base = line
		case strings.TrimRight(text, " \t\r") == "=======":
			c.theirs = line
		case strings.HasPrefix(text, ">>>>>>> ") && c.theirs >= 0:
			c.end = line
			list = append(list, c)
			c.ours = -1
		}
	}
	return list
}

var diffLine = regexp.MustCompile(
	`^(@@ -[0-9,]+ \+[0-9,]+ @@|diff --git |index [0-9a-f]+\.\.[0-9a-f]+|--- a/|\+\+\+ b/|--- /dev/null|\+\+\+ /dev/null)`,
)

func isDiffLine(line string) bool {
	return line != "" && strings.Contains("@di-+", line[:1]) && diffLine.MatchString(line)
}

// patchLines returns the unknown instructions that are lines of a conflict or of a diff.
func (p *pass) patchLines() map[*dockerfile.Instruction]bool {
	if p.rest().patch != nil || len(p.problems(dockerfile.UnknownInstruction)) == 0 {
		return p.rest().patch
	}
	lines := map[*dockerfile.Instruction]bool{}
	conflicts := p.conflicts()
	diff := false // there are lines that only a diff has
	for _, in := range p.file().Instructions {
		diff = diff || strings.HasPrefix(in.Keyword.Text, "+") && in.Meant != "" ||
			isUnknown(in) && isDiffLine(p.Text.Slice(p.Text.Line(in.Line-1)))
	}
	for i, in := range p.file().Instructions {
		text := p.Text.Slice(p.Text.Line(in.Line - 1))
		removed := strings.HasPrefix(in.Keyword.Text, "-") && in.Meant != "" && diff
		if isUnknown(in) &&
			(isDiffLine(text) || removed || within(conflicts, in.Line-1) || i > 0 &&
				lines[p.file().Instructions[i-1]] && p.continuesConflict(conflicts, p.file().Instructions[i-1], in)) {
			lines[in] = true
		}
	}
	p.rest().patch = lines
	return lines
}

// within reports whether a line lies in one of the conflicts: those that are no instructions there belong to one that
// the conflict cut.
func within(conflicts []conflict, line int) bool {
	return slices.ContainsFunc(conflicts, func(c conflict) bool { return c.ours <= line && line <= c.end })
}

// continuesConflict reports whether in goes on with what a conflict right above it cut.
func (p *pass) continuesConflict(conflicts []conflict, above, in *dockerfile.Instruction) bool {
	return within(conflicts, above.Line-1) && above.EndLine+1 == in.Line && p.indent(in) > 0
}

// lines are the whole lines of an instruction, with the last one's terminator.
func (p *pass) lines(in *dockerfile.Instruction) source.Span {
	first, last := p.Text.LineAt(in.Span.Start), p.Text.LineAt(in.Span.End)
	return source.Between(p.Text.LineStart(first), p.Text.LineStart(last+1))
}
