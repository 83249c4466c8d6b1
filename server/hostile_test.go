package server_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"github.com/layerwise/layerwise/server/lsptest"
)

// hostileNames are names that a stranger's folder may hold, as files, stages, variables, images and words of a
// Dockerfile.
var hostileNames = []string{
	"[click](command:evil)", "![x](http:evil)", "<img src=evil>", "<a href=evil>", "`[x](command:evil)`",
	"``[x](command:evil)", "a\n[x](command:evil)",
	"a\n\n<script>evil", "\x1b[31mred", "\u202egnp.exe", "\u2066x\u2069", "::error::evil", "*a*", "__init__.py", "a|b",
	"$(bug)", "\\[x](command:evil)",
	"www.evil.example", "x@evil.example", "&lt;img&gt;", "~~x~~", "](command:evil)", "[x]: command:evil", "- a", "# a",
	"\u2028x", "a\rb", "\u200bx",
}

// The texts of the server are clean whatever the names are: nothing of a name is markup, and nothing in it is hidden.
func TestHostileNames(t *testing.T) {
	dir := t.TempDir()
	for _, name := range hostileNames {
		for _, place := range []string{name, "sub/" + name} {
			file := filepath.Join(dir, filepath.FromSlash(place))
			if os.MkdirAll(filepath.Dir(file), 0o755) != nil || os.WriteFile(file, []byte("1"), 0o644) != nil {
				t.Logf("no file can be named %q here", name)
			}
		}
	}
	var text strings.Builder
	text.WriteString("ARG V=1\nFROM alpine AS base\n")
	for _, name := range hostileNames {
		word := strings.NewReplacer("\n", "", "\r", "", " ", "").Replace(name)
		text.WriteString(
			"COPY " + word + " /x/\nENV A" + word + "=" + word + " B=\"" + name + "\"\nARG " + word + "=1\nRUN echo " +
				"$" + word + " ${A:-" + word +
				"}\nCOPY --from=" + word + " /a /b\nRUN " +
				"--mount=from=" + word + ",target=/x --mount=type=" + word + " x\n" + word + " a\nCOPY --" + word +
				"=1 a b\nRUN " +
				"<<" + word + "\nx\n" + word + "\nWORKDIR /" + word + "\nUSER " + word + "\nEXPOSE " + word +
				"\nHEALTHCHECK " + word + " x\nSTOPSIGNAL " +
				word + "\nSHELL [\"" + word + "\"]\nONBUILD " + word + " x\nLABEL " + word + "=x\nFROM " + word +
				" AS s" + word + "\nFROM s" + word + "\n",
		)
	}
	text.WriteString("FROM alpine\nCOPY . /all/\nCOPY sub /sub/\n")
	content := text.String()
	write(t, filepath.Join(dir, "Dockerfile"), content)
	uri := lsptest.URI(filepath.Join(dir, "Dockerfile"))
	capabilities := map[string]any{
		"textDocument": map[string]any{
			"hover": map[string]any{"contentFormat": []string{"markdown"}},
			"completion": map[string]any{
				"completionItem": map[string]any{"documentationFormat": []string{"markdown"}, "snippetSupport": true},
			},
		},
	}
	e := lsptest.Open(t, capabilities, painter, dir)
	e.OpenFile(uri, "dockerfile", content)
	ready := func(p json.RawMessage) bool { return strings.Contains(string(p), `"state":"ready"`) }
	e.Await("layerwise/cacheStatus", ready)
	for _, name := range hostileNames { // now they are what changed
		_ = os.WriteFile(filepath.Join(dir, "sub", name), []byte("2"), 0o644)
		_ = os.WriteFile(filepath.Join(dir, name), []byte("22"), 0o644)
	}
	e.Notify("textDocument/didSave", lsptest.Document(uri))
	e.Await(
		"layerwise/cacheStatus",
		func(p json.RawMessage) bool { return ready(p) && strings.Contains(string(p), "context-changed") },
	)

	check := func(what string, params any) {
		var answer any
		if err := e.Call(what, params, &answer); err == nil {
			inspect(t, what, answer, "")
		}
	}
	lines := strings.Split(content, "\n")
	whole := lsptest.Range(0, 0, len(lines), 0)
	for line, of := range lines {
		for character := 0; character <= len(of); character += 5 {
			at := lsptest.Document(uri, "position", map[string]any{"line": line, "character": character})
			check("textDocument/hover", at)
			if character%10 == 0 {
				check("textDocument/completion", at)
				check("textDocument/signatureHelp", at)
				check("textDocument/prepareRename", at)
			}
		}
	}
	check("textDocument/inlayHint", lsptest.Document(uri, "range", whole))
	check("textDocument/codeLens", lsptest.Document(uri))
	check("textDocument/documentLink", lsptest.Document(uri))
	check(
		"textDocument/codeAction",
		lsptest.Document(
			uri,
			"range",
			whole,
			"context",
			map[string]any{"diagnostics": []any{}, "only": []string{"quickfix"}},
		),
	)
	for _, method := range []string{"textDocument/publishDiagnostics", "window/showMessage", "window/logMessage"} {
		for _, p := range e.Received(method) {
			var params any
			_ = json.Unmarshal(p, &params)
			inspect(t, method, params, "")
		}
	}
}

var (
	codeSpans     = regexp.MustCompile("(?s)```.*?```|``.*?``|`[^`]*`")
	escapedMarks  = regexp.MustCompile(`\\[!-/:-@\[-` + "`" + `{-~]`)
	activeMarkup  = regexp.MustCompile(`\]\((command|http):|<[a-z/!]|^\[x\]:|www\.evil|[^ ]@evil`)
	activeMessage = regexp.MustCompile(`\]\(|\$\(`)
)

// inspect looks for markup in the texts of an answer that an editor renders, and for what hides in the others that
// people read.
func inspect(t *testing.T, what string, value any, key string) {
	t.Helper()
	switch v := value.(type) {
	case []any:
		for _, item := range v {
			inspect(t, what, item, key)
		}
	case map[string]any:
		if text, ok := v["value"].(string); ok && v["kind"] == "markdown" {
			plain := escapedMarks.ReplaceAllString(codeSpans.ReplaceAllString(text, ""), "")
			if m := activeMarkup.FindString(plain); m != "" {
				t.Errorf("%s: markup %q in\n%s", what, m, text)
			}
			seen(t, what, strings.ReplaceAll(text, "\n", " "))
			return
		}
		for name, item := range v {
			inspect(t, what, item, name)
		}
	case string:
		switch key {
		case "title", "message", "tooltip":
			seen(t, what+" "+key, v)
			if key == "message" && !strings.HasPrefix(what, "window/") {
				return // a diagnostic's, of which no editor makes anything
			}
			if m := activeMessage.FindString(v); m != "" {
				t.Errorf("%s: %s %q holds %q", what, key, v, m)
			}
		case "label":
			if what == "textDocument/inlayHint" {
				seen(t, what, v)
			}
		}
	}
}

// seen checks that all of a text can be seen.
func seen(t *testing.T, what, text string) {
	t.Helper()
	for _, r := range text {
		if unicode.IsControl(r) || '\u202a' <= r && r <= '\u202e' || '\u2066' <= r && r <= '\u2069' || r == '\u2028' ||
			r == '\u200b' {
			t.Errorf("%s: %U in %q", what, r, text)
			return
		}
	}
}
