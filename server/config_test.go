package server_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/layerwise/layerwise/server/lsptest"
)

// A .layerwise.yaml counts in the editor as on the command line: from the start, and when it changes; the editor's own
// settings stand above it.
func TestConfiguration(t *testing.T) {
	dir := t.TempDir()
	path, config := filepath.Join(dir, "web", "Dockerfile"), filepath.Join(dir, ".layerwise.yaml")
	text := "FROM alpine as a\nCMD a\n"
	write(t, path, text)
	write(t, config, "rules:\n  FromAsCasing: off\n  JSONArgsRecommended: error\n  nonsense: off\n")
	e := lsptest.Open(t, nil, map[string]any{"layerwise": map[string]any{"rules": map[string]any{}}}, dir)
	uri := lsptest.URI(path)
	e.OpenFile(uri, "dockerfile", text)
	shows := func(want string, not ...string) {
		t.Helper()
		e.Await("textDocument/publishDiagnostics", func(p json.RawMessage) bool {
			for _, word := range not {
				if strings.Contains(string(p), word) {
					return false
				}
			}
			return strings.Contains(string(p), want)
		})
	}
	shows(`"severity":1,"code":"JSONArgsRecommended"`, "FromAsCasing")
	e.Await(
		"window/showMessage",
		func(p json.RawMessage) bool { return strings.Contains(string(p), "line 4: there is no rule nonsense") },
	)

	write(t, config, "rules:\n  FromAsCasing: hint\n  JSONArgsRecommended: off\n")
	e.Notify(
		"workspace/didChangeWatchedFiles",
		map[string]any{"changes": []any{map[string]any{"uri": lsptest.URI(config), "type": 2}}},
	)
	shows(`"severity":4,"code":"FromAsCasing"`, "JSONArgs")

	e.Notify(
		"workspace/didChangeConfiguration",
		map[string]any{
			"settings": map[string]any{"layerwise": map[string]any{"rules": map[string]any{"FromAsCasing": "error"}}},
		},
	)
	shows(`"severity":1,"code":"FromAsCasing"`, "JSONArgs")

	if err := os.Remove(config); err != nil {
		t.Fatal(err)
	}
	e.Notify(
		"workspace/didChangeWatchedFiles",
		map[string]any{"changes": []any{map[string]any{"uri": lsptest.URI(config), "type": 3}}},
	)
	shows("JSONArgsRecommended")
}
