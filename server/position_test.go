package server

import (
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/layerwise/layerwise/analysis/source"
	"go.lsp.dev/protocol"
)

var encodings = []encoding{utf8Units, utf16Units, utf32Units}

func TestPositions(t *testing.T) {
	for _, test := range []struct {
		about         string
		text          string
		line, char    uint32
		utf8, utf16   int // the byte offset
		utf32         int
		approximately bool // the position is not one that position gives back
	}{
		{"a plain line", "ab\ncd", 1, 1, 4, 4, 4, false},
		{"behind an emoji", "😀x", 0, 2, 0, 4, 5, true},
		{"in UTF-16 an emoji has two units", "a😀b", 0, 3, 1, 5, 6, true},
		{"within an emoji", "😀", 0, 1, 0, 0, 4, true},
		{"beyond the line's end", "ab\r\ncd", 0, 99, 2, 2, 2, true},
		{"beyond the last line", "ab\ncd", 9, 0, 5, 5, 5, true},
		{"behind the CR of a CRLF, as Neovim says it", "ab\r\ncd", 0, 3, 3, 3, 3, false},
		{"a lone CR is a character", "a\rb\nc", 0, 2, 2, 2, 2, false},
		{"a byte order mark is a character", "\ufeffab", 0, 1, 0, 3, 3, true},
		{"an empty text", "", 0, 0, 0, 0, 0, false},
		{"the empty last line", "ab\n", 1, 0, 3, 3, 3, false},
	} {
		text := source.New(test.text)
		for i, want := range []int{test.utf8, test.utf16, test.utf32} {
			e, p := encodings[i], protocol.Position{Line: test.line, Character: test.char}
			if got := e.offset(text, p); got != want {
				t.Errorf(
					"%s: %s offset of %d:%d in %q is %d, want %d",
					test.about,
					e,
					test.line,
					test.char,
					test.text,
					got,
					want,
				)
			}
			if got := e.position(text, want); !test.approximately && got != p {
				t.Errorf("%s: %s position of %d in %q is %v, want %v", test.about, e, want, test.text, got, p)
			}
		}
	}
}

// Every boundary between characters keeps its place through position and offset.
func TestPositionsRoundTrip(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		content := randomText(rnd, 40)
		text := source.New(content)
		for at := 0; at <= len(content); at++ {
			if at < len(content) && !utf8.RuneStart(content[at]) {
				continue
			}
			for _, e := range encodings {
				p := e.position(text, at)
				if got := e.offset(text, p); got != at {
					t.Fatalf("%s: offset %d of %q became %v and then %d", e, at, content, p, got)
				}
				if want := naivePosition(e, content, at); p != want {
					t.Fatalf("%s: position of %d in %q is %v, want %v", e, at, content, p, want)
				}
			}
		}
	}
}

// naivePosition counts as the protocol's words say.
func naivePosition(e encoding, content string, at int) protocol.Position {
	before := content[:at]
	line := strings.Count(before, "\n")
	before = before[strings.LastIndexByte(before, '\n')+1:]
	units := len(before)
	switch e {
	case utf16Units:
		units = len(utf16.Encode([]rune(before)))
	case utf32Units:
		units = utf8.RuneCountInString(before)
	}
	return protocol.Position{Line: uint32(line), Character: uint32(units)}
}

var alphabet = []string{
	"a",
	"B",
	" ",
	"\n",
	"\r\n",
	"\r",
	"\t",
	"ä",
	"€",
	"😀",
	"👩‍👩‍👧",
	"\ufeff",
	"\ufffd",
	"\\\n",
	"RUN x\n",
	"EVN a=b\n",
	"<<EOF\n",
}

func randomText(rnd *rand.Rand, most int) string {
	var b strings.Builder
	for range rnd.IntN(most) {
		b.WriteString(alphabet[rnd.IntN(len(alphabet))])
	}
	return b.String()
}
