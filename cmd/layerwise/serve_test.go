package main

import (
	"context"
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"github.com/layerwise/layerwise/server"
	"github.com/layerwise/layerwise/server/lsptest"
)

// Several clients are served at one address, each with documents of its own; one that goes takes no other along.
func TestServeSeveralClients(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- serveTCP(ctx, listener, server.Options{Version: "test"}) }()

	const uri = "untitled:Dockerfile"
	texts := []string{"FROM a AS one\n", "FROM b AS two\nEVN x=y\n", "FROM c\n"}
	var editors []*lsptest.Editor
	for _, text := range texts {
		conn, err := net.Dial("tcp", listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		e := lsptest.New(t, conn, conn)
		e.Initialize(nil, nil)
		e.OpenFile(uri, "dockerfile", text)
		editors = append(editors, e)
	}
	editors[2].HangUp()
	for i, e := range editors[:2] {
		stage := []string{`"one"`, `"two"`}[i]
		var symbols json.RawMessage
		e.MustCall("textDocument/documentSymbol", lsptest.Document(uri), &symbols)
		if !strings.Contains(string(symbols), stage) {
			t.Errorf("client %d: %s", i, symbols)
		}
		e.Await("textDocument/publishDiagnostics", func(p json.RawMessage) bool {
			return strings.Contains(string(p), "EVN") == (i == 1)
		})
	}
	editors[0].MustCall("shutdown", nil, nil)
	editors[0].Notify("exit", nil)
	editors[1].MustCall("workspace/symbol", map[string]any{"query": ""}, nil)
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// What waits for a process returns once it has ended; of one that was never there it is not known, so it waits for the context.
func TestOutlive(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("SKIPPED: needs the program true")
	}
	if !alive(os.Getpid()) {
		t.Error("this very process does not live")
	}
	client := exec.Command("sleep", "1")
	if err := client.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { _ = client.Wait() }()
	outlive(t.Context(), client.Process.Pid)
	if t.Context().Err() != nil || alive(client.Process.Pid) {
		t.Error("returned while the process lives")
	}

	ctx, cancel := context.WithCancel(t.Context())
	returned := make(chan struct{})
	go func() { outlive(ctx, client.Process.Pid); close(returned) }()
	select {
	case <-returned:
		t.Error("a process that was not there is taken for ended")
	default:
	}
	cancel()
	<-returned
}
