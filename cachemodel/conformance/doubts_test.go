package conformance

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/layerwise/layerwise/analysis/corpus"
	"github.com/layerwise/layerwise/cachemodel"
)

// doubtCount counts the verdicts that are not certain, by their reason.
type doubtCount struct {
	judged  int
	reasons map[cachemodel.CauseKind]int
}

func (d *doubtCount) add(status cachemodel.Status, certain bool, kind cachemodel.CauseKind) {
	if status != cachemodel.Cached && status != cachemodel.Rebuilt {
		return
	}
	d.judged++
	if !certain {
		d.reasons[kind]++
	}
}

// log prints the table, and fails where there are more doubts than a share of them in percent.
func (d *doubtCount) log(t *testing.T, of string, most int) {
	t.Helper()
	all := 0
	var rows strings.Builder
	kinds := slices.Collect(maps.Keys(d.reasons))
	slices.SortFunc(kinds, func(a, b cachemodel.CauseKind) int {
		return cmp.Or(d.reasons[b]-d.reasons[a], strings.Compare(string(a), string(b)))
	})
	for _, kind := range kinds {
		all += d.reasons[kind]
		fmt.Fprintf(&rows, "\n| %s | %d |", kind, d.reasons[kind])
	}
	t.Logf("%s: %d of %d verdicts are not certain%s", of, all, d.judged, rows.String())
	if d.judged == 0 || all*100 > d.judged*most {
		t.Errorf("%s: more than %d %% are not certain", of, most)
	}
}

// TestDoubts prints how many verdicts are not certain, and why: over the pairs of folders, and over real Dockerfiles of
// which nothing is known but a build before one edit.
func TestDoubts(t *testing.T) {
	text, err := os.ReadFile("testdata/pairs.golden")
	if err != nil {
		t.Fatal(err)
	}
	pairs := &doubtCount{reasons: map[cachemodel.CauseKind]int{}}
	for line := range strings.Lines(string(text)) {
		fields := strings.Split(strings.TrimSuffix(line, "\n"), " | ")
		words := strings.Fields(fields[0])
		if len(words) < 3 || words[0] == "##" {
			continue
		}
		kind := cachemodel.CauseKind("")
		if len(fields) > 1 {
			kind = cachemodel.CauseKind(strings.Fields(fields[1])[0])
		}
		pairs.add(cachemodel.Status(words[1]), !slices.Contains(fields, "uncertain"), kind)
	}
	pairs.log(t, "the pairs", 9)
	edits := map[string]func(b *Build) bool{"a file that is copied is edited": editFile, "a command is edited": editRun}
	for _, name := range slices.Sorted(maps.Keys(edits)) {
		found := &doubtCount{reasons: map[cachemodel.CauseKind]int{}}
		for file, text := range corpus.Dockerfiles(t) {
			b := Build{Name: "Dockerfile", Dockerfile: text}
			def, _, refused := Convert(context.Background(), b)
			if b.Files = contextFor(t, def); refused != nil {
				continue
			}
			model, next := &Model{}, b.Clone()
			if !edits[name](&next) {
				continue
			}
			var steps []cachemodel.Step
			for _, build := range []Build{b, next} {
				if steps, err = model.Predict(context.Background(), build); err != nil {
					t.Fatalf("%s: %v", file, err)
				}
			}
			for _, s := range steps {
				kind := cachemodel.CauseKind("")
				if s.Cause != nil {
					kind = s.Cause.Kind
				}
				found.add(s.Status, s.Certain, kind)
			}
		}
		found.log(t, name, 13)
	}
}

// editFile changes the last file of the context, in order of name.
func editFile(b *Build) bool {
	names := slices.Sorted(maps.Keys(b.Files))
	if len(names) == 0 {
		return false
	}
	f := b.Files[names[len(names)-1]]
	f.Data += "edited"
	b.Files[names[len(names)-1]] = f
	return true
}

// editRun changes the first command.
func editRun(b *Build) bool {
	before := b.Dockerfile
	b.Dockerfile = strings.Replace(b.Dockerfile, "\nRUN ", "\nRUN true && ", 1)
	return b.Dockerfile != before
}
