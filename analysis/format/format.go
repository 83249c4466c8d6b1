// Package format lays a Dockerfile out evenly, and never changes what it means: a formatted file has the same
// instructions and so the same cache keys. What is part of a shell command is left alone to the last blank, for a blank
// more is another key. The package must not know any protocol.
package format

import (
	"slices"
	"sort"
	"strings"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
)

// Options are a person's choices.
type Options struct {
	Indent            string // of continuation lines; "" is a tab
	KeepKeywords      bool   // leaves the letter case of instructions alone; else it is upper
	KeepContinuations bool   // leaves instructions of several lines alone
	KeepTrailing      bool   // leaves blanks at line ends alone
	FinalNewline      bool   // ends the last line
	TrimFinalNewlines bool   // leaves no empty lines at the end
}

// Edits returns the edits that format a file, in order. Instructions that BuildKit rejects are left as they are.
func Edits(file *dockerfile.File, o Options) []source.Edit {
	return Lines(file, o, file.Text.FirstLine(), file.Text.EndLine()-1)
}

// Lines returns the edits that format the 0-based lines from first to last.
func Lines(file *dockerfile.File, o Options, first, last int) []source.Edit {
	if o.Indent == "" {
		o.Indent = "\t"
	}
	f := &formatter{file: file, o: o, text: file.Text.String()}
	if strings.ContainsRune(strings.ReplaceAll(f.text, "\r\n", ""), '\r') || file.TooLarge() {
		return nil // a lone carriage return is white space to some and a line's end to others
	}
	f.between()
	for i, in := range file.Instructions {
		f.at = i
		f.instruction(in)
	}
	f.end()
	within := func(e edit) bool {
		return file.Text.LineAt(e.Span.Start) <= last && first <= file.Text.LineAt(e.Span.End)
	}
	edits := slices.DeleteFunc(
		f.edits,
		func(e edit) bool { return !within(e) || f.text[e.Span.Start:e.Span.End] == e.NewText },
	)
	sort.SliceStable(edits, func(i, j int) bool { return edits[i].Span.Start < edits[j].Span.Start })
	return f.verified(edits)
}

type formatter struct {
	file  *dockerfile.File
	o     Options
	text  string
	at    int // the instruction, -1 between them
	edits []edit
}

// edit is an edit with the instruction that it belongs to, -1 for what is between them.
type edit struct {
	source.Edit
	instruction int
}

func (f *formatter) replace(start, end int, by string) {
	f.edits = append(f.edits, edit{source.Edit{Span: source.Span{Start: start, End: end}, NewText: by}, f.at})
}

// blanks returns where the blanks that line begins with end.
func (f *formatter) blanks(line source.Span) int {
	return line.End - len(strings.TrimLeft(f.text[line.Start:line.End], " \t"))
}

// trim removes the blanks at the end of a line.
func (f *formatter) trim(line source.Span) {
	if !f.o.KeepTrailing {
		f.replace(line.Start+len(strings.TrimRight(f.text[line.Start:line.End], " \t")), line.End, "")
	}
}

// between formats the lines that belong to no instruction: comments start at the margin, and of empty lines that follow
// each other one is kept.
func (f *formatter) between() {
	f.at = -1
	next, empty := 0, false
	tail := f.tail()
	for line := f.file.Text.FirstLine(); line < f.file.Text.EndLine(); line++ {
		span := f.file.Text.Line(line)
		if span.Start >= tail {
			f.replace(tail, len(f.text), "")
			return
		}
		if next < len(f.file.Instructions) {
			if in := f.file.Instructions[next]; in.Span.Start <= span.End && span.Start <= in.Span.End {
				line = f.file.Text.LineAt(in.Span.End)
				next, empty = next+1, false
				continue
			}
		}
		start := f.blanks(span)
		switch {
		case start < span.End:
			f.replace(span.Start, start, "")
			f.trim(span)
			empty = false
		case line == f.file.Text.EndLine()-1: // what follows the last line's end
			f.trim(span)
		case empty:
			f.replace(span.Start, f.file.Text.LineStart(line+1), "")
		default:
			f.trim(span)
			empty = true
		}
	}
}

// tail returns where the empty lines at the end start that are to go; behind the end if none are.
func (f *formatter) tail() int {
	none := len(f.text) + 1
	if !f.o.TrimFinalNewlines {
		return none
	}
	end := len(strings.TrimRight(f.text, " \t\r\n"))
	if n := len(f.file.Instructions); n > 0 {
		end = max(end, f.file.Instructions[n-1].Span.End) // of a heredoc that is not closed yet, empty lines are part
	}
	newline := strings.IndexByte(f.text[end:], '\n')
	if newline < 0 || end+newline+1 == len(f.text) {
		return none
	}
	return end + newline + 1
}

// end gives the last line its end.
func (f *formatter) end() {
	f.at = -1
	if !f.o.FinalNewline || f.text == "" || strings.HasSuffix(f.text, "\n") {
		return
	}
	newline := "\n"
	if strings.Contains(f.text, "\r\n") {
		newline = "\r\n"
	}
	if last := f.file.Text.Line(f.file.Text.EndLine() - 1); strings.TrimSpace(f.text[last.Start:last.End]) != "" {
		f.replace(len(f.text), len(f.text), newline)
	}
}

func (f *formatter) instruction(in *dockerfile.Instruction) {
	if in.Node == nil || in.Meant == "" || in.Command == nil && in.From == nil ||
		!strings.EqualFold(in.Keyword.Text, in.Meant) {
		return
	}
	text := f.file.Text
	first := text.LineAt(in.Span.Start)
	start := text.Line(first).Start
	if strings.Trim(f.text[start:in.Span.Start], " \t") == "" {
		f.replace(start, in.Span.Start, "")
	}
	f.keyword(in.Keyword)
	behind := in.ArgsSpan.Start
	if len(in.Flags) > 0 {
		behind = in.Flags[0].Span.Start
	}
	if gap := f.text[in.Keyword.Span.End:behind]; gap != "" && strings.Trim(gap, " \t") == "" {
		f.replace(in.Keyword.Span.End, behind, " ")
	}
	switch {
	case in.Meant == "FROM" && len(in.Args) == 3 && strings.EqualFold(in.Args[1].Text, "as"):
		f.keyword(in.Args[1])
	case in.Meant == "HEALTHCHECK" && len(in.Args) > 0:
		f.keyword(in.Args[0])
	}

	last := text.LineAt(in.ArgsSpan.End)
	if len(in.Heredocs) == 0 {
		last = text.LineAt(in.Span.End)
	}
	if f.o.KeepContinuations && first < last {
		return
	}
	for line := first; line <= last; line++ {
		span := text.Line(line)
		from := f.blanks(span)
		if from == span.End && line > first {
			if line < last { // an empty line is no part of the instruction, and will be an error
				f.replace(span.Start, text.LineStart(line+1), "")
			}
			continue
		}
		f.trim(span)
		if line > first && f.free(in, from) {
			indent := f.o.Indent
			if f.text[from] == ']' {
				indent = ""
			}
			f.replace(span.Start, from, indent)
		}
	}
}

// keyword puts a word that is the same in any letter case into upper case.
func (f *formatter) keyword(w dockerfile.Word) {
	if !f.o.KeepKeywords && f.text[w.Span.Start:w.Span.End] == w.Text {
		f.replace(w.Span.Start, w.Span.End, strings.ToUpper(w.Text))
	}
}

// free reports whether the blanks in front of an offset, at the start of a line, mean no more than that words are
// apart.
func (f *formatter) free(in *dockerfile.Instruction, at int) bool {
	comment := f.text[at] == '#'
	for _, flag := range in.Flags {
		if flag.Span.Start < at && at < flag.Span.End {
			return false
		}
	}
	if at <= in.ArgsSpan.Start {
		return true
	}
	switch in.Meant {
	case "ADD", "ARG", "COPY", "EXPOSE", "FROM", "VOLUME":
	case "ENV", "LABEL":
		if len(in.Args) > 0 && !strings.Contains(in.Args[0].Text, "=") {
			return comment // the old form: the rest is one value
		}
	case "CMD", "ENTRYPOINT", "HEALTHCHECK", "RUN", "SHELL":
		if !in.JSON {
			return false
		}
	default:
		return false
	}
	for _, arg := range in.Args {
		if arg.Span.Start < at && at < arg.Span.End {
			return false
		}
	}
	return true
}

// verified leaves out the edits of instructions that would mean something else, should there be any, and all if more is
// amiss.
func (f *formatter) verified(edits []edit) []source.Edit {
	const tries = 4
	for range tries {
		plain := make([]source.Edit, len(edits))
		for i, e := range edits {
			plain[i] = e.Edit
		}
		if len(plain) == 0 {
			return nil
		}
		text, err := source.Apply(f.text, plain)
		if err != nil {
			return nil
		}
		other := dockerfile.Parse(source.New(text), nil)
		changed, same := Changed(f.file, other)
		switch {
		case !same && len(changed) == 0:
			return nil
		case same:
			return plain
		}
		edits = slices.DeleteFunc(edits, func(e edit) bool { return slices.Contains(changed, e.instruction) })
	}
	return nil
}

// Changed compares two files by what they mean, apart from where it stands. It reports which instructions differ, and
// whether the files are the same; if the instructions cannot be compared one by one, none is named.
func Changed(a, b *dockerfile.File) (instructions []int, same bool) {
	if len(a.Instructions) != len(b.Instructions) || len(a.Directives) != len(b.Directives) || a.Escape != b.Escape ||
		len(a.Comments) != len(b.Comments) {
		return nil, false
	}
	for i, d := range a.Directives {
		if e := b.Directives[i]; d.Name.Text != e.Name.Text || d.Value.Text != e.Value.Text {
			return nil, false
		}
	}
	for i, in := range a.Instructions {
		if !equal(in, b.Instructions[i]) {
			instructions = append(instructions, i)
		}
	}
	return instructions, len(instructions) == 0
}

func equal(a, b *dockerfile.Instruction) bool {
	if a.Meant != b.Meant || a.Stage != b.Stage || (a.Node == nil) != (b.Node == nil) ||
		len(a.Heredocs) != len(b.Heredocs) ||
		a.JSON != b.JSON {
		return false
	}
	if a.Node == nil {
		x, _ := a.Logical()
		y, _ := b.Logical()
		return x == y && a.Keyword.Text == b.Keyword.Text
	}
	if dump(a) != dump(b) || !slices.Equal(a.Node.Flags, b.Node.Flags) {
		return false
	}
	for i, doc := range a.Node.Heredocs {
		if i < len(b.Node.Heredocs) && doc.Content != b.Node.Heredocs[i].Content {
			return false
		}
	}
	return true
}

// dump is what BuildKit's parser makes of an instruction, FROM's AS and HEALTHCHECK's kind in upper case.
func dump(in *dockerfile.Instruction) string {
	text := in.Node.Dump()
	switch in.Meant {
	case "FROM", "HEALTHCHECK":
		for n := in.Node.Next; n != nil; n = n.Next {
			if w := strings.ToUpper(n.Value); w == "AS" || w == "CMD" || w == "NONE" {
				return strings.Replace(text, n.Value, w, 1)
			}
		}
	}
	return text
}
