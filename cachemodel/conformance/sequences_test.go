package conformance

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/layerwise/layerwise/cachemodel"
	"github.com/layerwise/layerwise/cachemodel/baseline"
	"github.com/layerwise/layerwise/cachemodel/conformance/daemon"
	product "github.com/layerwise/layerwise/cachemodel/daemon"
	"github.com/layerwise/layerwise/cachemodel/record"
	"github.com/layerwise/layerwise/cachemodel/workspace"
	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/frontend/dockerfile/builder"
	gateway "github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/identity"
	"github.com/moby/buildkit/solver/pb"
	"github.com/moby/buildkit/util/entitlements"
	"github.com/tonistiigi/fsutil"
)

var sequencesFlag = flag.Int("sequences", 3, "sequences of builds for each builder: -sequences 200 is the long run")

// sequence is a folder that is built again and again, with what is noted of that.
type sequence struct {
	dir, home string
	daemons   []*daemon.Daemon // builders; the first one builds
	images    *daemon.Layouts
	engine    bool // they are Docker engines
	ask       func() *product.Daemon
	store     *record.Store
	file      string // the Dockerfile that is built
	target    string
	noCache   bool
	args      map[string]string
	ref       string            // of the last build
	recorded  bool              // play records each build that does not fail
	reader    *workspace.Reader // of a server that keeps running; nil if each prediction begins anew
	past      []state
}

func newSequence(t *testing.T, images *daemon.Layouts, engine bool, daemons ...*daemon.Daemon) *sequence {
	t.Helper()
	p := &sequence{
		dir:     t.TempDir(),
		home:    t.TempDir(),
		daemons: slices.Clone(daemons),
		images:  images,
		engine:  engine,
		file:    "Dockerfile",
		args:    map[string]string{},
	}
	p.ask = func() *product.Daemon {
		e := product.Endpoint{Address: p.daemons[0].Address(), Engine: engine, Name: "default", From: "the test"}
		return product.New(e, product.Places{Getenv: func(string) string { return "" }, Home: p.home})
	}
	p.store = record.NewStore(t.TempDir())
	return p
}

// write changes a file, so that its stamp shows it.
func (p *sequence) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(p.dir, name), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// settle waits until the stamps of all files are older than what makes the product doubt that they tell of every change
// (buildcontext/disk, racy): what is read before is not promised, and how long a build takes would decide.
func (p *sequence) settle(t *testing.T) {
	t.Helper()
	const young = 150 * time.Millisecond
	for {
		var newest time.Time
		err := filepath.WalkDir(p.dir, func(name string, _ fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			info, err := os.Lstat(name)
			if err == nil && info.ModTime().After(newest) {
				newest = info.ModTime()
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		left := time.Until(newest.Add(young))
		if left <= 0 {
			return
		}
		time.Sleep(left)
	}
}

// predict gives the marks.
func (p *sequence) predict(t *testing.T) (*workspace.Build, []cachemodel.Step) {
	t.Helper()
	path := filepath.Join(p.dir, p.file)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	file := dockerfile.Parse(source.New(string(text)), nil)
	reader := p.reader
	if reader == nil {
		w := &workspace.Workspace{Store: p.store, Folder: p.dir}
		reader = w.Reader(path)
	}
	options := baseline.Options{ContextDir: p.dir, Target: p.target, Args: maps.Clone(p.args), NoCache: p.noCache}
	options.Run.Network = p.daemons[0].Options["force-network-mode"]
	for range 10 { // a busy machine may not answer in time, and then nothing is promised
		b := reader.Load(context.Background(), workspace.Question{
			Choices: workspace.Choices{Options: options}, File: file, Builder: p.ask(),
			Changed: workspace.Changed{Context: true, Baseline: true, Builds: true},
		})
		if b == nil {
			t.Fatal("no build")
		}
		steps := b.Judge(file, nil).Steps
		late := slices.ContainsFunc(steps, func(s cachemodel.Step) bool {
			return s.Cause != nil && strings.Contains(s.Cause.Detail, "did not answer in time")
		})
		if !late {
			return b, steps
		}
	}
	t.Fatal("the builder never answered in time")
	return nil, nil
}

// build builds as buildx does: its reference is noted before. failed says that the build did.
func (p *sequence) build(t *testing.T) (ran Truth, failed bool) {
	t.Helper()
	p.ref = identity.NewID()
	notes := filepath.Join(p.home, ".docker", "buildx", "refs", "default", "default")
	note := fmt.Sprintf(`{"LocalPath":%q,"DockerfilePath":%q}`, p.dir, filepath.Join(p.dir, p.file))
	if err := os.MkdirAll(notes, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(notes, p.ref), []byte(note), 0o644); err != nil {
		t.Fatal(err)
	}
	local, err := fsutil.NewFS(p.dir)
	if err != nil {
		t.Fatal(err)
	}
	attrs := map[string]string{"filename": p.file, "target": p.target}
	maps.Copy(attrs, p.images.Contexts)
	maps.Copy(attrs, p.daemons[0].Options)
	if p.noCache {
		attrs["no-cache"] = ""
	}
	for k, v := range p.args {
		attrs["build-arg:"+k] = v
	}
	var def *pb.Definition
	frontend := func(ctx context.Context, c gateway.Client) (*gateway.Result, error) {
		return builder.Build(ctx, recorder{c, &def})
	}
	status, seen := watch()
	_, err = p.daemons[0].Client.Build(context.Background(), client.SolveOpt{
		Ref: p.ref, FrontendAttrs: attrs, OCIStores: p.images.Stores,
		AllowedEntitlements: []string{entitlements.EntitlementNetworkHost.String()},
		LocalMounts:         map[string]fsutil.FS{"context": local, "dockerfile": local},
	}, "", frontend, status)
	executed := seen().executed()
	lines, errLines := locate(def)
	if errLines != nil {
		t.Fatal(errLines)
	}
	return truth(lines, executed), err != nil
}

// state is a variant of the project: its Dockerfile and files.
type state struct {
	text  string
	files map[string]string
}

const sequenceText = `FROM base AS deps
WORKDIR /src
COPY package.txt ./
RUN cat package.txt > /deps && echo %s
FROM deps AS build
ARG V=1
COPY a.txt b.txt ./
RUN cat a.txt b.txt > /out/all && echo "$V"
FROM deps AS test
COPY b.txt ./
RUN cat b.txt
FROM base
COPY --from=build /out/all /all
RUN %s
COPY package.txt /
`

func (p *sequence) become(t *testing.T, s state) {
	t.Helper()
	for name, text := range s.files {
		if now, err := os.ReadFile(filepath.Join(p.dir, name)); err != nil || string(now) != text {
			p.write(t, name, text)
		}
	}
	if now, err := os.ReadFile(filepath.Join(p.dir, "Dockerfile")); err != nil || string(now) != s.text {
		p.write(t, "Dockerfile", s.text)
	}
}

// outcome counts how marks came out. The zero value is ready.
type outcome struct {
	builds, steps, cached, rebuilt, perhaps int
	reasons                                 map[string]doubtful
}

// doubtful are the marks that were not certain for one reason.
type doubtful struct{ marks, ran int }

// digits are what differs between reasons of one kind, and names of files and stages.
var digits = regexp.MustCompile(`\d+|\w+\.txt\b|\bstage \w+`)

// doubt counts a mark that is not certain by the first reason for it: that of the step which it follows, if that is not
// certain to run itself.
func (o *outcome) doubt(steps []cachemodel.Step, s cachemodel.Step, ran bool) {
	for s.Cause.Kind == cachemodel.Follows || s.Cause.Kind == cachemodel.StageRebuilt {
		i := slices.IndexFunc(steps, func(above cachemodel.Step) bool { return above.Line == s.Cause.Line })
		if i < 0 || steps[i].Certain || steps[i].Cause == nil || steps[i].Line == s.Line {
			break
		}
		s = steps[i]
	}
	reason := fmt.Sprintf("%s: %s", s.Cause.Kind, digits.ReplaceAllString(s.Cause.Detail, "..."))
	if o.reasons == nil {
		o.reasons = map[string]doubtful{}
	}
	d := o.reasons[reason]
	d.marks++
	if ran {
		d.ran++
	}
	o.reasons[reason] = d
}

// String is a table.
func (o *outcome) String() string {
	var out strings.Builder
	fmt.Fprintf(&out, "%d builds, %d steps: %d cached, %d rebuilt, %d not certain",
		o.builds, o.steps, o.cached, o.rebuilt, o.perhaps)
	reasons := slices.Collect(maps.Keys(o.reasons))
	slices.SortFunc(reasons, func(a, b string) int {
		return cmp.Or(o.reasons[b].marks-o.reasons[a].marks, strings.Compare(a, b))
	})
	for _, reason := range reasons {
		fmt.Fprintf(&out, "\n| %s | %d | %d ran |", reason, o.reasons[reason].marks, o.reasons[reason].ran)
	}
	return out.String()
}

func (o *outcome) check(t *testing.T, what string, steps []cachemodel.Step, ran Truth, failed bool) {
	t.Helper()
	o.builds++
	for _, s := range steps {
		lt, seen := ran[s.Line]
		if s.Status != cachemodel.Cached && s.Status != cachemodel.Rebuilt || !seen || s.Instruction == "FROM" {
			continue
		}
		o.steps++
		switch {
		case s.Status == cachemodel.Cached:
			o.cached++
			if lt.Executed > 0 {
				t.Errorf("%s: line %d, %s: predicted cached, but it ran", what, s.Line, s.Text)
			}
		case s.Certain:
			o.rebuilt++
			if lt.Executed == 0 && !failed { // after a failure it is not reached
				t.Errorf(
					"%s: line %d, %s: predicted rebuilt (%s), but it was cached",
					what,
					s.Line,
					s.Text,
					s.Cause.Detail,
				)
			}
		default:
			o.perhaps++
			o.doubt(steps, s, lt.Executed > 0)
		}
	}
}

// A move is what happens between two builds: next is what the project becomes.
type move struct {
	about string
	make  func(t *testing.T, p *sequence, r *rand.Rand, next *state)
}

// replaced is a move that edits the Dockerfile as it was at first.
func replaced(about, old, by string, n int) move {
	return move{about, func(_ *testing.T, _ *sequence, r *rand.Rand, next *state) {
		next.text = strings.Replace(firstState().text, old, fmt.Sprintf(by, r.IntN(n)), 1)
	}}
}

// edited is a move that edits a file.
func edited(name string) move {
	return move{"edit " + name, func(_ *testing.T, _ *sequence, r *rand.Rand, next *state) {
		next.files[name] = fmt.Sprint(name, r.IntN(100))
	}}
}

var moves = []move{
	edited("a.txt"),
	edited("package.txt"),
	{"go back", func(_ *testing.T, p *sequence, r *rand.Rand, next *state) {
		past := p.past[r.IntN(len(p.past))]
		*next = state{past.text, maps.Clone(past.files)}
	}},
	replaced("fail at the end", "RUN true", "RUN exit 1%d", 5),
	replaced("fail in a stage", "echo one", "exit 1%d", 5),
	replaced("copy what is not there", "COPY package.txt /\n", "COPY missing%d.txt /\n", 2),
	replaced("edit the last RUN", "RUN true", "RUN echo %d", 3),
	replaced("another base image", "FROM base\n", "FROM base3 # %d\n", 1),
	{"target test", func(_ *testing.T, p *sequence, _ *rand.Rand, _ *state) { p.target = "test" }},
	{"no cache", func(_ *testing.T, p *sequence, _ *rand.Rand, _ *state) { p.noCache = true }},
	{"another argument", func(_ *testing.T, p *sequence, r *rand.Rand, _ *state) {
		p.args = map[string]string{"V": fmt.Sprint(r.IntN(3))}
	}},
	{"another Dockerfile", func(t *testing.T, p *sequence, r *rand.Rand, next *state) {
		p.file = "other.Dockerfile"
		text := strings.Replace(next.text, "\nRUN cat b.txt\n", fmt.Sprintf("\nRUN cat b.txt # %d\n", r.IntN(2)), 1)
		p.write(t, p.file, text)
	}},
	{"another builder", func(_ *testing.T, p *sequence, _ *rand.Rand, _ *state) {
		p.daemons = append(p.daemons[1:], p.daemons[0])
	}},
	{"permissions", func(t *testing.T, p *sequence, r *rand.Rand, _ *state) {
		if err := os.Chmod(filepath.Join(p.dir, "b.txt"), []os.FileMode{0o644, 0o600, 0o755}[r.IntN(3)]); err != nil {
			t.Fatal(err)
		}
	}},
	{"prune", func(t *testing.T, p *sequence, _ *rand.Rand, _ *state) { p.prune(t, client.PruneAll) }},
	{"prune some", func(t *testing.T, p *sequence, _ *rand.Rand, _ *state) {
		p.prune(t, client.PruneAll, client.WithKeepOpt(0, 0, 20<<10, 0)) // not what was used last
	}},
	{"prune what was sent", func(t *testing.T, p *sequence, _ *rand.Rand, _ *state) {
		p.prune(t, client.WithFilter([]string{"type==source.local"})) // the garbage collection does it first
	}},
	{"collect garbage", func(t *testing.T, p *sequence, r *rand.Rand, _ *state) {
		p.collect(t, r.IntN(len(collections)))
	}},
	{"prune one result", func(t *testing.T, p *sequence, r *rand.Rand, _ *state) {
		usage, err := p.daemons[0].Client.DiskUsage(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if len(usage) > 0 {
			p.prune(t, client.WithFilter([]string{"id==" + usage[r.IntN(len(usage))].ID}))
		}
	}},
}

func firstState() state {
	return state{
		fmt.Sprintf(sequenceText, "one", "true"),
		map[string]string{"a.txt": "a", "b.txt": "b", "package.txt": "p"},
	}
}

// play plays a random sequence of moves, each with a build.
func play(t *testing.T, p *sequence, r *rand.Rand, o *outcome) {
	now := firstState()
	p.past = []state{now}
	p.become(t, now)
	var did []string
	for step := range 10 {
		p.file, p.target, p.noCache = "Dockerfile", "", false
		next := state{now.text, maps.Clone(now.files)}
		m := moves[r.IntN(len(moves))]
		m.make(t, p, r, &next)
		did = append(did, m.about)
		p.become(t, next)
		now, p.past = next, append(p.past, next)
		time.Sleep(20 * time.Millisecond) // stamps of files have the kernel's ticks
		_, steps := p.predict(t)
		ran, failed := p.build(t)
		if p.recorded && !failed {
			p.remember(t)
		}
		o.check(t, fmt.Sprintf("after %s (step %d)", strings.Join(did, ", "), step), steps, ran, failed)
	}
}

// prune removes results from the builder.
func (p *sequence) prune(t *testing.T, options ...client.PruneOption) {
	t.Helper()
	if err := p.daemons[0].Client.Prune(context.Background(), nil, options...); err != nil {
		t.Fatal(err)
	}
	time.Sleep(50 * time.Millisecond)
}

// Sequences of builds on a real BuildKit and a real Docker engine, each predicted before it is made: from the builder's
// history alone, and with the records of layerwise build.
func TestSequences(t *testing.T) {
	for _, kind := range []string{"buildkitd", "recorded", "engine"} {
		t.Run(kind, func(t *testing.T) {
			daemons, images := sequenceDaemons(t, kind)
			total := &outcome{}
			for i := range *sequencesFlag {
				seed := *seedFlag + uint64(i)
				t.Run(fmt.Sprint("seed", seed), func(t *testing.T) {
					p := newSequence(t, images, kind == "engine", daemons...)
					for _, d := range daemons {
						if err := d.Client.Prune(context.Background(), nil, client.PruneAll); err != nil {
							t.Fatal(err)
						}
					}
					p.recorded = kind == "recorded"
					play(t, p, rand.New(rand.NewPCG(seed, 1)), total)
				})
			}
			t.Logf("%s: %s", kind, total)
			if total.cached == 0 || total.rebuilt == 0 {
				t.Error("nothing was promised: this tests nothing")
			}
		})
	}
}

// sequenceDaemons are two builders, or the one engine.
func sequenceDaemons(t *testing.T, kind string) ([]*daemon.Daemon, *daemon.Layouts) {
	t.Helper()
	if kind != "engine" {
		r := startReal(t)
		other, err := r.Fresh(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(other.Close)
		return []*daemon.Daemon{r.daemon, other.daemon}, r.images
	}
	if what := daemon.EngineMissing(); what != "" {
		t.Skip("NOT COMPARED WITH A REAL DOCKER ENGINE: " + what)
	}
	e, err := daemon.StartEngine(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Stop)
	images, err := e.MakeImages(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return []*daemon.Daemon{e.Daemon}, images
}

// A COPY of a file that is not there fails while the steps above it still run: these are cancelled, and not cached.
func TestFailsBeforeTheStepsAbove(t *testing.T) {
	r := startReal(t)
	p := newSequence(t, r.images, false, r.daemon)
	o := &outcome{}
	const text = "FROM base\nRUN echo %s > /first\nRUN sleep 2\nCOPY %s /\nRUN true\n"
	id := identity.NewID() // no other test has built it
	p.become(t, state{fmt.Sprintf(text, id, "missing.txt"), map[string]string{"a.txt": "a"}})
	if _, failed := p.build(t); !failed {
		t.Fatal("a file that is not there was copied")
	}
	p.become(t, state{fmt.Sprintf(text, id, "a.txt"), nil})
	_, steps := p.predict(t)
	ran, failed := p.build(t)
	if failed || ran[3].Executed == 0 {
		t.Skip("the steps above were quicker: ", ran)
	}
	o.check(t, "after the file is there", steps, ran, false)
}
