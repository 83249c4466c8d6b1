package rules

import (
	"strings"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
)

// mostTried is how many instructions below a finding's own are tried for a comment that keeps it from being reported.
const mostTried = 4

// Suppress returns the changes that keep a finding of [Check] from being reported: one for its instruction, where that
// is possible, and one for the whole file. There are none for errors. None is preferred.
func Suppress(file *dockerfile.File, finding analysis.Finding) []analysis.Fix {
	rule := ByID(finding.Rule)
	if rule == nil {
		return nil
	}
	var fixes []analysis.Fix
	before := len(run(file, Options{On: []string{rule.ID}}, []*Rule{rule}))
	works := func(edit source.Edit) bool {
		after, err := source.Apply(file.Text.String(), []source.Edit{edit})
		if err != nil {
			return false
		}
		// A rule that needs options finds nothing here; it can be skipped like the others.
		return before == 0 ||
			len(run(dockerfile.Parse(source.New(after), file), Options{On: []string{rule.ID}}, []*Rule{rule})) < before
	}
	if in := file.InstructionAt(finding.Span.Start); in != nil && !rule.FileOnly {
		tries := 0
		for _, candidate := range file.Instructions {
			// BuildKit may ask the comments of another one of the same sort further down.
			if candidate.Stage != in.Stage || candidate.Meant != in.Meant || candidate.Span.Start < in.Span.Start {
				continue
			}
			if tries++; tries > mostTried {
				break // each costs as much as checking the file
			}
			if edit := skipAbove(file, candidate, rule.ID); works(edit) {
				fixes = change("Skip "+rule.ID+" for this instruction", edit.Span, edit.NewText, false)
				break
			}
		}
	}
	if edit := skipInFile(file, rule.ID); works(edit) {
		fixes = append(fixes, change("Skip "+rule.ID+" in this file", edit.Span, edit.NewText, false)...)
	}
	return fixes
}

// skipAbove adds a rule to the comment above an instruction that says which are skipped, or such a comment.
func skipAbove(file *dockerfile.File, in *dockerfile.Instruction, id string) source.Edit {
	line := in.Line - 1
	for i := len(file.Comments) - 1; i >= 0; i-- {
		comment := file.Comments[i]
		if comment.Span.Start > in.Span.Start {
			continue
		}
		text := file.Text.Slice(comment.Span)
		if strings.Trim(text, "# \t") == "" || file.InstructionAt(comment.Span.Start) != nil ||
			between(file, comment, in) {
			break
		}
		if m := checkComment(text); m >= 0 {
			return addSkip(text[m:], comment.Span.Start+m, id)
		}
	}
	text := "# check=skip=" + id + newline(file.Text)
	if line == file.BehindDirectives() {
		text = newline(file.Text) + text // on the first lines it would count for the whole file
	}
	return source.Edit{Span: lineStart(file, line), NewText: text}
}

// between reports whether an instruction stands between a comment and in.
func between(file *dockerfile.File, comment dockerfile.Comment, in *dockerfile.Instruction) bool {
	for _, other := range file.Instructions {
		if other.Span.Start > comment.Span.Start {
			return other != in
		}
	}
	return true
}

func skipInFile(file *dockerfile.File, id string) source.Edit {
	for _, d := range file.Directives {
		if d.Name.Text == "check" {
			return addSkip(d.Value.Text, d.Value.Span.Start, id)
		}
	}
	at := lineStart(file, file.BehindDirectives())
	return source.Edit{Span: at, NewText: "# check=skip=" + id + newline(file.Text)}
}

// lineStart is where the 0-based line starts, behind a byte order mark.
func lineStart(file *dockerfile.File, line int) source.Span {
	at := file.Text.LineStart(line)
	if at == 0 && strings.HasPrefix(file.Text.String(), "\xEF\xBB\xBF") {
		at = len("\xEF\xBB\xBF")
	}
	return source.At(at)
}

// checkComment returns where the options begin in a comment such as "# check=skip=x", or -1.
func checkComment(comment string) int {
	rest := strings.TrimLeft(comment, "# \t")
	if len(rest) < len("check") || !strings.EqualFold(rest[:len("check")], "check") {
		return -1
	}
	value, ok := strings.CutPrefix(strings.TrimLeft(rest[len("check"):], " \t"), "=")
	if !ok {
		return -1
	}
	return len(comment) - len(strings.TrimLeft(value, " \t"))
}

// addSkip adds a rule to options such as "skip=a,b;error=true", which begin at the offset.
func addSkip(options string, offset int, id string) source.Edit {
	at, text := 0, "skip="+id+";"
	for i := 0; i < len(options); {
		part, _, _ := strings.Cut(options[i:], ";")
		key, value, has := strings.Cut(part, "=")
		if has && strings.TrimSpace(key) == "skip" {
			value, _, _ = strings.Cut(value, " ")
			at, text = i+len(key)+1+len(value), ","+id
			break
		}
		i += len(part) + 1
	}
	return source.Edit{Span: source.At(offset + at), NewText: text}
}
