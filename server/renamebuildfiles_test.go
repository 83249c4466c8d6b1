package server_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/layerwise/layerwise/server"
	"github.com/layerwise/layerwise/server/lsptest"
)

// TestRenameInBuildFiles renames stages and arguments that Compose and bake files name.
func TestRenameInBuildFiles(t *testing.T) {
	const compose = "services:\n  web:\n    build: {context: ., target: prod, args: {V: \"1\"}}\n" +
		"  other:\n    build: {context: other, target: prod}\n"
	const ci = "on: push\njobs:\n  j:\n    runs-on: x\n    steps:\n      - run: docker build --target prod .\n" +
		"      - run: docker build --build-arg V=1 .\n"
	const bake = "target \"web\" {\n  target = \"prod\"\n  args = { V = \"V\" }\n}\n"
	tests := []struct {
		about, text     string
		line, character int
		compose, bake   string // as they are then
		ci              string
	}{
		{"a stage", "FROM a AS prod\nRUN x\n", 0, 11,
			strings.Replace(compose, "target: prod", "target: new", 1), strings.Replace(bake, `"prod"`, `"new"`, 1),
			strings.Replace(ci, "target prod", "target new", 1)},
		{"an argument", "FROM a AS prod\nARG V\nRUN x\n", 1, 4,
			strings.Replace(compose, "{V:", "{new:", 1), strings.Replace(bake, "{ V =", "{ new =", 1),
			strings.Replace(ci, "V=1", "new=1", 1)},
		{"an ENV, which no build file sets", "FROM a AS prod\nENV V=1\nRUN x\n", 1, 4, compose, bake, ci},
		{"an argument of one of two stages, of which the other keeps the name",
			"FROM a\nARG V\nFROM b AS prod\nARG V\nRUN x\n", 1, 4, compose, bake, ci},
		{"a stage that no build file names", "FROM a AS base\nFROM base AS prod\n", 0, 11, compose, bake, ci},
	}
	for _, tt := range tests {
		for _, documentChanges := range []bool{true, false} {
			root := t.TempDir() // named as the whole test is, which suits a URI
			t.Run(tt.about, func(t *testing.T) {
				texts := map[string]string{
					"Dockerfile": tt.text, "compose.yaml": compose, "docker-bake.hcl": bake, "other/Dockerfile": tt.text,
					".github/workflows/ci.yml": ci,
				}
				for name, text := range texts {
					path := filepath.Join(root, name)
					if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
						t.Fatal(err)
					}
					if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
						t.Fatal(err)
					}
				}
				e := lsptest.Start(t, server.Options{CacheDir: t.TempDir()})
				e.Initialize(
					map[string]any{"workspace": map[string]any{
						"workspaceEdit": map[string]any{"documentChanges": documentChanges},
					}},
					map[string]any{"cacheStatus": true, "layerwise": map[string]any{"buildkit": "off"}}, root,
				)
				uri := lsptest.URI(filepath.Join(root, "Dockerfile"))
				e.OpenFile(uri, "dockerfile", tt.text)
				e.Await("layerwise/cacheStatus", func(params json.RawMessage) bool {
					return strings.Contains(string(params), `"ready"`)
				})
				position := map[string]any{"line": tt.line, "character": tt.character}
				var edit renameEdit
				e.MustCall("textDocument/rename", lsptest.Document(uri, "position", position, "newName", "new"), &edit)
				want := map[string]string{"compose.yaml": tt.compose, "docker-bake.hcl": tt.bake,
					"other/Dockerfile": tt.text, ".github/workflows/ci.yml": tt.ci}
				for name, want := range want {
					if got := edit.applied(lsptest.URI(filepath.Join(root, name)), texts[name]); got != want {
						t.Errorf("%s is then\n%s\nwant\n%s", name, got, want)
					}
				}
				if edit.applied(uri, tt.text) == tt.text {
					t.Error("the Dockerfile stays as it is")
				}
			})
		}
	}
}

// TestRenameFromBuildFiles renames from where a Compose or bake file names a stage or an argument: in the Dockerfile,
// open or not, and in the other build files. What a CI file keeps is said.
func TestRenameFromBuildFiles(t *testing.T) {
	const dockerfile = "FROM a AS prod\nARG V\nRUN echo $V\nFROM prod\n"
	const compose = "services:\n  web:\n    build: {context: ., target: prod, args: {V: \"1\"}}\n"
	const bake = "target \"web\" {\n  target = \"prod\"\n  args = { V = \"V\" }\n}\n"
	const ci = "on: push\njobs:\n  j:\n    runs-on: x\n    strategy: {matrix: {t: [prod]}}\n    steps:\n" +
		"      - run: docker build --target ${{ matrix.t }} .\n"
	stage := strings.NewReplacer("prod", "new")
	argument := strings.NewReplacer("V\n", "new\n", "V:", "new:", "{ V", "{ new")
	tests := []struct {
		about, file     string
		line, character int
		open            bool // the Dockerfile
		renames         *strings.Replacer
		said            string
	}{
		{"Compose's target", "compose.yaml", 2, 33, false, stage, "line 7, still has prod"},
		{"Compose's argument", "compose.yaml", 2, 46, true, argument, ""},
		{"bake's target", "docker-bake.hcl", 1, 13, true, stage, "line 7, still has prod"},
		{"bake's argument", "docker-bake.hcl", 2, 11, false, argument, ""},
		{"the context, which names no part of a Dockerfile", "compose.yaml", 2, 21, false, nil, ""},
	}
	for _, tt := range tests {
		root := t.TempDir()
		t.Run(tt.about, func(t *testing.T) {
			texts := map[string]string{"Dockerfile": dockerfile, "compose.yaml": compose, "docker-bake.hcl": bake}
			for name, text := range texts {
				write(t, filepath.Join(root, name), text)
			}
			write(t, filepath.Join(root, ".github/workflows/ci.yml"), ci)
			e := lsptest.Start(t, server.Options{CacheDir: t.TempDir()})
			e.Initialize(nil, map[string]any{"layerwise": map[string]any{"buildkit": "off"}}, root)
			uri := lsptest.URI(filepath.Join(root, tt.file))
			e.OpenFile(uri, map[string]string{"compose.yaml": "yaml", "docker-bake.hcl": "hcl"}[tt.file], texts[tt.file])
			if tt.open {
				e.OpenFile(lsptest.URI(filepath.Join(root, "Dockerfile")), "dockerfile", dockerfile)
			}
			position := map[string]any{"line": tt.line, "character": tt.character}
			var prepared *struct{ Placeholder string }
			e.MustCall("textDocument/prepareRename", lsptest.Document(uri, "position", position), &prepared)
			if (prepared != nil) != (tt.renames != nil) {
				t.Fatalf("prepared: %v", prepared)
			}
			var edit renameEdit
			err := e.Call("textDocument/rename", lsptest.Document(uri, "position", position, "newName", "new"), &edit)
			if tt.renames == nil {
				if err == nil {
					t.Fatalf("got %v", edit)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			for name, text := range texts {
				want := tt.renames.Replace(text)
				if got := edit.applied(lsptest.URI(filepath.Join(root, name)), text); got != want {
					t.Errorf("%s is then\n%s\nwant\n%s", name, got, want)
				}
			}
			if tt.said != "" {
				e.Await("window/showMessage", func(params json.RawMessage) bool {
					return strings.Contains(string(params), tt.said)
				})
			}
		})
	}
}

// renameEdit is a WorkspaceEdit of edits on one line each.
type renameEdit struct {
	Changes         map[string][]lineEdit
	DocumentChanges []struct {
		TextDocument struct{ URI string }
		Edits        []lineEdit
	}
}

type lineEdit struct {
	Range struct{ Start, End struct{ Line, Character int } }
	Text  string `json:"newText"`
}

// applied is a document's text with the edits.
func (e *renameEdit) applied(uri, text string) string {
	edits := e.Changes[uri]
	for _, change := range e.DocumentChanges {
		if change.TextDocument.URI == uri {
			edits = append(edits, change.Edits...)
		}
	}
	lines := strings.Split(text, "\n")
	for i := len(edits) - 1; i >= 0; i-- {
		at := edits[i].Range
		line := lines[at.Start.Line]
		lines[at.Start.Line] = line[:at.Start.Character] + edits[i].Text + line[at.End.Character:]
	}
	return strings.Join(lines, "\n")
}
