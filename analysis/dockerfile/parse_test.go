package dockerfile_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
)

// quirks is a file with much of what can go wrong.
const quirks = "# syntax=docker/dockerfile:1\n# escape=\\\n\n# a comment\nARG V=1\nFROM --platform=$P alpine:${V} AS Base # not a comment\n" +
	"RUN a && \\\n  # within\n\n  b \\\n  c\nCOPY --chwon=a <<A <<-\"B\" /x/\nbody $V\nA\n\tmore\n\tB\n\nONBUILD EVN a=b\nRUM <<EOF cat\nFROM x\nEOF\n" +
	"CMD[\"x\", \"y\"]\nfrom a as b\n\\\nENV a=b \"c d\"=e f=\\\ng\nHEALTHCHECK --interval=1 CMD [\"a\"]\nONBUILD RUN <<E\nx\nE\nLABEL x\nEXPOSE 80 \\\n"

// TestIncremental checks that a reading that takes over what it can from an earlier one is the same as a fresh one.
func TestIncremental(t *testing.T) {
	snippets := []string{"", "\n", "\\\n", "#", "FROM x\n", "<<E", "E\n", "RUN y\n", " ", "\"", "\\", "\r\n", "# escape=`\n", "EVN", "[", "--x=y ", "\n\n\n"}
	rng := rand.New(rand.NewPCG(1, 2))
	text := quirks
	f := dockerfile.Parse(source.New(text), nil)
	for i := range 4000 {
		if i%20 == 0 {
			text = strings.Repeat(quirks, 1+i%3)
			f = dockerfile.Parse(source.New(text), nil)
		}
		before := text
		from := rng.IntN(len(text) + 1)
		to := min(len(text), from+rng.IntN(4)*rng.IntN(8))
		text = text[:from] + snippets[rng.IntN(len(snippets))] + text[to:]
		f = dockerfile.Parse(source.New(text), f)
		if fresh := dockerfile.Parse(source.New(text), nil); !reflect.DeepEqual(f, fresh) {
			t.Fatalf("edit %d: bytes %d to %d of\n%q\nafter it\n%q\n%s", i, from, to, before, text, firstDifference(f, fresh))
		}
	}
}

func firstDifference(a, b *dockerfile.File) string {
	for i := range min(len(a.Instructions), len(b.Instructions)) {
		if !reflect.DeepEqual(a.Instructions[i], b.Instructions[i]) {
			return fmt.Sprintf("instruction %d: %+v\nfresh: %+v", i, a.Instructions[i], b.Instructions[i])
		}
	}
	return fmt.Sprintf("%+v\nfresh: %+v", a, b)
}

// TestReuse checks that instructions above an edit stay the same ones, and that those below share what BuildKit made of them.
func TestReuse(t *testing.T) {
	text := strings.Repeat("FROM a\nRUN b\nCOPY c d\n", 10)
	prev := dockerfile.Parse(source.New(text), nil)
	at := strings.Index(text, "c d")
	next := dockerfile.Parse(source.New(text[:at]+"x"+text[at:]), prev)
	for i, in := range next.Instructions {
		switch {
		case i < 2 && in != prev.Instructions[i]:
			t.Errorf("instruction %d above the edit was not taken over", i)
		case i > 2 && in.Node != prev.Instructions[i].Node:
			t.Errorf("instruction %d below the edit was read again", i)
		}
	}
}

func large(lines int) string {
	var b strings.Builder
	for i := 0; i < lines; i += 10 {
		fmt.Fprintf(&b, "FROM alpine:3.%d AS stage%d\n# comment\nARG VERSION=%d\nENV A=$VERSION B=%d\nRUN apk add --no-cache curl git \\\n    make gcc\nWORKDIR /src/%d\nCOPY --chown=1:1 a b c ./\nRUN make -C /src VERSION=${VERSION}\nCMD [\"a\", \"b\"]\n", i, i, i, i, i)
	}
	return b.String()
}

func BenchmarkParse(b *testing.B) {
	for _, lines := range []int{50, 500, 1000, 5000} {
		text := large(lines)
		b.Run(fmt.Sprintf("cold/%d", lines), func(b *testing.B) {
			for b.Loop() {
				dockerfile.Parse(source.New(text), nil)
			}
		})
		for _, place := range []string{"start", "middle", "end"} {
			at := map[string]int{"start": 200, "middle": len(text) / 2, "end": len(text) - 200}[place]
			at += strings.Index(text[at:], "make -C") + 4
			edited := source.New(text[:at] + "x" + text[at:])
			b.Run(fmt.Sprintf("edit-at-%s/%d", place, lines), func(b *testing.B) {
				prev := dockerfile.Parse(source.New(text), nil)
				for b.Loop() {
					dockerfile.Parse(edited, prev)
				}
			})
		}
	}
}
