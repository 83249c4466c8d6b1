package conformance

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/moby/buildkit/solver/pb"
	"golang.org/x/sync/errgroup"

	"github.com/layerwise/layerwise/cachemodel"
)

// run builds a case on the in-process oracle under every choice of outputs and checks each build but the first. It
// returns the wrong promises, or an error where the case cannot be built.
func runInProcess(
	ctx context.Context,
	dir string,
	builds []Build,
	seed uint64,
	tally *Tally,
) (wrong []string, err error) {
	oracles := []*InProcess{NewInProcess(Same, seed), NewInProcess(Different, seed), NewInProcess(Mixed, seed)}
	defer func() {
		for _, o := range oracles {
			o.Close()
		}
	}()
	model := &Model{Images: map[string]cachemodel.Image{}}
	if seed%3 == 0 &&
		!strings.Contains(fmt.Sprint(builds), "triggers") { // triggers that are not known cannot be judged
		model.Images = nil
	}
	if seed%10 == 0 {
		model.Dir = dir
	}
	remote, other := false, false // sources in the network; a frontend that is not that of the first build
	for i, b := range builds {
		def, images, err := Convert(ctx, b)
		if err != nil {
			return wrong, fmt.Errorf("build %d: %w", i, err)
		}
		if model.Images != nil {
			maps.Copy(model.Images, images)
		}
		remote = remote || hasRemote(def)
		other = other || b.frontend() != builds[0].frontend()
		foreign := b.dialect().Foreign
		var did []Truth
		for n, o := range oracles {
			if foreign && n > 0 { // nobody knows what it makes of the file: what Docker's makes, or nothing like it
				continue
			}
			t, err := o.Solve(ctx, b, def)
			if err != nil {
				return wrong, fmt.Errorf("build %d: %w", i, err)
			}
			did = append(did, t)
		}
		steps, err := model.Predict(ctx, b)
		if errors.Is(err, ErrPanic) {
			return append(wrong, err.Error()), nil
		}
		if err != nil {
			return wrong, err
		}
		if foreign {
			wrong = append(wrong, promises(steps)...)
			continue
		}
		if i == 0 {
			continue
		}
		needless := tally.Add(steps, did[0], did[1], func() Truth { return oracles[0].least(ctx, builds[:i+1]) })
		if model.Images != nil && !remote && !other {
			for _, w := range needless {
				wrong = append(wrong, fmt.Sprintf("build %d: %s", i, w))
			}
		}
		for n, t := range did {
			for _, w := range Check(steps, t, t.Twin, tally) {
				if model.Images == nil && assumed(b, w) {
					tally.Assumed++
					continue
				}
				wrong = append(wrong, fmt.Sprintf("build %d, outputs %d: %s", i, n, w))
			}
		}
	}
	return wrong, nil
}

// promises describes what is promised of a file that a frontend reads of which nobody knows what it makes of it.
func promises(steps []cachemodel.Step) (wrong []string) {
	for _, s := range steps {
		if s.Status != cachemodel.Unknown {
			wrong = append(wrong, fmt.Sprintf("line %d, %s: predicted %s certain=%v, but nobody knows what reads it",
				s.Line, s.Text, s.Status, s.Certain))
		}
	}
	return wrong
}

// assumed tells whether a wrong promise rests on what docs/architecture.md says is assumed of a base image whose
// configuration is not known: that a setting the file adds is not, by chance, what the image has already. "odd" is the
// image that has such.
func assumed(b Build, wrong string) bool {
	return strings.Contains(b.Dockerfile, "odd") && strings.Contains(wrong, ": predicted rebuilt certain=true") &&
		strings.HasSuffix(wrong, "but it was cached")
}

// hasRemote tells whether a definition has sources in the network besides images.
func hasRemote(def *pb.Definition) bool {
	for _, dt := range def.GetDef() {
		var op pb.Op
		if err := op.UnmarshalVT(dt); err != nil {
			panic(err)
		}
		id := op.GetSource().GetIdentifier()
		if id != "" && !strings.HasPrefix(id, "local://") && !strings.HasPrefix(id, "docker-image://") &&
			!strings.HasPrefix(id, "oci-layout://") {
			return true
		}
	}
	return false
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
	t.Parallel()
	ctx := context.Background()
	dir := t.TempDir()
	report := newReport(t)
	var workers errgroup.Group
	workers.SetLimit(runtime.GOMAXPROCS(0))
	for n := range *pairsFlag {
		seed := *seedFlag + uint64(n)
		workers.Go(func() error {
			sketches, names := NewGenerator(seed, Limits{}).Case()
			report.add(seed, sketches, names, func(s []Sketch, tally *Tally) ([]string, error) {
				return runInProcess(ctx, dir, render(s), seed, tally)
			})
			return nil
		})
	}
	_ = workers.Wait()
	report.finish()
}

// report collects the outcome of cases and shrinks one case for each sort of failure.
type report struct {
	t *testing.T

	mu          sync.Mutex
	tally       *Tally
	coverage    *Coverage
	cases       int
	wrong       map[string][]uint64 // seeds by signature
	unbuildable map[string]int
}

func newReport(t *testing.T) *report {
	return &report{
		t:           t,
		tally:       NewTally(),
		coverage:    NewCoverage(),
		wrong:       map[string][]uint64{},
		unbuildable: map[string]int{},
	}
}

func (r *report) add(seed uint64, sketches []Sketch, names [][]string, run func([]Sketch, *Tally) ([]string, error)) {
	r.t.Helper()
	tally := NewTally()
	wrong, err := run(sketches, tally)
	r.mu.Lock()
	r.cases++
	r.tally.Merge(tally)
	if err != nil {
		r.unbuildable[firstWords(err.Error())]++
	} else {
		r.coverage.Add(sketches, names)
	}
	sign, news := "", false
	if len(wrong) > 0 {
		sign = signature(wrong[0])
		r.wrong[sign] = append(r.wrong[sign], seed)
		news = len(r.wrong[sign]) == 1 && len(r.wrong) <= 12
	}
	r.mu.Unlock()
	if !news {
		return
	}
	small := Shrink(sketches, func(s []Sketch) bool {
		w, _ := run(s, NewTally())
		return len(w) > 0 && signature(w[0]) == sign
	})
	again, _ := run(small, NewTally())
	r.t.Errorf(
		"seed %d, edits %v:\n%s\nshrunk:\n%s\n%s",
		seed,
		names,
		strings.Join(wrong, "\n"),
		strings.Join(again, "\n"),
		Case{Builds: render(small), Prose: "Describe me."}.Format(),
	)
}

func (r *report) finish() {
	r.t.Helper()
	n := 0
	for _, v := range r.unbuildable {
		n += v
	}
	r.t.Logf("%d cases, %d cannot be built\n%s\n%s", r.cases, n, r.tally, r.coverage)
	for s, seeds := range r.wrong {
		r.t.Logf("%d cases: %s: seeds %v", len(seeds), s, seeds)
	}
	if testing.Verbose() {
		for _, s := range slices.Sorted(maps.Keys(r.unbuildable)) {
			r.t.Logf("cannot be built: %d %s", r.unbuildable[s], s)
		}
	}
}

// signature is what tells sorts of failures apart.
func signature(wrong string) string {
	first, _, _ := strings.Cut(wrong, "\n")
	_, first, _ = strings.Cut(first, "line ")
	verdict, but, _ := strings.Cut(first, ", but ")
	f := strings.Fields(verdict)
	word := ""
	if len(f) > 1 {
		word = strings.ToUpper(f[1])
	}
	_, verdict, _ = strings.Cut(verdict, ": predicted ")
	verdict, _, _ = strings.Cut(verdict, ", line")
	return word + " " + verdict + ", but " + but
}

func firstWords(s string) string {
	f := strings.Fields(s)
	return strings.Join(f[:min(len(f), 14)], " ")
}

// The model's promises hold on a real daemon for generated builds and edits.
func TestReal(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	real := startReal(t)
	report := newReport(t)
	for n := range *realFlag {
		if end, ok := t.Deadline(); ok && time.Until(end) < 2*time.Minute { // which shrinking a failure may take
			t.Errorf("the time is up after %d of %d cases: give more with -timeout", n, *realFlag)
			break
		}
		seed := *seedFlag + uint64(n)
		sketches, names := NewGenerator(seed, Limits{Real: true}).Case()
		report.add(seed, sketches, names, func(s []Sketch, tally *Tally) ([]string, error) {
			return runReal(ctx, real, render(s), tally)
		})
	}
	report.finish()
}

// runReal builds a case on the daemon, and in-process beside it to hold the oracles against one another: what the
// daemon executes is at least what is executed if every step's output stays the same, at most what is executed if none
// does.
func runReal(ctx context.Context, real *Real, builds []Build, tally *Tally) (wrong []string, err error) {
	same, different := NewInProcess(Same, 1), NewInProcess(Different, 1)
	defer same.Close()
	defer different.Close()
	if err := real.Prune(ctx); err != nil {
		return nil, err
	}
	model := &Model{Images: map[string]cachemodel.Image{}, Daemon: true}
	held := builds[0] // as the daemon holds the context
	var sent []Build
	for i, b := range builds {
		def, images, err := Convert(ctx, b)
		if err != nil {
			return wrong, fmt.Errorf("build %d: %w", i, err)
		}
		maps.Copy(model.Images, images)
		if i > 0 {
			held = b.heldWith(held)
		}
		did, err := real.Build(ctx, b)
		if err != nil {
			return wrong, fmt.Errorf("build %d: %w", i, err)
		}
		least, err := same.Solve(ctx, held, def)
		if err != nil {
			return append(wrong, fmt.Sprintf("build %d: only in-process: %v", i, err)), nil
		}
		renewed := held
		if model.stoodOn() {
			renewed = b // if the daemon does not hold the context any more
		}
		most, err := different.Solve(ctx, renewed, def)
		if err != nil {
			return append(wrong, fmt.Sprintf("build %d: only in-process: %v", i, err)), nil
		}
		sent = append(sent, held)
		again := sync.OnceValue(func() Truth { return same.least(ctx, sent) })
		for l := range most {
			fewer := did[l].Executed < least[l].Executed && !did[l].Unsure && // see LineTruth
				did[l].Executed < again()[l].Executed
			if least[l].Vertices != did[l].Vertices || fewer || did[l].Executed > most[l].Executed {
				wrong = append(
					wrong,
					fmt.Sprintf(
						"build %d: oracles disagree on line %d: daemon %+v, in-process between %+v and %+v",
						i,
						l,
						did[l],
						least[l],
						most[l],
					),
				)
			}
			lt := did[l]
			lt.Keys = most[l].Keys
			did[l] = lt
		}
		steps, err := model.Predict(ctx, b)
		if errors.Is(err, ErrPanic) {
			return append(wrong, err.Error()), nil
		}
		if err != nil {
			return wrong, err
		}
		if i == 0 {
			continue
		}
		for _, w := range tally.Add(steps, least, most, again) {
			wrong = append(wrong, fmt.Sprintf("build %d: %s", i, w))
		}
		for _, w := range Check(steps, did, did.Twin, tally) {
			wrong = append(wrong, fmt.Sprintf("build %d: %s", i, w))
		}
	}
	return wrong, nil
}
