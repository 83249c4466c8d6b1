package reorder

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
)

// join makes one instruction of each run of ENVs, and of LABELs, on lines directly below one another.
func join(file *dockerfile.File, stage int) change {
	var result change
	for _, kind := range []struct{ name, same string }{
		{"ENV", "The environment stays the same, as no value uses a variable that it is joined with."},
		{"LABEL", "The labels stay the same: each has one value."},
	} {
		saved, groups := 0, 0
		list := file.Stages[stage].Instructions
		for i := 0; i < len(list); {
			n := joinable(file, list[i:], kind.name)
			if n < 2 {
				i++
				continue
			}
			group := list[i : i+n]
			for k, in := range group {
				result.edits = append(result.edits, joinEdits(file, group[0], in, k == n-1)...)
			}
			saved += n - 1
			groups++
			i += n
		}
		switch groups {
		case 0:
			continue
		case 1:
			result.titles = append(result.titles, fmt.Sprintf("join %d %ss", saved+1, kind.name))
		default:
			result.titles = append(result.titles, fmt.Sprintf("join %d %ss into %d", saved+groups, kind.name, groups))
		}
		result.saved += saved
		result.reasons = append(
			result.reasons,
			fmt.Sprintf(
				"Each %s is a step to the classic builder: %d fewer of them are %d fewer steps. %s",
				kind.name,
				saved,
				saved,
				kind.same,
			),
		)
	}
	slices.SortStableFunc(result.edits, byStart)
	return result
}

// joinable returns how many instructions of a kind at the head of list can be one: their values do not depend on each
// other, none is set twice, and no comment or blank line lies between.
func joinable(file *dockerfile.File, list []*dockerfile.Instruction, kind string) int {
	names := map[string]bool{}
	for i, in := range list {
		pairs := pairsOf(in)
		if in.Meant != kind || pairs == nil || !continuable(file, in, pairs) {
			return i
		}
		if i > 0 && (in.Line != list[i-1].EndLine+1 || kind == "ENV" && refersTo(pairs, names)) {
			return i
		}
		for _, pair := range pairs {
			if names[strings.ToUpper(pair.Key)] || !plainName.MatchString(pair.Key) {
				return i
			}
		}
		for _, pair := range pairs {
			names[strings.ToUpper(pair.Key)] = true // Windows does not tell A from a
		}
	}
	return len(list)
}

// pairsOf gives what an ENV or LABEL sets, nil for any other instruction.
func pairsOf(in *dockerfile.Instruction) []instructions.KeyValuePair {
	switch c := in.Command.(type) {
	case *instructions.EnvCommand:
		return c.Env
	case *instructions.LabelCommand:
		return c.Labels
	}
	return nil
}

// refersTo reports whether a value could use one of the variables. Within one ENV, values are expanded with the
// variables of the instructions above only.
func refersTo(pairs []instructions.KeyValuePair, names map[string]bool) bool {
	for _, pair := range pairs {
		if !strings.Contains(pair.Value, "$") {
			continue
		}
		for name := range names {
			if strings.Contains(strings.ToUpper(pair.Value), name) {
				return true
			}
		}
	}
	return false
}

// plainName matches names that are what they look like: without variables or quotes, and no comment at a line's start.
var plainName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]*$`)

// plainWords matches values that mean the same in "ENV key value" and in ENV key="value", and so in LABEL.
var plainWords = regexp.MustCompile("^[^\\s\"'`\\\\$]+( [^\\s\"'`\\\\$]+)*$")

// continuable reports whether more pairs can be added behind in's last line and in front of its first one.
func continuable(file *dockerfile.File, in *dockerfile.Instruction, pairs []instructions.KeyValuePair) bool {
	if file.Text.LineAt(in.Args[0].Span.Start) != in.Line-1 {
		return false
	}
	if !pairs[0].NoDelim {
		return !slices.ContainsFunc(
			pairs,
			func(p instructions.KeyValuePair) bool { return !quotesClosed(p.Value, file.Escape) },
		)
	}
	return in.Line == in.EndLine && plainWords.MatchString(pairs[0].Value)
}

func quotesClosed(value string, escape byte) bool {
	var quote byte
	for i := 0; i < len(value); i++ {
		switch c := value[i]; {
		case c == escape && quote != '\'':
			i++
		case quote == 0 && (c == '"' || c == '\''):
			quote = c
		case c == quote:
			quote = 0
		}
	}
	return quote == 0
}

// joinEdits returns the edits that make in part of the instruction that begins with first.
func joinEdits(file *dockerfile.File, first, in *dockerfile.Instruction, last bool) []source.Edit {
	var edits []source.Edit
	if in != first {
		text := file.Text
		indent := text.Slice(source.Span{Start: text.LineStart(first.Line - 1), End: first.Keyword.Span.Start}) +
			strings.Repeat(" ", first.Keyword.Span.Len()) +
			text.Slice(source.Span{Start: first.Keyword.Span.End, End: first.Args[0].Span.Start})
		edits = append(
			edits,
			source.Edit{
				Span:    source.Span{Start: text.LineStart(in.Line - 1), End: in.Args[0].Span.Start},
				NewText: indent,
			},
		)
	}
	end := in.Args[0].Span.Start + len(
		strings.TrimRight(file.Text.Slice(source.Span{Start: in.Args[0].Span.Start, End: in.Span.End}), " \t"),
	)
	if pair := pairsOf(in)[0]; pair.NoDelim {
		edits = append(edits, source.Edit{
			Span:    source.Span{Start: in.Args[0].Span.Start, End: end},
			NewText: fmt.Sprintf(`%s="%s"`, pair.Key, pair.Value),
		})
	}
	if !last {
		edits = append(
			edits,
			source.Edit{Span: source.Span{Start: end, End: in.Span.End}, NewText: " " + string(file.Escape)},
		)
	}
	return edits
}
