package conformance

import (
	"context"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
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
	daemon    *daemon.Daemon
	images    *daemon.Layouts
	ask       func() *product.Daemon
	store     *record.Store
	file      string // the Dockerfile that is built
	target    string
	args      map[string]string
	ref       string // of the last build
	recorded  bool   // play records each build that does not fail
}

func newSequence(t *testing.T, d *daemon.Daemon, images *daemon.Layouts, engine bool) *sequence {
	t.Helper()
	p := &sequence{
		dir:    t.TempDir(),
		home:   t.TempDir(),
		daemon: d,
		images: images,
		file:   "Dockerfile",
		args:   map[string]string{},
	}
	e := product.Endpoint{Address: d.Address(), Engine: engine, Name: "default", From: "the test"}
	p.ask = func() *product.Daemon {
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
	w := &workspace.Workspace{Store: p.store, Folder: p.dir}
	options := baseline.Options{ContextDir: p.dir, Target: p.target, Args: maps.Clone(p.args)}
	options.Run.Network = p.daemon.Options["force-network-mode"]
	for range 10 { // a busy machine may not answer in time, and then nothing is promised
		b := w.Reader(path).Load(context.Background(), workspace.Question{
			Choices: workspace.Choices{Options: options}, File: file, Builder: p.ask(),
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
	maps.Copy(attrs, p.daemon.Options)
	for k, v := range p.args {
		attrs["build-arg:"+k] = v
	}
	var def *pb.Definition
	frontend := func(ctx context.Context, c gateway.Client) (*gateway.Result, error) {
		return builder.Build(ctx, recorder{c, &def})
	}
	status, seen := watch()
	_, err = p.daemon.Client.Build(context.Background(), client.SolveOpt{
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

// outcome counts how marks came out.
type outcome struct {
	builds, steps, cached, rebuilt, perhaps int
	reasons                                 map[string]int // of uncertain marks
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
			o.reasons[s.Cause.Detail]++
		}
	}
}

// play plays a random sequence of edits, failures, other targets, arguments and Dockerfiles, prunes and builds.
func play(t *testing.T, p *sequence, r *rand.Rand, o *outcome) {
	base := state{
		fmt.Sprintf(sequenceText, "one", "true"),
		map[string]string{"a.txt": "a", "b.txt": "b", "package.txt": "p"},
	}
	past, now := []state{base}, base
	p.become(t, base)
	var did []string
	for step := range 10 {
		what := ""
		p.file, p.target = "Dockerfile", ""
		next := state{now.text, maps.Clone(now.files)}
		switch r.IntN(9) {
		case 0:
			what, next.files["a.txt"] = "edit a.txt", fmt.Sprint("a", r.IntN(100))
		case 1:
			what, next.files["package.txt"] = "edit package.txt", fmt.Sprint("p", r.IntN(100))
		case 2:
			what, next = "go back", past[r.IntN(len(past))]
		case 3:
			what, next.text = "fail", fmt.Sprintf(sequenceText, "one", fmt.Sprintf("exit %d", 1+r.IntN(50)))
		case 4:
			what, next.text = "edit the last RUN", fmt.Sprintf(sequenceText, "one", fmt.Sprintf("echo %d", r.IntN(3)))
		case 5:
			what, p.target = "target test", "test"
		case 6:
			what, p.args = "another argument", map[string]string{"V": fmt.Sprint(r.IntN(3))}
		case 7:
			what, p.file = "another Dockerfile", "other.Dockerfile"
			text := strings.Replace(now.text, "\nRUN cat b.txt\n", fmt.Sprintf("\nRUN cat b.txt # %d\n", r.IntN(2)), 1)
			p.write(t, "other.Dockerfile", text)
		case 8:
			what = "prune"
			pruneSome(t, p, r)
		}
		did = append(did, what)
		p.become(t, next)
		now, past = next, append(past, next)
		time.Sleep(20 * time.Millisecond) // stamps of files have the kernel's ticks
		_, steps := p.predict(t)
		ran, failed := p.build(t)
		if p.recorded && !failed {
			p.remember(t)
		}
		o.check(t, fmt.Sprintf("after %s (step %d)", strings.Join(did, ", "), step), steps, ran, failed)
	}
}

// pruneSome removes all of the cache or what was not used last.
func pruneSome(t *testing.T, p *sequence, r *rand.Rand) {
	t.Helper()
	options := []client.PruneOption{client.PruneAll}
	if r.IntN(2) == 0 { // some of it
		options = append(options, client.WithKeepOpt(0, 0, 20<<10, 0))
	}
	if err := p.daemon.Client.Prune(context.Background(), nil, options...); err != nil {
		t.Fatal(err)
	}
	time.Sleep(50 * time.Millisecond)
}

// Sequences of builds on a real BuildKit and a real Docker engine, each predicted before it is made: from the builder's
// history alone, and with the records of layerwise build.
func TestSequences(t *testing.T) {
	for _, kind := range []string{"buildkitd", "recorded", "engine"} {
		t.Run(kind, func(t *testing.T) {
			d, images, stop := sequenceDaemon(t, kind)
			defer stop()
			total := &outcome{reasons: map[string]int{}}
			for i := range *sequencesFlag {
				seed := *seedFlag + uint64(i)
				t.Run(fmt.Sprint("seed", seed), func(t *testing.T) {
					if err := d.Client.Prune(context.Background(), nil, client.PruneAll); err != nil {
						t.Fatal(err)
					}
					p := newSequence(t, d, images, kind == "engine")
					p.recorded = kind == "recorded"
					play(t, p, rand.New(rand.NewPCG(seed, 1)), total)
				})
			}
			t.Logf("%s: %d builds, %d steps: %d cached, %d rebuilt, %d perhaps: %v",
				kind, total.builds, total.steps, total.cached, total.rebuilt, total.perhaps, total.reasons)
			if total.cached == 0 || total.rebuilt == 0 {
				t.Error("nothing was promised: this tests nothing")
			}
		})
	}
}

func sequenceDaemon(t *testing.T, kind string) (*daemon.Daemon, *daemon.Layouts, func()) {
	t.Helper()
	if kind != "engine" {
		r := startReal(t)
		return r.daemon, r.images, func() {}
	}
	if what := daemon.EngineMissing(); what != "" {
		t.Skip("NOT COMPARED WITH A REAL DOCKER ENGINE: " + what)
	}
	e, err := daemon.StartEngine(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	images, err := e.MakeImages(context.Background())
	if err != nil {
		e.Stop()
		t.Fatal(err)
	}
	return e.Daemon, images, e.Stop
}

// A COPY of a file that is not there fails while the steps above it still run: these are cancelled, and not cached.
func TestFailsBeforeTheStepsAbove(t *testing.T) {
	r := startReal(t)
	p := newSequence(t, r.daemon, r.images, false)
	o := &outcome{reasons: map[string]int{}}
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
