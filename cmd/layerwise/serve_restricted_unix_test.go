//go:build unix

package main

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/layerwise/layerwise/server/lsptest"
)

// For a folder that is not trusted no program is run and nothing is connected to, whatever is asked for and whatever
// the settings say, now or later. For one that is trusted the same leaves many marks.
func TestRestrictedMode(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("SKIPPED: git is not installed")
	}
	for _, trusted := range []bool{true, false} {
		t.Run(fmt.Sprint("trusted ", trusted), func(t *testing.T) {
			p := newHostilePlace(t)
			p.write("compose.yaml", "services:\n  web: {build: .}\n  x:\n    build:\n      dockerfile_inline: |\n"+
				"        FROM "+p.registry()+"/app:1\n        RUN echo $a\n")
			p.write("docker-bake.hcl", "target \"default\" {}\n")
			p.write("Dockerfile", "# syntax=docker/dockerfile:1\nFROM "+p.registry()+"/app:1 AS a\nCOPY . /src\n"+
				"RUN cd /src && echo $1 [ -f x ]\nEVN a=b\nFROM "+p.registry()+"/app:2\nCOPY --from=a /src /src\n")
			p.repository()
			other := p.sub("../other")
			other.write("Dockerfile", plainDockerfile)
			other.repository()
			p.spies()

			settings := map[string]any{"layerwise": map[string]any{
				"buildkit": "unix://" + p.listener("buildkit.sock"), "registry": "on", "shellCheck": true,
				"baseline": "git:HEAD",
			}}
			options := map[string]any{"cacheStatus": true, "trusted": trusted, "layerwise": settings["layerwise"]}
			e := lsptest.Command(t, exec.Command("layerwise", "serve"))
			var names struct {
				Capabilities struct{ ExecuteCommandProvider struct{ Commands []string } }
			}
			if err := json.Unmarshal(e.Initialize(map[string]any{
				"window":    map[string]any{"workDoneProgress": true},
				"workspace": map[string]any{"applyEdit": true},
			}, options, p.dir), &names); err != nil {
				t.Fatal(err)
			}
			commands := names.Capabilities.ExecuteCommandProvider.Commands
			if len(commands) == 0 {
				t.Fatal("the server names no commands")
			}
			e.Answer("window/showMessageRequest", func(params json.RawMessage) any {
				var offered struct{ Actions []any }
				_ = json.Unmarshal(params, &offered)
				if len(offered.Actions) == 0 {
					return nil
				}
				return offered.Actions[0]
			})
			use := func(dir *hostilePlace) {
				for name, language := range map[string]string{
					"compose.yaml": "dockercompose", "docker-bake.hcl": "dockerbake", "Dockerfile": "dockerfile",
				} {
					text, err := os.ReadFile(filepath.Join(dir.dir, name))
					if err != nil {
						continue
					}
					uri := lsptest.URI(filepath.Join(dir.dir, name))
					e.OpenFile(uri, language, string(text))
					p.askAll(e, uri, string(text))
					for _, command := range commands {
						for _, choice := range []any{nil, "git:HEAD", "git", "builder", "web", "a", 7} {
							e.Send("workspace/executeCommand", map[string]any{
								"command": command, "arguments": []any{uri, choice}}).WaitFor(20 * time.Second)
						}
					}
					e.Notify("textDocument/didSave", lsptest.Document(uri))
					p.askAll(e, uri, string(text))
				}
			}
			use(p)
			e.Notify("workspace/didChangeConfiguration", map[string]any{"settings": settings})
			e.Notify("workspace/didChangeWorkspaceFolders", map[string]any{"event": map[string]any{
				"added": []any{map[string]any{"uri": lsptest.URI(other.dir), "name": "other"}}, "removed": []any{}}})
			use(other)
			e.Notify("workspace/didChangeWatchedFiles", map[string]any{"changes": []any{
				map[string]any{"uri": lsptest.URI(filepath.Join(p.dir, ".git/HEAD")), "type": 2},
				map[string]any{"uri": lsptest.URI(filepath.Join(p.dir, ".layerwise.yaml")), "type": 1}}})
			e.Notify("initialized", map[string]any{})
			e.Send("initialize", map[string]any{"processId": nil, "rootUri": nil, "capabilities": map[string]any{},
				"initializationOptions": map[string]any{"trusted": true}}).WaitFor(20 * time.Second)
			use(p)
			if trusted { // what is begun may still be under way
				for range 100 {
					if text, _ := os.ReadFile(p.marker); strings.Contains(string(text), "git") &&
						strings.Contains(string(text), "buildkit") && strings.Contains(string(text), "shellcheck") &&
						strings.Contains(string(text), "registry") {
						return
					}
					time.Sleep(100 * time.Millisecond)
				}
			}
			text, _ := os.ReadFile(p.marker)
			if len(text) > 0 || trusted {
				t.Errorf("run or connected to:\n%.3000s", text)
			}
		})
	}
}

// spies puts programs first in the PATH that leave a mark.
func (p *hostilePlace) spies() {
	bin := p.TempDir()
	for _, name := range []string{"git", "shellcheck", "docker", "buildctl", "podman", "nerdctl", "buildx", "ssh", "sh",
		"docker-credential-evil", "docker-buildx", "hadolint", "node", "code", "xdg-open"} {
		p.must(os.Symlink(p.program, filepath.Join(bin, name)))
	}
	p.Setenv("PATH", bin+string(filepath.ListSeparator)+os.Getenv("PATH"))
	p.must(os.WriteFile(p.program, []byte("#!/bin/sh\necho \"$0 $*\" >>'"+p.marker+"'\n"), 0o700))
}

// listener is the address of a socket that leaves a mark when somebody connects.
func (p *hostilePlace) listener(name string) string {
	path := filepath.Join(p.TempDir(), name)
	listener, err := net.Listen("unix", path)
	p.must(err)
	p.listens(listener, name)
	return path
}

// registry is the address of a registry that leaves a mark when somebody connects.
func (p *hostilePlace) registry() string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	p.must(err)
	p.listens(listener, "registry")
	return listener.Addr().String()
}

func (p *hostilePlace) listens(listener net.Listener, name string) {
	p.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			conn.Close()
			f, err := os.OpenFile(p.marker, os.O_APPEND|os.O_WRONLY|os.O_CREATE, 0o600)
			if err == nil {
				fmt.Fprintln(f, "a connection to", name)
				f.Close()
			}
		}
	}()
}

// askAll asks for everything that an editor asks for in a document.
func (p *hostilePlace) askAll(e *lsptest.Editor, uri, text string) {
	lines := strings.Split(text, "\n")
	for line := range lines {
		at := map[string]any{"line": line, "character": 6}
		for _, method := range []string{"textDocument/hover", "textDocument/completion", "textDocument/definition",
			"textDocument/signatureHelp", "textDocument/references", "textDocument/documentHighlight",
			"textDocument/prepareRename", "textDocument/rename", "textDocument/codeAction", "textDocument/codeLens",
			"textDocument/inlayHint", "textDocument/diagnostic", "textDocument/documentLink",
			"textDocument/documentSymbol", "textDocument/foldingRange", "textDocument/semanticTokens/full",
			"textDocument/formatting", "workspace/symbol", "workspace/diagnostic", "workspace/willRenameFiles",
			"layerwise/baselines", "layerwise/builds"} {
			e.Send(method, lsptest.Document(uri, "position", at, "newName", "renamed", "query", "a",
				"previousResultIds", []any{}, "range", lsptest.Range(0, 0, len(lines), 0),
				"options", map[string]any{"tabSize": 4, "insertSpaces": true},
				"files", []any{map[string]any{"oldUri": uri, "newUri": uri + "2"}},
				"context", map[string]any{"includeDeclaration": true, "diagnostics": []any{}},
			)).WaitFor(20 * time.Second)
		}
	}
}
