package dockerfile

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/layerwise/layerwise/analysis/source"
	"github.com/layerwise/layerwise/analysis/spell"
)

// found is an instruction that the scanner found, with what is needed to interpret it.
type found struct {
	in     *Instruction
	line   *logical
	header header
	inner  header   // of the instruction within ONBUILD; elsewhere the header
	above  []string // the comments above, which BuildKit takes for a part of the instruction
	// readable says that the instruction has no problem that BuildKit's parser stops at.
	readable bool
}

// instructionAt finds the instruction whose first line, without leading white space, is given; long says that
// BuildKit's scanner does not take that line.
func (s *scanner) instructionAt(first source.Span, long bool) found {
	x := s.instruction(first, long)
	l := &x.logical
	h := readHeader(l.text, 0, s.escape)
	inner := h
	if h.meant == "ONBUILD" {
		inner = readHeader(l.text, h.args[0], s.escape)
	}
	argsEnd := x.end
	var docs, open []Heredoc
	if mayHoldHeredocs(inner.meant) && strings.Contains(l.text, "<<") && !isJSON(l.text[inner.args[0]:inner.args[1]]) {
		docs, open = s.heredocs(&x)
	}

	in := outline(l, h, s.escape)
	in.Span = source.Span{Start: x.start, End: x.end}
	in.ArgsSpan.End = max(argsEnd, in.ArgsSpan.Start)
	in.Heredocs, in.Comments = docs, x.comments
	in.Line, in.EndLine = x.line, s.line-1
	for _, doc := range open {
		in.problem(UnterminatedHeredoc, doc.Start, "unterminated heredoc: no line is "+doc.Name)
	}
	for _, line := range x.long {
		in.problem(LineTooLong, line, lineTooLong)
	}
	for _, empty := range x.empty {
		p := in.problem(
			EmptyContinuation,
			empty,
			"empty continuation line: it will become an error in a future release of BuildKit",
		)
		p.Suggestions, p.Warning = []string{""}, true
	}
	if h.meant == "ONBUILD" && h.args[0] < h.args[1] {
		t := outline(l, inner, s.escape)
		t.Span = source.Span{Start: t.Keyword.Span.Start, End: x.end}
		t.ArgsSpan.End = in.ArgsSpan.End
		t.Heredocs = docs
		t.Line = in.Line + strings.Count(s.src[in.Span.Start:t.Span.Start], "\n")
		t.EndLine = in.EndLine
		for _, c := range x.comments {
			if c.Span.Start > t.Span.Start {
				t.Comments = append(t.Comments, c)
			}
		}
		in.Trigger = t
	}
	above := s.above
	s.above = nil
	return found{in, l, h, inner, above, len(open) == 0 && len(x.long) == 0}
}

// mayHoldHeredocs reports whether BuildKit looks for heredocs in an instruction, also within ONBUILD.
func mayHoldHeredocs(instruction string) bool {
	return instruction == "RUN" || instruction == "COPY" || instruction == "ADD"
}

// outline places the keyword and the flags, and reports a keyword that is not an instruction.
func outline(l *logical, h header, escape byte) *Instruction {
	in := &Instruction{
		Keyword:  l.word(h.keyword[0], h.keyword[1]),
		Meant:    h.meant,
		ArgsSpan: l.span(h.args[0], h.args[1]),
		spelt:    &spelling{line: logical{text: l.text, pieces: l.pieces}, header: h, escape: escape},
		base:     l.base,
	}
	for _, f := range h.flags {
		in.Flags = append(in.Flags, readFlag(l, f))
	}
	word := l.text[h.word[0]:h.word[1]]
	switch {
	case keyword(word) != "":
	case h.word != h.keyword:
		name := in.Keyword.Text
		p := in.problem(
			UnknownInstruction,
			l.span(h.word[0], h.word[1]),
			"unknown instruction: "+word+" (a space is missing behind "+name+")",
		)
		p.Suggestions = []string{
			strings.TrimRightFunc(name+" "+strings.TrimLeftFunc(word[len(name):], unicode.IsSpace), unicode.IsSpace),
		}
	case in.Meant != "" && plainKeyword(word) == in.Meant:
		p := in.problem(
			UnknownInstruction,
			in.Keyword.Span,
			"unknown instruction: "+word+", whose characters only look like those of "+in.Meant,
		)
		p.Suggestions, p.Sure = []string{in.Meant}, true
	default:
		p := in.problem(UnknownInstruction, in.Keyword.Span, "unknown instruction: "+word)
		for _, s := range spell.Suggest(word, keywords) {
			p.Suggestions = append(p.Suggestions, matchCase(s, word))
		}
	}
	return in
}

// readFlag places the parts of the flag text[f[0]:f[1]], which begins with "--".
func readFlag(l *logical, f [2]int) Flag {
	name := min(f[0]+2, f[1])
	flag := Flag{Span: l.span(f[0], f[1])}
	if n := strings.IndexByte(l.text[name:f[1]], '='); n >= 0 {
		flag.Name, flag.Value, flag.HasValue = l.word(name, name+n), l.word(name+n+1, f[1]), true
		return flag
	}
	flag.Name = l.word(name, f[1])
	flag.Value.Span = source.Span{Start: flag.Span.End, End: flag.Span.End}
	return flag
}

// glued returns the instruction that word begins with if only a space is missing behind it, as in `CMD["x"]`, "COPY./a"
// or where a no-break space was pasted from a web page; else "".
func glued(word string) string {
	end := 0
	for end < len(word) && 'a' <= word[end]|0x20 && word[end]|0x20 <= 'z' {
		end++
	}
	if end == len(word) {
		return ""
	}
	next, _ := utf8.DecodeRuneInString(word[end:])
	if strings.ContainsRune("[\"'/.$", next) || strings.HasPrefix(word[end:], "--") || unicode.IsSpace(next) {
		return keyword(word[:end])
	}
	return ""
}

// plainKeyword returns the instruction that a word is but for full-width letters and characters that cannot be seen, or
// "".
func plainKeyword(word string) string {
	plain := strings.Map(func(r rune) rune {
		switch {
		case '\uff01' <= r && r <= '\uff5e': // full-width forms, in ASCII's order
			return r - '\uff01' + '!'
		case r == '\u00ad' || '\u200b' <= r && r <= '\u200f' || r == '\u2060' || r == '\ufeff':
			return -1
		}
		return r
	}, word)
	if plain == word {
		return ""
	}
	return keyword(plain)
}

// Logical returns the arguments as BuildKit sees them, continuation lines joined and comment lines left out, and the
// place in the file of a part of them.
func (in *Instruction) Logical() (text string, place func(from, to int) source.Span) {
	line, args := in.logicalLine(), in.spelt.header.args
	return line.text[args[0]:args[1]], func(from, to int) source.Span {
		from = max(0, min(from, args[1]-args[0]))
		return line.span(args[0]+from, args[0]+max(from, min(to, args[1]-args[0])))
	}
}

// Before returns the instruction's text from its first byte up to the offset as BuildKit reads it: continuation lines
// joined, comments among them left out. An offset behind the text, as in a heredoc's body, gives all of it.
func (in *Instruction) Before(offset int) string {
	l := &in.spelt.line
	offset -= in.base
	for n, p := range l.pieces {
		end := len(l.text)
		if n+1 < len(l.pieces) {
			end = l.pieces[n+1].at
		}
		if offset <= p.src+end-p.at {
			return l.text[:max(p.at, p.at+offset-p.src)]
		}
	}
	return l.text
}
