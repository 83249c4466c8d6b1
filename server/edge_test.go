package server_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/layerwise/layerwise/server"
	"github.com/layerwise/layerwise/server/lsptest"
)

// What is amiss around the Dockerfile is said in a sentence, and the rest works.
func TestSurroundings(t *testing.T) {
	const text = "FROM alpine\nCOPY a.txt /\nRUN b\n"
	const allCached = "FROM cached, COPY cached, RUN cached"
	for _, test := range []struct {
		about  string
		set    func(t *testing.T, dir string) (path string)
		option map[string]any // settings
		steps  string
		note   string // part of a note
		shown  string // part of a message box
	}{
		{
			about: "there is no git program",
			set: func(t *testing.T, dir string) string {
				t.Setenv("PATH", t.TempDir())
				return filepath.Join(dir, "Dockerfile")
			},
			steps: allCached, note: "git",
		},
		{
			about: "a file of the context cannot be read",
			set: func(t *testing.T, dir string) string {
				if os.Getuid() == 0 {
					t.Skip("SKIPPED: to root every file is readable")
				}
				write(t, filepath.Join(dir, "secret/x"), "x")
				if err := os.Chmod(filepath.Join(dir, "secret"), 0); err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = os.Chmod(filepath.Join(dir, "secret"), 0o755) })
				return filepath.Join(dir, "Dockerfile")
			},
			steps: allCached, note: "cannot be read",
		},
		{
			about: "symlinks run in a circle, and to themselves",
			set: func(t *testing.T, dir string) string {
				for from, to := range map[string]string{"self": "self", "a": "b", "b": "a", "up": ".."} {
					if err := os.Symlink(to, filepath.Join(dir, from)); err != nil {
						t.Fatal(err)
					}
				}
				return filepath.Join(dir, "Dockerfile")
			},
			steps: allCached,
		},
		{
			about: "a directory is called Dockerfile",
			set: func(t *testing.T, dir string) string {
				if err := os.Remove(filepath.Join(dir, "Dockerfile")); err != nil {
					t.Fatal(err)
				}
				write(t, filepath.Join(dir, "Dockerfile/x"), "x")
				write(t, filepath.Join(dir, "Dockerfile.dev"), text)
				return filepath.Join(dir, "Dockerfile.dev")
			},
			steps: allCached,
		},
		{
			about: "the opened file is a directory on disk",
			set: func(t *testing.T, dir string) string {
				if err := os.Remove(filepath.Join(dir, "Dockerfile")); err != nil {
					t.Fatal(err)
				}
				write(t, filepath.Join(dir, "Dockerfile/x"), "x")
				return filepath.Join(dir, "Dockerfile")
			},
			steps: allCached,
		},
		{
			about: "the folder is gone",
			set: func(t *testing.T, dir string) string {
				return filepath.Join(dir, "gone", "Dockerfile")
			},
			note: "no such file",
		},
		{
			about:  "the context of the settings is a file",
			set:    func(t *testing.T, dir string) string { return filepath.Join(dir, "Dockerfile") },
			option: map[string]any{"context": "a.txt"},
			note:   "not a directory",
		},
		{
			about:  "the revision of the settings does not exist",
			set:    func(t *testing.T, dir string) string { return filepath.Join(dir, "Dockerfile") },
			option: map[string]any{"baseline": "git:nowhere"},
			steps:  allCached, note: "git:nowhere", shown: "git:nowhere",
		},
		{
			about:  "a setting makes no sense",
			set:    func(t *testing.T, dir string) string { return filepath.Join(dir, "Dockerfile") },
			option: map[string]any{"engine": "kaniko", "inlayHints": 7, "buildArgs": []int{1}},
			steps:  allCached, shown: "layerwise.engine must be",
		},
	} {
		t.Run(test.about, func(t *testing.T) {
			dir := t.TempDir()
			write(t, filepath.Join(dir, "Dockerfile"), text)
			write(t, filepath.Join(dir, "a.txt"), "1")
			path := test.set(t, dir)
			e := lsptest.Open(t, nil, map[string]any{"cacheStatus": true, "layerwise": test.option}, dir)
			e.OpenFile(lsptest.URI(path), "dockerfile", text)
			var got status
			e.Await("layerwise/cacheStatus", func(p json.RawMessage) bool {
				return json.Unmarshal(p, &got) == nil && got.State == "ready"
			})
			if test.steps != "" && got.String() != test.steps {
				t.Errorf("steps %s, want %s", got, test.steps)
			}
			if notes := strings.Join(got.Notes, " "); !strings.Contains(notes, test.note) {
				t.Errorf("notes %q, want something about %q", notes, test.note)
			}
			if test.shown != "" {
				e.Await(
					"window/showMessage",
					func(p json.RawMessage) bool { return strings.Contains(string(p), test.shown) },
				)
			} else if shown := e.Received("window/showMessage"); len(shown) > 0 {
				t.Errorf("message boxes: %s", shown)
			}
			alive(t, e)
		})
	}
}

// Settings are asked of a client that can be asked, for each folder, and asked again when it says that they changed.
func TestSettingsArePulled(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "classic/Dockerfile"), "")
	write(t, filepath.Join(dir, "buildkit/Dockerfile"), "")
	var engine atomic.Value
	engine.Store("classic")
	e := lsptest.Start(t, server.Options{})
	e.Answer("workspace/configuration", func(p json.RawMessage) any {
		var asked struct {
			Items []struct{ ScopeURI, Section string }
		}
		if err := json.Unmarshal(p, &asked); err != nil {
			t.Error(err)
		}
		var answers []any
		for _, item := range asked.Items {
			if item.Section != "layerwise" {
				t.Errorf("asked for section %q", item.Section)
			}
			if strings.HasSuffix(item.ScopeURI, "/classic") {
				answers = append(answers, map[string]any{"engine": engine.Load()})
			} else {
				answers = append(answers, nil)
			}
		}
		return answers
	})
	e.Initialize(map[string]any{"workspace": map[string]any{
		"configuration": true, "didChangeConfiguration": map[string]any{"dynamicRegistration": true},
	}}, painter, filepath.Join(dir, "classic"), filepath.Join(dir, "buildkit"))
	const text = "FROM a\nENV a=b\n"
	e.OpenFile(lsptest.URI(filepath.Join(dir, "classic/Dockerfile")), "dockerfile", text)
	awaitStatus(t, e, "FROM cached, ENV cached")
	e.OpenFile(lsptest.URI(filepath.Join(dir, "buildkit/Dockerfile")), "dockerfile", text)
	awaitStatus(t, e, "FROM cached, ENV config")
	e.Await(
		"client/registerCapability",
		func(p json.RawMessage) bool { return strings.Contains(string(p), "workspace/didChangeConfiguration") },
	)

	engine.Store("buildkit")
	e.Notify("workspace/didChangeConfiguration", map[string]any{"settings": nil})
	e.Await("layerwise/cacheStatus", func(p json.RawMessage) bool {
		return strings.Contains(string(p), "/classic/") && strings.Contains(string(p), `"engine":"buildkit"`)
	})
}

// A client that sends its settings with the notification gets them heeded too.
func TestSettingsArePushed(t *testing.T) {
	e := lsptest.Open(t, nil, painter)
	e.OpenFile(untitled, "dockerfile", "FROM a\nENV a=b\n")
	awaitStatus(t, e, "FROM cached, ENV config")
	e.Notify(
		"workspace/didChangeConfiguration",
		map[string]any{"settings": map[string]any{"layerwise": map[string]any{"engine": "classic"}}},
	)
	awaitStatus(t, e, "FROM cached, ENV cached")
}

// A client that can refresh gets its answers at once and is told when there are better ones; one that cannot, waits.
func TestRefresh(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a.txt"), "1")
	e := lsptest.Open(t, map[string]any{"workspace": map[string]any{
		"inlayHint": map[string]any{"refreshSupport": true}, "codeLens": map[string]any{"refreshSupport": true},
	}}, nil, dir)
	uri := lsptest.URI(filepath.Join(dir, "Dockerfile"))
	e.OpenFile(uri, "dockerfile", "FROM a\nCOPY a.txt /\n")
	e.Await("workspace/inlayHint/refresh", nil)
	e.Await("workspace/codeLens/refresh", nil)
	// What is read anew in between has no hints: the client is told again.
	for hints := []any(nil); len(hints) != 2; {
		e.MustCall("textDocument/inlayHint", lsptest.Document(uri, "range", lsptest.Range(0, 0, 9, 0)), &hints)
		if len(hints) != 2 {
			e.Await("workspace/inlayHint/refresh", nil)
		}
	}
	write(t, filepath.Join(dir, "a.txt"), "22")
	e.Await("workspace/inlayHint/refresh", nil)
	if got := e.Received("layerwise/cacheStatus"); got != nil {
		t.Errorf("a client that did not ask for it got %s", got)
	}
}

// A client that pulls diagnostics gets no second copy pushed.
func TestPulledDiagnosticsAreNotPushed(t *testing.T) {
	e := lsptest.Open(t, map[string]any{"textDocument": map[string]any{"diagnostic": map[string]any{}}}, painter)
	e.OpenFile(untitled, "dockerfile", "EVN a=b\n")
	var report struct {
		Kind, ResultID string
		Items          []any
	}
	e.MustCall("textDocument/diagnostic", lsptest.Document(untitled), &report)
	if report.Kind != "full" || len(report.Items) == 0 || report.ResultID == "" {
		t.Fatalf("report %+v", report)
	}
	e.Replace(untitled, 2, "EVN a=bc\n")
	id := report.ResultID
	e.MustCall("textDocument/diagnostic", lsptest.Document(untitled, "previousResultId", id), &report)
	if report.Kind != "unchanged" || report.ResultID != id {
		t.Errorf("report %+v", report)
	}
	awaitStatus(t, e, "ENV fails") // what would have been pushed came before this
	if pushed := e.Received("textDocument/publishDiagnostics"); pushed != nil {
		t.Errorf("pushed %s", pushed)
	}
}

func TestPushedDiagnostics(t *testing.T) {
	e := lsptest.Open(t, nil, nil)
	e.OpenFile(untitled, "dockerfile", "FROM a\nEVN a=b\n")
	e.Await("textDocument/publishDiagnostics", func(p json.RawMessage) bool {
		return strings.Contains(string(p), `"version":1`) && strings.Contains(string(p), `"code":"unknown-instruction"`)
	})
	e.Replace(untitled, 2, "FROM a\nENV a=b\n")
	e.Await("textDocument/publishDiagnostics", func(p json.RawMessage) bool {
		return strings.Contains(string(p), `"version":2`) && strings.Contains(string(p), `"diagnostics":[]`)
	})
	e.Notify("textDocument/didClose", lsptest.Document(untitled))
	e.Await(
		"textDocument/publishDiagnostics",
		func(p json.RawMessage) bool { return !strings.Contains(string(p), "version") },
	)
}

// A source that is typed is looked for at once, without a change of a file.
func TestMissingSourceWhileTyping(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "package.json"), "{}")
	write(t, filepath.Join(dir, "Dockerfile"), "FROM alpine\nCOPY package.json ./\n")
	uri := lsptest.URI(filepath.Join(dir, "Dockerfile"))
	e := lsptest.Open(t, nil, nil)
	e.OpenFile(uri, "dockerfile", "FROM alpine\nCOPY package.json ./\n")
	e.Replace(uri, 2, "FROM alpine\nCOPY pakage.json ./\n")
	e.Await("textDocument/publishDiagnostics", func(p json.RawMessage) bool {
		return strings.Contains(string(p), `"version":2`) && strings.Contains(string(p), `"code":"missing-source"`)
	})
	e.Replace(uri, 3, "FROM alpine\nCOPY package.json ./\n")
	e.Await("textDocument/publishDiagnostics", func(p json.RawMessage) bool {
		return strings.Contains(string(p), `"version":3`) && strings.Contains(string(p), `"diagnostics":[]`)
	})
}

func TestCodeActionKinds(t *testing.T) {
	e := lsptest.Open(
		t,
		map[string]any{"textDocument": map[string]any{"codeAction": map[string]any{"disabledSupport": true}}},
		nil,
	)
	e.OpenFile(untitled, "dockerfile", "FROM a\nEVN a=b\nCPOY x y\n")
	for _, test := range []struct {
		line int
		only []string
		want string
	}{
		{1, nil, "quickfix source.fixAll.layerwise"},
		{0, nil, "source.fixAll.layerwise"},
		{1, []string{"quickfix"}, "quickfix"},
		{0, []string{"quickfix"}, ""},
		{0, []string{"source"}, "source.fixAll.layerwise"},
		{0, []string{"source.fixAll"}, "source.fixAll.layerwise"},
		{0, []string{"source.fixAll.eslint"}, ""},
		{1, []string{"quick"}, ""},
		{1, []string{""}, "quickfix refactor.rewrite source.fixAll.layerwise"},
		{1, []string{"refactor"}, "refactor.rewrite"}, // disabled, with the reason
	} {
		context := map[string]any{"diagnostics": []any{}}
		if test.only != nil {
			context["only"] = test.only
		}
		var actions []struct {
			Kind     string
			Disabled struct{ Reason string }
			Edit     struct{ Changes map[string][]any }
		}
		e.MustCall(
			"textDocument/codeAction",
			lsptest.Document(untitled, "range", lsptest.Range(test.line, 0, test.line, 1), "context", context),
			&actions,
		)
		var kinds []string
		for _, a := range actions {
			kinds = append(kinds, a.Kind)
			if (a.Disabled.Reason == "") != (len(a.Edit.Changes[untitled]) > 0) {
				t.Errorf("%v: an action must have edits or say why not: %+v", test.only, a)
			}
		}
		if got := strings.Join(kinds, " "); got != test.want {
			t.Errorf("line %d, only %q: %s, want %s", test.line, test.only, got, test.want)
		}
	}
}

// A document whose address is none is one without a file.
func TestOddAddresses(t *testing.T) {
	e := lsptest.Open(t, nil, nil, t.TempDir())
	for _, uri := range []string{"", "Dockerfile", "not an address", "file:", "file:///", "C:\\x\\Dockerfile",
		"file:///tmp/%zz/Dockerfile", "git:/x/Dockerfile?%7B%7D", "vscode-notebook-cell:/x.ipynb#C1", "untitled:%"} {
		e.OpenFile(uri, "dockerfile", "FROM a\nRUN b\n")
		var said struct{ Contents struct{ Value string } }
		e.MustCall(
			"textDocument/hover",
			lsptest.Document(uri, "position", map[string]any{"line": 1, "character": 1}),
			&said,
		)
		if !strings.Contains(said.Contents.Value, "RUN") {
			t.Errorf("%q: %s", uri, said.Contents.Value)
		}
		e.Notify("textDocument/didClose", lsptest.Document(uri))
	}
}

// A hover tells what it knows where the build context takes long to read.
func TestHoverDoesNotWaitForLong(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a"), "x")
	e := lsptest.Start(t, server.Options{Patience: time.Millisecond})
	release := make(chan struct{})
	t.Cleanup(func() { close(release) })
	e.Answer("workspace/configuration", func(json.RawMessage) any { // the context waits for the settings
		return func() any { <-release; return []any{nil, nil} }
	})
	e.Initialize(map[string]any{"workspace": map[string]any{"configuration": true}}, nil, dir)
	uri := lsptest.URI(filepath.Join(dir, "Dockerfile"))
	e.OpenFile(uri, "dockerfile", "FROM alpine\nCOPY a /\n")
	var said struct{ Contents struct{ Value string } }
	e.MustCall(
		"textDocument/hover",
		lsptest.Document(uri, "position", map[string]any{"line": 1, "character": 1}),
		&said,
	)
	if got := said.Contents.Value; !strings.Contains(got, "is being read") || !strings.Contains(got, "Copy files") {
		t.Error(got)
	}
}

// Of a context that is not read nothing is promised.
func TestContextIsNotRead(t *testing.T) {
	for _, test := range []struct{ why, uri, context string }{
		{"it is the whole file system", "", "/"},
		{"it is not there", "", "missing"},
		{"it is a file", "", "Dockerfile"},
		{"the document is in no folder", "untitled:Untitled-1", ""},
	} {
		t.Run(test.why, func(t *testing.T) {
			dir := t.TempDir()
			const text = "FROM scratch\nCOPY a /\nWORKDIR /w\n"
			write(t, filepath.Join(dir, "Dockerfile"), text)
			uri := test.uri
			if uri == "" {
				uri = lsptest.URI(filepath.Join(dir, "Dockerfile"))
			}
			e := lsptest.Open(
				t,
				nil,
				map[string]any{"cacheStatus": true, "layerwise": map[string]any{"context": test.context}},
				dir,
			)
			e.OpenFile(uri, "dockerfile", text)
			awaitStatus(t, e, "FROM config, COPY rebuilt, WORKDIR rebuilt")
		})
	}
}
