package server_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/layerwise/layerwise/server/lsptest"
)

// A code action by name waits for the search for better orders, with a bound; what the editor asks by itself at each
// move of the cursor gets what is known, which the search in the background sees to, and so do quick fixes.
func TestOrdersAreSearchedOnce(t *testing.T) {
	e, root := openProject(t, map[string]string{
		"Dockerfile": "FROM node:20 AS build\nWORKDIR /app\nCOPY . .\nRUN npm ci\nCMD [\"node\", \"app.js\"]\n" +
			"FROM build\n",
		"package.json":      `{"name": "app", "version": "1.0.0"}`,
		"package-lock.json": `{"name": "app", "version": "1.0.0", "lockfileVersion": 3, "packages": {"": {"name": "app"}}}`,
		"app.js":            "", ".dockerignore": "node_modules\nDockerfile\n.git\n",
	})
	path := filepath.Join(root, "Dockerfile")
	text, _ := os.ReadFile(path)
	e.OpenFile(lsptest.URI(path), "dockerfile", string(text))
	awaitMarks(e, lsptest.URI(path), func(string) bool { return true })
	ask := func(trigger int) string {
		var answer json.RawMessage
		e.MustCall("textDocument/codeAction", lsptest.Document(lsptest.URI(path), "range", lsptest.Range(0, 0, 9, 0),
			"context", map[string]any{"diagnostics": []any{}, "triggerKind": trigger}), &answer)
		return string(answer)
	}
	const automatic, invoked = 2, 1
	if first := ask(automatic); strings.Contains(first, "refactor.rewrite") {
		t.Log("the search was quicker than the first question")
	}
	asked := ask(invoked)
	if !strings.Contains(asked, "refactor.rewrite") {
		t.Fatalf("nothing is offered: %s", asked)
	}
	if again := ask(automatic); again != asked {
		t.Errorf("what was found is not kept:\n%s\n%s", again, asked)
	}
}
