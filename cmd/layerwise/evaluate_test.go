package main

import (
	"context"
	"flag"
	"fmt"
	"io"
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
	evaluateFlag         = flag.String("evaluate", "", "git repositories, separated by commas, for TestEvaluate")
	evaluateVersionsFlag = flag.Int(
		"evaluate-versions",
		0,
		"besides the newest commit, so many older ones, evenly spaced, at each of which a Dockerfile of another text "+
			"counts anew",
	)
	evaluateCommitsFlag = flag.Int("evaluate-commits", 100, "commits of each Dockerfile")
)

// What is asked of a Dockerfile to count.
const evaluateLeast = 20 // builds

// TestEvaluate says what the proposed orders would have saved on the histories of real repositories: for each
// Dockerfile with enough of a history, the cost of today's and of the proposed order. "What can be gained" is measured
// against the files for which there is a proposal; the paper on Doctor (arXiv 2504.01742) reports 26.5 % on average.
func TestEvaluate(t *testing.T) {
	if *evaluateFlag == "" {
		t.Skip("NO REORDERING WAS EVALUATED ON REAL HISTORIES: give git repositories with -evaluate DIR,DIR")
	}
	var table io.Writer = os.Stdout // it takes a while
	var savings, all []float64
	today, proposed := 0.0, 0.0
	fmt.Fprintln(table, "weight seconds of all builds: without a cache, today, proposed, saved")
	repositories, leftOut := map[string]bool{}, 0
	for _, dir := range strings.Split(*evaluateFlag, ",") {
		name := strings.ReplaceAll(filepath.Base(strings.TrimSuffix(filepath.Clean(dir), "/repo")), "+", "/")
		clone := filepath.Join(t.TempDir(), "clone")
		if out, err := exec.Command("git", "clone", "-q", "-s", "--no-checkout", dir,
			clone).CombinedOutput(); err != nil {
			t.Errorf("%s: %v: %s", dir, err, out)
			continue
		}
		seen := map[string]bool{}
		for _, rev := range evaluatedRevisions(t, clone) {
			for _, file := range checkOut(t, clone, rev) {
				r, err := evaluateFile(t.Context(), clone, rev, file, seen)
				if r == nil && err == nil {
					continue
				}
				at := fmt.Sprintf("%s %.7s %s", name, rev, file)
				if err != nil {
					leftOut++
					t.Logf("left out: %s: %v", at, err)
					continue
				}
				repositories[name] = true
				saved, after := 0.0, "-"
				today += r.Today.Seconds
				if r.Proposed != nil {
					saved, after = savedBy(r), fmt.Sprintf("%.0f", r.Proposed.Seconds)
					savings = append(savings, saved)
					proposed += r.Proposed.Seconds
				} else {
					proposed += r.Today.Seconds
				}
				all = append(all, saved)
				fmt.Fprintf(
					table,
					"%-80s %4d builds %8.0f %8.0f %8s %6.1f %%\n",
					at,
					len(r.Today.Builds),
					r.Today.Uncached,
					r.Today.Seconds,
					after,
					saved,
				)
				if r.Proposed != nil {
					for _, rewrite := range r.Proposed.Rewrites {
						fmt.Fprintf(table, "    %s (%s)\n", rewrite.Title, rewrite.Grade)
					}
				}
			}
		}
	}
	t.Logf(
		"%d Dockerfiles of %d repositories, %d left out; in total %.1f %% less",
		len(all),
		len(repositories),
		leftOut,
		share(today-proposed, today),
	)
	t.Logf("all: %s", distribution(all))
	t.Logf("where anything is gained: %s", distribution(savings))
	t.Logf(
		"where 1 %% or more is gained: %s",
		distribution(slices.DeleteFunc(savings, func(x float64) bool { return x < 1 })),
	)
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

// evaluatedRevisions are the newest commit and older ones.
func evaluatedRevisions(t *testing.T, dir string) []string {
	t.Helper()
	out, err := exec.Command("git", "-C", dir, "rev-list", "--first-parent", "HEAD").Output()
	if err != nil {
		t.Fatal(err)
	}
	all := strings.Fields(string(out))
	revs := all[:1]
	for i := 1; i <= *evaluateVersionsFlag; i++ {
		revs = append(revs[:i:i], all[i*(len(all)-1)/(*evaluateVersionsFlag+1)])
	}
	return revs
}

// checkOut has the files of a commit in dir, and gives its Dockerfiles.
func checkOut(t *testing.T, dir, rev string) (files []string) {
	t.Helper()
	// A large file may be missing from a copy of a repository: what is there is enough.
	for _, args := range [][]string{{"read-tree", rev}, {"clean", "-f", "-d", "-x", "-q"}, {"checkout-index", "-a",
		"-f", "-q"}} {
		_ = exec.Command("git", append([]string{"-C", dir}, args...)...).Run()
	}
	out, err := exec.Command("git", "-C", dir, "ls-tree", "-r", "-z", "--name-only", rev).Output()
	if err != nil {
		t.Fatal(err)
	}
	for name := range strings.SplitSeq(string(out), "\x00") {
		if dockerfile.IsName(path.Base(name)) && !strings.Contains("/"+name, "/node_modules/") &&
			!strings.Contains("/"+name, "/vendor/") &&
			!strings.Contains(name, "test") {
			files = append(files, name)
		}
	}
	return files
}

// evaluateFile replays a Dockerfile with its own folder or the repository's root as the context: where less of what it
// copies is missing. It returns nothing for a text that was seen before.
func evaluateFile(ctx context.Context, dir, rev, file string, seen map[string]bool) (*replayReport, error) {
	at := filepath.Join(dir, filepath.FromSlash(file))
	text, err := os.ReadFile(at)
	if err != nil || seen[file+"\n"+string(text)] {
		return nil, err
	}
	seen[file+"\n"+string(text)] = true
	now := dockerfile.Parse(source.New(string(text)), nil)
	if len(now.Stages) == 0 {
		return nil, fmt.Errorf("it is no Dockerfile")
	}
	best, fewest := "", -1
	for _, contextDir := range []string{filepath.Dir(at), dir} {
		h, err := replay.Load(ctx, replay.Request{Dockerfile: at, ContextDir: contextDir, Rev: rev, Commits: 1}, nil)
		if err != nil {
			return nil, err
		}
		missing := 0
		for _, op := range cachemodel.NewPlan(cachemodel.Build{File: now,
			Context: h.Commits[len(h.Commits)-1].Context}).Operations() {
			if op.Err != nil {
				missing++
			}
		}
		if fewest < 0 || missing < fewest {
			best, fewest = contextDir, missing
		}
	}
	o := replayOptions{
		buildFlags: buildFlags{
			context: best,
			engine:  string(cachemodel.BuildKit),
			given:   func(string) bool { return false },
		},
		format: "json", rev: rev, commits: *evaluateCommitsFlag,
	}
	r, err := replayFile(ctx, at, o, nil)
	if err != nil {
		return nil, err
	}
	if len(r.Today.Builds) < evaluateLeast {
		return nil, fmt.Errorf("only %d builds", len(r.Today.Builds))
	}
	return r, nil
}
