package dockerfile

import (
	"slices"
	"sort"
	"strings"
)

// A change leaves three parts of a file: a head of instructions that end before it, which stay as they are; the lines around
// it, which are read anew; and a tail of instructions behind it, which only move.

// change is what prev's text and the new text have in common.
type change struct {
	prev    *File
	head    int // length of the common beginning
	newTail int // offset in the new text from which on the rest is common
	delta   int // how far that rest moved
}

func compare(prev *File, now string) *change {
	old := prev.Text.String()
	head := commonPrefix(old, now)
	tail := commonSuffix(old[head:], now[head:])
	return &change{prev: prev, head: head, newTail: len(now) - tail, delta: len(now) - len(old)}
}

// block is how many bytes are compared at once before the differing byte is looked for.
const block = 256

func commonPrefix(a, b string) int {
	n, most := 0, min(len(a), len(b))
	for n+block <= most && a[n:n+block] == b[n:n+block] {
		n += block
	}
	for n < most && a[n] == b[n] {
		n++
	}
	return n
}

func commonSuffix(a, b string) int {
	n, most := 0, min(len(a), len(b))
	for n+block <= most && a[len(a)-n-block:len(a)-n] == b[len(b)-n-block:len(b)-n] {
		n += block
	}
	for n < most && a[len(a)-n-1] == b[len(b)-n-1] {
		n++
	}
	return n
}

// after returns where the line behind the last line of prev's instruction i starts.
func (c *change) after(i int) int {
	end := c.prev.Instructions[i].Span.End
	text := c.prev.Text.String()
	if n := strings.IndexByte(text[end:], '\n'); n >= 0 {
		return end + n + 1
	}
	return len(text)
}

// takeHead takes over the instructions that end before the change, with all that stands above them. One that reached the
// end of the file is not taken: it might have gone on.
func (f *File) takeHead(c *change, s *scanner) {
	n := sort.Search(len(c.prev.Instructions), func(i int) bool {
		after := c.after(i)
		return after > c.head || after == c.prev.Text.Len()
	})
	if n == 0 {
		return
	}
	s.pos = c.after(n - 1)
	s.line = c.prev.Instructions[n-1].EndLine + 1
	s.stage = c.prev.Instructions[n-1].Stage
	s.past, s.escape = true, c.prev.Escape
	f.Directives = c.prev.Directives
	f.Instructions = append(make([]*Instruction, 0, len(c.prev.Instructions)+1), c.prev.Instructions[:n]...)
	f.Comments = append(f.Comments, c.prev.Comments[:commentsBefore(c.prev, s.pos)]...)
	for _, p := range c.prev.own {
		if p.Span.Start < s.pos {
			f.own = append(f.own, p)
		}
	}
}

func commentsBefore(f *File, offset int) int {
	return sort.Search(len(f.Comments), func(i int) bool { return f.Comments[i].Span.Start >= offset })
}

// takeTail takes over the rest of prev and reports true if the line at s.pos, behind an instruction, is the beginning of
// lines that only moved and stood behind an instruction before as well.
func (f *File) takeTail(c *change, s *scanner) bool {
	at := s.pos - c.delta
	if s.pos < c.newTail || s.escape != c.prev.Escape {
		return false
	}
	n := sort.Search(len(c.prev.Instructions), func(i int) bool { return c.prev.Instructions[i].Span.Start >= at })
	if n == 0 || c.after(n-1) != at {
		return false
	}
	last := c.prev.Instructions[n-1]
	by := shift{bytes: c.delta, lines: s.line - last.EndLine - 1, stages: s.stage - last.Stage}
	for _, in := range c.prev.Instructions[n:] {
		if by != (shift{}) {
			in = in.moved(by)
		}
		f.Instructions = append(f.Instructions, in)
	}
	for _, comment := range c.prev.Comments[commentsBefore(c.prev, at):] {
		f.Comments = append(f.Comments, Comment{comment.Span.Shift(c.delta)})
	}
	for _, p := range c.prev.own {
		if p.Span.Start >= at {
			p.Span = p.Span.Shift(c.delta)
			f.own = append(f.own, p)
		}
	}
	return true
}

// shift is how far an instruction moved.
type shift struct{ bytes, lines, stages int }

// moved returns the instruction at its new place. What BuildKit made of it is shared.
func (in *Instruction) moved(by shift) *Instruction {
	delta := by.bytes
	m := *in
	m.Span, m.ArgsSpan = in.Span.Shift(delta), in.ArgsSpan.Shift(delta)
	m.Keyword = in.Keyword.moved(delta)
	m.Line += by.lines
	m.EndLine += by.lines
	m.Stage += by.stages
	m.line.base += delta
	m.Args = slices.Clone(in.Args)
	for i := range m.Args {
		m.Args[i].Span = m.Args[i].Span.Shift(delta)
	}
	m.Flags = slices.Clone(in.Flags)
	for i := range m.Flags {
		f := &m.Flags[i]
		f.Span, f.Name, f.Value = f.Span.Shift(delta), f.Name.moved(delta), f.Value.moved(delta)
	}
	m.Heredocs = slices.Clone(in.Heredocs)
	for i := range m.Heredocs {
		h := &m.Heredocs[i]
		h.Start, h.NameSpan = h.Start.Shift(delta), h.NameSpan.Shift(delta)
		h.Body, h.Terminator = h.Body.Shift(delta), h.Terminator.Shift(delta)
	}
	m.Comments = slices.Clone(in.Comments)
	for i := range m.Comments {
		m.Comments[i].Span = m.Comments[i].Span.Shift(delta)
	}
	m.Problems = slices.Clone(in.Problems)
	for i := range m.Problems {
		m.Problems[i].Span = m.Problems[i].Span.Shift(delta)
	}
	if in.Trigger != nil {
		m.Trigger = in.Trigger.moved(by)
	}
	return &m
}

func (w Word) moved(delta int) Word { return Word{w.Span.Shift(delta), w.Text} }
