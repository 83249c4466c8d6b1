package server_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/layerwise/layerwise/server"
	"github.com/layerwise/layerwise/server/lsptest"
)

type workspaceReport struct {
	Items []struct {
		Kind, URI, ResultID string
		Version             *int
		Items               []struct{ Message string }
	}
}

// The findings of a workspace: of files that are open as they are typed, of others as they are on disk, where the
// settings of their folder ask for it, and as these configure the rules; what is unchanged is not sent again, and what is deleted is cleared.
func TestWorkspaceDiagnostic(t *testing.T) {
	one, two := t.TempDir(), t.TempDir()
	write(t, filepath.Join(one, "Dockerfile"), "FROM a\nEVN b=c\n")
	write(t, filepath.Join(one, "sub", "api.dockerfile"), "FROM a\nMAINTAINER x\nCPY a b\n")
	write(t, filepath.Join(one, "node_modules", "Dockerfile"), "FROM a\nEVN b=c\n")
	write(t, filepath.Join(one, "notes.md"), "FROM a\nEVN b=c\n")
	write(t, filepath.Join(two, "Containerfile"), "FROM a\nEVN b=c\n")
	e := lsptest.Start(t, server.Options{})
	e.Answer("workspace/configuration", func(params json.RawMessage) any {
		// Of the session, then of each folder: only the first asks for its files.
		asks := map[string]any{"workspaceDiagnostics": true, "rules": map[string]any{"MaintainerDeprecated": "off"}}
		return []any{nil, asks, map[string]any{}}
	})
	e.Initialize(
		map[string]any{
			"workspace":    map[string]any{"configuration": true},
			"textDocument": map[string]any{"diagnostic": map[string]any{}},
		},
		nil,
		one,
		two,
	)
	uri := lsptest.URI(filepath.Join(one, "Dockerfile"))
	e.OpenFile(uri, "dockerfile", "FROM a\nRNU x\n")

	type previous = map[string]any
	ask := func(ids ...any) map[string]string {
		t.Helper()
		var report workspaceReport
		e.MustCall("workspace/diagnostic", map[string]any{"previousResultIds": append([]any{}, ids...)}, &report)
		got := map[string]string{}
		for _, item := range report.Items {
			name := filepath.Base(item.URI)
			got[name] = item.Kind
			for _, d := range item.Items {
				got[name] += ": " + strings.Fields(d.Message)[2]
			}
			got[name+" id"] = item.ResultID
		}
		return got
	}
	var got map[string]string
	// until the settings have come
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if got = ask(); got["api.dockerfile"] != "" || time.Now().After(deadline) {
			break
		}
	}
	if got["Dockerfile"] != "full: RNU" || got["api.dockerfile"] != "full: CPY" || got["Containerfile"] != "" ||
		len(got) != 4 {
		t.Fatalf("got %v", got)
	}
	api := lsptest.URI(filepath.Join(one, "sub", "api.dockerfile"))
	again := ask(
		previous{"uri": uri, "value": got["Dockerfile id"]},
		previous{"uri": api, "value": got["api.dockerfile id"]},
	)
	if again["Dockerfile"] != "unchanged" || again["api.dockerfile"] != "unchanged" {
		t.Errorf("asked again: %v", again)
	}
	write(t, filepath.Join(one, "sub", "api.dockerfile"), "FROM a\nENVV A=b\nRNU\n")
	if again := ask(previous{"uri": api, "value": got["api.dockerfile "+
		"id"]}); again["api.dockerfile"] != "full: ENVV: RNU" {
		t.Errorf("after a change: %v", again)
	}
	if err := os.Rename(filepath.Join(one, "sub", "api.dockerfile"), filepath.Join(one, "sub",
		"Dockerfile.api")); err != nil {
		t.Fatal(err)
	}
	if again := ask(previous{"uri": api, "value": got["api.dockerfile id"]}); again["api.dockerfile"] != "full" ||
		again["Dockerfile.api"] != "full: ENVV: RNU" {
		t.Errorf("after it was renamed: %v", again)
	}
}

// A Dockerfile that is deleted while it is open keeps its diagnostics, for its text is still there; they go when it is
// closed.
func TestDeletedFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "Dockerfile")
	write(t, path, "FROM a\nEVN b=c\n")
	e := lsptest.Open(t, nil, nil, dir)
	uri := lsptest.URI(path)
	e.OpenFile(uri, "dockerfile", "FROM a\nEVN b=c\n")
	e.Await(
		"textDocument/publishDiagnostics",
		func(p json.RawMessage) bool { return strings.Contains(string(p), "EVN") },
	)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	e.Notify("workspace/didChangeWatchedFiles", map[string]any{"changes": []any{map[string]any{"uri": uri, "type": 3}}})
	e.Notify("textDocument/didClose", lsptest.Document(uri))
	e.Await(
		"textDocument/publishDiagnostics",
		func(p json.RawMessage) bool { return strings.Contains(string(p), `"diagnostics":[]`) },
	)
}

// Eight clients at once over TCP, each with documents of the same names and texts of its own: nobody sees another's.
func TestSeveralClients(t *testing.T) {
	listener, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go server.Serve(ctx, conn, server.Options{})
		}
	}()
	var clients sync.WaitGroup
	for i := range 8 {
		conn, err := net.Dial("tcp", listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		e := lsptest.New(t, conn, conn)
		clients.Go(func() {
			e.Initialize(nil, nil)
			for round := range 20 {
				uri := fmt.Sprintf("untitled:%d", round)
				name := fmt.Sprintf("client%dround%d", i, round)
				e.OpenFile(uri, "dockerfile", "FROM a AS "+name+"\nFROM "+name+"\n")
				var symbols []struct{ Name string }
				e.MustCall("textDocument/documentSymbol", lsptest.Document(uri), &symbols)
				if len(symbols) != 2 || symbols[0].Name != name {
					t.Errorf("client %d got %v, wants %s", i, symbols, name)
				}
				var all []struct{ Name string }
				e.MustCall("workspace/symbol", map[string]any{"query": "client"}, &all)
				if len(all) != 2*(round+1) {
					t.Errorf("client %d has %d stages, wants %d", i, len(all), 2*(round+1))
				}
			}
		})
	}
	clients.Wait()
}
