package conformance

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/layerwise/layerwise/cachemodel/workspace"
)

var dayFlag = flag.Int("day", 10, "builds of a simulated day of work: -day 60 is a whole one")

const dayText = `FROM base AS deps
WORKDIR /app
COPY package.txt lock.txt ./
RUN cat package.txt lock.txt > /modules
FROM deps AS build
ARG MODE=production
COPY . .
RUN cat src/*.txt > /dist && echo "$MODE"
FROM deps AS test
COPY . .
RUN cat tests/*.txt src/*.txt
FROM base
WORKDIR /app
COPY config.txt /etc/app/
COPY --from=deps /modules ./
COPY --from=build /dist ./
RUN echo start > /start
`

// hours are how often in a hundred builds somebody does what between two of them.
var hours = []struct {
	of int
	move
}{
	{38, move{"edit a source", func(_ *testing.T, _ *sequence, r *rand.Rand, next *state) {
		next.files[fmt.Sprintf("src/%d.txt", r.IntN(4))] = fmt.Sprint("source ", r.IntN(1000))
	}}},
	{8, move{"add a source", func(_ *testing.T, _ *sequence, r *rand.Rand, next *state) {
		next.files[fmt.Sprintf("src/more%d.txt", r.IntN(100))] = "more"
	}}},
	{10, move{"edit a test and build the tests", func(_ *testing.T, p *sequence, r *rand.Rand, next *state) {
		next.files["tests/1.txt"], p.target = fmt.Sprint("test ", r.IntN(1000)), "test"
	}}},
	{6, move{"edit what is not sent", func(_ *testing.T, _ *sequence, r *rand.Rand, next *state) {
		next.files["README.md"] = fmt.Sprint("text ", r.IntN(1000))
	}}},
	{6, move{"edit the configuration", func(_ *testing.T, _ *sequence, r *rand.Rand, next *state) {
		next.files["config.txt"] = fmt.Sprint("port ", r.IntN(1000))
	}}},
	{4, move{"add a package", func(_ *testing.T, _ *sequence, r *rand.Rand, next *state) {
		n := r.IntN(1000)
		next.files["package.txt"], next.files["lock.txt"] = fmt.Sprint("package ", n), fmt.Sprint("lock ", n)
	}}},
	{4, redone("edit the last RUN", "start > /start", "start%d > /start")},
	{3, redone("edit a RUN in the middle", `"$MODE"`, `"$MODE%d"`)},
	{3, redone("a command that fails", "start > /start", "start && exit 1%d")},
	{8, move{"go back", func(_ *testing.T, p *sequence, r *rand.Rand, next *state) {
		past := p.past[r.IntN(len(p.past))]
		*next = state{past.text, maps.Clone(past.files)}
	}}},
	{6, move{"nothing", func(*testing.T, *sequence, *rand.Rand, *state) {}}},
	{2, move{"another argument", func(_ *testing.T, p *sequence, _ *rand.Rand, _ *state) {
		p.args = map[string]string{"MODE": "development"}
	}}},
	{2, move{"collect garbage", func(t *testing.T, p *sequence, r *rand.Rand, _ *state) {
		p.collect(t, r.IntN(len(collections)))
	}}},
}

// redone is a move that edits the Dockerfile of the morning.
func redone(about, old, by string) move {
	return move{about, func(_ *testing.T, _ *sequence, r *rand.Rand, next *state) {
		next.text = strings.Replace(dayText, old, fmt.Sprintf(by, r.IntN(10)), 1)
	}}
}

// work plays a day. served says that a server runs beside it: what it saw of the folder is known to its next answer.
func work(t *testing.T, p *sequence, r *rand.Rand, served bool) *outcome {
	now := state{dayText, map[string]string{
		".dockerignore": "*.md\n.dockerignore\n", "package.txt": "package", "lock.txt": "lock", "config.txt": "port",
		"README.md": "text", "src/0.txt": "zero", "src/1.txt": "one", "tests/1.txt": "test",
	}}
	for _, dir := range []string{"src", "tests"} {
		if err := os.Mkdir(filepath.Join(p.dir, dir), 0o777); err != nil {
			t.Fatal(err)
		}
	}
	o := &outcome{}
	p.become(t, now)
	p.past = []state{now}
	p.settle(t)
	p.build(t)
	for i := range *dayFlag {
		p.target, p.args = "", nil
		next := state{now.text, maps.Clone(now.files)}
		n, did := r.IntN(100), hours[0]
		for _, did = range hours {
			if n -= did.of; n < 0 {
				break
			}
		}
		did.make(t, p, r, &next)
		for name := range now.files {
			if _, is := next.files[name]; !is {
				if err := os.Remove(filepath.Join(p.dir, name)); err != nil {
					t.Fatal(err)
				}
			}
		}
		p.become(t, next)
		now, p.past = next, append(p.past, next)
		p.settle(t)
		_, steps := p.predict(t)
		ran, failed := p.build(t)
		if served {
			p.predict(t) // the server is told of the build, and looks again
		}
		o.check(t, fmt.Sprintf("build %d, %s", i, did.about), steps, ran, failed)
	}
	return o
}

// A day of work on one project, each build predicted before it is made: how much is not certain, and why, with a server
// that looks on and without one.
func TestDay(t *testing.T) {
	for _, served := range []bool{false, true} {
		t.Run(fmt.Sprint("served=", served), func(t *testing.T) {
			daemons, images := sequenceDaemons(t, "buildkitd")
			p := newSequence(t, images, false, daemons[0])
			if served {
				w := &workspace.Workspace{Store: p.store, Folder: p.dir}
				p.reader = w.Reader(filepath.Join(p.dir, p.file))
			}
			t.Log(work(t, p, rand.New(rand.NewPCG(*seedFlag, 60)), served))
		})
	}
}
