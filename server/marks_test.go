package server_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/layerwise/layerwise/server"
	"github.com/layerwise/layerwise/server/lsptest"
)

// painter is a client that paints the marks itself.
var painter = map[string]any{"cacheStatus": true}

// status is layerwise/cacheStatus as a client sees it.
type status struct {
	URI           string
	Version       *int
	State         string
	Baseline      struct{ Kind, Ref string }
	BaselineLabel string
	Notes         []string
	Steps         []struct {
		Line                int
		Instruction, Status string
		Cause               struct {
			Kind, Detail string
			Line         int
		}
	}
}

func (s status) String() string {
	var out []string
	for _, step := range s.Steps {
		out = append(out, step.Instruction+" "+step.Status)
	}
	return strings.Join(out, ", ")
}

// awaitStatus waits for a status that is ready and reads like want.
func awaitStatus(t *testing.T, e *lsptest.Editor, want string) status {
	t.Helper()
	var got status
	e.Await("layerwise/cacheStatus", func(p json.RawMessage) bool {
		got = status{}
		if err := json.Unmarshal(p, &got); err != nil {
			t.Fatal(err)
		}
		return got.State == "ready" && got.String() == want
	})
	return got
}

// repository makes a git repository with one commit of these files and returns its folder and a function that runs git.
func repository(t *testing.T, files ...string) (string, func(args ...string)) {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("SKIPPED: there is no git program")
	}
	dir := t.TempDir()
	git := func(args ...string) {
		t.Helper()
		cmd := exec.Command("git", args...)
		cmd.Dir = dir
		cmd.Env = append(
			os.Environ(),
			"GIT_CONFIG_GLOBAL=/dev/null",
			"GIT_CONFIG_SYSTEM=/dev/null",
			"GIT_AUTHOR_NAME=a",
			"GIT_AUTHOR_EMAIL=a@example.com",
			"GIT_COMMITTER_NAME=a",
			"GIT_COMMITTER_EMAIL=a@example.com",
		)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	for i := 0; i < len(files); i += 2 {
		write(t, filepath.Join(dir, files[i]), files[i+1])
	}
	git("init", "-q")
	git("add", "-A")
	git("commit", "-q", "-m", "first")
	return dir, git
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

const nodeApp = "FROM node:20\nWORKDIR /app\nCOPY package.json .\nRUN npm ci\nCOPY src src\n"

func TestMarksFollowTheFiles(t *testing.T) {
	dir, git := repository(t, "Dockerfile", nodeApp, "package.json", "{}", "src/app.js", "1", "README", "x")
	e := lsptest.Open(t, nil, painter, dir)
	uri := lsptest.URI(filepath.Join(dir, "Dockerfile"))
	e.OpenFile(uri, "dockerfile", nodeApp)

	const clean = "FROM cached, WORKDIR cached, COPY cached, RUN cached, COPY cached"
	const sourceChanged = "FROM cached, WORKDIR cached, COPY cached, RUN cached, COPY rebuilt"
	got := awaitStatus(t, e, clean)
	if got.Baseline.Kind != "git" || got.BaselineLabel != "git HEAD" || *got.Version != 1 {
		t.Errorf("status %+v", got)
	}

	write(t, filepath.Join(dir, "src/app.js"), "22")
	got = awaitStatus(t, e, sourceChanged)
	if cause := got.Steps[4].Cause; cause.Kind != "context-changed" || cause.Line != 5 ||
		!strings.Contains(cause.Detail, "src/app.js") {
		t.Errorf("cause %+v", cause)
	}

	git("commit", "-q", "-a", "-m", "second")
	awaitStatus(t, e, clean)

	// A file in a folder that did not exist when the server began to watch.
	write(t, filepath.Join(dir, "src/new/deep/file.js"), "1")
	awaitStatus(t, e, sourceChanged)
	if err := os.RemoveAll(filepath.Join(dir, "src/new")); err != nil {
		t.Fatal(err)
	}
	awaitStatus(t, e, clean)

	// What is unsaved in the editor counts: of the Dockerfile and of other files.
	e.Replace(uri, 2, strings.Replace(nodeApp, "npm ci", "npm ci --omit=dev", 1))
	awaitStatus(t, e, "FROM cached, WORKDIR cached, COPY cached, RUN rebuilt, COPY rebuilt")
	e.Replace(uri, 3, nodeApp)
	awaitStatus(t, e, clean)
	app := lsptest.URI(filepath.Join(dir, "src/app.js"))
	e.OpenFile(app, "javascript", "22")
	e.Replace(app, 2, "333")
	awaitStatus(t, e, sourceChanged)
	write(t, filepath.Join(dir, "src/app.js"), "333")
	e.Notify("textDocument/didSave", lsptest.Document(app))
	for i := range 50 { // marks never lapse between the editor's word and the disk's
		e.Replace(uri, 4+i, nodeApp)
		awaitStatus(t, e, sourceChanged)
	}
	write(t, filepath.Join(dir, "src/app.js"), "22")
	e.Notify("textDocument/didClose", lsptest.Document(app))
	awaitStatus(t, e, clean)

	// What is not copied does not count.
	write(t, filepath.Join(dir, "README"), "changed")
	write(t, filepath.Join(dir, "package.json"), "{} ")
	awaitStatus(t, e, "FROM cached, WORKDIR cached, COPY rebuilt, RUN rebuilt, COPY rebuilt")

	e.Notify("textDocument/didClose", lsptest.Document(uri))
	e.Await(
		"layerwise/cacheStatus",
		func(p json.RawMessage) bool { return strings.Contains(string(p), `"version":null`) },
	)
}

func TestNoRepository(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "Dockerfile"), nodeApp)
	write(t, filepath.Join(dir, "package.json"), "{}")
	write(t, filepath.Join(dir, "src/app.js"), "1")
	e := lsptest.Open(t, nil, painter, dir)
	uri := lsptest.URI(filepath.Join(dir, "Dockerfile"))
	e.OpenFile(uri, "dockerfile", nodeApp)
	got := awaitStatus(t, e, "FROM cached, WORKDIR cached, COPY cached, RUN cached, COPY cached")
	if got.Baseline.Kind != "opened" || len(got.Notes) == 0 || !strings.Contains(got.Notes[0], "git") {
		t.Errorf("status %+v", got)
	}
	write(t, filepath.Join(dir, "src/app.js"), "22")
	awaitStatus(t, e, "FROM cached, WORKDIR cached, COPY cached, RUN cached, COPY rebuilt")
}

func TestUntitledDocument(t *testing.T) {
	e := lsptest.Open(t, nil, painter)
	e.OpenFile(untitled, "dockerfile", "FROM a\nRUN b\n")
	got := awaitStatus(t, e, "FROM cached, RUN cached")
	if got.Baseline.Kind != "opened" {
		t.Errorf("status %+v", got)
	}
	e.Replace(untitled, 2, "FROM a\nRUN c\n")
	awaitStatus(t, e, "FROM cached, RUN rebuilt")
}

// A context with more folders than can be watched is looked at when the Dockerfile is saved, and that is said.
func TestTooManyFolders(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "Dockerfile"), nodeApp)
	write(t, filepath.Join(dir, "package.json"), "{}")
	write(t, filepath.Join(dir, "src/deep/app.js"), "1")
	e := lsptest.Start(t, server.Options{MaxFolders: 1})
	e.Initialize(nil, painter, dir)
	uri := lsptest.URI(filepath.Join(dir, "Dockerfile"))
	e.OpenFile(uri, "dockerfile", nodeApp)
	got := awaitStatus(t, e, "FROM cached, WORKDIR cached, COPY cached, RUN cached, COPY cached")
	if !strings.Contains(strings.Join(got.Notes, " "), "more than 1 folders") {
		t.Errorf("notes %q", got.Notes)
	}
	write(t, filepath.Join(dir, "src/deep/app.js"), "22")
	e.Notify("textDocument/didSave", lsptest.Document(uri))
	awaitStatus(t, e, "FROM cached, WORKDIR cached, COPY cached, RUN cached, COPY rebuilt")
}

// What a COPY names is looked at often where it cannot be watched: a mark that is no longer right does not stand until
// the whole context is looked at again.
func TestUnwatchedSources(t *testing.T) {
	dir := t.TempDir()
	const text = "FROM a\nCOPY src/deep /x\nCOPY new /y\n"
	write(t, filepath.Join(dir, "Dockerfile"), text)
	write(t, filepath.Join(dir, "src/deep/app.js"), "1")
	write(t, filepath.Join(dir, "new/a"), "1")
	e := lsptest.Start(t, server.Options{MaxFolders: 1})
	e.Initialize(nil, painter, dir)
	e.OpenFile(lsptest.URI(filepath.Join(dir, "Dockerfile")), "dockerfile", text)
	awaitStatus(t, e, "FROM cached, COPY cached, COPY cached")
	began := time.Now()
	write(t, filepath.Join(dir, "src/deep/app.js"), "22")
	awaitStatus(t, e, "FROM cached, COPY rebuilt, COPY rebuilt")
	if took := time.Since(began); took > 8*time.Second { // the whole is looked at after 10
		t.Errorf("it took %v", took)
	}
}

// A client that can watch is asked to, and its word is heeded.
func TestClientWatches(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "Dockerfile"), nodeApp)
	write(t, filepath.Join(dir, "package.json"), "{}")
	write(t, filepath.Join(dir, "src/deep/app.js"), "1")
	e := lsptest.Start(t, server.Options{MaxFolders: 1}) // the server's own watcher sees nothing of src
	e.Initialize(map[string]any{"workspace": map[string]any{
		"didChangeWatchedFiles": map[string]any{"dynamicRegistration": true, "relativePatternSupport": true},
	}}, painter, dir)
	e.OpenFile(lsptest.URI(filepath.Join(dir, "Dockerfile")), "dockerfile", nodeApp)
	awaitStatus(t, e, "FROM cached, WORKDIR cached, COPY cached, RUN cached, COPY cached")
	e.Await("client/registerCapability", func(p json.RawMessage) bool {
		return strings.Contains(string(p), `"baseUri":"file://`+dir) && strings.Contains(string(p), `"pattern":"**/*"`)
	})
	app := filepath.Join(dir, "src/deep/app.js")
	write(t, app, "22")
	e.Notify(
		"workspace/didChangeWatchedFiles",
		map[string]any{"changes": []any{map[string]any{"uri": lsptest.URI(app), "type": 2}}},
	)
	awaitStatus(t, e, "FROM cached, WORKDIR cached, COPY cached, RUN cached, COPY rebuilt")
}
