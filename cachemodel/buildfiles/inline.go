package buildfiles

import (
	"bytes"
	"strings"
)

// Inline is a Dockerfile that stands within a build file, with the places of its lines.
type Inline struct {
	Text  string
	First int // 0-based line of the build file at which it begins
	lines []inlineLine
}

type inlineLine struct {
	at    int    // in Text
	start int    // in the build file; -1 if the line does not stand there as it is, because of a variable
	raw   string // as it stands in the build file
}

// Inline finds a section's own Dockerfile in the build file's text: a YAML block ("|"), a heredoc of HCL, or one line.
// dockerfile is what it comes to: see Entry.Inline. It is not ok where the text is folded or written with escapes.
func (s *Section) Inline(text []byte, dockerfile string) (in Inline, ok bool) {
	v, ok := s.Value("dockerfile-inline")
	if !ok || dockerfile == "" || v.Span.Start > len(text) {
		return Inline{}, false
	}
	in.Text = dockerfile
	header, rest, _ := bytes.Cut(text[v.Span.Start:], []byte("\n"))
	head := strings.TrimSpace(string(header))
	block := strings.HasPrefix(head, "|") || strings.HasPrefix(head, "<<")
	at := v.Span.Start + len(header) + 1
	if !block {
		if strings.Contains(strings.TrimSuffix(dockerfile, "\n"), "\n") {
			return Inline{}, false
		}
		at, rest = v.Span.Start, text[v.Span.Start:v.Span.End]
	}
	indent, known := 0, strings.HasPrefix(head, "<<") && !strings.HasPrefix(head, "<<-")
	offset, found := 0, false
	for line := range strings.SplitAfterSeq(dockerfile, "\n") {
		raw, _, _ := bytes.Cut(rest, []byte("\n"))
		length := min(len(raw)+1, len(rest))
		raw = bytes.TrimSuffix(raw, []byte("\r"))
		blanks := len(raw) - len(bytes.TrimLeft(raw, " \t"))
		own := strings.TrimRight(line, "\r\n")
		if block && !known && blanks < len(raw) && own != "" {
			indent, known = max(blanks-(len(own)-len(strings.TrimLeft(own, " \t"))), 0), true
		}
		l := inlineLine{at: offset, start: -1}
		if cut := min(indent, blanks); unescaped(string(raw[cut:])) == own {
			l.start, l.raw = at+cut, string(raw[cut:])
			if !found {
				found, in.First = true, bytes.Count(text[:at], []byte("\n"))-len(in.lines)
			}
		}
		in.lines = append(in.lines, l)
		offset += len(line)
		at += length
		rest = rest[length:]
	}
	return in, found
}

// unescaped is a text with the dollars that "$$" stands for.
func unescaped(raw string) string { return strings.ReplaceAll(raw, "$$", "$") }

// Offset is the place in the build file of a place in the Dockerfile; not ok if its line is not written as it is.
func (in Inline) Offset(offset int) (int, bool) {
	for i := len(in.lines) - 1; i >= 0; i-- {
		l := in.lines[i]
		if l.at > offset {
			continue
		}
		if l.start < 0 {
			return 0, false
		}
		column, at := offset-l.at, 0
		for ; column > 0 && at < len(l.raw); column-- {
			if strings.HasPrefix(l.raw[at:], "$$") {
				at++
			}
			at++
		}
		return l.start + at, true
	}
	return 0, false
}

// Within is the place in the Dockerfile of a place in the build file; not ok where that is not in a line of it.
func (in Inline) Within(at int) (offset int, ok bool) {
	for _, l := range in.lines {
		if l.start >= 0 && l.start <= at && at <= l.start+len(l.raw) {
			return l.at + len(unescaped(l.raw[:at-l.start])), true
		}
	}
	return 0, false
}

// Base is the entry that a named context stands for: that of another service or target of the same project.
func (p *Project) Base(context string) (*Entry, bool) {
	name, ok := strings.CutPrefix(context, "target:")
	if p.Kind == Compose {
		name, ok = strings.CutPrefix(context, "service:")
	}
	for i := range p.Entries {
		if ok && p.Entries[i].Name == name {
			return &p.Entries[i], true
		}
	}
	return nil, false
}

// Bases are an entry's named contexts that are other entries' images, by the name that BuildKit compares. What one of
// those is built from is found in the same way; a cycle, which the tools refuse, is the caller's to notice.
func (p *Project) Bases(e *Entry) map[string]*Entry {
	out := map[string]*Entry{}
	for name, context := range e.Contexts {
		if base, ok := p.Base(context); ok {
			out[ContextName(name)] = base
		}
	}
	return out
}
