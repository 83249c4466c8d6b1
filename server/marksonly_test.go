package server_test

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/layerwise/layerwise/server"
	"github.com/layerwise/layerwise/server/lsptest"
)

// TestMarksOnly asks what another server for Dockerfiles answers too: the answer is null where only marks are wanted.
// What is ours alone stays.
func TestMarksOnly(t *testing.T) {
	const text = "FROM a AS b\nRUN <<EOF\nx\nEOF\nEVN A=1\n  FROM x\nCOPY --from=b / /\n"
	dir := t.TempDir()
	write(t, filepath.Join(dir, "Dockerfile"), text)
	uri := lsptest.URI(filepath.Join(dir, "Dockerfile"))
	for _, tt := range []struct {
		about, method   string
		line, character int
		both, full      string // what the answer holds; only where all is wanted
	}{
		{"findings", "diagnostic", 0, 0, "", "did you mean ENV"},
		{"completion", "completion", 7, 0, "", "HEALTHCHECK"},
		{"a signature", "signatureHelp", 6, 12, "", "label"},
		{"the layout", "formatting", 0, 0, "", "newText"},
		{"symbols", "documentSymbol", 0, 0, "", "b"},
		{"folds", "foldingRange", 0, 0, "", "startLine"},
		{"links", "documentLink", 0, 0, "", "hub.docker.com"},
		{"a definition", "definition", 6, 13, "", "uri"},
		{"highlights", "documentHighlight", 6, 12, "", "range"},
		{"what a word means", "hover", 0, 1, "✓ cached", "Begin a stage"},
		{"marks", "inlayHint", 0, 0, "label", ""},
		{"fixes", "codeAction", 4, 1, "Change to ENV", ""},
		{"a new name", "rename", 0, 10, "newText", ""},
	} {
		t.Run(tt.about, func(t *testing.T) {
			for _, marksOnly := range []bool{false, true} {
				e := lsptest.Start(t, server.Options{CacheDir: t.TempDir()})
				e.Initialize(nil, map[string]any{"layerwise": map[string]any{
					"buildkit": "off", "baseline": "opened", "marksOnly": marksOnly,
				}}, dir)
				e.OpenFile(uri, "dockerfile", text)
				e.MustCall("textDocument/codeLens", lsptest.Document(uri), nil) // waits for the build
				var answer json.RawMessage
				e.MustCall("textDocument/"+tt.method, lsptest.Document(uri,
					"position", map[string]any{"line": tt.line, "character": tt.character},
					"range", lsptest.Range(tt.line, tt.character, tt.line+3, tt.character),
					"options", map[string]any{"tabSize": 4}, "newName", "c",
					"context", map[string]any{"diagnostics": []any{}},
				), &answer)
				got := string(answer)
				full := tt.full != "" && strings.Contains(got, tt.full)
				left := tt.both != "" || tt.method == "diagnostic" || got == "null"
				if !strings.Contains(got, tt.both) || full == (marksOnly || tt.full == "") || marksOnly && !left {
					t.Errorf("marksOnly %v: the answer is %s", marksOnly, got)
				}
			}
		})
	}
}
