package outline

import (
	"cmp"
	"regexp"
	"slices"

	"github.com/layerwise/layerwise/analysis/dockerfile"
)

// Fold is a range of 0-based lines that fold into the first.
type Fold struct {
	Start, End int
	Kind       FoldKind
}

// FoldKind says what folds.
type FoldKind int

// The kinds of folds.
const (
	CodeFold FoldKind = iota
	CommentFold
	RegionFold // between "#region" and "#endregion"
)

var region = regexp.MustCompile(`^#\s*(end)?region\b`)

// Folds returns the stages, the instructions and heredocs of several lines, blocks of comments, and regions; sorted, no
// two starting at one line.
func Folds(file *dockerfile.File) []Fold {
	var folds []Fold
	line := file.Text.LineAt
	for _, stage := range file.Stages {
		folds = append(folds, Fold{line(stage.Span.Start), line(stage.Span.End), CodeFold})
	}
	for _, in := range file.Instructions {
		folds = append(folds, Fold{line(in.Span.Start), line(in.Span.End), CodeFold})
		for i, doc := range in.Heredocs {
			start := line(doc.Body.Start)
			if i == 0 {
				start = line(doc.Start.Start)
			}
			folds = append(folds, Fold{start, line(doc.Terminator.End), CodeFold})
		}
		folds = append(folds, comments(file, in.Comments)...)
	}
	folds = append(folds, comments(file, file.Comments)...)
	var open []int
	for _, c := range file.Comments {
		switch m := region.FindStringSubmatch(file.Text.Slice(c.Span)); {
		case m == nil:
		case m[1] == "":
			open = append(open, line(c.Span.Start))
		case len(open) > 0:
			folds = append(folds, Fold{open[len(open)-1], line(c.Span.Start), RegionFold})
			open = open[:len(open)-1]
		}
	}
	folds = slices.DeleteFunc(folds, func(f Fold) bool { return f.Start >= f.End })
	// Of several that start at one line editors show one: the largest.
	slices.SortStableFunc(folds, func(a, b Fold) int { return cmp.Or(a.Start-b.Start, b.End-a.End) })
	return slices.CompactFunc(folds, func(a, b Fold) bool { return a.Start == b.Start })
}

// comments returns the blocks of comments on neighbouring lines.
func comments(file *dockerfile.File, list []dockerfile.Comment) []Fold {
	var folds []Fold
	for _, c := range list {
		line := file.Text.LineAt(c.Span.Start)
		marks := region.MatchString(file.Text.Slice(c.Span))
		if last := len(folds) - 1; last >= 0 && folds[last].End == line-1 && !marks {
			folds[last].End = line
		} else if !marks {
			folds = append(folds, Fold{line, line, CommentFold})
		}
	}
	return folds
}
