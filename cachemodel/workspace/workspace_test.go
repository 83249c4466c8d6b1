package workspace

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/layerwise/layerwise/cachemodel/record"
	"golang.org/x/tools/txtar"
)

// open writes a txtar archive into a repository and returns its workspace.
func open(t *testing.T, files string) *Workspace {
	t.Helper()
	root := t.TempDir()
	if err := os.Mkdir(filepath.Join(root, ".git"), 0o755); err != nil { // no repository, but where one begins
		t.Fatal(err)
	}
	for _, f := range txtar.Parse([]byte(files)).Files {
		path := filepath.Join(root, filepath.FromSlash(f.Name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, f.Data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return &Workspace{Store: record.NewStore(t.TempDir()), Folder: root}
}

// ask finds the build of a Dockerfile of the workspace.
func ask(t *testing.T, w *Workspace, file string, c Choices) *Build {
	t.Helper()
	path := filepath.Join(w.Folder, filepath.FromSlash(file))
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return w.Reader(path).Load(t.Context(), Question{Choices: c, File: parse(string(text))})
}

// Where the build context is guessed to be, and which sources are then missing.
func TestGuessedContext(t *testing.T) {
	for _, c := range []struct{ about, files, file, want string }{
		{"beside the Dockerfile", "-- a/Dockerfile --\nFROM x\nCOPY b /\n-- a/b --\n", "a/Dockerfile", "a"},
		{"above it, where the source " +
			"is", "-- a/b/Dockerfile --\nFROM x\nCOPY a/c /\n-- a/c --\n", "a/b/Dockerfile", "."},
		{"the nearest of two", "-- a/b/Dockerfile --\nFROM x\nCOPY c /\n-- a/c --\n-- c --\n", "a/b/Dockerfile", "a"},
		{"nothing is copied", "-- a/Dockerfile --\nFROM x\n", "a/Dockerfile", "a"},
		{"a misspelt source among good " +
			"ones", "-- a/Dockerfile --\nFROM x\nCOPY b /\nCOPY pakage.json /\n-- b --\n", "a/Dockerfile",
			". without pakage.json"},
		{"a misspelt source " +
			"alone", "-- a/Dockerfile --\nFROM x\nCOPY pakage.json /\n", "a/Dockerfile", "a without pakage.json"},
		{"sources in two " +
			"folders", "-- a/Dockerfile --\nFROM x\nCOPY b c /\n-- a/b --\n-- c " +
			"--\n", "a/Dockerfile", "a without c (in .)"},
		{"of another stage, a URL, a variable: no " +
			"sources", "-- a/Dockerfile --\nFROM x AS s\nFROM x\nCOPY --from=s b /\nADD https://b/c /\n" +
			"COPY $V /\n-- b --\n", "a/Dockerfile", "a"},
		{"the folder before a wildcard tells " +
			"too", "-- a/Dockerfile --\nFROM x\nCOPY src/*.c /\n-- src/a.c --\n", "a/Dockerfile", "."},
		{"a wildcard that matches nothing is not " +
			"missing", "-- a/Dockerfile --\nFROM x\nCOPY src/*.c *.h /\n", "a/Dockerfile", "a"},
		{"with a leading slash", "-- a/Dockerfile --\nFROM x\nCOPY /b /\n-- b --\n", "a/Dockerfile", "."},
		{"not above the repository", "-- Dockerfile --\nFROM x\nCOPY b /\n", "Dockerfile", ". without b"},
		{"the service's", "-- a/Dockerfile --\nFROM x\nCOPY b /\n-- a/b --\n-- compose.yaml --\nservices:\n  web:\n" +
			"    build: {context: ., dockerfile: a/Dockerfile}\n", "a/Dockerfile", ". (compose service web)"},
	} {
		w := open(t, c.files)
		b := ask(t, w, c.file, Choices{})
		got, _ := filepath.Rel(w.Folder, b.Context.Dir)
		if b.Context.From.Kind != Guessed {
			got += " (" + b.Context.From.String() + ")"
		}
		for _, m := range b.Context.Missing {
			got += " without " + m.Source
			if m.In != "" {
				in, _ := filepath.Rel(w.Folder, m.In)
				got += " (in " + in + ")"
			}
		}
		if got != c.want {
			t.Errorf("%s: the context is %s, not %s", c.about, got, c.want)
		}
	}
}

const twoServices = `
-- Dockerfile --
FROM x AS one
FROM x AS two
-- compose.yaml --
services:
  a: {build: {context: ., target: one}}
  b: {build: {context: ., target: two}}
`

// Of several services the one counts that is asked for, else that was chosen before, else that was built last, else the
// first.
func TestWhichServiceCounts(t *testing.T) {
	w := open(t, twoServices)
	path := filepath.Join(w.Folder, "Dockerfile")
	which := func(c Choices) string {
		b := ask(t, w, "Dockerfile", c)
		if len(b.Problems) > 0 {
			return b.Problems[0].Error()
		}
		return b.EntryText() + " " + b.Settings.Target
	}
	step := func(about, want string, c Choices) {
		t.Helper()
		if diff := cmp.Diff(want, which(c)); diff != "" {
			t.Errorf("%s: %s", about, diff)
		}
	}
	step("nothing is said", "compose service a, 1 of 2 that build this Dockerfile one", Choices{})
	step("asked for", "compose service b, 1 of 2 that build this Dockerfile two", Choices{Build: "compose:b"})
	step("there is none", `no Compose file has a service "c": there are a, b`, Choices{Build: "compose:c"})
	chosen := Choices{}
	chosen.ContextDir = w.Folder
	step("with a context, docker build is meant", " ", chosen)
	if _, err := w.Store.Put(&record.Record{Dockerfile: path, Name: "compose:b", Text: "FROM x AS two\n"}); err != nil {
		t.Fatal(err)
	}
	step("built last", "compose service b, 1 of 2 that build this Dockerfile two", Choices{})
	if err := w.Store.Choose(path, BuildChoice, "compose:a"); err != nil {
		t.Fatal(err)
	}
	step("chosen before", "compose service a, 1 of 2 that build this Dockerfile one", Choices{})
	if err := w.Store.Choose(path, BuildChoice, NoBuild); err != nil {
		t.Fatal(err)
	}
	if got := which(Choices{}); strings.Contains(got, "compose") {
		t.Errorf("chosen before to look into no build file: %s", got)
	}
}

// A workspace that reads what builds share once gives each Dockerfile the same build as one that reads it anew, also in
// folders that a search from the top does not look into.
func TestFixed(t *testing.T) {
	w := open(t, `
-- app/Dockerfile --
FROM scratch
-- .examples/proxy/x.Dockerfile --
FROM scratch
-- .examples/compose.yaml --
services: {proxy: {build: {context: ., dockerfile: proxy/x.Dockerfile, target: a}}}
-- vendor/one/Dockerfile --
FROM scratch
-- vendor/one/docker-bake.hcl --
target "one" { target = "b" }
-- vendor/two/Dockerfile --
FROM scratch
-- compose.yaml --
services: {two: {build: {context: vendor/two, target: c}}, app: {build: {context: app, target: d}}}
`)
	fixed := &Workspace{Store: w.Store, Folder: w.Folder, Fixed: true}
	for file, want := range map[string]string{
		"app/Dockerfile":               "compose service app d app",
		".examples/proxy/x.Dockerfile": "compose service proxy a .examples",
		"vendor/one/Dockerfile":        "bake target one b vendor/one",
		"vendor/two/Dockerfile":        "compose service two c vendor/two",
	} {
		for about, w := range map[string]*Workspace{"read anew": w, "read once": fixed} {
			b := ask(t, w, file, Choices{})
			dir, _ := filepath.Rel(w.Folder, b.Context.Dir)
			if got := b.EntryText() + " " + b.Settings.Target + " " + filepath.ToSlash(dir); got != want {
				t.Errorf("%s, %s: %q, want %q", file, about, got, want)
			}
		}
	}
}

// The build context that Dockerfiles share is read once; one with an ignore file of its own has another, and of many
// contexts only the last are kept.
func TestSharedContexts(t *testing.T) {
	text := "-- a/Dockerfile --\nFROM a\nCOPY src /\n-- b/Dockerfile --\nFROM a\nCOPY src /\n-- src/x --\n" +
		"-- c/Dockerfile --\nFROM a\nCOPY src /\n-- c/Dockerfile.dockerignore --\nx\n"
	for i := range 2 * mostRecent {
		text += fmt.Sprintf("-- d%d/Dockerfile --\nFROM a\nCOPY y /\n-- d%d/y --\n", i, i)
	}
	w := open(t, text)
	w.Fixed = true
	load := func(name string) *Build {
		path := filepath.Join(w.Folder, filepath.FromSlash(name), "Dockerfile")
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return w.Reader(path).Load(t.Context(), Question{File: parse(string(text)), Uncompared: true})
	}
	sent := func(name string) []string {
		path := filepath.Join(w.Folder, filepath.FromSlash(name), "Dockerfile")
		b := w.Reader(path).Resolve(t.Context(), Question{File: parse("FROM a\nCOPY src /\n")})
		_, context := b.sent()
		return context.Sent
	}
	a, b, c := load("a").Context, load("b").Context, load("c").Context
	if a.Tree == nil || a.Dir != w.Folder || a.Tree != b.Tree || a.Tree == c.Tree {
		t.Errorf("trees %p %p %p of %s", a.Tree, b.Tree, c.Tree, a.Dir)
	}
	before := sent("a")
	if err := os.WriteFile(filepath.Join(w.Folder, "new"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if slices.Contains(sent("b"), "new") || !slices.Equal(sent("b"), before) || !slices.Contains(sent("c"), "new") {
		t.Errorf("sent: %q, then %q and %q", before, sent("b"), sent("c"))
	}
	for i := range 2 * mostRecent {
		load(fmt.Sprintf("d%d", i))
	}
	if n := len(w.read.contexts.values); n != mostRecent {
		t.Errorf("%d build contexts are kept, want %d", n, mostRecent)
	}
}
