package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/layerwise/layerwise/cachemodel"
	"github.com/layerwise/layerwise/cachemodel/replay"
)

var (
	evaluateFlag        = flag.String("evaluate", "", "git repositories, separated by commas, for TestEvaluate")
	evaluateCommitsFlag = flag.Int("evaluate-commits", 100, "commits of each Dockerfile")
)

// What is asked of a Dockerfile to count.
const evaluateLeast = 20 // builds

// TestEvaluate says what the proposed orders would have saved on the histories of real repositories: for each Dockerfile with enough
// of a history, the cost of today's and of the proposed order. "What can be gained" is measured against the files for which there
// is a proposal; the paper on Doctor (arXiv 2504.01742) reports 26.5 % on average.
func TestEvaluate(t *testing.T) {
	if *evaluateFlag == "" {
		t.Skip("NO REORDERING WAS EVALUATED ON REAL HISTORIES: give git repositories with -evaluate DIR,DIR")
	}
	var table strings.Builder
	var savings, all []float64
	today, proposed := 0.0, 0.0
	repositories := map[string]bool{}
	for _, dir := range strings.Split(*evaluateFlag, ",") {
		name := strings.ReplaceAll(filepath.Base(strings.TrimSuffix(filepath.Clean(dir), "/repo")), "+", "/")
		clone := filepath.Join(t.TempDir(), "clone")
		if out, err := exec.Command("git", "clone", "-q", "-s", "--no-checkout", dir, clone).CombinedOutput(); err != nil {
			t.Errorf("%s: %v: %s", dir, err, out)
			continue
		}
		for _, file := range dockerfilesAtHead(t, clone) {
			r, err := evaluateFile(t.Context(), clone, file)
			if err != nil {
				fmt.Fprintf(&table, "%-70s %v\n", name+" "+file, err)
				continue
			}
			repositories[name] = true
			saved := 0.0
			if r.Proposed != nil {
				saved = savedBy(r)
				savings = append(savings, saved)
				today, proposed = today+r.Today.Seconds, proposed+r.Proposed.Seconds
			} else {
				today, proposed = today+r.Today.Seconds, proposed+r.Today.Seconds
			}
			all = append(all, saved)
			after := "       -"
			if r.Proposed != nil {
				after = fmt.Sprintf("%8.0f", r.Proposed.Seconds)
			}
			fmt.Fprintf(&table, "%-70s %4d builds %8.0f %8.0f %s %6.1f %%\n", name+" "+file, len(r.Today.Builds), r.Today.Uncached, r.Today.Seconds, after, saved)
			if r.Proposed != nil {
				for _, rewrite := range r.Proposed.Rewrites {
					fmt.Fprintf(&table, "    %s (%s)\n", rewrite.Title, rewrite.Grade)
				}
			}
		}
	}
	t.Logf("weight seconds of all builds: without a cache, today, proposed\n%s", table.String())
	t.Logf("%d Dockerfiles of %d repositories; in total %.1f %% less", len(all), len(repositories), share(today-proposed, today))
	t.Logf("all: %s", distribution(all))
	t.Logf("where anything is gained: %s", distribution(savings))
}

// distribution gives mean, median and quartiles.
func distribution(x []float64) string {
	if len(x) == 0 {
		return "none"
	}
	slices.Sort(x)
	sum := 0.0
	for _, v := range x {
		sum += v
	}
	at := func(q float64) float64 { return x[min(len(x)-1, int(q*float64(len(x))))] }
	return fmt.Sprintf("%d files, mean %.1f %%, median %.1f %%, quartiles %.1f and %.1f %%, from %.1f to %.1f %%",
		len(x), sum/float64(len(x)), at(0.5), at(0.25), at(0.75), x[0], x[len(x)-1])
}

func dockerfilesAtHead(t *testing.T, dir string) (files []string) {
	t.Helper()
	out, err := exec.Command("git", "-C", dir, "ls-tree", "-r", "-z", "--name-only", "HEAD").Output()
	if err != nil {
		t.Fatal(err)
	}
	for name := range strings.SplitSeq(string(out), "\x00") {
		if dockerfile.IsName(path.Base(name)) && !strings.Contains(name, "node_modules/") {
			files = append(files, name)
		}
	}
	return files
}

// evaluateFile replays a Dockerfile with its own folder or the repository's root as the context: where less of what it copies is
// missing.
func evaluateFile(ctx context.Context, dir, file string) (*replayReport, error) {
	text, err := exec.Command("git", "-C", dir, "show", "HEAD:"+file).Output()
	if err != nil {
		return nil, err
	}
	at := filepath.Join(dir, filepath.FromSlash(file))
	if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
		return nil, err
	}
	if err := os.WriteFile(at, text, 0o644); err != nil {
		return nil, err
	}
	now := dockerfile.Parse(source.New(string(text)), nil)
	if len(now.Stages) == 0 {
		return nil, fmt.Errorf("it is no Dockerfile")
	}
	best, fewest := "", -1
	for _, contextDir := range []string{filepath.Dir(at), dir} {
		h, err := replay.Load(ctx, replay.Request{Dockerfile: at, ContextDir: contextDir, Commits: 1}, nil)
		if err != nil {
			return nil, err
		}
		missing := 0
		for _, op := range cachemodel.NewPlan(cachemodel.Build{File: now, Context: h.Commits[len(h.Commits)-1].Context}).Operations() {
			if op.Err != nil {
				missing++
			}
		}
		if fewest < 0 || missing < fewest {
			best, fewest = contextDir, missing
		}
	}
	o := replayOptions{context: best, engine: string(cachemodel.BuildKit), format: "json", commits: *evaluateCommitsFlag}
	r, err := replayFile(ctx, at, o, nil)
	if err != nil {
		return nil, err
	}
	if len(r.Today.Builds) < evaluateLeast {
		return nil, fmt.Errorf("only %d builds", len(r.Today.Builds))
	}
	return r, nil
}
