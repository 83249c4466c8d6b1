package rules

import (
	"bytes"
	"flag"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// perFile is how often each real file is damaged: go test ./analysis/rules -run DamagedReal -args -perfile 50
var perFile = flag.Int("perfile", 2, "how often each real file is damaged")

// refusal is BuildKit's first error about a text, "" if it has none.
func refusal(text string) string {
	result, err := parser.Parse(strings.NewReader(text))
	if err != nil {
		return err.Error()
	}
	if _, _, err := instructions.Parse(result.AST, linter.New(&linter.Config{})); err != nil {
		return err.Error()
	}
	return ""
}

// checkFixAll holds FixAll to what it promises for a text.
func checkFixAll(t *testing.T, name, text string) (changed bool) {
	t.Helper()
	fixed := FixAll(dockerfile.Parse(source.New(text), nil), testOptions(nil))
	after := fixed.File.Text.String()
	if got := applied(t, text, fixed.Edits); got != after {
		t.Errorf("%s: the edits give another text than was checked:\n%q\n%q", name, got, after)
	}
	if refusal(text) == "" && refusal(after) != "" {
		t.Errorf(
			"%s: BuildKit took the file, and does not take what the fixes made of it: %s\n%q\n%q",
			name,
			refusal(after),
			text,
			after,
		)
	}
	if again := FixAll(dockerfile.Parse(source.New(after), nil), testOptions(nil)); again.File.Text.String() != after {
		t.Errorf(
			"%s: a second run changes the file again: %v after %v\n%q\n%q\n%q",
			name,
			again.Applied,
			fixed.Applied,
			text,
			after,
			again.File.Text.String(),
		)
	}
	return after != text
}

// damaged are texts with one thing wrong that happens while people type, merge and paste.
func damaged(random *rand.Rand, text string) string {
	lines := strings.SplitAfter(text, "\n")
	i := random.IntN(len(lines))
	at := random.IntN(len(text))
	switch random.IntN(9) {
	case 0: // a line lost
		return strings.Join(slices.Delete(slices.Clone(lines), i, i+1), "")
	case 1: // a line twice
		return strings.Join(slices.Insert(slices.Clone(lines), i, lines[i]), "")
	case 2: // two lines in the other order
		other := slices.Clone(lines)
		j := min(i+1, len(lines)-1)
		other[i], other[j] = other[j], other[i]
		return strings.Join(other, "")
	case 3: // a byte lost
		return text[:at] + text[at+1:]
	case 4: // a byte twice
		return text[:at] + text[at:at+1] + text[at:]
	case 5: // cut off
		return text[:at]
	case 6: // a line's escape character lost
		other := slices.Clone(lines)
		other[i] = strings.Replace(other[i], "\\\n", "\n", 1)
		return strings.Join(other, "")
	case 7: // some shell typed in the wrong place
		return text[:at] + []string{"&&", " \\", "\"", "'", "`", "$", "${", "#", "=", "[", " --link", "<<EOF", "\n",
			";", "\\\n"}[random.IntN(15)] + text[at:]
	}
	other := slices.Clone(lines) // an empty line
	other[i] = "\n" + other[i]
	return strings.Join(other, "")
}

// Cases that once went wrong.
func TestFixAllOf(t *testing.T) {
	for text, want := range map[string]string{
		"ARG VARIAN&&T=1\nFROM " +
			"x:${VARIANT}\n": "ARG VARIAN&&T=1\nFROM x:${VARIANT}\n",
		"FROM a\nCOPY --link a /b/ " +
			"--link\n": "FROM a\nCOPY --link a /b/ --link\n",
		"from a\nRUN b\nRUN c\n": "FROM a\nRUN b\nRUN c\n",
		"FROM a\nEVN a=b\nRUN " +
			"c\n": "FROM a\nENV a=b\nRUN c\n",
		"FROM a\nEVN a=b\nwhatever c\nRUN c\nRUN " +
			"d\n": "FROM a\nEVN a=b\nwhatever c\nRUN c\nRUN d\n",
		"# DO NOT EDIT\nFROM a\nEVN a=b\nRUN " +
			"c\n": "# DO NOT EDIT\nFROM a\nEVN a=b\nRUN c\n",
		"# syntax=docker/dockerfile:1.4\nFROM a\nCOPY --parents a /b\nADD --exclude=x a " +
			"/c\n": "# syntax=docker/dockerfile:1.20\nFROM a\nCOPY --parents a /b\nADD --exclude=x a /c\n",
	} {
		checkFixAll(t, "case", text)
		if got := FixAll(dockerfile.Parse(source.New(text), nil), testOptions(nil)).File.Text.String(); got != want {
			t.Errorf("%q becomes %q, not %q", text, got, want)
		}
	}
}

// Our own files, damaged at random.
func TestFixAllOfDamagedFiles(t *testing.T) {
	changed, tried := 0, 0
	for _, r := range All {
		random := rand.New(rand.NewPCG(uint64(len(r.ID)), 3))
		for _, text := range []string{r.Doc.Example, r.Doc.Instead} {
			for range 12 {
				if len(text) > 2000 {
					break
				}
				tried++
				if checkFixAll(t, r.ID, damaged(random, text)) {
					changed++
				}
			}
		}
	}
	t.Logf("%d files, %d changed", tried, changed)
	if changed == 0 {
		t.Error("no fix was tried")
	}
}

// Real files, damaged at random.
func TestFixAllOfDamagedRealFiles(t *testing.T) {
	changed, tried := 0, 0
	for name, text := range corpus(t) {
		if len(text) > 6000 {
			continue // a round over all takes long
		}
		random := rand.New(rand.NewPCG(uint64(len(text)), 4))
		for range *perFile {
			tried++
			if checkFixAll(t, name, damaged(random, text)) {
				changed++
			}
		}
	}
	t.Logf("%d files, %d changed", tried, changed)
}

func FuzzFixAll(f *testing.F) {
	for _, r := range All {
		if len(r.Doc.Example) < 1000 {
			f.Add([]byte(r.Doc.Example))
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if len(text) < 4000 && !bytes.Contains(text, []byte{0}) {
			checkFixAll(t, "fuzz", string(text))
		}
	})
}
