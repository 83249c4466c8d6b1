package conformance

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/moby/buildkit/client"
	"golang.org/x/sync/errgroup"

	"github.com/layerwise/layerwise/cachemodel"
	"github.com/layerwise/layerwise/cachemodel/workspace"
)

var exportsFlag = flag.Int("exports", 5,
	"generated pairs for daemons that import a cache, each with every kind of cache: -exports 200 is the long run")

// ciCommand is the command, with a registry that has the base images and takes caches.
type ciCommand struct {
	real *Real
	bin  string
	host string // of the registry
}

func newCICommand(t *testing.T) *ciCommand {
	t.Helper()
	x := &ciCommand{real: startReal(t), bin: buildCommand(t, t.TempDir())}
	blobs := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// It refuses to go on behind a blob's last byte, which BuildKit asks for now and then; a whole blob serves too.
		r.Header.Del("Range")
		blobs.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	x.host = strings.TrimPrefix(server.URL, "http://")
	for name, dir := range x.real.images.Dirs {
		push(t, dir, x.image(name))
	}
	return x
}

// image is a base image in the registry.
func (x *ciCommand) image(name string) string { return x.host + "/" + name + ":latest" }

// predict runs the command in a folder.
func (x *ciCommand) predict(dir string, args ...string) (report workspace.Report, err error) {
	state, err := x.real.daemon.TempDir()
	if err != nil {
		return report, err
	}
	defer os.RemoveAll(state)
	predict := exec.Command(x.bin, slices.Concat([]string{"predict", "--format", "json", "--buildkit", "off"}, args)...)
	var said bytes.Buffer
	predict.Dir, predict.Stderr = dir, &said
	predict.Env = append(os.Environ(), "XDG_CACHE_HOME="+state, "DOCKER_CONFIG="+state)
	out, err := predict.Output()
	if err != nil && !json.Valid(out) { // it also fails where the build does
		return report, fmt.Errorf("%v: %w\n%s", predict.Args, err, &said)
	}
	return report, json.Unmarshal(out, &report)
}

// exportKinds are the caches that a build may export, in an order in which no export adds to what the next one has.
var exportKinds = []struct {
	mode cachemodel.CacheMode
	kind string // as exportTo has it
}{
	{cachemodel.NoCacheImport, ""},
	{cachemodel.MinCache, "local min"},
	{cachemodel.InlineCache, "inline"},
	{cachemodel.MaxCache, "registry max"},
}

// TestExports builds the first of a generated pair on a daemon that exports its cache, and the second on daemons that
// have nothing but that cache: `layerwise predict` is held to what these do, by rule (--cache) and with the cache read
// (--cache-from).
func TestExports(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	x := newCICommand(t)
	report := newReport(t)
	var mu sync.Mutex
	counts := map[string]*hitCount{}
	var workers errgroup.Group
	workers.SetLimit(3) // they wait for daemons most of the time
	for seed, n := *seedFlag+7_000_000, 0; n < *exportsFlag; seed++ {
		sketches, names := NewGenerator(seed, Limits{Real: true}).Case()
		sketches, names = sketches[:2], names[:2]
		if was, is := sketches[0], sketches[1]; was.Target != is.Target || was.Platform != is.Platform || was.NoCache ||
			!maps.Equal(was.Extra, is.Extra) {
			continue // the command has these settings for the next build only
		}
		n++
		workers.Go(func() error {
			first := true
			report.add(seed, sketches, names, func(s []Sketch, tally *Tally) ([]string, error) {
				found, err := x.pair(ctx, render(s), tally)
				mu.Lock()
				defer mu.Unlock()
				for way, count := range found {
					if counts[way] == nil {
						counts[way] = &hitCount{unknown: map[string]int{}}
					}
					if first { // the others are shrunk
						counts[way].add(count)
					}
				}
				first = false
				return wrongOf(found), err
			})
			return nil
		})
	}
	_ = workers.Wait()
	report.finish()
	for _, way := range slices.Sorted(maps.Keys(counts)) {
		t.Logf("%s: %s", way, counts[way])
	}
}

// pair predicts the second of two builds with each kind of cache of the first, and builds it.
func (x *ciCommand) pair(ctx context.Context, builds []Build, tally *Tally) (map[string]*hitCount, error) {
	dir, err := x.real.daemon.TempDir()
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	at := func(name string) string { return filepath.Join(dir, name) }
	for name, b := range map[string]Build{"was": builds[0], "is": builds[1]} {
		if err := errors.Join(os.Mkdir(at(name), 0o755), b.Write(at(name))); err != nil {
			return nil, err
		}
	}
	args := x.flags(builds[0], builds[1])
	args = append(args, "--baseline", "dir:"+at("was"), "--context", at("is"), builds[1].Name)
	if extra := builds[1].Extra; extra != nil {
		if err := os.Mkdir(at("extra"), 0o755); err != nil {
			return nil, err
		}
		b := Build{Name: "Dockerfile", Files: extra}
		if err := errors.Join(b.Write(at("extra")), os.Remove(filepath.Join(at("extra"), b.Name))); err != nil {
			return nil, err
		}
		args = append(args, "--build-context", "extra="+at("extra"))
	}
	from, err := x.export(ctx, builds[0], at("cache"))
	if err != nil {
		return nil, err
	}
	keys, err := keysByLine(ctx, builds)
	if err != nil {
		return nil, err
	}
	counts := map[string]*hitCount{}
	for i, kind := range exportKinds {
		did, err := x.build(ctx, builds[1], client.SolveOpt{CacheImports: imported(from[i])})
		if err != nil {
			return counts, err
		}
		for l, lt := range did {
			lt.Keys = keys[l]
			did[l] = lt
		}
		ways := map[string][]string{"by rule": {"--cache", string(kind.mode)}, "read": {"--cache-from", from[i]}}
		if from[i] == "" {
			delete(ways, "read")
		}
		for way, more := range ways {
			way = string(kind.mode) + ", " + way
			count := &hitCount{unknown: map[string]int{}}
			counts[way] = count
			report, err := x.predict(at("is"), append(more, args...)...)
			if err != nil {
				count.wrong = append(count.wrong, way+": "+err.Error())
				continue
			}
			tally.Builds++
			count.count(report, did, builds[0], builds[1])
			for _, w := range Check(report.Steps, did, did.Twin, tally) {
				count.wrong = append(count.wrong, way+": "+w)
			}
		}
	}
	return counts, nil
}

// flags are the command's for the settings of two builds.
func (x *ciCommand) flags(was, is Build) (args []string) {
	for name := range x.real.images.Dirs {
		args = append(args, "--build-context", name+"=docker-image://"+x.image(name))
	}
	for _, k := range slices.Sorted(maps.Keys(is.Args)) {
		args = append(args, "--build-arg", k+"="+is.Args[k])
	}
	for _, k := range slices.Sorted(maps.Keys(was.Args)) {
		args = append(args, "--baseline-build-arg", k+"="+was.Args[k])
	}
	if is.Target != "" {
		args = append(args, "--target", is.Target)
	}
	if is.Platform != "" {
		args = append(args, "--platform", is.Platform)
	}
	if is.NoCache {
		args = append(args, "--no-cache")
	}
	return args
}

// export builds on a daemon that has nothing and exports every kind of cache, to dir and to the registry.
func (x *ciCommand) export(ctx context.Context, b Build, dir string) (from []string, err error) {
	fresh, err := x.fresh(ctx)
	if err != nil {
		return nil, err
	}
	defer fresh.Close()
	for _, kind := range exportKinds {
		if kind.kind == "" {
			from = append(from, "")
			continue
		}
		ref, with := exportTo(kind.kind, dir, x.host, filepath.Base(filepath.Dir(dir)))
		if _, err := fresh.BuildWith(ctx, b, with); err != nil {
			return nil, err
		}
		from = append(from, ref)
	}
	return from, nil
}

// build builds on a daemon that has nothing.
func (x *ciCommand) build(ctx context.Context, b Build, with client.SolveOpt) (Truth, error) {
	fresh, err := x.fresh(ctx)
	if err != nil {
		return nil, err
	}
	defer fresh.Close()
	return fresh.BuildWith(ctx, b, with)
}

// fresh is a daemon that has nothing and takes the base images from the registry.
func (x *ciCommand) fresh(ctx context.Context) (*Real, error) {
	fresh, err := x.real.Fresh(ctx)
	if err != nil {
		return nil, err
	}
	images := *fresh.images
	images.Stores, images.Contexts = nil, map[string]string{}
	for name := range images.Dirs {
		images.Contexts["context:"+name] = "docker-image://" + x.image(name)
	}
	fresh.images = &images
	return fresh, nil
}

// keysByLine are the keys of the operations of builds, as the in-process oracle knows them.
func keysByLine(ctx context.Context, builds []Build) (map[int]string, error) {
	different := NewInProcess(Different, 1)
	defer different.Close()
	keys := map[int]string{}
	for _, b := range builds {
		def, _, err := Convert(ctx, b)
		if err != nil {
			return nil, err
		}
		did, err := different.Solve(ctx, b, def)
		if err != nil {
			return nil, err
		}
		for l, lt := range did {
			keys[l] = lt.Keys
		}
	}
	return keys, nil
}

// hitCount counts the steps that were taken from the cache, and those of them that were promised. Of the others unknown
// counts those which hang on the bytes that a stage gives which is built again, by what nobody knows of these; missed
// are the builds with others.
type hitCount struct {
	builds, real, promised, unmatched int

	unknown       map[string]int
	missed, wrong []string
}

func (h *hitCount) add(o *hitCount) {
	h.builds, h.real, h.promised = h.builds+o.builds, h.real+o.real, h.promised+o.promised
	h.unmatched += o.unmatched
	for why, n := range o.unknown {
		h.unknown[why] += n
	}
	h.missed, h.wrong = append(h.missed, o.missed...), append(h.wrong, o.wrong...)
}

func (h *hitCount) String() string {
	text := fmt.Sprintf("%d builds: %d steps were taken from the cache, %d were promised, %d wrong; %d not matched; "+
		"not promised, by the stage that is built again: %v", h.builds, h.real, h.promised, len(h.wrong), h.unmatched,
		h.unknown)
	for _, missed := range h.missed {
		text += "\nnot promised:\n" + missed
	}
	return text
}

func wrongOf(counts map[string]*hitCount) (wrong []string) {
	for _, way := range slices.Sorted(maps.Keys(counts)) {
		wrong = append(wrong, counts[way].wrong...)
	}
	return wrong
}

// count compares the steps that were predicted with what a fresh daemon did.
func (h *hitCount) count(report workspace.Report, did Truth, was, is Build) {
	h.builds++
	if report.CacheFrom != nil && !report.CacheFrom.Matched {
		h.unmatched++
	}
	var table strings.Builder
	missed, why := 0, ""
	for _, s := range report.Steps {
		lt, ok := did[s.Line]
		if hit := ok && lt.Executed == 0 && !lt.Unsure; hit {
			h.real++
			if s.Status == cachemodel.Cached {
				h.promised++
			} else {
				missed++
				if why == "" && !s.Certain && s.Cause != nil && s.Cause.Kind == cachemodel.StageRebuilt {
					why = givenAnew(report.Steps, s.Cause.Line, did)
				}
			}
		}
		fmt.Fprintf(&table, "%d: %s, %d ran", s.Line, s.Status, lt.Executed)
		if s.Cause != nil {
			fmt.Fprintf(&table, ": %s: %s", s.Cause.Kind, s.Cause.Detail)
		}
		table.WriteByte('\n')
	}
	switch {
	case why != "":
		h.unknown[why] += missed
	case missed > 0:
		h.missed = append(h.missed, fmt.Sprintf("%s\nafter\n%s\nthen\n%s", &table, was.Dockerfile, is.Dockerfile))
	}
}

// givenAnew says what it is that nobody knows of the files that a stage gives which is built again from a line on.
func givenAnew(steps []cachemodel.Step, line int, did Truth) string {
	at := slices.IndexFunc(steps, func(s cachemodel.Step) bool { return s.Line == line })
	if at < 0 {
		return "?"
	}
	what := "it copies files upon an image"
	for _, s := range steps {
		switch {
		case s.Stage != steps[at].Stage:
		case s.Instruction == "RUN" && did[s.Line].Executed > 0:
			return "it runs a command"
		case s.Instruction == "FROM" && strings.Contains(s.Text, "scratch"):
			what = "it copies files upon nothing"
		}
	}
	return what
}
