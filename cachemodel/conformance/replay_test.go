package conformance

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
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
	replayWindowsFlag = flag.Int(
		"replay-windows",
		5,
		"histories of each repository of -histories for TestReplayHistories",
	)
	replayBuildsFlag = flag.Int("replay-builds", 8, "builds of each of them")
)

// Several commits in a row of real repositories are built one after the other on one builder: what a replay says of
// each, with its own Dockerfile and with the newest one, is what BuildKit's solver does.
func TestReplayHistories(t *testing.T) {
	if *historiesFlag == "" {
		t.Skip("NO REPLAY COMPARED WITH BUILDKIT: give git repositories with -histories DIR,DIR")
	}
	windows, builds, leftOut := 0, 0, map[string]int{}
	for _, dir := range strings.Split(*historiesFlag, ",") {
		h := openHistory(t, dir)
		r := rand.New(rand.NewPCG(*seedFlag, 1))
		var files []string
		for p := range h.list(h.commits[0]) {
			if isDockerfile(p) {
				files = append(files, p)
			}
		}
		slices.Sort(files)
		work := filepath.Join(t.TempDir(), "clone")
		if out, err := exec.Command("git", "clone", "-q", "-s", "--no-checkout", dir,
			work).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		done := 0
		for try := 0; try < 10**replayWindowsFlag && done < *replayWindowsFlag && len(files) > 0; try++ {
			w := replayWindow{
				t:    t,
				h:    h,
				work: work,
				file: files[r.IntN(len(files))],
				last: r.IntN(min(len(h.commits), 400)),
				seed: *seedFlag + uint64(try),
			}
			n, why := w.compare()
			if why != "" {
				leftOut[why]++
				continue
			}
			done++
			windows++
			builds += n
		}
	}
	if windows == 0 {
		t.Error("nothing could be replayed")
	}
	t.Logf("%d histories with %d builds; left out %v", windows, builds, leftOut)
}

// replayWindow is a few commits of one Dockerfile.
type replayWindow struct {
	t          *testing.T
	h          *history
	work, file string
	last       int // index of the newest commit
	seed       uint64
}

func (w *replayWindow) String() string {
	return fmt.Sprintf("%s %s at %.7s", filepath.Base(filepath.Dir(w.h.dir)), w.file, w.h.commits[w.last])
}

// compare says how many builds were compared, or why none.
func (w *replayWindow) compare() (n int, why string) {
	ctx := context.Background()
	newest := w.h.list(w.h.commits[w.last])
	if _, ok := newest[w.file]; !ok {
		return 0, "no such file then"
	}
	dir, why := w.h.contextDir(ctx, w.file, newest)
	if why != "" {
		return 0, why
	}
	for _, d := range []string{filepath.Dir(w.file), dir} {
		if err := os.MkdirAll(filepath.Join(w.work, d), 0o755); err != nil {
			w.t.Fatal(err)
		}
	}
	loaded, err := replay.Load(ctx, replay.Request{
		Dockerfile: filepath.Join(
			w.work,
			w.file,
		), ContextDir: filepath.Join(w.work, dir), Rev: w.h.commits[w.last], Commits: *replayBuildsFlag,
	}, nil)
	if err != nil {
		return 0, "no history"
	}
	var own, fixed []Build
	now := loaded.Commits[len(loaded.Commits)-1].File
	for _, c := range loaded.Commits {
		entries := w.h.list(c.ID)
		if c.Path != w.file || c.File == nil {
			return 0, "the file was renamed"
		}
		for _, e := range entries {
			if e.mode == "160000" {
				return 0, "submodules"
			}
		}
		if _, ok := entries[w.file+".dockerignore"]; ok {
			return 0, "an ignore file of its own"
		}
		b, why := w.h.build(w.file, dir, entries, true)
		if why != "" {
			return 0, why
		}
		own = append(own, b)
		f := b.Clone()
		f.Name, f.Dockerfile = "the fixed one", now.Text.String()
		fixed = append(fixed, f)
	}
	var steps [][]cachemodel.Step
	var builder cachemodel.Builder
	for _, c := range loaded.Commits {
		steps = append(steps, builder.Build(cachemodel.NewPlan(cachemodel.Build{File: c.File, Context: c.Context})))
	}
	did, why := buildAll(ctx, own, w.seed)
	if why != "" {
		return 0, why
	}
	tally := NewTally()
	for i := 1; i < len(own); i++ {
		for _, t := range did[i] {
			for _, wrong := range Check(steps[i], t, t.Twin, tally) {
				w.t.Errorf("%s, build %d: %s", w, i, wrong)
			}
		}
	}
	if did, why = buildAll(ctx, fixed, w.seed); why == "" {
		w.checkFixed(loaded, now, did)
		n += len(fixed) - 1
	}
	return n + len(own) - 1, ""
}

// checkFixed holds the replay of one file to what was done: what ran is among what it says, and so is the reverse where
// it is certain.
func (w *replayWindow) checkFixed(h *replay.History, now *dockerfile.File, did [][]Truth) {
	r, err := replay.Fixed(
		context.Background(),
		h,
		dockerfile.Parse(source.New(now.Text.String()), nil),
		cachemodel.Settings{},
		replay.Costs{},
	)
	if err != nil {
		w.t.Fatal(err)
	}
	for i, b := range r.Builds {
		said := map[int]replay.Executed{}
		for _, e := range b.Rebuilt {
			said[r.Steps[e.Step].Line] = e
		}
		for _, t := range did[i+1] {
			for line, lt := range t {
				e, ok := said[line]
				if lt.Executed > 0 && !ok {
					w.t.Errorf("%s, fixed, build %d: line %d was executed", w, i+1, line)
				}
				if ok && e.Certain && lt.Executed == 0 && !t.Twin(line) {
					w.t.Errorf("%s, fixed, build %d: line %d was cached, not rebuilt: %s", w, i+1, line, e.Cause.Detail)
				}
			}
		}
	}
}

// buildAll builds one after the other, on a builder for each choice of outputs.
func buildAll(ctx context.Context, builds []Build, seed uint64) (did [][]Truth, why string) {
	did = make([][]Truth, len(builds))
	for _, outputs := range []Outputs{Same, Different, Mixed} {
		oracle := NewInProcess(outputs, seed)
		defer oracle.Close()
		for i, b := range builds {
			def, _, err := Convert(ctx, b)
			if err != nil {
				return nil, "refused by BuildKit"
			}
			if hasRemote(def) {
				return nil, "a remote source"
			}
			if missing(def, b.Context()) > 0 {
				return nil, "a source is missing or ignored"
			}
			t, err := oracle.Solve(ctx, b, def)
			if err != nil {
				return nil, "a source is missing or ignored"
			}
			did[i] = append(did[i], t)
		}
	}
	return did, ""
}
