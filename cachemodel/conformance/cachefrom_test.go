package conformance

import (
	"bytes"
	"context"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/moby/buildkit/client"
	"github.com/tonistiigi/fsutil"

	"github.com/layerwise/layerwise/cachemodel"
)

// cacheFromCase is a project as it is when its cache is exported, and edits of it. Its build stages give other files
// each time, so that it is known what runs upon one that runs.
type cacheFromCase struct {
	name  string // as of a repository
	kinds []string
	files map[string]string // REGISTRY stands for the registry that has the base image
	edits []cacheFromEdit
}

type cacheFromEdit struct {
	name     string
	files    map[string]string // that are written
	mode     map[string]os.FileMode
	old, new string // in the Dockerfile
	// cause is a part of the first cause with a cache of mode=max, "" if nothing runs.
	cause string
}

var cacheFromCases = []cacheFromCase{
	{"node", []string{"local min", "local max", "registry max", "inline"}, map[string]string{
		".dockerignore": ".git\nDockerfile\n",
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
		{name: "nothing changed"},
		{name: "the source", files: map[string]string{"src.txt": "other\n"}, cause: "src.txt was modified"},
		{name: "README", files: map[string]string{"README.md": "other\n"}, cause: "README.md was modified"},
		{name: "a RUN of the final stage", old: "RUN cat /app", new: "RUN wc /app", cause: "was edited"},
		{name: "the manifest", files: map[string]string{"package.json": "{ }\n"}, cause: "package.json was modified"},
		{name: "CMD", old: `CMD ["/run.sh"]`, new: `CMD ["/start.sh"]`},
		{name: "permissions", mode: map[string]os.FileMode{"package.json": 0o664}, cause: "package.json"},
	}},
	{"go", []string{"local min", "local max", "inline"}, map[string]string{
		".dockerignore": ".git\nDockerfile\n",
		"Dockerfile": `FROM REGISTRY/base AS build
ENV A=1
COPY go.mod .
RUN cat go.mod > /modules
COPY . .
RUN cat main.go /proc/sys/kernel/random/uuid > /app
FROM scratch
COPY --from=build /app /app
`,
		"go.mod": "module a\n", "main.go": "package main\n", "README.md": "about\n",
	}, []cacheFromEdit{
		{name: "nothing changed"},
		{name: "the source", files: map[string]string{"main.go": "package other\n"}, cause: "main.go was modified"},
		{name: "README", files: map[string]string{"README.md": "other\n"}, cause: "README.md was modified"},
		{name: "ENV of the build stage", old: "A=1", new: "A=2", cause: "ENV A"},
	}},
	{"scratch", []string{"local min", "local max", "inline"}, map[string]string{
		".dockerignore": ".git\nDockerfile\n",
		"Dockerfile": `FROM REGISTRY/base AS certs
RUN cat /proc/sys/kernel/random/uuid > /certs
FROM REGISTRY/base AS build
COPY main.go .
RUN cat main.go /proc/sys/kernel/random/uuid > /app
FROM scratch
COPY --from=certs /certs /certs
WORKDIR /srv
WORKDIR /srv/data
COPY --from=build /app /app
`,
		"main.go": "package main\n",
	}, []cacheFromEdit{
		{name: "nothing changed"},
		{name: "the source", files: map[string]string{"main.go": "package other\n"}, cause: "main.go was modified"},
		{name: "what stands on the copy", old: "WORKDIR /srv\n", new: "WORKDIR /run\n", cause: "was edited"},
		{name: "what stands on that", old: "/srv/data", new: "/srv/log", cause: "was edited"},
		{name: "a layer that becomes a linked one", old: "FROM scratch\nCOPY --from=certs",
			new: "FROM build\nRUN echo two\nCOPY --link --from=certs", cause: "new"},
	}},
	{"scratch-copies", []string{"local min", "local max", "inline"}, map[string]string{
		".dockerignore": ".git\nDockerfile\n",
		"Dockerfile": `FROM REGISTRY/base AS certs
RUN cat /proc/sys/kernel/random/uuid > /certs
FROM REGISTRY/base AS build
RUN cat /proc/sys/kernel/random/uuid > /app
FROM scratch
COPY --from=certs /certs /certs
COPY --from=build /app /app
`,
	}, []cacheFromEdit{
		{name: "a step more", old: "/app /app\n", new: "/app /app\nWORKDIR /srv\n", cause: "new"},
		{name: "another destination", old: "/app /app\n", new: "/app /bin/app\n", cause: "was edited"},
	}},
	{"link", []string{"local min", "local max", "inline"}, map[string]string{
		".dockerignore": ".git\nDockerfile\n",
		"Dockerfile": `FROM REGISTRY/base AS certs
RUN cat /proc/sys/kernel/random/uuid > /certs
FROM REGISTRY/base
RUN echo one
COPY --link --from=certs /certs /certs
`,
	}, []cacheFromEdit{
		{name: "nothing changed"},
		{name: "the base", old: "echo one", new: "echo two", cause: "was edited"},
	}},
	{"empty", []string{"local min", "local max", "inline"}, map[string]string{
		".dockerignore": "*\n",
		"Dockerfile":    "FROM REGISTRY/base\nRUN echo one\nCOPY . /d\nRUN echo two\n",
		"src.txt":       "source\n",
	}, []cacheFromEdit{
		{name: "nothing changed"},
		{name: "an ignored file", files: map[string]string{"src.txt": "other\n"}},
		{name: "the last line", old: "echo two", new: "echo three", cause: "was edited"},
	}},
	{"one-stage", []string{"local min", "local max", "inline"}, map[string]string{
		".dockerignore": ".git\nDockerfile\n",
		"Dockerfile": `FROM REGISTRY/base
WORKDIR /app
COPY package.json .
RUN cat package.json > installed
COPY . .
RUN cat src.txt
`,
		"package.json": "{}\n", "src.txt": "source\n",
	}, []cacheFromEdit{
		{name: "nothing changed"},
		{name: "the source", files: map[string]string{"src.txt": "other\n"}, cause: "src.txt was modified"},
		{name: "the manifest", files: map[string]string{"package.json": "{ }\n"}, cause: "package.json was modified"},
	}},
}

// `layerwise predict --cache-from`, and --cache without the cache, against daemons that have nothing but what they
// import: a cached step never runs, and of those that do not run nearly all are promised.
func TestCacheFromCommand(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	x := newCICommand(t)
	hits, promised := 0, 0
	for _, one := range cacheFromCases {
		for _, kind := range one.kinds {
			dir := t.TempDir()
			writeFiles(t, dir, x.host, one.files)
			git(t, dir, "init", "-q", "-b", "main", ".")
			git(t, dir, "add", ".")
			git(t, dir, "commit", "-qm", "one")
			from, with := exportTo(kind, t.TempDir(), x.host, one.name)
			buildDir(ctx, t, x.real, dir, with)
			for _, edit := range one.edits {
				next := t.TempDir()
				if err := os.CopyFS(next, os.DirFS(dir)); err != nil {
					t.Fatal(err)
				}
				edit.make(t, next, x.host)
				did := buildDir(ctx, t, x.real, next, client.SolveOpt{CacheImports: imported(from)})
				where := one.name + ", " + kind + ", " + edit.name
				_, mode, ok := strings.Cut(kind, " ")
				if !ok {
					mode = kind
				}
				ruled, err := x.predict(next, "--cache", mode)
				if err != nil {
					t.Fatal(err)
				}
				holds(t, where+", by rule", ruled.Steps, did)
				report, err := x.predict(next, "--cache-from", from)
				if err != nil {
					t.Fatal(err)
				}
				if report.CacheFrom == nil || !report.CacheFrom.Matched {
					t.Errorf("%s: not matched: %+v", where, report.CacheFrom)
				}
				all, some := holds(t, where, report.Steps, did)
				hits, promised = hits+all, promised+some
				first := ""
				for _, s := range report.Steps {
					if s.Cause != nil && first == "" {
						first = s.Cause.Detail
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

// make edits a folder.
func (e cacheFromEdit) make(t *testing.T, dir, host string) {
	t.Helper()
	writeFiles(t, dir, host, e.files)
	for file, mode := range e.mode {
		if err := os.Chmod(filepath.Join(dir, file), mode); err != nil {
			t.Fatal(err)
		}
	}
	if e.old == "" {
		return
	}
	path := filepath.Join(dir, "Dockerfile")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, bytes.Replace(text, []byte(e.old), []byte(e.new), 1), 0o644); err != nil {
		t.Fatal(err)
	}
}

// holds holds verdicts against what a daemon did. It counts the steps that were taken from the cache, and those of them
// that were promised.
func holds(t *testing.T, where string, steps []cachemodel.Step, did Truth) (hits, promised int) {
	t.Helper()
	for _, s := range steps {
		lt, ok := did[s.Line]
		if !ok || lt.Unsure {
			continue
		}
		switch {
		case s.Status == cachemodel.Cached && lt.Executed > 0:
			t.Errorf("%s: line %d %s is promised cached, and ran", where, s.Line, s.Text)
		case s.Status == cachemodel.Rebuilt && s.Certain && lt.Executed == 0:
			t.Errorf("%s: line %d %s is certainly rebuilt (%s), and did not run", where, s.Line, s.Text, s.Cause.Detail)
		}
		if lt.Executed == 0 {
			if hits++; s.Status == cachemodel.Cached {
				promised++
			} else {
				t.Logf("%s: line %d %s is not promised: %+v", where, s.Line, s.Text, s.Cause)
			}
		}
	}
	return hits, promised
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

// exportTo is where a cache of a kind goes, to dir or to a repository of a registry: what --cache-from says of it, and
// the options that export it.
func exportTo(kind, dir, host, repository string) (from string, with client.SolveOpt) {
	way, mode, _ := strings.Cut(kind, " ")
	ref := host + "/" + repository + ":" + strings.ReplaceAll(kind, " ", "-")
	switch way {
	case "local":
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

// imported are the options of a build that imports a cache, none if from is "".
func imported(from string) []client.CacheOptionsEntry {
	if from == "" {
		return nil
	}
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
