package conformance

import (
	"context"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/golden"
	"github.com/layerwise/layerwise/analysis/reorder"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/layerwise/layerwise/cachemodel/imagediff"
	"github.com/layerwise/layerwise/cachemodel/replay"
	"github.com/moby/buildkit/client"
	"github.com/moby/patternmatcher"
	"github.com/tonistiigi/fsutil"
	"golang.org/x/tools/txtar"
)

var rewritesFlag = flag.Int(
	"rewrites",
	12,
	"generated cases for TestRewrites; from 50 on, cases of which nothing is offered are built too",
)

const manyRewrites = 50

// offersFile is the file of a case that says how many rewrites are offered for it: "none" where none may ever be, since
// the image would be another one, however well a tool is known; else how many are today.
const (
	offersFile = "offers"
	noOffers   = "none"
)

// As many rewrites are offered for each case that was made by hand as it says. -update writes the counts, but for the
// cases for which none may be offered.
func TestRewriteOffers(t *testing.T) {
	for _, c := range readRewriteCases(t) {
		want, told := c.Files[offersFile]
		if !told {
			continue
		}
		want = strings.TrimSpace(want)
		got := fmt.Sprint(len(offers(dockerfile.Parse(source.New(c.Dockerfile), nil), c)))
		switch {
		case want == got || want == noOffers && got == "0":
		case want == noOffers:
			t.Errorf("%s (%s): %s rewrites are offered, though none may be", c.Name, c.Prose, got)
		case golden.Updating():
			c.updateOffers(t, got)
		default:
			t.Errorf("%s (%s): %s rewrites are offered, want %s; -update writes it", c.Name, c.Prose, got, want)
		}
	}
}

// updateOffers writes how many rewrites are offered for the case into its file.
func (c RewriteCase) updateOffers(t *testing.T, count string) {
	t.Helper()
	data, err := os.ReadFile(c.File)
	if err != nil {
		t.Fatal(err)
	}
	text, at := string(data), 0
	if _, short, one := strings.Cut(c.Name, "/"); one {
		at = strings.Index(text, "=== "+short+": ")
	}
	head := "\n-- " + offersFile + " --\n"
	at += strings.Index(text[at:], head) + len(head)
	end := at + strings.IndexByte(text[at:], '\n')
	if err := os.WriteFile(c.File, []byte(text[:at]+count+text[end:]), 0o644); err != nil {
		t.Fatal(err)
	}
}

// Every rewrite that is offered builds the same image as the file before it, on a real daemon, each alone and all
// together.
func TestRewrites(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	real := startReal(t)
	tools := makeTools(ctx, t, real)
	cases := readRewriteCases(t)
	for n := range *rewritesFlag {
		cases = append(cases, GenerateRewriteCase(*seedFlag+uint64(n)))
	}
	offered := map[reorder.Grade]int{}
	with, wrong := 0, 0
	for _, c := range cases {
		grades, err := verifyRewrites(ctx, t, real, tools, c)
		if err != nil {
			wrong++
			t.Errorf("%s (%s):\n%v\n%s", c.Name, c.Prose, err, c.Dockerfile)
		}
		if len(grades) > 0 {
			with++
		}
		for _, g := range grades {
			offered[g]++
		}
	}
	t.Logf("%d cases, %d with offers: %v; %d wrong", len(cases), with, offered, wrong)
	if with == 0 {
		t.Error("nothing was offered for any case, so that nothing was tested")
	}
}

// What the cases rest on: a reordering that takes from a step what it reads changes the image.
func TestRewritesSeeHarm(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	real := startReal(t)
	tools := makeTools(ctx, t, real)
	harms := []struct {
		prose         string
		files         map[string]string
		before, after string
	}{
		{
			"a lifecycle script that reads sources",
			map[string]string{
				"package.json":      "{\n  \"postinstall\": \"cat src/*.js > /out.js; true\"\n}\n",
				"package-lock.json": "1\n",
				"src/a.js":          "a\n",
			},
			"FROM node:22\nWORKDIR /app\nCOPY . .\nRUN npm ci\n",
			"FROM node:22\nWORKDIR /app\nCOPY package*.json .\nRUN npm ci\nCOPY . .\n",
		},
		{"a variable that a RUN uses", map[string]string{"a": "a\n"},
			"FROM debian:12-slim\nENV A=1\nRUN echo $A > /a\n", "FROM debian:12-slim\nRUN echo $A > /a\nENV A=1\n"},
		{"two links to one place", map[string]string{"a": "a\n", "b": "b\n"},
			"FROM debian:12-slim\nCOPY --link a /x\nCOPY --link b " +
				"/x\n", "FROM debian:12-slim\nCOPY --link b /x\nCOPY --link a /x\n"},
		{"a cache that another stage takes", map[string]string{"go.mod": "module x\n", "main.go": "package main\n"},
			"FROM golang:1.24 AS b\nWORKDIR /src\nCOPY . .\nRUN CGO_ENABLED=0 go build -o /app .\nFROM scratch\nCOPY " +
				"--from=b /root /root\n",
			"FROM golang:1.24 AS b\nWORKDIR /src\nCOPY . .\nRUN --mount=type=cache,target=/root/.cache/go-build " +
				"CGO_ENABLED=0 go build -o /app .\nFROM scratch\nCOPY --from=b /root /root\n"},
		{
			"a cache that does not see all that is compiled",
			map[string]string{
				"go.mod":        "module x\n",
				"main.go":       "package main\n",
				"include/a.h":   "int a;\n",
				".dockerignore": "*\n!go.mod\n!main.go\n!include\n",
			},
			"FROM golang:1.24 AS b\nCOPY include /usr/include\nWORKDIR /src\nCOPY go.mod main.go ./\nRUN go build -o " +
				"/app .\nFROM scratch\nCOPY --from=b /app /app\n",
			"FROM golang:1.24 AS b\nCOPY include /usr/include\nWORKDIR /src\nCOPY go.mod main.go ./\nRUN " +
				"--mount=type=cache,target=/root/.cache/go-build go build -o /app .\nFROM scratch\nCOPY --from=b " +
				"/app /app\n",
		},
		{
			"a cache that goes by names",
			map[string]string{"package.json": "{}\n", "package-lock.json": "{\"resolved\": \"a\"}\n"},
			"FROM node:22 AS b\nWORKDIR /src\nCOPY package*.json .\nRUN npm ci\nFROM scratch\nCOPY --from=b " +
				"/src/node_modules /m\n",
			"FROM node:22 AS b\nWORKDIR /src\nCOPY package*.json .\nRUN " +
				"--mount=type=cache,target=/root/.npm/_cacache npm ci\nFROM scratch\nCOPY --from=b /src/node_modules " +
				"/m\n",
		},
		{"the owner of what is made", map[string]string{"a": "a\n"},
			"FROM debian:12-slim\nUSER 1000\nRUN touch /tmp/x\n", "FROM debian:12-slim\nRUN touch /tmp/x\nUSER 1000\n"},
	}
	for _, h := range harms {
		before, err := real.image(ctx, t.TempDir(), tools, h.before, h.files)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(h.after, "type=cache") {
			other := map[string]string{}
			for name, data := range h.files {
				other[name] = data
				if name == "include/a.h" || name == "package-lock.json" {
					other[name] = strings.ReplaceAll(data, "a", "b")
				}
			}
			if _, err := real.image(ctx, t.TempDir(), tools, h.after, other); err != nil {
				t.Fatal(err)
			}
		}
		after, err := real.image(ctx, t.TempDir(), tools, h.after, h.files)
		if err != nil {
			t.Fatal(err)
		}
		if len(imagediff.Compare(before, after)) == 0 {
			t.Errorf("%s: no difference is seen", h.prose)
		}
	}
}

// verifyRewrites builds a case as it is and with its rewrites. The error says what differs.
func verifyRewrites(
	ctx context.Context,
	t *testing.T,
	real *Real,
	tools string,
	c RewriteCase,
) ([]reorder.Grade, error) {
	rewrites := offers(dockerfile.Parse(source.New(c.Dockerfile), nil), c)
	if _, told := c.Files[offersFile]; told && len(rewrites) == 0 && *rewritesFlag < manyRewrites {
		return nil, nil // that it can be built is for the long run to see
	}
	build := func(text string, change func(name, data string) string) ([]imagediff.Image, error) {
		files := maps.Clone(c.Files)
		for name, data := range files {
			if change != nil {
				files[name] = change(name, data)
			}
		}
		return real.image(ctx, t.TempDir(), tools, text, files)
	}
	before, err := build(c.Dockerfile, nil)
	if err != nil {
		return nil, fmt.Errorf("it cannot be built as it is: %w", err)
	}
	if len(rewrites) == 0 {
		return nil, nil
	}
	var grades []reorder.Grade
	var all []source.Edit
	for _, r := range rewrites {
		grades = append(grades, r.Grade)
		all = append(all, r.Edits...)
		for _, part := range r.Parts {
			grades = append(grades, part.Grade)
			if err := sameImage(before, build, c.Dockerfile, part.Edits); err != nil {
				return grades, fmt.Errorf("only %s (%s): %w", part.Title, part.Grade, err)
			}
		}
		if len(rewrites) == 1 {
			break
		}
		if err := sameImage(before, build, c.Dockerfile, r.Edits); err != nil {
			return grades, fmt.Errorf("%s (%s): %w", r.Title, r.Grade, err)
		}
	}
	if err := sameImage(before, build, c.Dockerfile, all); err != nil {
		return grades, fmt.Errorf(
			"all of %d rewrites, first %q (%s): %w",
			len(rewrites),
			rewrites[0].Title,
			rewrites[0].Grade,
			err,
		)
	}
	return grades, nil
}

// offers are what is offered for a case: for BuildKit with what is known of commands, else for the classic builder.
func offers(file *dockerfile.File, c RewriteCase) []reorder.Rewrite {
	model := reorder.Model{Context: caseContext(c.Files), Seconds: func(in *dockerfile.Instruction) float64 {
		if in.Meant == "RUN" { // each takes long enough to be worth moving
			return max(3, replay.Costs{}.Seconds(in))
		}
		return replay.Costs{}.Seconds(in)
	}}
	if rewrites := reorder.Search(context.Background(), file, model).Rewrites; len(rewrites) > 0 {
		return rewrites
	}
	return reorder.Suggest(file, reorder.Classic)
}

// caseContext is a case's context as rewrites see it: without what is ignored.
type caseContext map[string]string

func (c caseContext) List(dir string) []string {
	prefix := ""
	if dir != "." {
		prefix = dir + "/"
	}
	var names []string
	for name := range c {
		rest, ok := strings.CutPrefix(name, prefix)
		if !ok || c.ignored(name) {
			continue
		}
		first, _, deeper := strings.Cut(strings.TrimSuffix(rest, "*"), "/")
		if deeper {
			first += "/"
		}
		if !slices.Contains(names, first) {
			names = append(names, first)
		}
	}
	slices.Sort(names)
	return names
}

func (c caseContext) Read(file string) ([]byte, bool) {
	for _, name := range []string{file, file + "*"} {
		if text, ok := c[name]; ok && !c.ignored(name) {
			return []byte(text), true
		}
	}
	return nil, false
}

// Excluded: what a case does not have is nowhere.
func (c caseContext) Excluded(string) bool { return true }

func (c caseContext) Keeps(string) bool { return false }

func (c caseContext) ignored(name string) bool {
	if name == offersFile {
		return true
	}
	ignored, err := patternmatcher.MatchesOrParentMatches(
		strings.TrimRight(name, "@*"),
		strings.Fields(c[".dockerignore"]),
	)
	return err == nil && ignored
}

// changed is a file with another content that means the same.
func changed(name, data string) string {
	if strings.HasSuffix(name, "@") || strings.ContainsRune(data, 0) {
		return data
	}
	return data + "\n"
}

func sameImage(
	before []imagediff.Image,
	build func(string, func(name, data string) string) ([]imagediff.Image, error),
	text string,
	edits []source.Edit,
) error {
	after, err := source.Apply(text, edits)
	if err != nil {
		return err
	}
	if strings.Contains(after, "type=cache") {
		// A mount must not bring anything from another build: so there is one first, of other files.
		if _, err := build(after, changed); err != nil {
			return fmt.Errorf("it cannot be built with other files: %w\n%s", err, after)
		}
	}
	images, err := build(after, nil)
	if err != nil {
		return fmt.Errorf("it cannot be built any more: %w\n%s", err, after)
	}
	differences := imagediff.Compare(before, images)
	if len(differences) == 0 {
		return nil
	}
	var lines []string
	for _, d := range differences[:min(len(differences), 12)] {
		lines = append(lines, "  "+d.String())
	}
	return fmt.Errorf("the image differs:\n%s\nrewritten:\n%s", strings.Join(lines, "\n"), after)
}

// readRewriteCases reads the cases that were made by hand.
func readRewriteCases(t *testing.T) []RewriteCase {
	t.Helper()
	names, err := filepath.Glob("testdata/rewrites/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	var cases []RewriteCase
	add := func(file, name, prose string, a *txtar.Archive) {
		c := RewriteCase{File: file, Name: name, Prose: strings.TrimSpace(prose), Files: map[string]string{}}
		for _, f := range a.Files {
			c.Files[f.Name] = string(f.Data)
		}
		c.Dockerfile = c.Files["Dockerfile"]
		delete(c.Files, "Dockerfile")
		cases = append(cases, c)
	}
	for _, name := range names {
		a, err := txtar.ParseFile(name)
		if err != nil {
			t.Fatal(err)
		}
		add(name, filepath.Base(name), string(a.Comment), a)
	}
	// Many small ones in one file each: "=== name: prose" stands above each.
	for _, name := range []string{"traps.txt", "managers.txt", "divided.txt", "settings.txt", "mounts.txt"} {
		file := filepath.Join("testdata/rewrites", name)
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range strings.Split("\n"+string(text), "\n=== ")[1:] {
			head, body, _ := strings.Cut(part, "\n")
			short, prose, _ := strings.Cut(head, ": ")
			add(file, strings.TrimSuffix(name, ".txt")+"/"+short, prose, txtar.Parse([]byte(body+"\n")))
		}
	}
	return cases
}

// others are the names that the stand-in of that name goes by.
const others = "bun deno bower corepack rustup gem luarocks cpanm opam pipx uv pdm pipenv conda mamba pixi dotnet " +
	"mix rebar3 dart flutter swift gradle sbt lein cabal stack shards carton conan vcpkg dnf yum microdnf zypper " +
	"pacman patch-package python3 python npx useradd update-ca-certificates"

// makeTools builds the image with the stand-ins and returns the option value that names it.
func makeTools(ctx context.Context, t *testing.T, real *Real) string {
	t.Helper()
	files := map[string]File{}
	entries, err := os.ReadDir("testdata/rewrites/tools")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join("testdata/rewrites/tools", e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		files[e.Name()] = File{Mode: 0o755, Data: string(data)}
	}
	text := "FROM base\nENV HOME=/root\nRUN mkdir -p /root\nCOPY tools/* /usr/lib/tools/\nRUN for f in " +
		"/usr/lib/tools/*; do ln -s $f /bin/; done\n" +
		"RUN for f in " + others + "; do ln -s /usr/lib/tools/others /bin/$f; done\n"
	build := Build{Name: "Dockerfile", Dockerfile: text, Files: map[string]File{}}
	for name, f := range files {
		build.Files["tools/"+name] = f
	}
	value, err := real.images.Add(ctx, real.daemon, "tools", build.FrontendOptions(), newMemFS(build.Context()))
	if err != nil {
		t.Fatal(err)
	}
	return value
}

// image builds text with the files as context and reads the image. The Dockerfile is not part of the context, so that
// its own text makes no difference.
func (r *Real) image(ctx context.Context, dir, tools, text string, files map[string]string) ([]imagediff.Image, error) {
	contextFiles := map[string]File{}
	for name, data := range files {
		switch name, kind := strings.TrimRight(name, "@*"), name[len(name)-1]; kind {
		case '@':
			contextFiles[name] = File{Mode: fs.ModeSymlink | 0o777, Link: strings.TrimSpace(data)}
		case '*':
			contextFiles[name] = File{Mode: 0o755, Data: data}
		default:
			contextFiles[name] = File{Mode: 0o644, Data: data}
		}
	}
	delete(contextFiles, offersFile)
	opts := map[string]string{"filename": "Dockerfile", "cmdline": "builtin"}
	maps.Copy(opts, r.images.Contexts)
	for _, name := range baseNames(text) {
		opts["context:"+name] = tools
	}
	return r.read(ctx, dir, opts, map[string]fsutil.FS{
		"context":    newMemFS(withParents(contextFiles)),
		"dockerfile": newMemFS(map[string]File{"Dockerfile": {Mode: 0o644, Data: text}}),
	})
}

// read builds with options of the Dockerfile frontend and reads the image.
func (r *Real) read(ctx context.Context, dir string, opts map[string]string, locals map[string]fsutil.FS) (
	[]imagediff.Image, error,
) {
	archive := filepath.Join(dir, "image.tar")
	_, err := r.daemon.Client.Solve(ctx, nil, client.SolveOpt{
		Frontend:      "dockerfile.v0",
		FrontendAttrs: opts,
		LocalMounts:   locals,
		OCIStores:     r.images.Stores,
		Exports: []client.ExportEntry{
			{Type: client.ExporterOCI, Output: func(map[string]string) (io.WriteCloser, error) {
				return os.Create(archive)
			}},
		},
	}, nil)
	if err != nil {
		return nil, err
	}
	defer os.Remove(archive)
	return imagediff.ReadOCI(archive)
}

// baseNames are the images that a Dockerfile may be built from, by the names of the contexts that replace them.
func baseNames(text string) []string {
	names := []string{"debian:12-slim"}
	for _, a := range apps {
		names = append(names, a.image)
	}
	stages := dockerfile.Parse(source.New(text), nil).Stages
	for _, stage := range stages {
		isStage := slices.ContainsFunc(
			stages,
			func(s *dockerfile.Stage) bool { return s.Name != "" && s.Name == stage.Base.Text },
		)
		if name := stage.Base.Text; !isStage && !strings.Contains(name, "$") && name != "scratch" {
			names = append(names, strings.TrimSuffix(name, ":latest"))
		}
	}
	return names
}
