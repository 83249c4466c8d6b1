package conformance

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
)

// run builds a case on the in-process oracle under every choice of outputs and checks each build but the first. It
// returns the wrong promises, or an error where the case cannot be built.
func runInProcess(ctx context.Context, dir string, builds []Build, seed uint64, tally *Tally) (wrong []string, err error) {
	oracles := []*InProcess{NewInProcess(Same, seed), NewInProcess(Different, seed), NewInProcess(Mixed, seed)}
	defer func() {
		for _, o := range oracles {
			o.Close()
		}
	}()
	for i, b := range builds {
		var did []Truth
		for _, o := range oracles {
			t, err := o.Build(ctx, b)
			if err != nil {
				return wrong, fmt.Errorf("build %d: %w", i, err)
			}
			did = append(did, t)
		}
		if i == 0 {
			continue
		}
		steps, err := Predict(ctx, dir, builds[:i], b)
		if err != nil {
			return wrong, err
		}
		tally.Add(steps, did[0], did[1])
		for n, t := range did {
			for _, w := range Check(steps, t, t.Twin, tally) {
				wrong = append(wrong, fmt.Sprintf("build %d, outputs %d: %s", i, n, w))
			}
		}
	}
	return wrong, nil
}

func render(sketches []Sketch) []Build {
	var builds []Build
	for _, s := range sketches {
		builds = append(builds, s.Build())
	}
	return builds
}

// The model's promises hold on BuildKit's solver for generated builds and edits.
func TestInProcess(t *testing.T) {
	ctx := context.Background()
	tally := NewTally()
	failures := map[string]int{}
	var mu sync.Mutex
	wrongs := 0
	dir := t.TempDir()
	for n := range *pairsFlag {
		g := NewGenerator(*seedFlag+uint64(n), Limits{})
		sketches, names := g.Case()
		wrong, err := runInProcess(ctx, dir, render(sketches), *seedFlag+uint64(n), tally)
		mu.Lock()
		if err != nil {
			failures[firstWords(err.Error())]++
		}
		if len(wrong) > 0 {
			wrongs++
			if wrongs <= 8 {
				small := Shrink(sketches, func(s []Sketch) bool {
					w, _ := runInProcess(ctx, dir, render(s), *seedFlag+uint64(n), NewTally())
					return len(w) > 0
				})
				w, _ := runInProcess(ctx, dir, render(small), *seedFlag+uint64(n), NewTally())
				t.Errorf("seed %d, edits %v:\n%s\n%s", *seedFlag+uint64(n), names, strings.Join(w, "\n"), Case{Builds: render(small), Prose: "Describe me."}.Format())
			}
		}
		mu.Unlock()
	}
	t.Logf("%d cases, %d with wrong promises\n%s", *pairsFlag, wrongs, tally)
	if os.Getenv("VERBOSE") != "" {
		for k, v := range failures {
			t.Log(v, k)
		}
	}
}

func firstWords(s string) string {
	f := strings.Fields(s)
	return strings.Join(f[:min(len(f), 14)], " ")
}
