package server_test

import (
	"encoding/json"
	"path/filepath"
	"testing"

	"github.com/layerwise/layerwise/server"
	"github.com/layerwise/layerwise/server/lsptest"
)

// TestNull asks for what there is nothing to say about. The answer is null, after which editors ask other servers.
func TestNull(t *testing.T) {
	const (
		plain    = "FROM a\n# a comment\nRUN echo \"a word\"\n"
		foreign  = "# syntax=example.com/other:1\n  from a\nRUN x\n"
		template = "{% if x %}\n  from a\n{% endif %}\n"
		compose  = "services:\n  web:\n    image: x\n"
	)
	tests := []struct {
		about, name, language, text, method string
		line, character                     int
		null                                bool
	}{
		{"completion in a comment", "Dockerfile", "dockerfile", plain, "completion", 1, 5, true},
		{"completion in a string of a shell", "Dockerfile", "dockerfile", plain, "completion", 2, 12, true},
		{"completion at an instruction", "Dockerfile", "dockerfile", plain, "completion", 3, 0, false},
		{"what is named where nothing is", "Dockerfile", "dockerfile", plain, "references", 1, 5, true},
		{"highlights there", "Dockerfile", "dockerfile", plain, "documentHighlight", 1, 5, true},
		{"the layout of a file that is laid out well", "Dockerfile", "dockerfile", plain, "formatting", 0, 0, true},
		{"the layout of one that is not", "Dockerfile", "dockerfile", " from a\n", "formatting", 0, 0, false},
		{"the layout of another frontend's file", "Dockerfile", "dockerfile", foreign, "formatting", 0, 0, true},
		{"completion in another frontend's file", "Dockerfile", "dockerfile", foreign, "completion", 3, 0, true},
		{"the layout of a template", "Dockerfile", "dockerfile", template, "formatting", 0, 0, true},
		{"folds of a Compose file", "compose.yaml", "yaml", compose, "foldingRange", 0, 0, true},
		{"the layout of a Compose file", "compose.yaml", "yaml", compose, "formatting", 0, 0, true},
		{"completion in a Compose file", "compose.yaml", "yaml", compose, "completion", 1, 2, true},
		{"lenses of a Compose file that builds nothing", "compose.yaml", "yaml", compose, "codeLens", 0, 0, true},
		{"fixes of a Compose file without a mistake", "compose.yaml", "yaml", compose, "codeAction", 1, 3, true},
		{"where a Compose file's image is defined", "compose.yaml", "yaml", compose, "definition", 2, 12, true},
		{"folds of another file", "x.sh", "shellscript", "a() {\n}\n", "foldingRange", 0, 0, true},
	}
	for _, tt := range tests {
		t.Run(tt.about, func(t *testing.T) {
			root := t.TempDir()
			write(t, filepath.Join(root, tt.name), tt.text)
			e := lsptest.Start(t, server.Options{CacheDir: t.TempDir()})
			e.Initialize(nil, map[string]any{"layerwise": map[string]any{"buildkit": "off"}}, root)
			uri := lsptest.URI(filepath.Join(root, tt.name))
			e.OpenFile(uri, tt.language, tt.text)
			e.MustCall("textDocument/documentLink", lsptest.Document(uri), nil) // waits for the build context
			position := map[string]any{"line": tt.line, "character": tt.character}
			var answer json.RawMessage
			e.MustCall("textDocument/"+tt.method, lsptest.Document(uri, "position", position,
				"range", lsptest.Range(tt.line, tt.character, tt.line, tt.character),
				"options", map[string]any{"tabSize": 4, "insertSpaces": true},
				"context", map[string]any{
					"includeDeclaration": true, "diagnostics": []any{}, "only": []string{"quickfix"},
				},
			), &answer)
			if null := len(answer) == 0 || string(answer) == "null"; null != tt.null {
				t.Errorf("the answer is %s", answer)
			}
		})
	}
}
