package reorder

import (
	"fmt"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
)

// conflicts lists, for each instruction that only sets a field of the image's configuration, the instructions that
// write or read the same field: it is never moved across one of those.
//
// The shell forms of CMD, ENTRYPOINT and HEALTHCHECK take the SHELL of their place. ENTRYPOINT clears a CMD that the
// base image set. Of several STOPSIGNALs and HEALTHCHECKs, and of equal LABELs, the last one counts; EXPOSE only adds,
// but keeps its order.
var conflicts = map[string][]string{
	"CMD":         {"CMD", "ENTRYPOINT", "SHELL"},
	"ENTRYPOINT":  {"CMD", "ENTRYPOINT", "SHELL"},
	"HEALTHCHECK": {"HEALTHCHECK", "SHELL"},
	"LABEL":       {"LABEL"},
	"EXPOSE":      {"EXPOSE"},
	"STOPSIGNAL":  {"STOPSIGNAL"},
}

// expanded are the instructions among those in which the builder expands variables, so that an ENV or ARG above counts.
var expanded = []string{"LABEL", "EXPOSE", "STOPSIGNAL"}

// raise moves instructions that only configure the image up, as far as they can go, where that takes them above a COPY
// or ADD. They never pass a RUN: it would run again after each change of theirs, which costs more than it saves.
func raise(file *dockerfile.File, stage int) change {
	original := file.Stages[stage].Instructions
	order := slices.Clone(original)
	var moved []*dockerfile.Instruction
	var names []string
	var result change
	for _, in := range original {
		if !movable(in) {
			continue
		}
		at := slices.Index(order, in)
		top := at
		for top > 1 && passes(in, order[top-1]) {
			top--
		}
		for top < at && conflicts[order[top].Meant] != nil { // it joins the others of its sort
			top++
		}
		copied := slices.IndexFunc(order[top:at], copies)
		if copied < 0 {
			continue
		}
		goal, copying := order[top-1], order[top+copied]
		order = slices.Insert(slices.Delete(order, at, at+1), top, in)
		moved = append(moved, in)
		if !slices.Contains(names, in.Meant) {
			names = append(names, in.Meant)
		}
		result.reasons = append(result.reasons, fmt.Sprintf(
			"%s (line %d) goes below %s (line %d). To the classic builder it is a step, which runs again whenever %s "+
				"(line %d) copies something else; raised it stays cached. "+
				"The price: a change of it then rebuilds also what stands above it now, %s.",
			in.Meant,
			in.Line,
			goal.Meant,
			goal.Line,
			copying.Meant,
			copying.Line,
			lines(order[top+1].Line, order[at].EndLine),
		))
	}
	if len(moved) == 0 {
		return change{}
	}
	result.titles = []string{"raise " + enumerate(names)}
	result.reasons = append(
		result.reasons,
		"The image stays the same: "+onlySet(
			names,
		)+" its configuration, and nothing in between reads or writes the same part of it. No RUN is passed.",
	)
	result.edits = moveEdits(file, order, moved)
	return result
}

// lines names lines: "line 3", "lines 3 to 5".
func lines(from, to int) string {
	if from == to {
		return fmt.Sprintf("line %d", from)
	}
	return fmt.Sprintf("lines %d to %d", from, to)
}

func movable(in *dockerfile.Instruction) bool {
	if conflicts[in.Meant] == nil || len(in.Heredocs) > 0 {
		return false
	}
	return !slices.Contains(expanded, in.Meant) || !strings.Contains(in.Node.Original, "$")
}

// passes reports whether in can be moved above other.
func passes(in, other *dockerfile.Instruction) bool {
	switch other.Meant {
	case "FROM", "RUN", "":
		return false
	}
	return !slices.Contains(conflicts[in.Meant], other.Meant)
}

func copies(in *dockerfile.Instruction) bool { return in.Meant == "COPY" || in.Meant == "ADD" }

// moveEdits returns the edits that take the moved instructions to their places in order.
func moveEdits(file *dockerfile.File, order, moved []*dockerfile.Instruction) []source.Edit {
	var edits []source.Edit
	for i := 0; i < len(order); i++ {
		if !slices.Contains(moved, order[i]) {
			continue
		}
		anchor := order[i-1] // not moved: the run of moved ones behind it is inserted at once
		end := file.Text.Line(file.Text.LineAt(anchor.Span.End)).End
		newline := file.Text.Slice(source.Span{Start: end, End: file.Text.LineStart(file.Text.LineAt(end) + 1)})
		spaced := blank(file, file.Text.LineAt(end)+1)
		var text strings.Builder
		for first := true; i < len(order) && slices.Contains(moved, order[i]); i++ {
			lines := block(file, order[i])
			text.WriteString(newline)
			if spaced && (first || blank(file, lines.first-1)) {
				text.WriteString(newline)
			}
			text.WriteString(
				file.Text.Slice(
					source.Span{Start: file.Text.LineStart(lines.first), End: file.Text.Line(lines.last).End},
				),
			)
			first = false
		}
		edits = append(edits, source.Edit{Span: source.Span{Start: end, End: end}, NewText: text.String()})
	}
	return append(edits, removeEdits(file, moved)...)
}
