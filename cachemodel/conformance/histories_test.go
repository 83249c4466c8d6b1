package conformance

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/layerwise/layerwise/analysis/corpus"
)

// Consecutive versions of real Dockerfiles, as far as the corpus has several of one file: the model's promises hold on
// BuildKit's solver. The context is made up of what the two versions read, with one of the files changed in every other
// pair.
func TestHistories(t *testing.T) {
	ctx := context.Background()
	dockerfiles := corpus.Path(t, "dockerfiles")
	index, err := os.ReadFile(corpus.Path(t, "index.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	versions := map[string][]string{}
	var order []string
	for line := range strings.Lines(string(index)) {
		f := strings.Split(strings.TrimSpace(line), "\t")
		if len(f) < 3 {
			continue
		}
		key := f[1] + " " + f[2]
		if versions[key] == nil {
			order = append(order, key)
		}
		versions[key] = append(versions[key], f[0])
	}
	tally, pairs, refused := NewTally(), 0, 0
	for _, key := range order {
		var builds []Build
		for _, v := range versions[key] {
			data, err := os.ReadFile(filepath.Join(dockerfiles, v))
			if err != nil {
				continue
			}
			builds = append(builds, Build{Name: "Dockerfile", Dockerfile: string(data)})
		}
		for i := 1; i < len(builds); i++ {
			a, b := builds[i-1], builds[i]
			a.Files = map[string]File{}
			for _, x := range []Build{a, b} {
				if def, _, err := Convert(ctx, x); err == nil {
					maps.Copy(a.Files, contextFor(t, def))
				}
			}
			prune(a.Files)
			b.Files = maps.Clone(a.Files)
			if pairs%2 == 1 {
				for p, f := range b.Files {
					f.Data += "changed\n"
					b.Files[p] = f
					break
				}
			}
			pairs++
			for seed := range uint64(2) { // without and with knowledge of the images
				wrong, err := runInProcess(ctx, t.TempDir(), []Build{a, b}, seed, tally)
				if err != nil && seed == 0 {
					refused++
				}
				for _, w := range wrong {
					t.Errorf("%s, version %d: %s", key, i, w)
				}
			}
		}
	}
	if pairs == 0 {
		t.Fatal("the corpus has no histories")
	}
	t.Logf("%d pairs, %d cannot be built\n%s", pairs, refused, tally)
}
