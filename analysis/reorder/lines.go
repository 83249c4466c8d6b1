package reorder

import (
	"sort"
	"strings"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
)

// lineRange is a range of 0-based lines, both ends included.
type lineRange struct{ first, last int }

// block returns the lines of an instruction and of the comment directly above it, which belongs to it.
func block(file *dockerfile.File, in *dockerfile.Instruction) lineRange {
	lines := lineRange{file.Text.LineAt(in.Span.Start), file.Text.LineAt(in.Span.End)}
	i := sort.Search(len(file.Comments), func(i int) bool { return file.Comments[i].Span.Start >= in.Span.Start })
	for i--; i >= 0 && file.Text.LineAt(file.Comments[i].Span.Start) == lines.first-1; i-- {
		lines.first--
	}
	return lines
}

// blank reports whether the line exists and has nothing on it. What follows the last newline is no line.
func blank(file *dockerfile.File, line int) bool {
	if line < file.Text.FirstLine() || file.Text.LineStart(line) == file.Text.Len() {
		return false
	}
	return strings.TrimSpace(file.Text.Slice(file.Text.Line(line))) == ""
}

// removeEdits returns the edits that remove the instructions' blocks, in file order. Of blank lines on both sides of
// what is removed only those above stay.
func removeEdits(file *dockerfile.File, instructions []*dockerfile.Instruction) []source.Edit {
	var edits []source.Edit
	for i := 0; i < len(instructions); {
		lines := block(file, instructions[i])
		above := blank(file, lines.first-1)
		for {
			for above && blank(file, lines.last+1) {
				lines.last++
			}
			i++
			if i == len(instructions) || block(file, instructions[i]).first != lines.last+1 {
				break
			}
			lines.last = block(file, instructions[i]).last
		}
		span := source.Span{Start: file.Text.LineStart(lines.first), End: file.Text.LineStart(lines.last + 1)}
		if span.End == file.Text.Len() && file.Text.Line(lines.last).End == span.End {
			// The last line has no newline. The line that becomes the last one has none either.
			span.Start = file.Text.Line(lines.first - 1).End
		}
		edits = append(edits, source.Edit{Span: span})
	}
	return edits
}
