package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/layerwise/layerwise/analysis/source"
)

func TestExcerpt(t *testing.T) {
	long := strings.Repeat("a", 100) + "BAD" + strings.Repeat("z", 100)
	for name, test := range map[string]struct {
		text string
		span source.Span
		want string
	}{
		"one word": {"FROM a\nEVN " +
			"b\n", source.Span{Start: 7, End: 10}, "   2 | EVN b\n     | ^^^\n"},
		"a tab above, a tab below":      {"\tEVN b", source.Span{Start: 1, End: 4}, "   1 | \tEVN b\n     | \t^^^\n"},
		"characters, not bytes":         {"ä ü b", source.Span{Start: 3, End: 5}, "   1 | ä ü b\n     |   ^\n"},
		"several lines: the first":      {"abc\ndef", source.Span{Start: 1, End: 6}, "   1 | abc\n     |  ^^\n"},
		"an empty line":                 {"a\n\nb", source.Span{Start: 2, End: 3}, "   2 | \n     | ^\n"},
		"the end of the file":           {"abc", source.Span{Start: 3, End: 3}, "   1 | abc\n     |    ^\n"},
		"what would drive the terminal": {"a\x1b[31mb", source.Span{Start: 0, End: 1}, "   1 | a�[31mb\n     | ^\n"},
		"within a carriage return":      {"ab\r\nc", source.Span{Start: 3, End: 4}, "   1 | ab\n     |   ^\n"},
		"a long line: what is around " +
			"it": {long, source.Span{Start: 100, End: 103}, "   1 | …" + long[40:160] + "…\n     | " +
			strings.Repeat(" ", 61) + "^^^\n"},
		"a long line, all of it": {
			long, source.Span{Start: 0, End: len(long)}, "   1 | " + long[:120] + "…\n     | " + strings.Repeat("^",
				120) + "\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			writeExcerpt(&b, palette{}, source.New(test.text), test.span, "")
			if diff := cmp.Diff(test.want, b.String()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// A palette without colours leaves text alone; a buffer is no terminal.
func TestColour(t *testing.T) {
	if p := colour(&bytes.Buffer{}); p != (palette{}) {
		t.Errorf("colours for a buffer: %+v", p)
	}
	if got := (palette{}).paint("", "x"); got != "x" {
		t.Errorf("%q", got)
	}
	p := palette{red: "<", reset: ">"}
	if got := p.paint(p.red, "x"); got != "<x>" {
		t.Errorf("%q", got)
	}
}

// A name neither drives a terminal nor hides, and looks like no line or command of its own.
func TestPrintable(t *testing.T) {
	for _, c := range []struct {
		why, path, want string
	}{
		{"an ordinary name, with a tab", "a/é\t.x", "a/é\t.x"},
		{"a line break before a command of GitHub's", "a\n::error::b", "a�::error::b"},
		{"a name that is such a command", "::error::b", "./::error::b"},
		{"an escape, and the same in one character", "\x1b[31m\u009b31m", "�[31m�31m"},
		{"what turns the text around or cannot be seen", "\u202ea\u2066\u200b\ufeff", "�a���"},
		{"no UTF-8", "\xffa", "�a"},
	} {
		if got := filepath.ToSlash(printablePath(c.path)); got != c.want {
			t.Errorf("%s: %q, want %q", c.why, got, c.want)
		}
	}
	if got, want := printableLines("a\n  ::error::b\n\x1bc\n"), "a\n�  ::error::b\n�c\n"; got != want {
		t.Errorf("an error of several lines: %q, want %q", got, want)
	}
}
