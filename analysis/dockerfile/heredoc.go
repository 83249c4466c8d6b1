package dockerfile

import (
	"strings"

	"github.com/layerwise/layerwise/analysis/source"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/dockerfile/shell"
)

// noEnv is an environment without variables, as BuildKit uses to find heredocs.
type noEnv struct{}

func (noEnv) Get(string) (string, bool) { return "", false }
func (noEnv) Keys() []string            { return nil }

// heredocs reads the bodies of an instruction's heredocs from the lines that follow. It reports which are unterminated.
// BuildKit splits the whole line by shell rules with '\' as the escape, whatever the file's own: heredocsFromLine.
func (s *scanner) heredocs(x *extent) (docs []Heredoc, open []Heredoc) {
	lex := shell.NewLex('\\')
	lex.RawQuotes, lex.RawEscapes, lex.SkipUnsetEnv = true, true, true
	words, _ := lex.ProcessWords(x.logical.text, noEnv{})
	at := 0
	for _, word := range words {
		n := strings.Index(x.logical.text[at:], word)
		end := at + n + len(word)
		if n < 0 { // it holds bytes that are no UTF-8, which the lexer replaces
			if n = strings.Index(x.logical.text[at:], "<<"); n < 0 {
				continue
			}
			end = len(x.logical.text)
			if width := strings.IndexAny(x.logical.text[at+n:], blank); width >= 0 {
				end = at + n + width
			}
		}
		doc, err := parser.ParseHeredoc(word)
		if err != nil {
			return nil, nil // BuildKit rejects the instruction and reads no body
		}
		if doc != nil {
			docs = append(docs, heredocWord(&x.logical, at+n, end, doc))
		}
		at = end
	}
	for i := range docs {
		doc := &docs[i]
		doc.Body = source.Span{Start: s.pos, End: s.pos}
		if len(open) == 0 {
			before := *x
			pos, line := s.pos, s.line
			if s.mayEnd(doc) && s.heredocBody(doc, x, func(string) bool { return false }) {
				continue
			}
			if s.last == nil {
				s.last = lastLines(s.src)
			}
			// One bad line is to cost one line: what follows is body only up to the next instruction.
			*x, s.pos, s.line = before, pos, line
			s.heredocBody(doc, x, beginsInstruction)
		}
		// The instruction ends before a line break, and so does all within it.
		doc.Body = source.Span{Start: min(doc.Body.Start, x.end), End: x.end}
		doc.Terminator = source.Span{Start: x.end, End: x.end}
		open = append(open, *doc)
	}
	return docs, open
}

// mayEnd reports whether the terminator of a heredoc may follow. Once one was missing it is known what lines there are,
// so that many such heredocs do not each read the rest of the file.
func (s *scanner) mayEnd(doc *Heredoc) bool {
	end, ok := s.last[doc.Name]
	return s.last == nil || ok && end >= s.pos
}

// lastLines are the places of the last lines of a text that say the same, without tabs in front.
func lastLines(text string) map[string]int {
	last := map[string]int{}
	at := 0
	for line := range strings.Lines(text) {
		last[strings.TrimLeft(strings.TrimRight(line, "\r\n"), "\t")] = at
		at += len(line)
	}
	return last
}

// heredocBody reads lines up to doc's terminator, or up to a line at which stop says so, and reports whether the
// terminator was found.
func (s *scanner) heredocBody(doc *Heredoc, x *extent, stop func(line string) bool) bool {
	for s.pos < len(s.src) {
		start, at := s.pos, s.line
		span, _ := s.next()
		line := s.src[span.Start:span.End]
		if stop(line) {
			s.pos, s.line = start, at
			return false
		}
		if s.tooLong(start) {
			x.long = append(x.long, span)
		}
		x.end = span.End
		if doc.Chomp {
			line = strings.TrimLeft(line, "\t")
		}
		if line == doc.Name {
			doc.Terminator = source.Span{Start: span.End - len(line), End: span.End}
			return true
		}
		doc.Body.End = s.pos
	}
	return false
}

// beginsInstruction reports whether a line starts with an instruction's name in upper case, as no shell command does.
func beginsInstruction(line string) bool {
	word := strings.TrimLeft(line, blank)
	if end := strings.IndexAny(word, blank); end >= 0 {
		word = word[:end]
	}
	return word != "" && keyword(word) == word
}

// heredocWord places the word text[from:to], such as `3<<-"EOF"`, that introduces doc.
func heredocWord(l *logical, from, to int, doc *parser.Heredoc) Heredoc {
	name := from
	if n := strings.Index(l.text[from:to], "<<"); n >= 0 {
		name += n + 2
	}
	if doc.Chomp && name < to {
		name++
	}
	name = to - len(strings.TrimLeft(l.text[name:to], blank))
	end := to
	if text := l.text[name:end]; len(text) >= 2 && (text[0] == '"' || text[0] == '\'') && text[len(text)-1] == text[0] {
		name, end = name+1, end-1
	}
	return Heredoc{
		Name: doc.Name, Start: l.span(from, to), NameSpan: l.span(name, end),
		Expand: doc.Expand, Chomp: doc.Chomp,
	}
}
