package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/layerwise/layerwise/server"
	"github.com/layerwise/layerwise/server/lsptest"
)

// Several clients are served at one address, each with documents of its own; one that goes takes no other along.
func TestServeSeveralClients(t *testing.T) {
	t.Setenv(tokenVariable, "secret")
	listener, err := listenOn("localhost:0", false)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- serveClients(ctx, listener, server.Options{Version: "test"}) }()

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
		e.Initialize(nil, map[string]any{"token": "secret"})
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

// What waits for a process returns once it has ended; of one that was never there it is not known, so it waits for
// the context.
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

// Who may connect: this machine only unless it is said otherwise, with the token; a socket's owner only, without.
func TestListenOn(t *testing.T) {
	t.Setenv(tokenVariable, "")
	if l, err := listenOn("0.0.0.0:0", false); err == nil {
		l.Close()
		t.Error("listens for other machines without --listen-any")
	}
	for _, c := range []struct {
		address  string
		anybody  bool
		loopback bool
	}{
		{":0", false, true},
		{"localhost:0", false, true},
		{"127.0.0.1:0", false, true},
		{":0", true, false},
	} {
		l, err := listenOn(c.address, c.anybody)
		if err != nil {
			t.Fatal(err)
		}
		if ip := l.Addr().(*net.TCPAddr).IP; ip.IsLoopback() != c.loopback {
			t.Errorf("%s: listens on %s", c.address, ip)
		}
		if len(l.token) < 20 || !strings.Contains(l.note, l.token) {
			t.Errorf("%s: the token %q is short or is not told in %q", c.address, l.token, l.note)
		}
		l.Close()
	}
}

// A client without the token, or with another one, and a web page that posts to the port get nothing.
func TestServeNobodyElse(t *testing.T) {
	listener, err := listenOn("localhost:0", false)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- serveClients(ctx, listener, server.Options{Version: "test"}) }()
	defer func() { stop(); <-ended }()

	dial := func() net.Conn {
		conn, err := net.Dial("tcp", listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		return conn
	}
	for _, options := range []any{nil, map[string]any{"token": "x"}, map[string]any{"token": ""},
		map[string]any{"token": nil}, "x"} {
		conn := dial()
		e := lsptest.New(t, conn, conn)
		params := map[string]any{
			"processId":             nil,
			"rootUri":               nil,
			"capabilities":          map[string]any{},
			"initializationOptions": options,
		}
		if err := e.Call("initialize", params, nil); err == nil || !strings.Contains(err.Error(), "token") {
			t.Errorf("options %v: %v", options, err)
		}
		if err := e.Call("workspace/symbol", map[string]any{"query": ""}, nil); err == nil ||
			!strings.Contains(err.Error(), "before initialize") {
			t.Errorf("options %v, the next request: %v", options, err)
		}
	}
	body := `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"processId":null,"rootUri":null,` +
		`"capabilities":{},"initializationOptions":{"token":"` + listener.token + `"}}}`
	for _, line := range []string{"POST / HTTP/1.1", "GET / HTTP/1.1", "OPTIONS * HTTP/1.0", "PUT /x HTTP/1.1",
		"CONNECT localhost:1 HTTP/1.1", "PRI * HTTP/2.0", "HTTP/1.1 200 OK",
		"POST /" + strings.Repeat("a", 100_000) + " HTTP/1.1"} {
		conn := dial()
		fmt.Fprintf(conn, "%s\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s", line, len(body), body)
		_ = conn.SetReadDeadline(time.Now().Add(20 * time.Second))
		if answer, err := io.ReadAll(conn); len(answer) > 0 || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s is answered: %q %v", line, answer, err)
		}
	}
	conn := dial()
	long := strings.Replace(body, `"rootUri"`, `"x":"`+strings.Repeat("a", 5<<20)+`","rootUri"`, 1)
	_, _ = io.WriteString(conn, framed(long)+called("2"))
	_ = conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	answer := make([]byte, 200)
	n, err := io.ReadAtLeast(conn, answer, 50)
	if err != nil || !strings.Contains(string(answer[:n]), "-32002") {
		t.Errorf("a first message of 5 MB: %q %v", answer[:n], err)
	}
}

// A Unix socket is its owner's alone, is taken over if nobody listens any more, and is removed at the end.
func TestListenUnix(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("SKIPPED: Unix permissions")
	}
	path := filepath.Join(t.TempDir(), "lw.sock")
	listener, err := listenOn("unix:"+path, false)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 || listener.token != "" {
		t.Errorf("%v %v, token %q", info.Mode(), err, listener.token)
	}
	if l, err := listenOn("unix:"+path, false); err == nil {
		l.Close()
		t.Error("two servers listen on one socket")
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- serveClients(ctx, listener, server.Options{Version: "test"}) }()
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	e := lsptest.New(t, conn, conn)
	e.Initialize(nil, nil)
	e.MustCall("workspace/symbol", map[string]any{"query": ""}, nil)
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(path); !os.IsNotExist(err) {
		t.Error("the socket is left")
	}

	left, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	left.SetUnlinkOnClose(false)
	left.Close()
	listener, err = listenOn("unix:"+path, false)
	if err != nil {
		t.Fatalf("a socket that nobody listens on: %v", err)
	}
	listener.Close()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if l, err := listenOn("unix:"+file, false); err == nil {
		l.Close()
		t.Error("a file is taken for a socket")
	}
	if _, err := os.Stat(file); err != nil {
		t.Errorf("the file is gone: %v", err)
	}
}
