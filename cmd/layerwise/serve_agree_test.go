package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/layerwise/layerwise/cachemodel"
	"github.com/layerwise/layerwise/cachemodel/record"
	"github.com/layerwise/layerwise/cachemodel/workspace"
	"github.com/layerwise/layerwise/server"
	"github.com/layerwise/layerwise/server/lsptest"
	"golang.org/x/tools/txtar"
)

// layouts are projects in which it is not obvious which build a Dockerfile is part of.
var layouts = []struct{ about, file, files string }{
	{"a Dockerfile alone", "Dockerfile", "-- Dockerfile --\nFROM a\nCOPY x /\nRUN y\n-- x --\n1\n"},
	{"in a folder of its own", "docker/Dockerfile", "-- docker/Dockerfile --\nFROM a\nCOPY x /\nRUN y\n-- x --\n1\n"},
	{
		"in a folder below that of its sources",
		"a/b/Dockerfile",
		"-- a/b/Dockerfile --\nFROM a\nCOPY x /\n-- a/x --\n1\n",
	},
	{"a source that is nowhere", "Dockerfile", "-- Dockerfile --\nFROM a\nCOPY nowhere /\nRUN y\n-- x --\n1\n"},
	{
		"one service, with a target and arguments",
		"docker/Dockerfile",
		"-- docker/Dockerfile --\nFROM a AS one\nARG V\nCOPY x /\nRUN y\n" +
			"FROM one\nRUN z\n-- x --\n1\n-- compose.yaml --\nservices:\n  web:\n    build: {context: ., dockerfile: " +
			"docker/Dockerfile, target: one, args: {V: '1'}}\n",
	},
	{
		"two services",
		"Dockerfile",
		"-- Dockerfile --\nFROM a AS one\nCOPY x /\nFROM one AS two\nRUN z\n-- x --\n1\n-- compose.yaml --\n" +
			"services:\n" +
			"  web:\n    build: {context: ., target: one}\n  worker:\n    build: {context: ., target: two}\n",
	},
	{"a bake target", "app/Dockerfile", "-- app/Dockerfile --\nFROM a AS one\nCOPY x /\nFROM one\nRUN z\n-- x --\n1\n" +
		"-- docker-bake.hcl --\ntarget \"web\" {\n  dockerfile = \"app/Dockerfile\"\n  target = \"one\"\n}\n"},
	{
		"a named context",
		"Dockerfile",
		"-- Dockerfile --\nFROM a\nCOPY --from=lib l /\nCOPY x /\n-- x --\n1\n-- lib/l --\n1\n-- compose.yaml --\n" +
			"services:\n  web:\n    build: {context: ., additional_contexts: {lib: ./lib}}\n",
	},
	{"a symbolic link", "Dockerfile", "-- real/Dockerfile.debian --\nFROM a\nCOPY x /\n-- x --\n1\n"},
	{
		"an ignore file of its own",
		"docker/Dockerfile",
		"-- docker/Dockerfile --\nFROM a\nCOPY x /\nCOPY . /all\n-- docker/Dockerfile.dockerignore --\nsecret\n" +
			"-- x --\n1\n-- secret --\n1\n",
	},
}

// copied is the baseline that is a copy of the build context, before its files are changed.
const copied = "dir:"

// ways are what is done in a project before it is asked about.
var ways = []struct {
	about    string
	git      bool
	baseline string // the setting, and --baseline
	chosen   string // the build that is remembered
	built    string // the service of the record, "-" is one of no service
	unsaved  bool   // the Dockerfile and a file that it copies were changed in the editor only
}{
	{about: "a commit", git: true},
	{about: "a commit that is asked for", git: true, baseline: "git:HEAD"},
	{about: "a service that was chosen before", git: true, chosen: "compose:worker"},
	{about: "no build file, as was chosen before", git: true, chosen: workspace.NoBuild},
	{about: "a build on record", git: true, built: "-"},
	{about: "the build of a service on record, no git", built: "compose:worker"},
	{about: "a commit, and texts that are not saved", git: true, unsaved: true},
	{about: "another folder", baseline: copied},
	{about: "the file as it was opened, and texts that are not saved", baseline: "opened", unsaved: true},
}

// answer is what one face says of a build.
type answer struct{ Context, Target, Build, Label, Steps string }

func stepsOf(steps []cachemodel.Step) string {
	out := ""
	for _, s := range steps {
		out += fmt.Sprintf("%d %s %v; ", s.Line, s.Status, s.Certain)
	}
	return out
}

// TestOneAnswer asks the terminal and the editor, the lens of the build file, reorder and check which build a
// Dockerfile is part of and what it reuses, in 90 situations: there is one answer.
func TestOneAnswer(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("NOT CHECKED: whether the terminal and the editor agree: git is not installed")
	}
	for _, l := range layouts {
		for _, way := range ways {
			t.Run(l.about+", "+way.about, func(t *testing.T) {
				t.Setenv("XDG_CACHE_HOME", t.TempDir())
				t.Setenv("BUILDKIT_HOST", "")
				root, err := filepath.EvalSymlinks(t.TempDir())
				if err != nil {
					t.Fatal(err)
				}
				t.Chdir(root)
				writeProject(t, l.files)
				if l.about == "a symbolic link" {
					if err := os.Symlink("real/Dockerfile.debian", "Dockerfile"); err != nil {
						t.Skip(err)
					}
				}
				if way.git {
					for _, args := range [][]string{{"init", "-q"}, {"add", "."}, {"-c", "user.name=a", "-c",
						"user.email=a@b", "commit", "-qm", "one"}} {
						if out, err := exec.Command("git", args...).CombinedOutput(); err != nil {
							t.Fatalf("git %v: %v %s", args, err, out)
						}
					}
				}
				path := filepath.Join(root, filepath.FromSlash(l.file))
				store := record.NewStore(digestCache())
				if way.chosen != "" {
					if err := store.Choose(path, workspace.BuildChoice, way.chosen); err != nil {
						t.Fatal(err)
					}
				}
				if way.built != "" {
					putRecord(t, store, path, strings.TrimPrefix(way.built, "-"))
				}
				if way.baseline == copied {
					way.baseline += copyOfContext(t, path)
				}
				agree(t, path, l.file, way.baseline, way.unsaved)
			})
		}
	}
}

func writeProject(t *testing.T, files string) {
	t.Helper()
	for _, f := range txtar.Parse([]byte(files)).Files {
		if err := os.MkdirAll(filepath.Dir(filepath.FromSlash(f.Name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.FromSlash(f.Name), f.Data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// putRecord records that the Dockerfile was built as it is now.
func putRecord(t *testing.T, store *record.Store, path, name string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b := here().Reader(path).Load(t.Context(), workspace.Question{File: parsed(string(text)), Uncompared: true})
	next := b.Next(parsed(string(text)), nil)
	cachemodel.NewPlan(next) // reads what its steps read
	r := &record.Record{
		Source: record.Built, Tool: "docker build", Name: name, Dockerfile: path, Text: string(text),
		ContextDir: b.Context.Dir,
		Context:    b.Context.Tree, Settings: b.Settings, Contexts: map[string]record.NamedContext{},
	}
	for name, named := range b.Contexts {
		r.Contexts[name] = record.NamedContext{Dir: named.Dir, Tree: named.Tree}
	}
	if _, err := store.Put(r); err != nil {
		t.Fatal(err)
	}
}

func parsed(text string) *dockerfile.File { return dockerfile.Parse(source.New(text), nil) }

// copyOfContext copies the build context of a Dockerfile.
func copyOfContext(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b := here().Reader(path).Resolve(t.Context(), workspace.Question{File: parsed(string(text))})
	to := filepath.Join(t.TempDir(), "copy")
	if out, err := exec.Command("cp", "-a", b.Context.Dir, to).CombinedOutput(); err != nil {
		t.Skipf("NOT CHECKED: %v %s", err, out)
	}
	return to
}

// write writes a file and returns what it held.
func write(t *testing.T, path, text string) (before string) {
	t.Helper()
	old, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(path, []byte(text), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(old)
}

// agree asks all faces what the build is once the Dockerfile has a line more, if texts are not saved, and the file x,
// which it copies, another text.
func agree(t *testing.T, path, file, baseline string, unsaved bool) {
	x := filepath.Join(filepath.Dir(path), "x") // or above
	for _, err := os.Stat(x); err != nil; _, err = os.Stat(x) {
		x = filepath.Join(filepath.Dir(filepath.Dir(x)), "x")
	}
	const changed = "2\n"
	savedX := write(t, x, changed)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	saved := string(text)
	now := saved
	if unsaved {
		now += "RUN unsaved\n"
		write(t, path, now)
	}
	var want answer
	o := predictOptions{format: "json", baseline: baseline}
	o.engine, o.buildkit, o.given = string(cachemodel.BuildKit), "off", func(string) bool { return false }
	if baseline != "opened" { // which the terminal does not have
		found, err := predict(t.Context(), []string{file}, o)
		if err != nil || found[0].err != nil {
			t.Fatal(err, found)
		}
		b, r := found[0].build, found[0].report
		want = answer{b.Context.Dir, r.Target, r.Build, b.Compared.Label, stepsOf(r.Steps)}
	}
	reordering, err := reorderFile(t.Context(), file, o.buildFlags, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	checked, err := newCheckOptions(checking{}).build(t.Context(), file, parsed(now))
	if err != nil {
		t.Fatal(err)
	}
	if unsaved {
		write(t, path, saved)
		write(t, x, savedX)
	}

	e := lsptest.Start(t, server.Options{CacheDir: digestCache()})
	settings := map[string]any{"buildkit": "off"}
	if baseline != "" {
		settings["baseline"] = baseline
	}
	root, _ := os.Getwd()
	e.Initialize(nil, map[string]any{"cacheStatus": true, "layerwise": settings}, root)
	version := 1
	e.OpenFile(lsptest.URI(path), "dockerfile", saved)
	if unsaved {
		e.OpenFile(lsptest.URI(x), "plaintext", savedX)
		ready := func(params json.RawMessage) bool { return strings.Contains(string(params), `"ready"`) }
		e.Await("layerwise/cacheStatus", ready)
		version = 2
		e.Replace(lsptest.URI(x), version, changed)
		e.Replace(lsptest.URI(path), version, now)
	}
	var steps []cachemodel.Step
	var got answer
	e.Await("layerwise/cacheStatus", func(params json.RawMessage) bool {
		var p struct {
			State, Target, Build, BaselineLabel string
			Version                             int
			Context                             struct{ Dir string }
			Steps                               []cachemodel.Step
		}
		if json.Unmarshal(params, &p) != nil || p.State != "ready" || p.Version != version {
			return false
		}
		steps = p.Steps
		got = answer{p.Context.Dir, p.Target, p.Build, p.BaselineLabel, stepsOf(p.Steps)}
		return true
	})
	if baseline == "opened" {
		want = got
	}
	if got != want {
		t.Errorf("layerwise/cacheStatus says\n%+v, predict\n%+v", got, want)
	}
	t.Logf("%+v", want)
	for face, b := range map[string]*workspace.Build{"reorder": reordering.build, "check": checked} {
		entry := ""
		if b.Entry != nil {
			entry = b.Entry.ID
		}
		if b.Context.Dir != want.Context || b.Settings.Target != want.Target || entry != want.Build {
			t.Errorf("%s takes the context %s, the target %q and the build %q, predict\n%+v", face, b.Context.Dir,
				b.Settings.Target, entry, want)
		}
	}
	lensesAgree(t, e, lsptest.URI(path), "", want, steps)
	_, name, _ := strings.Cut(want.Build, ":")
	for buildFile, language := range map[string]string{
		"compose.yaml": "dockercompose", "docker-bake.hcl": "dockerbake",
	} {
		if text, err := os.ReadFile(buildFile); err == nil && want.Build != "" {
			uri := lsptest.URI(filepath.Join(root, buildFile))
			e.OpenFile(uri, language, string(text))
			lensesAgree(t, e, uri, name+": ", want, steps)
		}
	}
}

// lensesAgree checks that one of a document's lenses sums up the steps: that of a service or target, or that of a
// Dockerfile's stage.
func lensesAgree(t *testing.T, e *lsptest.Editor, uri, name string, want answer, steps []cachemodel.Step) {
	t.Helper()
	var stages []string
	byStage := map[string][]cachemodel.Step{}
	for _, s := range steps {
		if !slices.Contains(stages, s.Stage) {
			stages = append(stages, s.Stage)
		}
		byStage[s.Stage] = append(byStage[s.Stage], s)
	}
	sums := []string{workspace.SumUp(steps)}
	if name == "" {
		sums = nil
		for _, stage := range stages {
			if stage != "" {
				sums = append(sums, workspace.SumUp(byStage[stage]))
			}
		}
	}
	var lenses []struct{ Command struct{ Title string } }
	e.MustCall("textDocument/codeLens", lsptest.Document(uri), &lenses)
	labelled := false // the first lens that says something names what is compared with, once
	for _, lens := range lenses {
		labelled = labelled || strings.Contains(lens.Command.Title, want.Label)
	}
	for _, sum := range sums {
		found := false
		for _, lens := range lenses {
			title := lens.Command.Title
			found = found || strings.HasPrefix(title, name) && strings.Contains(title, sum)
		}
		if !found || !labelled && sum != "" {
			t.Errorf("the lenses of %s are %+v, none says %q, or what it is compared with", uri, lenses, name+sum)
		}
	}
}
