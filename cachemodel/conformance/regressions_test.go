package conformance

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Each case in testdata/regressions was a wrong promise once, or states a rule that is easily got wrong.
func TestRegressions(t *testing.T) {
	ctx := context.Background()
	files, err := filepath.Glob("testdata/regressions/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no cases", err)
	}
	cases := map[string]Case{}
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimSuffix(filepath.Base(f), ".txtar")
		c, err := ParseCase(name, data)
		if err != nil {
			t.Fatal(err)
		}
		if c.Prose == "" {
			t.Errorf("%s: say in a line why the case is kept", name)
		}
		cases[name] = c
	}
	t.Run("in-process", func(t *testing.T) {
		for name, c := range cases {
			for seed := range uint64(3) { // with and without knowledge of the images
				wrong, err := runInProcess(ctx, t.TempDir(), c.Builds, seed, NewTally())
				if err != nil {
					t.Errorf("%s: %v", name, err)
				}
				for _, w := range wrong {
					t.Errorf("%s, seed %d: %s", name, seed, w)
				}
			}
		}
	})
	t.Run("daemon", func(t *testing.T) {
		real := startReal(t)
		for name, c := range cases {
			if strings.HasPrefix(name, "inprocess-") { // other platforms, remote sources, images that no registry has
				continue
			}
			wrong, err := runReal(ctx, real, c.Builds, NewTally())
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			for _, w := range wrong {
				t.Errorf("%s: %s", name, w)
			}
		}
	})
}
