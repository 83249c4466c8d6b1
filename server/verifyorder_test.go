package server_test

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/layerwise/layerwise/server"
	"github.com/layerwise/layerwise/server/lsptest"
)

// image writes an OCI archive of an image without layers, whose user is given.
func image(t *testing.T, file, user string) {
	t.Helper()
	blobs := map[string]string{}
	add := func(kind, text string) string {
		sum := fmt.Sprintf("%x", sha256.Sum256([]byte(text)))
		blobs["blobs/sha256/"+sum] = text
		return fmt.Sprintf(`{"mediaType":"application/vnd.oci.image.%s.v1+json","digest":"sha256:%s","size":%d}`,
			kind, sum, len(text))
	}
	config := add("config", `{"os":"linux","architecture":"amd64","rootfs":{},"config":{"User":"`+user+`"}}`)
	blobs["index.json"] = `{"manifests":[` + add("manifest", `{"config":`+config+`,"layers":[]}`) + `]}`
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for name, text := range blobs {
		if err := w.WriteHeader(&tar.Header{Name: name, Size: int64(len(text)), Mode: 0o644}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

// standIn is a program in place of buildctl: it "builds" the one image for Dockerfiles whose second instruction is
// WORKDIR followed by COPY of everything, and the other for all others.
const standIn = `#!/bin/sh
for a; do
  case $a in
  dockerfile=*) dir=${a#dockerfile=} ;;
  type=oci,dest=*) dest=${a#type=oci,dest=} ;;
  esac
done
echo "$@" >> "$0.log"
if grep -q FAIL "$dir/Dockerfile"; then echo "no such base"; exit 1; fi
case $(sed -n 3p "$dir/Dockerfile") in
"COPY . .") cp "$(dirname "$0")/one.tar" "$dest" ;;
*) cp "$(dirname "$0")/other.tar" "$dest" ;;
esac
`

// A rewrite that is only likely can be verified in the editor: both files are built, and it is applied only if the
// images are the same.
func TestVerifyOrder(t *testing.T) {
	for _, test := range []struct {
		prose   string
		user    string // of the image of the reordered file
		trusted bool
		edits   int    // that the editor is asked to make
		message string // shown
	}{
		{"both images are the same", "a", true, 1, ""},
		{"they differ", "b", true, 0, "another image"},
		{"a folder that is not trusted", "a", false, 0, ""},
	} {
		t.Run(test.prose, func(t *testing.T) {
			bin, dir := t.TempDir(), t.TempDir()
			write(t, filepath.Join(bin, "buildctl"), standIn)
			if err := os.Chmod(filepath.Join(bin, "buildctl"), 0o755); err != nil {
				t.Fatal(err)
			}
			image(t, filepath.Join(bin, "one.tar"), "a")
			image(t, filepath.Join(bin, "other.tar"), test.user)
			t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
			t.Setenv("BUILDKIT_HOST", "tcp://127.0.0.1:1")
			const text = "FROM node:22\nWORKDIR /app\nCOPY . .\nRUN npm ci\nCMD [\"x\"]\n"
			for name, content := range map[string]string{
				"Dockerfile": text, "package.json": "{}", "package-lock.json": `{"lockfileVersion":3}`, "a.js": "",
				".dockerignore": "node_modules\n",
			} {
				write(t, filepath.Join(dir, name), content)
			}
			uri := lsptest.URI(filepath.Join(dir, "Dockerfile"))
			e := lsptest.Start(t, server.Options{CacheDir: t.TempDir()})
			applied := 0
			e.Answer("workspace/applyEdit", func(json.RawMessage) any {
				applied++
				return map[string]any{"applied": true}
			})
			e.Initialize(
				map[string]any{"workspace": map[string]any{"applyEdit": true}},
				map[string]any{"cacheStatus": true, "trusted": test.trusted},
				dir,
			)
			e.OpenFile(uri, "dockerfile", text)
			var actions []struct {
				Title   string
				Command *struct {
					Command   string
					Arguments []string
				}
			}
			awaitStatus(t, e, "FROM cached, WORKDIR cached, COPY cached, RUN cached, CMD config")
			e.MustCall("textDocument/codeAction", lsptest.Document(uri,
				"range", map[string]any{
					"start": map[string]int{"line": 3, "character": 0},
					"end":   map[string]int{"line": 3, "character": 0},
				},
				"context", map[string]any{"diagnostics": []any{}, "triggerKind": 1},
			), &actions)
			offered := false
			for _, a := range actions {
				if a.Command == nil || a.Command.Command != "layerwise.verifyOrder" {
					continue
				}
				offered = true
				if !strings.Contains(a.Title, "builds both on tcp://127.0.0.1:1") {
					t.Errorf("the title is %q", a.Title)
				}
				if err := command(e, a.Command.Command, a.Command.Arguments...); err != nil {
					t.Fatal(err)
				}
			}
			if offered != test.trusted {
				t.Errorf("offered: %v", offered)
			}
			if applied != test.edits {
				t.Errorf("%d edits, want %d", applied, test.edits)
			}
			shown := fmt.Sprintf("%s", e.Received("window/showMessage"))
			if test.message == "" && strings.Contains(shown, "image") || !strings.Contains(shown, test.message) {
				t.Errorf("shown: %s, want %q", shown, test.message)
			}
			if _, err := os.Stat(filepath.Join(bin, "buildctl.log")); (err == nil) != test.trusted {
				t.Errorf("built: %v", err == nil)
			}
		})
	}
}

// Where an order only lacks a line of the ignore file, the editor says so.
func TestOrderLacksIgnoreLine(t *testing.T) {
	dir := t.TempDir()
	const text = "FROM node:22\nWORKDIR /app\nCOPY . .\nRUN npm ci\nCMD [\"x\"]\n"
	for name, content := range map[string]string{
		"Dockerfile": text, "package.json": "{}", "package-lock.json": `{"lockfileVersion":3}`, "a.js": "",
	} {
		write(t, filepath.Join(dir, name), content)
	}
	uri := lsptest.URI(filepath.Join(dir, "Dockerfile"))
	disabled := map[string]any{"textDocument": map[string]any{"codeAction": map[string]any{"disabledSupport": true}}}
	e := startWith(t, server.Options{CacheDir: t.TempDir()}, disabled, dir)
	e.OpenFile(uri, "dockerfile", text)
	awaitStatus(t, e, "FROM cached, WORKDIR cached, COPY cached, RUN cached, CMD config")
	var actions []struct{ Disabled struct{ Reason string } }
	e.MustCall("textDocument/codeAction", lsptest.Document(uri,
		"range", map[string]any{
			"start": map[string]int{"line": 3, "character": 0}, "end": map[string]int{"line": 3, "character": 0},
		},
		"context", map[string]any{"diagnostics": []any{}, "triggerKind": 1, "only": []string{"refactor.rewrite"}},
	), &actions)
	if len(actions) != 1 || !strings.Contains(actions[0].Disabled.Reason, "once .dockerignore has node_modules") {
		t.Errorf("%+v", actions)
	}
}
