package conformance

import (
	"context"
	"encoding/json"
	"io"
	"log"
	"maps"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/moby/buildkit/client"
	"github.com/tonistiigi/fsutil"

	"github.com/layerwise/layerwise/cachemodel"
	"github.com/layerwise/layerwise/cachemodel/workspace"
)

// cacheFromCase is a project as it is when its cache is exported, and edits of it. Its build stages give other files
// each time, so that it is known what runs upon one that runs.
type cacheFromCase struct {
	name  string
	kinds []string
	files map[string]string // REGISTRY stands for the registry that has the base image
	edits []cacheFromEdit
}

type cacheFromEdit struct {
	name  string
	files map[string]string // "" removes a file
	mode  map[string]os.FileMode
	// cause is a part of the first cause with a cache of mode=max, "" if nothing runs.
	cause string
}

var cacheFromCases = []cacheFromCase{
	{"three stages", []string{"local min", "local max", "registry max", "inline"}, map[string]string{
		".dockerignore": ".git\n",
		"Dockerfile": `FROM REGISTRY/base AS deps
WORKDIR /src
COPY package.json ./
RUN cat package.json > installed
FROM deps AS build
COPY . .
RUN cat src.txt installed /proc/sys/kernel/random/uuid > built
FROM REGISTRY/base
ENV MODE=production
COPY run.sh /run.sh
COPY --from=build /src/built /app/built
RUN cat /app/built
CMD ["/run.sh"]
`,
		"package.json": "{}\n", "src.txt": "source\n", "run.sh": "#!/bin/sh\n", "README.md": "about\n",
	}, []cacheFromEdit{
		{"nothing changed", nil, nil, ""},
		{"the source", map[string]string{"src.txt": "other\n"}, nil, "src.txt was modified"},
		{"the manifest", map[string]string{"package.json": "{ }\n"}, nil, "package.json was modified"},
		{"permissions", nil, map[string]os.FileMode{"package.json": 0o664}, "package.json"},
	}},
	{"from scratch", []string{"local max", "inline"}, map[string]string{
		".dockerignore": ".git\nREADME.md\n",
		"Dockerfile": `FROM REGISTRY/base AS build
ENV A=1
COPY go.mod .
RUN cat go.mod > /modules
COPY main.go .
RUN cat main.go /proc/sys/kernel/random/uuid > /app
FROM scratch
COPY --from=build /app /app
`,
		"go.mod": "module a\n", "main.go": "package main\n",
	}, []cacheFromEdit{
		{"nothing changed", nil, nil, ""},
		{"the source", map[string]string{"main.go": "package other\n"}, nil, "main.go was modified"},
	}},
	{"one stage", []string{"local min", "inline"}, map[string]string{
		".dockerignore": ".git\n",
		"Dockerfile": `FROM REGISTRY/base
WORKDIR /app
COPY a.txt .
RUN cat a.txt > b.txt
COPY c.txt .
RUN cat c.txt
`,
		"a.txt": "a\n", "c.txt": "c\n",
	}, []cacheFromEdit{
		{"nothing changed", nil, nil, ""},
		{"the last file", map[string]string{"c.txt": "d\n"}, nil, "c.txt was modified"},
		{"the first file", map[string]string{"a.txt": "d\n"}, nil, "a.txt was modified"},
	}},
}

// `layerwise predict --cache-from` against daemons that have nothing but what they import: a cached step never runs,
// and of those that do not run nearly all are promised.
func TestCacheFromCommand(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	real := startReal(t)
	bin := filepath.Join(t.TempDir(), "layerwise")
	build := exec.Command("go", "build", "-o", bin, "./cmd/layerwise")
	build.Dir = filepath.Join("..", "..")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building the command: %v\n%s", err, out)
	}
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")
	push(t, real.images.Dirs["base"], host+"/base:latest")
	hits, promised := 0, 0
	for _, one := range cacheFromCases {
		for _, kind := range one.kinds {
			dir := t.TempDir()
			writeFiles(t, dir, host, one.files)
			git(t, dir, "init", "-q", "-b", "main", ".")
			git(t, dir, "add", ".")
			git(t, dir, "commit", "-qm", "one")
			from, with := exportTo(t, kind, host, strings.ReplaceAll(one.name, " ", "-"))
			buildDir(ctx, t, real, dir, with)
			for _, edit := range one.edits {
				next := t.TempDir()
				if err := os.CopyFS(next, os.DirFS(dir)); err != nil {
					t.Fatal(err)
				}
				writeFiles(t, next, host, edit.files)
				for file, mode := range edit.mode {
					if err := os.Chmod(filepath.Join(next, file), mode); err != nil {
						t.Fatal(err)
					}
				}
				where := one.name + ", " + kind + ", " + edit.name
				report := predictCacheFrom(t, bin, next, from)
				if report.CacheFrom == nil || !report.CacheFrom.Matched {
					t.Errorf("%s: not matched: %+v", where, report.CacheFrom)
				}
				did := buildDir(ctx, t, real, next, client.SolveOpt{CacheImports: imported(from)})
				first := ""
				for _, s := range report.Steps {
					if s.Cause != nil && first == "" {
						first = s.Cause.Detail
					}
					lt, ok := did[s.Line]
					if !ok || lt.Unsure {
						continue
					}
					switch {
					case s.Status == cachemodel.Cached && lt.Executed > 0:
						t.Errorf("%s: line %d %s is promised cached, and ran", where, s.Line, s.Text)
					case s.Status == cachemodel.Rebuilt && s.Certain && lt.Executed == 0:
						t.Errorf("%s: line %d %s is certainly rebuilt (%s), and did not run", where, s.Line, s.Text,
							s.Cause.Detail)
					}
					if lt.Executed == 0 {
						if hits++; s.Status == cachemodel.Cached {
							promised++
						} else {
							t.Logf("%s: line %d %s is not promised: %+v", where, s.Line, s.Text, s.Cause)
						}
					}
				}
				if kind == "local max" && !strings.Contains(first, edit.cause) || edit.cause == "" && first != "" {
					t.Errorf("%s: the first cause is %q, want one with %q", where, first, edit.cause)
				}
			}
		}
	}
	t.Logf("of %d steps that the fresh daemons took from the cache %d were promised", hits, promised)
	if hits == 0 || promised*100 < hits*99 {
		t.Errorf("only %d of %d steps from the cache were promised", promised, hits)
	}
}

// push puts an image of an OCI layout into a registry.
func push(t *testing.T, dir, ref string) {
	t.Helper()
	at, err := layout.FromPath(dir)
	if err != nil {
		t.Fatal(err)
	}
	index, err := at.ImageIndex()
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	image, err := index.Image(manifest.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	to, err := name.ParseReference(ref)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(to, image); err != nil {
		t.Fatal(err)
	}
}

func writeFiles(t *testing.T, dir, host string, files map[string]string) {
	t.Helper()
	for file, text := range files {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(strings.ReplaceAll(text, "REGISTRY", host)),
			0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func git(t *testing.T, dir string, args ...string) {
	t.Helper()
	cmd := exec.Command("git", append([]string{"-C", dir, "-c", "user.name=a", "-c", "user.email=a@a"}, args...)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, out)
	}
}

// exportTo is where a cache of a kind goes: what --cache-from says of it, and the options that export it.
func exportTo(t *testing.T, kind, host, repository string) (from string, with client.SolveOpt) {
	t.Helper()
	way, mode, _ := strings.Cut(kind, " ")
	ref := host + "/" + repository + ":" + strings.ReplaceAll(kind, " ", "-")
	switch way {
	case "local":
		dir := t.TempDir()
		attrs := map[string]string{"dest": dir, "mode": mode}
		with.CacheExports = []client.CacheOptionsEntry{{Type: "local", Attrs: attrs}}
		return "type=local,src=" + dir, with
	case "registry":
		with.CacheExports = []client.CacheOptionsEntry{{Type: "registry", Attrs: map[string]string{"ref": ref,
			"mode": mode}}}
		return "type=registry,ref=" + ref, with
	}
	with.CacheExports = []client.CacheOptionsEntry{{Type: "inline"}}
	attrs := map[string]string{"name": ref, "push": "true"}
	with.Exports = []client.ExportEntry{{Type: client.ExporterImage, Attrs: attrs}}
	return ref, with
}

func imported(from string) []client.CacheOptionsEntry {
	if dir, ok := strings.CutPrefix(from, "type=local,src="); ok {
		return []client.CacheOptionsEntry{{Type: "local", Attrs: map[string]string{"src": dir}}}
	}
	return []client.CacheOptionsEntry{{Type: "registry", Attrs: map[string]string{
		"ref": strings.TrimPrefix(from, "type=registry,ref=")}}}
}

// buildDir builds a folder on a daemon that has nothing.
func buildDir(ctx context.Context, t *testing.T, real *Real, dir string, with client.SolveOpt) Truth {
	t.Helper()
	fresh, err := real.Fresh(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer fresh.Close()
	files, err := fsutil.NewFS(dir)
	if err != nil {
		t.Fatal(err)
	}
	opts := maps.Clone(fresh.daemon.Options)
	if opts == nil {
		opts = map[string]string{}
	}
	did, err := fresh.solve(ctx, opts, map[string]fsutil.FS{"context": files, "dockerfile": files}, with)
	if err != nil {
		t.Fatal(err)
	}
	return did
}

func predictCacheFrom(t *testing.T, bin, dir, from string) (report workspace.Report) {
	t.Helper()
	predict := exec.Command(bin, "predict", "--cache-from", from, "--format", "json", "--buildkit", "off", dir)
	var said strings.Builder
	predict.Dir, predict.Stderr = dir, &said
	predict.Env = append(os.Environ(), "XDG_CACHE_HOME="+t.TempDir(), "DOCKER_CONFIG="+t.TempDir())
	out, err := predict.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%s", predict.Args, err, said.String())
	}
	if err := json.Unmarshal(out, &report); err != nil {
		t.Fatal(err)
	}
	return report
}
