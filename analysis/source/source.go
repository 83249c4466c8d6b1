// Package source holds immutable text and byte positions within it.
//
// It knows lines, spans and edits; it must not know Dockerfiles or any protocol. All positions in
// the core are byte offsets: translation to an editor's line and character happens in the server only.
package source

import (
	"fmt"
	"iter"
	"slices"
	"sort"
	"strings"
	"sync"
	"unicode/utf8"
)

// Span is the half-open byte range [Start, End) of a text.
type Span struct{ Start, End int }

// At is the empty span at an offset.
func At(offset int) Span { return Span{offset, offset} }

// Between is the span from one offset up to another.
func Between(start, end int) Span { return Span{start, end} }

// Part is a part of the span, by offsets that count from its start.
func (s Span) Part(from, to int) Span { return Span{s.Start + from, s.Start + to} }

// Len returns the number of bytes in the span.
func (s Span) Len() int { return s.End - s.Start }

// Contains reports whether offset lies within the span or at its end, where a cursor still touches it.
func (s Span) Contains(offset int) bool { return s.Start <= offset && offset <= s.End }

// Overlaps reports whether the spans share a byte, or touch where either is empty.
func (s Span) Overlaps(o Span) bool {
	if s.Len() == 0 || o.Len() == 0 {
		return s.Start <= o.End && o.Start <= s.End
	}
	return s.Start < o.End && o.Start < s.End
}

// Shift returns the span moved by delta bytes.
func (s Span) Shift(delta int) Span { return Span{s.Start + delta, s.End + delta} }

// Text is an immutable text with its line table. Lines end with "\n"; a "\r" before it belongs to the terminator. They
// are numbered from 0, or as in the file that the text is a part of.
type Text struct {
	content string
	first   int   // number of the first line
	starts  []int // byte offset of each line's first byte

	once sync.Once
	wide []wideCharacter // what once finds
}

// wideCharacter is a character of several bytes. Of it and those before it in the text are counted: the bytes beyond
// one each, and the characters beyond the Basic Multilingual Plane.
type wideCharacter struct{ at, size, extra, astral int }

// New returns the text of content.
func New(content string) *Text { return Part(content, 0) }

// Part returns the text of a part of a file, whose lines are numbered as there: first is the number of its first.
func Part(content string, first int) *Text {
	starts := make([]int, 1, 1+strings.Count(content, "\n"))
	for i := 0; ; {
		n := strings.IndexByte(content[i:], '\n')
		if n < 0 {
			return &Text{content: content, first: first, starts: starts}
		}
		i += n + 1
		starts = append(starts, i)
	}
}

// String returns the whole text.
func (t *Text) String() string { return t.content }

// Len returns the text's length in bytes.
func (t *Text) Len() int { return len(t.content) }

// Slice returns the bytes of span, which must lie within the text.
func (t *Text) Slice(span Span) string { return t.content[span.Start:span.End] }

// Lines yields the lines with their numbers, at least one; after a final newline there is one more, empty, line.
func (t *Text) Lines() iter.Seq2[int, Span] {
	return func(yield func(int, Span) bool) {
		for line := t.first; line < t.EndLine() && yield(line, t.Line(line)); line++ {
		}
	}
}

// FirstLine returns the number of the first line.
func (t *Text) FirstLine() int { return t.first }

// EndLine returns the number behind that of the last line.
func (t *Text) EndLine() int { return t.first + len(t.starts) }

// LineAt returns the number of the line that holds offset.
func (t *Text) LineAt(offset int) int {
	return t.first - 1 + sort.Search(len(t.starts), func(i int) bool { return t.starts[i] > offset })
}

// Line returns the span of a line without its terminator.
func (t *Text) Line(line int) Span {
	line -= t.first
	end := len(t.content)
	if line+1 < len(t.starts) {
		end = t.starts[line+1] - 1
		if end > t.starts[line] && t.content[end-1] == '\r' {
			end--
		}
	}
	return Span{t.starts[line], end}
}

// LineStart returns the offset of the first byte of a line; for EndLine() it is the text's length.
func (t *Text) LineStart(line int) int {
	if line -= t.first; line >= len(t.starts) {
		return len(t.content)
	}
	return t.starts[line]
}

// Characters returns how many characters begin in span, and how many of them lie beyond the Basic Multilingual Plane,
// which take two units in UTF-16. A byte that is part of no character counts as one.
func (t *Text) Characters(span Span) (all, astral int) {
	before := func(offset int) wideCharacter {
		n := sort.Search(len(t.wide), func(i int) bool { return t.wide[i].at >= offset })
		if n == 0 {
			return wideCharacter{}
		}
		w := t.wide[n-1]
		w.extra -= max(0, w.at+w.size-offset) // only a part of it lies in front
		return w
	}
	t.findWide()
	from, to := before(span.Start), before(span.End)
	return span.Len() - (to.extra - from.extra), to.astral - from.astral
}

// CharacterAt returns the span of the character that holds the byte at offset, which must lie within the text.
func (t *Text) CharacterAt(offset int) Span {
	t.findWide()
	if n := sort.Search(len(t.wide), func(i int) bool { return t.wide[i].at > offset }); n > 0 {
		if w := t.wide[n-1]; offset < w.at+w.size {
			return Span{w.at, w.at + w.size}
		}
	}
	return Span{offset, offset + 1}
}

func (t *Text) findWide() {
	t.once.Do(func() {
		extra, astral := 0, 0
		for i := 0; i < len(t.content); i++ {
			if t.content[i] < utf8.RuneSelf {
				continue
			}
			r, size := utf8.DecodeRuneInString(t.content[i:])
			if size == 1 {
				continue
			}
			extra += size - 1
			if r > 0xFFFF {
				astral++
			}
			t.wide = append(t.wide, wideCharacter{i, size, extra, astral})
			i += size - 1
		}
	})
}

// Edit replaces the bytes of Span by NewText.
type Edit struct {
	Span    Span
	NewText string
}

// Apply returns content with all edits carried out. Spans refer to content as it is given; edits must
// not overlap, and insertions at one offset keep their order. Otherwise it returns an error.
func Apply(content string, edits []Edit) (string, error) {
	edits = slices.Clone(edits)
	slices.SortStableFunc(edits, func(a, b Edit) int { return a.Span.Start - b.Span.Start })
	var b strings.Builder
	at := 0
	for _, e := range edits {
		if e.Span.Start < at || e.Span.End < e.Span.Start || e.Span.End > len(content) {
			return "", fmt.Errorf(
				"edit of bytes %d to %d overlaps another or lies outside the text of %d bytes",
				e.Span.Start,
				e.Span.End,
				len(content),
			)
		}
		b.WriteString(content[at:e.Span.Start])
		b.WriteString(e.NewText)
		at = e.Span.End
	}
	b.WriteString(content[at:])
	return b.String(), nil
}
