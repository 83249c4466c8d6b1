package conformance

import (
	"context"
	"maps"
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
	"github.com/layerwise/layerwise/cachemodel/buildcontext/disk"
	"github.com/layerwise/layerwise/cachemodel/record"
	"github.com/layerwise/layerwise/cachemodel/workspace"
)

const whyText = `FROM base AS deps
WORKDIR /src
COPY package.txt ./
RUN cat package.txt > /deps
FROM deps AS build
ARG V=1
ENV MODE=one
COPY a.txt ./
COPY lib ./lib
RUN cat a.txt lib/* /proc/sys/kernel/random/uuid > /out/all && echo "$V"
FROM base
COPY --from=build /out/all /all
RUN echo last
`

// whyEdits are made one after the other, each followed by a build, of which Why names what was edited.
var whyEdits = []struct {
	name     string
	old, new string            // in the Dockerfile
	files    map[string]string // that are written
	args     map[string]string
	line     int // of the first step that runs, 0 if none does
	kind     cachemodel.CauseKind
	cause    string // a part of its detail, or a path
}{
	{"nothing", "", "", nil, nil, 0, "", ""},
	{"a file", "", "", map[string]string{"a.txt": "other"}, nil, 8, cachemodel.ContextChanged, "a.txt"},
	{"a file in a folder", "", "", map[string]string{"lib/x": "other"}, nil, 9, cachemodel.ContextChanged, "lib/x"},
	{"a new file in a folder", "", "", map[string]string{"lib/y": "new"}, nil, 9, cachemodel.ContextChanged, "lib/y"},
	{"the manifest", "", "", map[string]string{"package.txt": "other"}, nil, 3, cachemodel.ContextChanged,
		"package.txt"},
	{"a command", "echo last", "echo first", nil, nil, 13, cachemodel.InstructionChanged, "edited"},
	{"a destination", "COPY a.txt ./", "COPY a.txt ./b.txt\nRUN cp b.txt a.txt", nil, nil, 8,
		cachemodel.InstructionChanged, "edited"},
	{"a variable", "MODE=one", "MODE=two", nil, nil, 9, cachemodel.EnvChanged, "MODE"},
	{"an argument", "", "", nil, map[string]string{"V": "2"}, 9, cachemodel.ArgChanged, "V"},
	{"the directory", "WORKDIR /src", "WORKDIR /source", nil, nil, 2, cachemodel.InstructionChanged, "edited"},
	{"the base image", "FROM base AS deps", "FROM base3 AS deps", nil, nil, 2, cachemodel.BaseChanged, "base"},
	{"a new instruction", "RUN echo first", "RUN echo new\nRUN echo first", nil, nil, 14,
		cachemodel.InstructionChanged, "new"},
}

// `layerwise why` on a real BuildKit: what is said to have been taken from the cache was, what the verdicts of that time
// promise was kept, and the cause of the first step that ran is what was edited.
func TestWhy(t *testing.T) {
	r := startReal(t)
	p := newSequence(t, r.images, false, r.daemon)
	if err := os.Mkdir(filepath.Join(p.dir, "lib"), 0o755); err != nil {
		t.Fatal(err)
	}
	text := whyText
	p.become(t, state{text, map[string]string{"a.txt": "a", "package.txt": "p", "lib/x": "x"}})
	p.settle(t)
	p.build(t)
	p.remember(t)
	right := 0
	for _, edit := range whyEdits {
		text = strings.Replace(text, edit.old, edit.new, 1)
		p.become(t, state{text, edit.files})
		maps.Copy(p.args, edit.args)
		p.settle(t)
		ran, failed := p.build(t)
		if failed {
			t.Fatalf("%s: the build failed", edit.name)
		}
		p.remember(t)
		why := p.why(t)
		if why.Broken > 0 || why.Unknown > 0 {
			t.Errorf("%s: %d broken, %d unknown", edit.name, why.Broken, why.Unknown)
		}
		first := slices.IndexFunc(why.Steps, func(s workspace.WhyStep) bool { return s.Hit != nil && !*s.Hit })
		for _, s := range why.Steps {
			if lt, ok := ran[s.Line]; ok && s.Instruction != "FROM" && s.Hit != nil && *s.Hit != (lt.Executed == 0) {
				t.Errorf("%s: line %d %s: hit is %v, and it ran %d times", edit.name, s.Line, s.Text, *s.Hit,
					lt.Executed)
			}
		}
		if first < 0 || edit.line == 0 {
			if first < 0 != (edit.line == 0) {
				t.Errorf("%s: the first step that ran is number %d", edit.name, first)
			}
			continue
		}
		s := why.Steps[first]
		if s.Cause == nil || s.Line != edit.line || s.Cause.Kind != edit.kind ||
			!strings.Contains(s.Cause.Detail, edit.cause) && !slices.Contains(s.Cause.Paths, edit.cause) {
			t.Errorf("%s: line %d %s ran first: %+v, want line %d %s %q", edit.name, s.Line, s.Text, s.Cause, edit.line,
				edit.kind, edit.cause)
			continue
		}
		right++
	}
	t.Logf("of %d builds that ran something the cause is what was edited in %d", len(whyEdits)-1, right)
}

// remember records the build as `layerwise build` does.
func (p *sequence) remember(t *testing.T) {
	t.Helper()
	path := filepath.Join(p.dir, p.file)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	tree, err := disk.Scan(ctx, p.dir, path, disk.Options{})
	if err != nil {
		t.Fatal(err)
	}
	rec := &record.Record{
		When: time.Now(), Source: record.Built, Ref: p.ref, Builder: p.ask().Identity(), Tool: "docker build",
		Dockerfile: path, Text: string(text),
		ContextDir: p.dir, Context: tree,
		Settings: cachemodel.Settings{Engine: cachemodel.BuildKit, Target: p.target, Args: maps.Clone(p.args)},
	}
	rec.Settings.Network = p.daemons[0].Options["force-network-mode"]
	cachemodel.NewPlan(cachemodel.Build{ // reads what its steps read
		File: dockerfile.Parse(source.New(string(text)), nil), Context: tree, Settings: rec.Settings,
	})
	if _, err := p.store.Put(rec); err != nil {
		t.Fatal(err)
	}
}

// why explains the last build.
func (p *sequence) why(t *testing.T) *workspace.Why {
	t.Helper()
	path := filepath.Join(p.dir, p.file)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	file := dockerfile.Parse(source.New(string(text)), nil)
	w := &workspace.Workspace{Store: p.store, Folder: p.dir}
	b := w.Reader(path).Load(context.Background(), workspace.Question{
		Choices: workspace.Choices{Options: baseline.Options{ContextDir: p.dir}, Baseline: string(baseline.Recorded)},
		File:    file, Builder: p.ask(),
	})
	if b == nil || len(b.Problems) > 0 {
		t.Fatal("no build is known", b)
	}
	why, err := b.Why(p.file, workspace.Latest, p.store)
	if err != nil {
		t.Fatal(err)
	}
	return why
}
