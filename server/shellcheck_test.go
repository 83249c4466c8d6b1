package server_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/layerwise/layerwise/cachemodel/workspace/shellcheck"
	"github.com/layerwise/layerwise/server/lsptest"
)

// What ShellCheck finds comes after the other findings, at its exact place, and can be turned off.
func TestShellCheck(t *testing.T) {
	if shellcheck.Find() == "" {
		t.Skip("MISSING: the program shellcheck; its findings in the editor were not checked")
	}
	e := lsptest.Open(t, nil, nil)
	text := "FROM alpine\nRUN touch a && \\\n    # a comment\n    touch \"é\" $FILES\n"
	e.OpenFile(untitled, "dockerfile", text)
	first := e.Await("textDocument/publishDiagnostics", nil)
	if strings.Contains(string(first), "SC2086") {
		t.Error("the first findings waited for ShellCheck")
	}
	want := `{"range":{"start":{"line":3,"character":14},"end":{"line":3,"character":20}},"severity":4,"code":"SC2086",` +
		`"codeDescription":{"href":"https://www.shellcheck.net/wiki/SC2086"},"source":"layerwise"`
	e.Await(
		"textDocument/publishDiagnostics",
		func(p json.RawMessage) bool { return strings.Contains(string(p), want) },
	)
	e.Notify(
		"workspace/didChangeConfiguration",
		map[string]any{"settings": map[string]any{"layerwise": map[string]any{"shellCheck": false}}},
	)
	e.Replace(untitled, 2, text)
	e.Await("textDocument/publishDiagnostics", func(p json.RawMessage) bool {
		return strings.Contains(string(p), `"version":2`) && !strings.Contains(string(p), "SC2086")
	})
}
