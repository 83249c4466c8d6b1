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

// TestWillRenameFiles renames files that Dockerfiles, ignore files and build files name, of which one is open.
func TestWillRenameFiles(t *testing.T) {
	texts := map[string]string{
		"Dockerfile":            "FROM a\nCOPY src/app.js src/lib.js /app/\nCOPY *.json ./\n",
		"docker/dev.Dockerfile": "FROM a\nCOPY src/ /app/\n",
		"compose.yaml": "services:\n  web:\n    build: .\n  dev:\n" +
			"    build: {context: ., dockerfile: docker/dev.Dockerfile}\n",
		".dockerignore":                      "src/app.js.map\ndist\n!src/lib.js\n",
		"docker/dev.Dockerfile.dockerignore": "*.md\n",
		"src/app.js":                         "1", "src/lib.js": "1", "package.json": "{}", "README.md": "x",
		"two/Dockerfile":      "FROM a\nCOPY src/app.js /\n",
		"two/src/app.js":      "1",
		"node_modules/x/a.js": "1",
	}
	tests := []struct {
		about, old, now string
		want            map[string][2]string // by file: what is replaced by what
		left            string               // what the message says, "" for none
	}{
		{"a source", "src/lib.js", "src/shared.js", map[string][2]string{
			"Dockerfile": {"src/lib.js", "src/shared.js"}, ".dockerignore": {"src/lib.js", "src/shared.js"},
		}, "Dockerfile line 2 (in the image it will be shared.js too)"},
		{"a folder of sources", "src", "code", map[string][2]string{
			"Dockerfile": {"src/", "code/"}, "docker/dev.Dockerfile": {"src/", "code/"},
			".dockerignore": {"src/", "code/"},
		}, ""},
		{"the same folder of another build", "two/src", "two/code",
			map[string][2]string{"two/Dockerfile": {"src/", "code/"}}, ""},
		{"a Dockerfile", "docker/dev.Dockerfile", "docker/Dockerfile.dev",
			map[string][2]string{"compose.yaml": {"docker/dev.Dockerfile", "docker/Dockerfile.dev"}},
			"dev.Dockerfile.dockerignore (it belongs to dev.Dockerfile: rename it too)"},
		{"a Dockerfile that a service has by default", "Dockerfile", "web.Dockerfile", nil,
			"compose.yaml line 2 (web has no dockerfile to change)"},
		{"a file that a pattern matches", "package.json", "package.json5", nil,
			"Dockerfile line 3 (the pattern *.json no longer matches it)"},
		{"into a folder that is left out", "src/lib.js", "dist/lib.js", map[string][2]string{
			"Dockerfile": {"src/lib.js", "dist/lib.js"}, ".dockerignore": {"src/lib.js", "dist/lib.js"},
		}, "dev.Dockerfile line 2 (src/ will no longer hold it)"},
		{"into a folder that is left out, of which no exception is made", "src/app.js", "dist/app.js",
			map[string][2]string{"Dockerfile": {"src/app.js", "dist/app.js"}},
			"dev.Dockerfile line 2 (src/ will no longer hold it), .dockerignore (it leaves out dist/app.js)"},
		{"what nothing names", "README.md", "README.rst", nil,
			"dev.Dockerfile.dockerignore (it leaves out README.md, but not README.rst)"},
	}
	for _, documentChanges := range []bool{true, false} {
		root := t.TempDir() // named as the whole test is, which suits a URI
		for name, text := range texts {
			path := filepath.Join(root, name)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			write(t, path, text)
		}
		for _, tt := range tests {
			t.Run(tt.about, func(t *testing.T) {
				e := lsptest.Start(t, server.Options{CacheDir: t.TempDir()})
				answer := e.Initialize(
					map[string]any{"workspace": map[string]any{
						"workspaceEdit": map[string]any{"documentChanges": documentChanges},
					}},
					map[string]any{"layerwise": map[string]any{"buildkit": "off"}}, root,
				)
				if !strings.Contains(string(answer), `"willRename":{"filters":[{"scheme":"file"`) {
					t.Fatalf("willRename is not asked for: %s", answer)
				}
				at := func(name string) string { return lsptest.URI(filepath.Join(root, name)) }
				e.OpenFile(at("Dockerfile"), "dockerfile", texts["Dockerfile"])
				var edit *renameEdit
				e.MustCall("workspace/willRenameFiles", map[string]any{
					"files": []any{map[string]any{"oldUri": at(tt.old), "newUri": at(tt.now)}},
				}, &edit)
				if tt.want == nil && edit != nil {
					t.Errorf("the answer is %+v, want null", *edit)
				}
				if edit == nil {
					edit = &renameEdit{}
				}
				for name, text := range texts {
					want := text
					if change, ok := tt.want[name]; ok {
						want = strings.ReplaceAll(text, change[0], change[1])
					}
					if got := edit.applied(at(name), text); got != want {
						t.Errorf("%s is then\n%s\nwant\n%s", name, got, want)
					}
				}
				var said string
				for _, raw := range e.Received("window/showMessage") {
					var p struct{ Message string }
					if err := json.Unmarshal(raw, &p); err != nil {
						t.Fatal(err)
					}
					said += p.Message
				}
				want := tt.left
				if want != "" {
					want = "Look at these after the renaming of " + filepath.Base(tt.old) + ": " + want + "."
				}
				if said != want {
					t.Errorf("it said %q, want %q", said, want)
				}
			})
		}
	}
}
