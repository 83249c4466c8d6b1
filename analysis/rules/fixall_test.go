package rules

import (
	"bytes"
	"flag"
	"math/rand/v2"
	"testing"

	"github.com/layerwise/layerwise/analysis/corpus"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
)

// perFile is how often each real file is damaged: go test ./analysis/rules -run DamagedReal -args -perfile 50
var perFile = flag.Int("perfile", 2, "how often each real file is damaged")

// checkFixAll holds FixAll to what it promises for a text.
func checkFixAll(t *testing.T, name, text string) (changed bool) {
	t.Helper()
	fixed := FixAll(dockerfile.Parse(source.New(text), nil), testOptions(nil))
	after := fixed.File.Text.String()
	if got := applied(t, text, fixed.Edits); got != after {
		t.Errorf("%s: the edits give another text than was checked:\n%q\n%q", name, got, after)
	}
	if corpus.Refusal(text) == nil && corpus.Refusal(after) != nil {
		t.Errorf(
			"%s: BuildKit took the file, and does not take what the fixes made of it: %s\n%q\n%q",
			name,
			corpus.Refusal(after),
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
				if checkFixAll(t, r.ID, corpus.Damage(random, text)) {
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
	for name, text := range corpus.Dockerfiles(t) {
		if len(text) > 6000 {
			continue // a round over all takes long
		}
		random := rand.New(rand.NewPCG(uint64(len(text)), 4))
		for range *perFile {
			tried++
			if checkFixAll(t, name, corpus.Damage(random, text)) {
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

// FixAll gives up as soon as nobody waits for it, whatever it has found by then, and changes nothing.
func TestFixAllIsGivenUp(t *testing.T) {
	const text = "from alpine:3.20\nEVN a=b\nRNU x\nWROKDIR /x\n"
	all := FixAll(dockerfile.Parse(source.New(text), nil), testOptions(nil))
	if len(all.Edits) == 0 {
		t.Fatal("there is nothing to fix")
	}
	ended := false
	for asked := 0; !ended && asked < 100; asked++ {
		left := asked
		opts := testOptions(nil)
		opts.Over = func() bool { left--; return left < 0 }
		fixed := FixAll(dockerfile.Parse(source.New(text), nil), opts)
		switch ended = left >= 0; {
		case ended && len(fixed.Edits) != len(all.Edits):
			t.Errorf("%d edits without having been given up, want %d", len(fixed.Edits), len(all.Edits))
		case !ended && (len(fixed.Edits) > 0 || fixed.Refused == "" || fixed.File.Text.String() != text):
			t.Errorf("given up when asked for the %d. time: %d edits, %q", asked+1, len(fixed.Edits), fixed.Refused)
		}
	}
	if !ended {
		t.Error("it asks without end")
	}
}
