package source_test

import (
	"strings"
	"testing"

	"github.com/layerwise/layerwise/analysis/source"
)

func TestLines(t *testing.T) {
	for _, test := range []struct {
		prose, text string
		lines       []string
	}{
		{"an empty text has one line", "", []string{""}},
		{"a line without a terminator", "a", []string{"a"}},
		{"behind a final newline is one more, empty, line", "a\n", []string{"a", ""}},
		{"a carriage return before the newline belongs to the terminator", "a\r\nb\r\n", []string{"a", "b", ""}},
		{"a lone carriage return is text", "a\rb\r", []string{"a\rb\r"}},
		{"of two carriage returns one is text", "a\r\r\n", []string{"a\r", ""}},
		{"a line of a carriage return only", "\r\n\n", []string{"", "", ""}},
	} {
		text := source.New(test.text)
		if text.EndLine() != len(test.lines) {
			t.Errorf("%s: %d lines, want %d", test.prose, text.EndLine(), len(test.lines))
			continue
		}
		for i, want := range test.lines {
			if got := text.Slice(text.Line(i)); got != want {
				t.Errorf("%s: line %d is %q, want %q", test.prose, i, got, want)
			}
		}
	}
}

func TestApply(t *testing.T) {
	edit := func(start, end int, text string) source.Edit {
		return source.Edit{Span: source.Span{Start: start, End: end}, NewText: text}
	}
	for _, test := range []struct {
		prose string
		edits []source.Edit
		want  string // "" for an error
	}{
		{"no edits", nil, "abcdef"},
		{"spans refer to the text before all edits, in whatever " +
			"order", []source.Edit{edit(4, 5, "EE"), edit(0, 2, "")}, "cdEEf"},
		{"insertions at one place keep their order", []source.Edit{edit(3, 3, "1"), edit(3, 3, "2")}, "abc12def"},
		{"edits may touch", []source.Edit{edit(0, 3, "x"), edit(3, 6, "y")}, "xy"},
		{"edits must not overlap", []source.Edit{edit(0, 3, "x"), edit(2, 4, "y")}, ""},
		{"nor lie outside", []source.Edit{edit(5, 7, "x")}, ""},
		{"nor begin before the text", []source.Edit{edit(-1, 0, "x")}, ""},
		{"nor end before they begin", []source.Edit{edit(3, 2, "x")}, ""},
	} {
		got, err := source.Apply("abcdef", test.edits)
		if got != test.want || (err != nil) != (test.want == "") {
			t.Errorf("%s: %q, %v, want %q", test.prose, got, err, test.want)
		}
	}
}

func TestSpan(t *testing.T) {
	s := source.Span{Start: 2, End: 5}
	for offset, want := range map[int]bool{1: false, 2: true, 5: true, 6: false} {
		if s.Contains(offset) != want {
			t.Errorf("%v contains %d: %v", s, offset, !want)
		}
	}
	for _, test := range []struct {
		other source.Span
		want  bool
	}{
		{source.Span{Start: 0, End: 2}, false}, {source.Span{Start: 0, End: 3}, true}, {source.Span{Start: 5, End: 6},
			false},
		{source.Span{Start: 5, End: 5}, true}, {source.Span{Start: 6, End: 6}, false}, {source.Span{Start: 3, End: 4},
			true},
	} {
		if s.Overlaps(test.other) != test.want || test.other.Overlaps(s) != test.want {
			t.Errorf("%v overlaps %v: %v", s, test.other, !test.want)
		}
	}
	if got := s.Shift(-2); got != (source.Span{Start: 0, End: 3}) || got.Len() != 3 {
		t.Errorf("shifted: %v", got)
	}
}

// FuzzText checks that lines and offsets fit together.
func FuzzText(f *testing.F) {
	f.Add("a\r\nb\n\r\n")
	f.Fuzz(func(t *testing.T, content string) {
		text := source.New(content)
		if text.String() != content || text.Len() != len(content) ||
			text.EndLine() != strings.Count(content, "\n")+1 {
			t.Fatal("the text is another")
		}
		for offset := range len(content) + 1 {
			line := text.LineAt(offset)
			if offset < text.LineStart(line) || line+1 < text.EndLine() && offset >= text.LineStart(line+1) {
				t.Fatalf("offset %d is not on line %d of %q", offset, line, content)
			}
			if s := text.Line(line); s.Start != text.LineStart(line) || strings.Contains(text.Slice(s), "\n") {
				t.Fatalf("line %d of %q is %v", line, content, s)
			}
		}
		if text.LineStart(text.EndLine()) != len(content) {
			t.Fatal("the text does not end where it ends")
		}
	})
}
