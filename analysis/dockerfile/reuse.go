package dockerfile

import (
	"slices"
	"sort"
	"strings"
)

// A change leaves three parts of a file: a head of instructions that end before it, which stay as they are; the lines
// around it, which are read anew; and a tail of instructions behind it, which only move.

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

// takeHead takes over the instructions that end before the change, with all that stands above them. One that reached
// the end of the file is not taken: it might have gone on.
func (f *File) takeHead(c *change, s *scanner) {
	n := sort.Search(len(c.prev.Instructions), func(i int) bool {
		after := c.after(i)
		return after > c.head || after == c.prev.Text.Len()
	})
	if open := slices.IndexFunc(c.prev.Instructions[:n], (*Instruction).hasOpenHeredoc); open >= 0 {
		n = open // the change may hold its terminator
	}
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

// takeTail takes over the rest of prev and reports true if the line at s.pos, behind an instruction, is the beginning
// of lines that only moved and stood behind an instruction before as well.
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
	f.Instructions = append(f.Instructions, c.prev.Instructions[n:]...)
	if by != (shift{}) {
		moveAll(f.Instructions[len(f.Instructions)-(len(c.prev.Instructions)-n):], by)
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

func (in *Instruction) hasOpenHeredoc() bool {
	return slices.ContainsFunc(in.Problems, func(p Problem) bool { return p.Kind == UnterminatedHeredoc })
}

// shift is how far an instruction moved.
type shift struct{ bytes, lines, stages int }

// moveAll replaces instructions by copies at their new places. What BuildKit made of them is shared. The copies are
// made in groups, which spares most of the allocations; the groups are small, so that few outlive their use because one
// member is kept.
func moveAll(instructions []*Instruction, by shift) {
	for group := range slices.Chunk(instructions, 32) {
		count := 0
		for _, in := range group {
			count += len(in.Args)
		}
		copies, args := make([]Instruction, len(group)), make([]Word, 0, count)
		for i, in := range group {
			copies[i] = *in
			start := len(args)
			args = append(args, in.Args...)
			copies[i].Args = args[start:len(args):len(args)]
			copies[i].move(by)
			group[i] = &copies[i]
		}
	}
}

// move moves a copy of an instruction, whose Args are its own already.
func (m *Instruction) move(by shift) {
	delta := by.bytes
	m.Span, m.ArgsSpan = m.Span.Shift(delta), m.ArgsSpan.Shift(delta)
	m.Keyword = m.Keyword.moved(delta)
	m.Line += by.lines
	m.EndLine += by.lines
	m.Stage += by.stages
	m.base += delta
	for i := range m.Args {
		m.Args[i].Span = m.Args[i].Span.Shift(delta)
	}
	m.Flags = slices.Clone(m.Flags)
	for i := range m.Flags {
		f := &m.Flags[i]
		f.Span, f.Name, f.Value = f.Span.Shift(delta), f.Name.moved(delta), f.Value.moved(delta)
	}
	m.Heredocs = slices.Clone(m.Heredocs)
	for i := range m.Heredocs {
		h := &m.Heredocs[i]
		h.Start, h.NameSpan = h.Start.Shift(delta), h.NameSpan.Shift(delta)
		h.Body, h.Terminator = h.Body.Shift(delta), h.Terminator.Shift(delta)
	}
	m.Comments = slices.Clone(m.Comments)
	for i := range m.Comments {
		m.Comments[i].Span = m.Comments[i].Span.Shift(delta)
	}
	m.Problems = slices.Clone(m.Problems)
	for i := range m.Problems {
		m.Problems[i].Span = m.Problems[i].Span.Shift(delta)
	}
	if m.Trigger != nil {
		t := *m.Trigger
		t.Args = slices.Clone(t.Args)
		t.move(by)
		m.Trigger = &t
	}
}

func (w Word) moved(delta int) Word { return Word{w.Span.Shift(delta), w.Text} }
