// Package lsptest is an editor for tests: it talks to a server as a real one does, in framed JSON over pipes, and can
// also say what a real one would not. It must not use the server's own types for messages, lest both be wrong alike.
package lsptest

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/textproto"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/layerwise/layerwise/server"
)

// timeout is how long an editor waits before a test counts as failed.
const timeout = 20 * time.Second

// Editor is one client with a server of its own.
type Editor struct {
	t        testing.TB
	in       io.WriteCloser
	out      io.ReadCloser
	code     chan int
	writing  sync.Mutex
	nextID   int
	answers  map[string]func(params json.RawMessage) any
	mu       sync.Mutex
	changed  *sync.Cond
	waiting  map[string]chan message
	received []Message
	closed   bool
}

// Message is a notification or request that the server sent.
type Message struct {
	Method string
	Params json.RawMessage
}

type message struct {
	ID     json.RawMessage `json:"id"`
	Method string          `json:"method"`
	Params json.RawMessage `json:"params"`
	Result json.RawMessage `json:"result"`
	Error  *Error          `json:"error"`
}

// Error is an error that the server answered.
type Error struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

func (e *Error) Error() string { return fmt.Sprintf("%d: %s", e.Code, e.Message) }

// Start starts a server and connects to it without sending anything. It ends with the test.
func Start(t testing.TB, options server.Options) *Editor {
	t.Helper()
	options.Patience = cmp.Or(options.Patience, timeout)
	clientOut, serverIn := io.Pipe()
	serverOut, clientIn := io.Pipe()
	e := New(t, clientIn, clientOut)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		e.code <- server.Serve(ctx, pipe{serverOut, serverIn}, options)
	}()
	// The server is waited for, lest it write into the folders that the test removes.
	t.Cleanup(func() {
		cancel()
		clientIn.Close()
		clientOut.Close()
		select {
		case <-ended:
		case <-time.After(timeout):
			t.Error("the server does not end with its connection")
		}
	})
	return e
}

type pipe struct {
	*io.PipeReader
	*io.PipeWriter
}

func (p pipe) Close() error { return errors.Join(p.PipeReader.Close(), p.PipeWriter.Close()) }

// New connects to a server that reads from in and writes to out.
func New(t testing.TB, in io.WriteCloser, out io.ReadCloser) *Editor {
	e := &Editor{t: t, in: in, out: out, code: make(chan int, 1), waiting: map[string]chan message{}}
	e.changed = sync.NewCond(&e.mu)
	e.answers = map[string]func(json.RawMessage) any{}
	go e.read()
	return e
}

// Open starts a server and initialises it with these capabilities and initialisation options, which may be nil.
func Open(t testing.TB, capabilities, options any, folders ...string) *Editor {
	t.Helper()
	e := Start(t, server.Options{Version: "test"})
	e.Initialize(capabilities, options, folders...)
	return e
}

// Initialize does the handshake and returns the server's capabilities.
func (e *Editor) Initialize(capabilities, options any, folders ...string) json.RawMessage {
	e.t.Helper()
	if capabilities == nil {
		capabilities = map[string]any{}
	}
	params := map[string]any{"processId": nil, "rootUri": nil, "capabilities": capabilities}
	if options != nil {
		params["initializationOptions"] = options
	}
	if folders != nil {
		var list []any
		for _, f := range folders {
			list = append(list, map[string]any{"uri": URI(f), "name": f})
		}
		params["workspaceFolders"] = list
	}
	var result json.RawMessage
	e.MustCall("initialize", params, &result)
	e.Notify("initialized", map[string]any{})
	return result
}

// URI is the address of a file.
func URI(path string) string { return "file://" + strings.ReplaceAll(path, " ", "%20") }

// Answer has the editor answer the server's requests of a method; without, it answers null. Call it before the server
// may ask. An answer that is a func() any is what that returns, which may take its time.
func (e *Editor) Answer(method string, answer func(params json.RawMessage) any) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.answers[method] = answer
}

// Raw sends bytes as they are.
func (e *Editor) Raw(s string) {
	e.t.Helper()
	if err := e.write(s); err != nil {
		e.t.Errorf("the server does not read: %v", err)
	}
}

func (e *Editor) write(s string) error {
	e.writing.Lock()
	defer e.writing.Unlock()
	_, err := io.WriteString(e.in, s)
	return err
}

// Body sends a body with its header.
func (e *Editor) Body(s string) {
	e.t.Helper()
	e.Raw(framed(s))
}

func framed(body string) string {
	return "Content-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body
}

// Notify sends a notification.
func (e *Editor) Notify(method string, params any) {
	e.t.Helper()
	e.Body(e.encode(map[string]any{"jsonrpc": "2.0", "method": method, "params": params}))
}

func (e *Editor) encode(m any) string {
	raw, err := json.Marshal(m)
	if err != nil {
		e.t.Fatal(err)
	}
	return string(raw)
}

// Pending is a request that was sent.
type Pending struct {
	ID     int
	e      *Editor
	method string
	answer chan message
}

// Send sends a request and does not wait.
func (e *Editor) Send(method string, params any) *Pending {
	e.t.Helper()
	e.mu.Lock()
	e.nextID++
	p := &Pending{ID: e.nextID, e: e, method: method, answer: make(chan message, 1)}
	e.waiting[strconv.Itoa(p.ID)] = p.answer
	e.mu.Unlock()
	m := map[string]any{"jsonrpc": "2.0", "id": p.ID, "method": method}
	if params != nil {
		m["params"] = params
	}
	e.Body(e.encode(m))
	return p
}

// Wait waits for the answer. An error that the server answered is an *Error.
func (p *Pending) Wait(result any) error {
	p.e.t.Helper()
	select {
	case m := <-p.answer:
		if m.Error != nil {
			return m.Error
		}
		if result == nil {
			return nil
		}
		if err := json.Unmarshal(m.Result, result); err != nil {
			p.e.t.Fatalf("answer to %s: %v in %s", p.method, err, m.Result)
		}
		return nil
	case <-time.After(timeout):
		p.e.t.Fatalf("no answer to %s", p.method)
		return nil
	}
}

// WaitFor waits for the answer, for so long. It reports false if none came.
func (p *Pending) WaitFor(patience time.Duration) bool {
	select {
	case m := <-p.answer:
		return m.Error == nil || m.Error.Code != 0 // it is 0 where the connection has ended
	case <-time.After(patience):
		return false
	}
}

// Call sends a request and waits for the answer.
func (e *Editor) Call(method string, params, result any) error {
	e.t.Helper()
	return e.Send(method, params).Wait(result)
}

// MustCall is Call where an error fails the test.
func (e *Editor) MustCall(method string, params, result any) {
	e.t.Helper()
	if err := e.Call(method, params, result); err != nil {
		e.t.Fatalf("%s: %v", method, err)
	}
}

// Await waits for a message of the method that matches, also among those received before, and removes it and what
// came of this method before it.
func (e *Editor) Await(method string, matches func(params json.RawMessage) bool) json.RawMessage {
	e.t.Helper()
	params, ok := e.AwaitFor(timeout, method, matches)
	if !ok {
		e.mu.Lock()
		defer e.mu.Unlock()
		var got []string
		for _, m := range e.received {
			got = append(got, m.Method+" "+string(m.Params))
		}
		e.t.Fatalf("no %s that matches came; what came:\n%s", method, strings.Join(got, "\n"))
	}
	return params
}

// AwaitFor is Await for so long. It reports false if nothing came that matches.
func (e *Editor) AwaitFor(
	patience time.Duration,
	method string,
	matches func(params json.RawMessage) bool,
) (json.RawMessage, bool) {
	over := false
	late := time.AfterFunc(patience, func() { e.mu.Lock(); over = true; e.mu.Unlock(); e.changed.Broadcast() })
	defer late.Stop()
	e.mu.Lock()
	defer e.mu.Unlock()
	for seen := 0; ; e.changed.Wait() {
		for ; seen < len(e.received); seen++ {
			m := e.received[seen]
			if m.Method != method || matches != nil && !matches(m.Params) {
				continue
			}
			var rest []Message
			for i, other := range e.received {
				if i > seen || other.Method != method {
					rest = append(rest, other)
				}
			}
			e.received = rest
			return m.Params, true
		}
		if e.closed || over {
			return nil, false
		}
	}
}

// Received returns the messages of the method that came and were not awaited.
func (e *Editor) Received(method string) []json.RawMessage {
	e.mu.Lock()
	defer e.mu.Unlock()
	var out []json.RawMessage
	for _, m := range e.received {
		if m.Method == method {
			out = append(out, m.Params)
		}
	}
	return out
}

// HangUp closes the connection without a word.
func (e *Editor) HangUp() { e.in.Close() }

// ExitCode waits for the server to end.
func (e *Editor) ExitCode() int {
	e.t.Helper()
	select {
	case code := <-e.code:
		return code
	case <-time.After(timeout):
		e.t.Fatal("the server does not end")
		return -1
	}
}

// OpenFile opens a document of version 1.
func (e *Editor) OpenFile(uri, language, text string) {
	e.t.Helper()
	e.Notify(
		"textDocument/didOpen",
		map[string]any{"textDocument": map[string]any{"uri": uri, "languageId": language, "version": 1, "text": text}},
	)
}

// Replace changes the whole text of a document.
func (e *Editor) Replace(uri string, version int, text string) {
	e.t.Helper()
	e.Notify("textDocument/didChange", map[string]any{
		"textDocument":   map[string]any{"uri": uri, "version": version},
		"contentChanges": []any{map[string]any{"text": text}},
	})
}

// Range makes a range of LSP positions.
func Range(line, character, endLine, endCharacter int) map[string]any {
	return map[string]any{
		"start": map[string]any{"line": line, "character": character},
		"end":   map[string]any{"line": endLine, "character": endCharacter},
	}
}

// Document makes the parameters of a request about a document, with further ones in pairs of name and value.
func Document(uri string, more ...any) map[string]any {
	params := map[string]any{"textDocument": map[string]any{"uri": uri}}
	for i := 0; i+1 < len(more); i += 2 {
		params[more[i].(string)] = more[i+1]
	}
	return params
}

func (e *Editor) read() {
	in := bufio.NewReader(e.out)
	for {
		m, err := readMessage(in)
		if err != nil {
			e.mu.Lock()
			e.closed = true
			for id, c := range e.waiting {
				c <- message{Error: &Error{Message: "the connection ended: " + err.Error()}}
				delete(e.waiting, id)
			}
			e.mu.Unlock()
			e.changed.Broadcast()
			return
		}
		if m.Method == "" {
			e.mu.Lock()
			id := string(m.ID)
			c := e.waiting[id]
			delete(e.waiting, id)
			if c == nil {
				e.received = append(
					e.received,
					Message{Method: "answer to " + id, Params: json.RawMessage(e.encode(m.Error))},
				)
			}
			e.mu.Unlock()
			if c != nil {
				c <- m
			}
			e.changed.Broadcast()
			continue
		}
		e.mu.Lock()
		e.received = append(e.received, Message{m.Method, m.Params})
		answer := e.answers[m.Method]
		e.mu.Unlock()
		e.changed.Broadcast()
		if m.ID != nil {
			var result any
			if answer != nil {
				result = answer(m.Params)
			}
			// Beside the reading, for the server may be writing just as we do. It may also have ended.
			go func() {
				if late, ok := result.(func() any); ok {
					result = late()
				}
				_ = e.write(framed(e.encode(map[string]any{"jsonrpc": "2.0", "id": m.ID, "result": result})))
			}()
		}
	}
}

func readMessage(in *bufio.Reader) (message, error) {
	header, err := textproto.NewReader(in).ReadMIMEHeader()
	if err != nil {
		return message{}, err
	}
	n, err := strconv.Atoi(header.Get("Content-Length"))
	if err != nil {
		return message{}, err
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(in, body); err != nil {
		return message{}, err
	}
	var m message
	// Notifications, which may be large, are not taken apart here, for benchmarks wait for them. Requests have an id.
	tail := body[max(0, len(body)-40):]
	if rest, ok := bytes.CutPrefix(body, []byte(`{"jsonrpc":"2.0","method":"`)); ok &&
		!bytes.Contains(tail, []byte(`"id":`)) {
		method, params, ok := bytes.Cut(rest, []byte(`","params":`))
		if ok && !bytes.ContainsRune(method, '"') {
			return message{Method: string(method), Params: params[:len(params)-1]}, nil
		}
	}
	return m, json.Unmarshal(body, &m)
}

// Drop forgets the messages that came and were not awaited.
func (e *Editor) Drop() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.received = nil
}
