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
		terminated := false
		for !terminated {
			start := s.pos
			span, ok := s.next()
			if !ok {
				break
			}
			if s.tooLong(start) {
				x.long = append(x.long, span)
			}
			x.end = span.End
			line := s.src[span.Start:span.End]
			if doc.Chomp {
				line = strings.TrimLeft(line, "\t")
			}
			if terminated = line == doc.Name; terminated {
				doc.Terminator = source.Span{Start: span.End - len(line), End: span.End}
			} else {
				doc.Body.End = s.pos
			}
		}
		if !terminated {
			// The instruction ends before the last line break of the file, and so does all within it.
			doc.Body = source.Span{Start: min(doc.Body.Start, x.end), End: x.end}
			doc.Terminator = source.Span{Start: x.end, End: x.end}
			open = append(open, *doc)
		}
	}
	return docs, open
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
