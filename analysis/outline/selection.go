package outline

import (
	"cmp"
	"slices"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/shellscript"
	"github.com/layerwise/layerwise/analysis/source"
	"mvdan.cc/sh/v3/syntax"
)

// Selection returns what to select around an offset, the smallest first: the word, the argument, pieces of the shell
// command, the instruction with its continuation lines, the stage, the file. Each lies within the next.
func Selection(file *dockerfile.File, offset int) []source.Span {
	var spans []source.Span
	add := func(span source.Span) {
		if span.Contains(offset) && span.Len() > 0 {
			spans = append(spans, span)
		}
	}
	text := file.Text
	add(source.Span{End: text.Len()})
	for _, stage := range file.Stages {
		add(stage.Span)
	}
	for _, d := range file.Directives {
		add(d.Span)
		add(d.Name.Span)
		add(d.Value.Span)
	}
	block := source.Span{} // neighbouring comment lines
	for _, c := range file.Comments {
		if block.Len() > 0 && text.LineAt(c.Span.Start) == text.LineAt(block.End)+1 {
			block.End = c.Span.End
		} else {
			add(block)
			block = c.Span
		}
		add(c.Span)
	}
	add(block)
	if in := file.InstructionAt(offset); in != nil {
		add(in.Span)
		selectIn(file, in, add)
		if in.Trigger != nil {
			add(in.Trigger.Span)
			selectIn(file, in.Trigger, add)
		}
		for _, v := range dockerfile.Variables(in) {
			add(v.Span)
			add(v.Name.Span)
			add(v.Word.Span)
		}
		if script := shellscript.Of(file, in); script != nil {
			if parsed, err := script.Parse(); err == nil {
				syntax.Walk(parsed, func(n syntax.Node) bool {
					if n == nil {
						return false
					}
					span := script.Span(n)
					add(span)
					return span.Contains(offset)
				})
			}
		}
	}
	add(word(text.String(), offset))
	slices.SortStableFunc(spans, func(a, b source.Span) int { return cmp.Or(a.Len()-b.Len(), a.Start-b.Start) })
	out := spans[:0]
	for _, s := range spans {
		if n := len(out); n == 0 || s.Start <= out[n-1].Start && out[n-1].End <= s.End && s != out[n-1] {
			out = append(out, s)
		}
	}
	return out
}

func selectIn(file *dockerfile.File, in *dockerfile.Instruction, add func(source.Span)) {
	add(in.Keyword.Span)
	for _, f := range in.Flags {
		add(f.Span)
		add(f.Name.Span)
		add(f.Value.Span)
	}
	add(in.ArgsSpan)
	for _, a := range in.Args {
		add(a.Span)
		if n := a.Span.Len(); n > 2 && (file.Text.Slice(a.Span)[0] == '"' || file.Text.Slice(a.Span)[0] == '\'') {
			add(source.Span{Start: a.Span.Start + 1, End: a.Span.End - 1})
		}
	}
	for _, c := range in.Comments {
		add(c.Span)
	}
	for _, doc := range in.Heredocs {
		add(doc.Start)
		add(doc.NameSpan)
		add(doc.Body)
		add(doc.Terminator)
		add(source.Span{Start: doc.Body.Start, End: doc.Terminator.End})
	}
}

// word returns the run of letters, digits and what names are made of around an offset.
func word(text string, offset int) source.Span {
	is := func(c byte) bool {
		return c == '_' || c == '-' || c >= 0x80 || 'a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9'
	}
	start, end := offset, offset
	for start > 0 && is(text[start-1]) {
		start--
	}
	for end < len(text) && is(text[end]) {
		end++
	}
	return source.Span{Start: start, End: end}
}
