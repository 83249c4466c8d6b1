package workspace

import (
	"flag"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/layerwise/layerwise/analysis/corpus"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/rules"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/layerwise/layerwise/cachemodel"
)

// perFile is how often each real file is damaged: go test ./cachemodel/workspace -run DamagedReal -args -perfile 50
var perFile = flag.Int("perfile", 1, "how often each real file is damaged")

// What a change does to the build beyond the instructions that it touches.
func TestKeeps(t *testing.T) {
	for _, tt := range []struct {
		why, before, after string
		kept               [][2]int
		style              bool
		want               string
	}{
		{"the case of a keyword is nothing", "from a\nRUN b\n", "FROM a\nRUN b\n", nil, true, ""},
		{"ENV without = takes all of the line", "FROM a\nENV a b\nRUN c\n", "FROM a\nENV a=b\nRUN c\n", nil, true, ""},
		{"a style fix that changes a value", "FROM a\nENV a b\nRUN c\n", "FROM a\nENV a=bb\nRUN c\n", nil, true,
			"line 3 (RUN) would become another step"},
		{"a changed ENV accounts for what the RUN below gets", "FROM a\nENV a b\nRUN c\n", "FROM a\nENV a=bb\nRUN c\n",
			[][2]int{{0, 0}, {2, 2}}, false, ""},
		{"a changed RUN does not account for another user", "FROM a\nUSER b\nRUN c\nRUN d\n",
			"FROM a\nRUN x\nRUN d\n", [][2]int{{0, 0}, {3, 2}}, false, ""},
		{"nothing was touched, and the user is another one", "FROM a\nRUN d\nUSER b\n", "FROM a\nUSER b\nRUN d\n",
			[][2]int{{0, 0}, {1, 2}, {2, 1}}, false,
			"line 2 (RUN) would run as another user"},
		{"a changed stage name takes the source of another stage's COPY", "FROM a AS x\nFROM b AS y\nCOPY --from=x / /\n",
			"FROM a AS z\nFROM b AS y\nCOPY --from=x / /\n",
			[][2]int{{1, 1}, {2, 2}}, false,
			"line 3 (COPY) would take its files from elsewhere"},
		{"a stage gets the name that a COPY has meant all along", "FROM a AAS x\nFROM b\nCOPY --from=x / /\n",
			"FROM a AS x\nFROM b\nCOPY --from=x / /\n",
			[][2]int{{1, 1}, {2, 2}}, false, ""},
		{"a stage that the target does not need counts too", "FROM a\nRUN b\nFROM c\n", "FROM a\nRUN x\nFROM c\n",
			nil, true, "line 2 (RUN) would become another step"},
		{"a base that cannot be read is the same by any name", "ARG B\nFROM $B as x\nWORKDIR y\n",
			"ARG B\nFROM $B AS x\nWORKDIR y\n", nil, true, ""},
		{"an ARG that is gone makes FROM fail", "ARG V=1\nFROM a:$V\n", "ARG W=1\nFROM a:$V\n",
			[][2]int{{1, 1}}, false, "more instructions would fail"},
	} {
		b := &Build{}
		parse := func(text string) *dockerfile.File { return dockerfile.Parse(source.New(text), nil) }
		got := b.keeps(rules.Change{Before: parse(tt.before), After: parse(tt.after), Kept: tt.kept, Style: tt.style})
		if got != tt.want {
			t.Errorf("%s: %q, want %q", tt.why, got, tt.want)
		}
	}
}

// tried is what came of a text.
type tried struct{ changed, left bool }

// checkFixed holds rules.FixAll, with a build's plans, to what it promises: BuildKit still takes the file, a second run
// changes nothing, and no instruction fails that did not.
func checkFixed(t *testing.T, name, text string) tried {
	t.Helper()
	opts := (&Build{}).RuleOptions(rules.Options{}, nil)
	fixed := rules.FixAll(dockerfile.Parse(source.New(text), nil), opts)
	after := fixed.File.Text.String()
	if made, err := source.Apply(text, fixed.Edits); err != nil || made != after {
		t.Errorf("%s: the edits give another text than was checked: %v\n%q\n%q", name, err, made, after)
	}
	if corpus.Refusal(text) == nil && corpus.Refusal(after) != nil {
		t.Errorf("%s: BuildKit took the file before: %s\n%q\n%q", name, corpus.Refusal(after), text, after)
	}
	again := rules.FixAll(dockerfile.Parse(source.New(after), nil), opts)
	if again.File.Text.String() != after {
		t.Errorf("%s: a second run changes the file again: %v after %v\n%q\n%q", name, again.Applied, fixed.Applied, text,
			after)
	}
	failing := func(f *dockerfile.File) (n int) {
		for _, s := range cachemodel.Compare(nil, cachemodel.NewPlan(cachemodel.Build{File: f})) {
			if s.Status == cachemodel.Fails {
				n++
			}
		}
		return n
	}
	before := dockerfile.Parse(source.New(text), nil)
	if was, is := failing(before), failing(fixed.File); is > was && !before.Dialect().Foreign {
		// Which instructions fail is not known while another frontend reads the file.
		t.Errorf("%s: %d steps fail, before %d\n%q\n%q", name, is, was, text, after)
	}
	return tried{after != text, len(fixed.Left) > 0}
}

// The examples of all rules, damaged at random, one to three times.
func TestFixAllOfDamagedExamples(t *testing.T) {
	rounds := 12
	if testing.Short() {
		rounds = 3
	}
	random := rand.New(rand.NewPCG(12, 1))
	n, changed, left := 0, 0, 0
	for _, r := range rules.All {
		for _, text := range []string{r.Doc.Example, r.Doc.Instead} {
			if len(text) > 2000 {
				continue
			}
			for range rounds {
				damaged := text
				for range 1 + random.IntN(3) {
					if damaged != "" {
						damaged = corpus.Damage(random, damaged)
					}
				}
				got := checkFixed(t, r.ID, damaged)
				n++
				if got.changed {
					changed++
				}
				if got.left {
					left++
				}
			}
		}
	}
	t.Logf("%d files: %d changed, of %d a fix was left out", n, changed, left)
	if changed == 0 {
		t.Error("no fix was tried")
	}
}

// Real files, damaged at random.
func TestFixAllOfDamagedRealFiles(t *testing.T) {
	n, changed, left := 0, 0, 0
	for name, text := range corpus.Dockerfiles(t) {
		if len(text) == 0 || len(text) > 6000 || testing.Short() && n >= 60 {
			continue
		}
		random := rand.New(rand.NewPCG(uint64(len(text)), 5))
		for range *perFile {
			got := checkFixed(t, name, corpus.Damage(random, text))
			n++
			if got.changed {
				changed++
			}
			if got.left {
				left++
			}
		}
	}
	t.Logf("%d files: %d changed, of %d a fix was left out", n, changed, left)
}

func FuzzFixAllKeeps(f *testing.F) {
	for _, r := range rules.All {
		if len(r.Doc.Example) < 1000 {
			f.Add([]byte(r.Doc.Example))
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if len(text) < 4000 && !strings.Contains(string(text), "\x00") {
			checkFixed(t, "fuzz", string(text))
		}
	})
}
