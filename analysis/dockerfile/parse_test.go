package dockerfile_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/layerwise/layerwise/analysis/corpus"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
)

// quirks is a file with much of what can go wrong.
const quirks = "# syntax=docker/dockerfile:1\n# escape=\\\n\n# a comment\nARG V=1\nFROM --platform=$P alpine:${V} AS " +
	"Base # not a comment\n" +
	"RUN a && \\\n  # within\n\n  b \\\n  c\nCOPY --chwon=a <<A <<-\"B\" /x/\nbody $V\nA\n\tmore\n\tB\n\nONBUILD EVN " +
	"a=b\nRUM <<EOF cat\nFROM x\nEOF\n" +
	"CMD[\"x\", \"y\"]\nfrom a as b\n\\\nENV a=b \"c d\"=e f=\\\ng\nHEALTHCHECK --interval=1 CMD [\"a\"]\nONBUILD " +
	"RUN <<E\nx\nE\nLABEL x\nEXPOSE 80 \\\n"

// TestIncremental checks that a reading that takes over what it can from an earlier one is the same as a fresh one.
func TestIncremental(t *testing.T) {
	snippets := []string{
		"",
		"\n",
		"\\\n",
		"#",
		"FROM x\n",
		"<<E",
		"E\n",
		"RUN y\n",
		" ",
		"\"",
		"\\",
		"\r\n",
		"# escape=`\n",
		"EVN",
		"[",
		"--x=y ",
		"\n\n\n",
	}
	rng := rand.New(rand.NewPCG(1, 2))
	text := quirks
	f := dockerfile.Parse(source.New(text), nil)
	for i := range 1000 {
		if i%20 == 0 {
			text = strings.Repeat(quirks, 1+i%3)
			f = dockerfile.Parse(source.New(text), nil)
		}
		before := text
		from := rng.IntN(len(text) + 1)
		to := min(len(text), from+rng.IntN(4)*rng.IntN(8))
		text = text[:from] + snippets[rng.IntN(len(snippets))] + text[to:]
		if i%50 == 0 {
			f = dockerfile.Parse(source.New(large(40)), nil) // any other file will do as an earlier version
		}
		f = dockerfile.Parse(source.New(text), f)
		if fresh := dockerfile.Parse(source.New(text), nil); !reflect.DeepEqual(f, fresh) {
			t.Fatalf(
				"edit %d: bytes %d to %d of\n%q\nafter it\n%q\n%s",
				i,
				from,
				to,
				before,
				text,
				firstDifference(f, fresh),
			)
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

// TestReuse checks that instructions above an edit stay the same ones, and that those below share what BuildKit made of
// them.
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
		fmt.Fprintf(
			&b,
			"FROM alpine:3.%d AS stage%d\n# comment\nARG VERSION=%d\nENV A=$VERSION B=%d\nRUN apk add --no-cache "+
				"curl git \\\n    make gcc\nWORKDIR /src/%d\nCOPY --chown=1:1 a b c ./\nRUN make -C /src "+
				"VERSION=${VERSION}\nCMD [\"a\", \"b\"]\n",
			i,
			i,
			i,
			i,
			i,
		)
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

func samples(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob("testdata/*.Dockerfile")
	if err != nil || len(files) == 0 {
		t.Fatalf("no samples: %v", err)
	}
	texts := map[string]string{"quirks": quirks}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		texts[filepath.Base(file)] = string(content)
	}
	return texts
}

// TestSamples checks that the samples, which are right, are read without a problem.
func TestSamples(t *testing.T) {
	for name, text := range samples(t) {
		f := dockerfile.Parse(source.New(text), nil)
		if broken := wellFormed(f); broken != "" {
			t.Errorf("%s: %s", name, broken)
		}
		if name != "quirks" && len(f.Problems) > 0 {
			t.Errorf("%s: %v", name, f.Problems)
		}
		if difference, _ := agree(text); difference != "" {
			t.Errorf("%s: %s", name, difference)
		}
	}
}

// TestPrefixes reads files as they are while being typed: what stands above the cut is as it is in the whole file.
func TestPrefixes(t *testing.T) {
	for name, text := range samples(t) {
		for _, text := range []string{text, strings.ReplaceAll(text, "\n", "\r\n")} {
			whole := dockerfile.Parse(source.New(text), nil)
			before := dockerfile.Parse(source.New(""), nil)
			for cut := range len(text) {
				f := dockerfile.Parse(source.New(text[:cut]), before)
				if cut%7 == 0 { // each is expensive
					if broken := wellFormed(f); broken != "" {
						t.Fatalf("%s cut at %d: %s", name, cut, broken)
					}
				}
				for i, in := range whole.Instructions {
					if in.Span.End >= cut || !strings.Contains(text[in.Span.End:cut], "\n") {
						break
					}
					in.Mounts() // are kept once they are asked for
					if i < len(f.Instructions) {
						f.Instructions[i].Mounts()
					}
					if i >= len(f.Instructions) || !reflect.DeepEqual(f.Instructions[i], in) {
						t.Fatalf(
							"%s cut at %d: instruction %d on line %d is not as in the whole file",
							name,
							cut,
							i,
							in.Line,
						)
					}
				}
				before = f
			}
		}
	}
}

// TestTogether checks that an instruction is read as if it was read alone, whatever is read together with it: real
// files and damaged ones, whole and as an instruction is typed after the other.
func TestTogether(t *testing.T) {
	texts := slices.Sorted(maps.Values(samples(t)))
	for i, file := range corpusFiles(t, "dockerfiles", "*") {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if i%3 == 0 { // all take long
			texts = append(texts, string(content))
		}
	}
	rng := rand.New(rand.NewPCG(5, 6))
	for _, text := range texts {
		for n, text := range []string{
			text, "# escape=`\n" + text, strings.ReplaceAll(text, "\n", "\r\n"), corpus.Damage(rng, text),
			corpus.Damage(rng, corpus.Damage(rng, text)+"\n"), text + "\nONBUILD RUN a \\",
			strings.ReplaceAll(text, "\nRUN", "\nONBUILD RUN"), strings.ReplaceAll(text, "\nENV", "\nENV a\nENV"),
		} {
			whole := dockerfile.Parse(source.New(text), nil)
			typed := dockerfile.Parse(source.New(""), nil)
			for i, in := range whole.Instructions {
				end := in.Span.End
				if i == len(whole.Instructions)-1 {
					end = len(text)
				}
				typed = dockerfile.Parse(source.New(text[:end]), typed)
			}
			if len(whole.Instructions) > 0 && !reflect.DeepEqual(whole, typed) {
				t.Fatalf("%d: %.300q is read otherwise than as it was typed: %s", n, text,
					firstDifference(whole, typed))
			}
		}
	}
}

// TestNothingShared checks that two readings of a text have nothing in common that someone could change.
func TestNothingShared(t *testing.T) {
	for name, text := range samples(t) {
		a, b := dockerfile.Parse(source.New(text), nil), dockerfile.Parse(source.New(text), nil)
		for i, in := range a.Instructions {
			if ex, ok := in.Command.(instructions.SupportsSingleWordExpansion); ok {
				// Expansion changes a command in place.
				_ = ex.Expand(func(string) (string, error) { return "changed", nil })
			}
			if in.Node != nil {
				in.Node.Value = "changed"
				clear(in.Node.Flags)
				clear(in.Node.Heredocs)
				clear(in.Node.PrevComment)
				clear(in.Node.Attributes)
			}
			clear(in.Args)
			clear(in.Flags)
			if i < len(b.Instructions) && in == b.Instructions[i] {
				t.Errorf("%s: instruction %d is shared", name, i)
			}
		}
		if fresh := dockerfile.Parse(source.New(text), nil); !reflect.DeepEqual(b, fresh) {
			t.Errorf("%s: changing one reading changed another: %s", name, firstDifference(b, fresh))
		}
	}
}

// TestTooLarge checks that a file is read to its end once it is no longer too large, and never what is behind the bound.
func TestTooLarge(t *testing.T) {
	const line = "RUN a\n"
	comment := "FROM a\n#" + strings.Repeat("#", dockerfile.MostBytes) + "\nUSER x\n"
	most := "RUN " + strings.Repeat("x", dockerfile.MostOfOne-len("RUN "))
	few, many := strings.Repeat(line, dockerfile.MostInstructions-1), strings.Repeat(line, 20*dockerfile.MostInstructions)
	for _, test := range []struct {
		prose, before, after string
		large                bool
	}{
		{"as many as may be", "FROM a\n", "FROM a\n" + few, false},
		{"one more", "FROM a\n" + few, "FROM a\n" + few + line, true},
		{"one less", "FROM a\n" + few + line, "FROM a\n" + few, false},
		{"far too many", "FROM a\n", "FROM a\n" + many, true},
		{"most are taken out, but not the last", "FROM a\n" + many + "USER x\n", "FROM a\nUSER x\n", false},
		{"a long comment", "FROM a\n#\nUSER x\n", comment, true},
		{"a long comment goes", comment, "FROM a\nUSER x\n", false},
		{"a long instruction", "FROM a\n", "FROM a\n" + most, false},
		{"a longer instruction", "FROM a\n" + most, "FROM a\n" + most + " \\\n b", true},
		{"a longer instruction goes", "FROM a\n" + most + " \\\n b", "FROM a\n" + most, false},
		{"a long instruction moves", "FROM a\n" + most + " \\\n b", "FROM a\nRUN x\n" + most + " \\\n b", true},
		{"variables within each other", "FROM a\n", "FROM a\nENV A=" + strings.Repeat("${B:-", dockerfile.MostNested) +
			strings.Repeat("}", dockerfile.MostNested) + strings.Repeat("${C}", 1000) + "\n", false},
		{"one more of them", "FROM a\n", "FROM a\nENV A=" + strings.Repeat("${B:-", dockerfile.MostNested+1) +
			strings.Repeat("}", dockerfile.MostNested+1) + "\n", true},
		{"a long heredoc", "FROM a\n", "FROM a\nRUN <<E\n" + strings.Repeat("# x\n", dockerfile.MostOfOne/2) + "E\n",
			false},
	} {
		text := source.New(test.after)
		f := dockerfile.Parse(text, dockerfile.Parse(source.New(test.before), nil))
		if f.TooLarge() != test.large || len(f.Instructions) > dockerfile.MostInstructions+1 {
			t.Errorf("%s: too large: %v, %d instructions", test.prose, f.TooLarge(), len(f.Instructions))
		}
		if fresh := dockerfile.Parse(text, nil); !reflect.DeepEqual(f.Problems, fresh.Problems) ||
			len(f.Instructions) != len(fresh.Instructions) {
			t.Errorf("%s: another reading than from nothing", test.prose)
		}
	}
}

// TestLineTooLong checks the limit of BuildKit's scanner, a line of 65535 bytes, in every place where a line may stand.
func TestLineTooLong(t *testing.T) {
	for _, test := range []struct {
		prose, before, after string
		rest                 bool // the instructions behind the line are read
	}{
		{"an instruction", "RUN ", "\nUSER x\n", true},
		{"an indented instruction", "   RUN ", "\nUSER x\n", true},
		{"the last line, without a newline", "RUN ", "", false},
		{"a comment", "#", "\nUSER x\n", true},
		{"a continuation line", "RUN a \\\n", "\nUSER x\n", true},
		{"a comment among continuation lines", "RUN a \\\n#", "\nb\nUSER x\n", true},
		{"a line of a heredoc", "RUN <<EOF\n", "\nEOF\nUSER x\n", true},
	} {
		for _, long := range []bool{false, true} {
			width := 65535 - (len(test.before) - strings.LastIndex(test.before, "\n") - 1)
			if long {
				width++
			}
			text := "FROM a\n" + test.before + strings.Repeat("x", width) + test.after
			f := dockerfile.Parse(source.New(text), nil)
			if broken := wellFormed(f); broken != "" {
				t.Errorf("%s: %.200s", test.prose, broken)
			}
			// BuildKit's parser is not asked about an instruction that is too large.
			if difference, _ := agree(text); difference != "" && (long || !f.TooLarge()) {
				t.Errorf("%s, too long: %v: %.200s", test.prose, long, difference)
			}
			if found := len(f.Problems) > 0 && f.Problems[0].Kind == dockerfile.LineTooLong; found != long {
				t.Errorf("%s, too long: %v, but found so: %v", test.prose, long, found)
			}
			if last := f.Instructions[len(f.Instructions)-1]; test.rest && last.Keyword.Text != "USER" {
				t.Errorf("%s: the rest of the file is lost", test.prose)
			}
		}
	}
}
