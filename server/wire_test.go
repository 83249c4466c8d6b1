package server_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/layerwise/layerwise/server"
	"github.com/layerwise/layerwise/server/lsptest"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

const untitled = "untitled:Untitled-1"

// code returns the code of an error that the server answered.
func code(t *testing.T, err error) int {
	t.Helper()
	var answered *lsptest.Error
	if !errors.As(err, &answered) {
		t.Fatalf("not an error: %v", err)
	}
	return answered.Code
}

// alive fails the test unless the server still answers.
func alive(t *testing.T, e *lsptest.Editor) {
	t.Helper()
	e.OpenFile("untitled:alive", "dockerfile", "FROM a\n")
	e.MustCall(
		"textDocument/hover",
		lsptest.Document("untitled:alive", "position", map[string]any{"line": 0, "character": 0}),
		nil,
	)
}

func TestLifecycle(t *testing.T) {
	t.Run("requests before initialize are refused", func(t *testing.T) {
		e := lsptest.Start(t, server.Options{})
		if got := code(t, e.Call("textDocument/hover", lsptest.Document(untitled), nil)); got != -32002 {
			t.Errorf("code %d, want -32002", got)
		}
		e.Notify("textDocument/didOpen", map[string]any{}) // dropped
		e.Initialize(nil, nil)
		alive(t, e)
	})
	t.Run("initialize twice is refused", func(t *testing.T) {
		e := lsptest.Open(t, nil, nil)
		if got := code(t, e.Call("initialize", map[string]any{"processId": nil, "rootUri": nil,
			"capabilities": map[string]any{}}, nil)); got != -32600 {
			t.Errorf("code %d, want -32600", got)
		}
		alive(t, e)
	})
	t.Run("after shutdown only exit is left", func(t *testing.T) {
		e := lsptest.Open(t, nil, nil)
		e.MustCall("shutdown", nil, nil)
		if got := code(t, e.Call("textDocument/hover", lsptest.Document(untitled), nil)); got != -32600 {
			t.Errorf("code %d, want -32600", got)
		}
		e.Notify("exit", nil)
		if got := e.ExitCode(); got != 0 {
			t.Errorf("exit code %d, want 0", got)
		}
	})
	t.Run("shutdown may carry null", func(t *testing.T) {
		e := lsptest.Open(t, nil, nil)
		e.Body(`{"jsonrpc":"2.0","id":"s","method":"shutdown","params":null}`)
		e.Await(`answer to "s"`, func(p json.RawMessage) bool { return string(p) == "null" })
		e.Notify("exit", nil)
		if got := e.ExitCode(); got != 0 {
			t.Errorf("exit code %d, want 0", got)
		}
	})
	t.Run("exit without shutdown is code 1", func(t *testing.T) {
		e := lsptest.Open(t, nil, nil)
		e.Notify("exit", nil)
		if got := e.ExitCode(); got != 1 {
			t.Errorf("exit code %d, want 1", got)
		}
	})
	t.Run("exit before initialize ends the server", func(t *testing.T) {
		e := lsptest.Start(t, server.Options{})
		e.Notify("exit", nil)
		if got := e.ExitCode(); got != 1 {
			t.Errorf("exit code %d, want 1", got)
		}
	})
	t.Run("the end of the client's process ends the server", func(t *testing.T) {
		gone := make(chan struct{})
		e := lsptest.Start(t, server.Options{Outlive: func(ctx context.Context, process int) {
			if process == 12345 {
				<-gone
			}
		}})
		e.MustCall(
			"initialize",
			map[string]any{"processId": 12345, "rootUri": nil, "capabilities": map[string]any{}},
			nil,
		)
		alive(t, e)
		close(gone)
		if got := e.ExitCode(); got != 1 {
			t.Errorf("exit code %d, want 1", got)
		}
	})
	t.Run("end of input ends the server", func(t *testing.T) {
		e := lsptest.Open(t, nil, nil)
		e.OpenFile(untitled, "dockerfile", "FROM a\n")
		e.HangUp()
		if got := e.ExitCode(); got != 1 {
			t.Errorf("exit code %d, want 1", got)
		}
	})
}

func TestNothingEndsTheConnection(t *testing.T) {
	for _, body := range []string{
		`{"jsonrpc":"2.0","method":"$/foo"}`,
		`{"jsonrpc":"2.0","method":"workspace/nonsense","params":[1,2]}`,
		`{"jsonrpc":"2.0","method":"textDocument/didOpen"}`,
		`{"jsonrpc":"2.0","method":"textDocument/didOpen","params":null}`,
		`{"jsonrpc":"2.0","method":"textDocument/didOpen","params":"x"}`,
		`{"jsonrpc":"2.0","method":"textDocument/didOpen","params":{"textDocument":7}}`,
		`{"jsonrpc":"2.0","method":"textDocument/didChange","params":{"textDocument":{"uri":"untitled:nowhere","version":2},"contentChanges":[{"text":"x"}]}}`,
		`{"jsonrpc":"2.0","method":"textDocument/didClose","params":{"textDocument":{"uri":"untitled:nowhere"}}}`,
		`{"jsonrpc":"2.0","method":"textDocument/didSave","params":{"textDocument":{"uri":"file:///nowhere"}}}`,
		`{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":99}}`,
		`{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":{}}}`,
		`{"jsonrpc":"2.0","method":"$/setTrace","params":{"value":"verbose"}}`,
		`{"jsonrpc":"2.0","method":"workspace/didChangeConfiguration","params":{"settings":{"layerwise":"x"}}}`,
		`{"jsonrpc":"2.0","method":"workspace/didChangeWatchedFiles","params":{"changes":[{"uri":"","type":1},{"uri":"x","type":9}]}}`,
		`{"jsonrpc":"2.0","method":"textDocument/hover","params":{}}`,
		`{"jsonrpc":"2.0","id":1000,"result":null}`,
		`{"jsonrpc":"2.0","id":1000,"error":{"code":1,"message":"x"}}`,
		`{"jsonrpc":"2.0"}`,
		`{"jsonrpc":"1.0","method":"x"}`,
		`{"method":5}`,
		`{`,
		`nonsense`,
		`"x"`,
		`[]`,
		`[1]`,
		`[{"jsonrpc":"2.0","method":"$/foo"}]`,
		`[{"jsonrpc":"2.0","id":5000,"method":"textDocument/hover","params":{"textDocument":{"uri":"untitled:x"},"position":{"line":0,"character":0}}}]`,
		"\x00\xff",
		" ",
	} {
		t.Run(body, func(t *testing.T) {
			e := lsptest.Open(t, nil, nil)
			e.Body(body)
			alive(t, e)
		})
	}
	for _, raw := range []string{
		"Content-Length: x\r\n\r\n",
		"Content-Length: 0\r\n\r\n",
		"Content-Length: -5\r\n\r\n",
		"Content-Length: 99999999999999999999\r\n\r\n",
		"garbage\r\n\r\n",
		"Content-Type: x\r\n\r\n",
		"{\"jsonrpc\":\"2.0\"}", // no header: what follows stands on the same line
		"\r\n\r\n",
	} {
		t.Run(raw, func(t *testing.T) {
			e := lsptest.Open(t, nil, nil)
			e.Raw(raw)
			alive(t, e)
		})
	}
}

func TestBadRequestsGetTheirCodes(t *testing.T) {
	e := lsptest.Open(t, nil, nil)
	for _, test := range []struct {
		method string
		params any
		want   int
	}{
		{"textDocument/nonsense", map[string]any{}, -32601},
		{"$/nonsense", map[string]any{}, -32601},
		{"textDocument/didOpen", map[string]any{}, -32601}, // a notification sent as a request
		{"textDocument/hover", "x", -32602},
		{"textDocument/hover", nil, -32602},
		{"textDocument/inlayHint", map[string]any{"textDocument": map[string]any{"uri": 5}}, -32602},
	} {
		if got := code(t, e.Call(test.method, test.params, nil)); got != test.want {
			t.Errorf("%s %v: code %d, want %d", test.method, test.params, got, test.want)
		}
	}
	e.Body("{")
	e.Await("answer to null", func(p json.RawMessage) bool { return strings.Contains(string(p), "-32700") })
	e.Body(`{"id":5}`)
	e.Await("answer to null", func(p json.RawMessage) bool { return strings.Contains(string(p), "-32600") })
	alive(t, e)
}

// Requests see exactly the edits that were sent before them, although they run beside what follows.
func TestRequestsSeeTheEditsBeforeThem(t *testing.T) {
	e := lsptest.Open(t, nil, nil)
	e.OpenFile(untitled, "dockerfile", "FROM a\n")
	var pending []*lsptest.Pending
	for i := range 200 {
		e.Replace(untitled, i+2, "FROM a\n"+strings.Repeat("EVN x=y\n", i%7))
		pending = append(pending, e.Send("textDocument/diagnostic", lsptest.Document(untitled)))
	}
	for i, p := range pending {
		var report struct {
			Kind  string
			Items []any
		}
		if err := p.Wait(&report); err != nil {
			t.Fatal(err)
		}
		if report.Kind != "full" || len(report.Items) != i%7 {
			t.Fatalf("request %d: %s report with %d items, want full with %d", i, report.Kind, len(report.Items), i%7)
		}
	}
}

func TestInitializeResult(t *testing.T) {
	for _, test := range []struct {
		offered []string
		want    string
	}{
		{nil, "utf-16"},
		{[]string{}, "utf-16"},
		{[]string{"utf-8", "utf-16"}, "utf-8"},
		{[]string{"utf-32"}, "utf-32"},
		{[]string{"utf-64", "utf-16", "utf-8"}, "utf-16"},
	} {
		t.Run(fmt.Sprint(test.offered), func(t *testing.T) {
			e := lsptest.Start(t, server.Options{Version: "1.2.3"})
			general := map[string]any{}
			if test.offered != nil {
				general["positionEncodings"] = test.offered
			}
			raw := e.Initialize(map[string]any{"general": general}, nil)
			var got struct {
				Capabilities struct {
					PositionEncoding   string
					DiagnosticProvider map[string]any
					TextDocumentSync   map[string]any
				}
				ServerInfo map[string]string
			}
			if err := json.Unmarshal(raw, &got); err != nil {
				t.Fatal(err)
			}
			if got.Capabilities.PositionEncoding != test.want {
				t.Errorf("encoding %q, want %q", got.Capabilities.PositionEncoding, test.want)
			}
			if got.ServerInfo["version"] != "1.2.3" || got.Capabilities.TextDocumentSync["change"] != 2.0 ||
				got.Capabilities.DiagnosticProvider["interFileDependencies"] != false {
				t.Errorf("capabilities %s", raw)
			}
		})
	}
}

func TestCancel(t *testing.T) {
	e := lsptest.Open(t, nil, nil)
	first, second := e.Send("test/wait", nil), e.Send("test/wait", nil)
	e.MustCall("test/quick", nil, nil) // nobody waits in line behind a slow request
	e.Notify("$/cancelRequest", map[string]any{"id": first.ID})
	if got := code(t, first.Wait(nil)); got != -32800 {
		t.Errorf("code %d, want -32800", got)
	}
	e.Notify("$/cancelRequest", map[string]any{"id": first.ID}) // again, for nothing
	e.Notify("$/cancelRequest", map[string]any{"id": second.ID})
	if got := code(t, second.Wait(nil)); got != -32800 {
		t.Errorf("code %d, want -32800", got)
	}
	e.Body(`{"jsonrpc":"2.0","id":"s1","method":"test/wait"}`)
	e.Notify("$/cancelRequest", map[string]any{"id": "s1"})
	e.Await(`answer to "s1"`, func(p json.RawMessage) bool { return strings.Contains(string(p), "-32800") })

	// What still waits does not keep the server from ending.
	e.Send("test/wait", nil)
	e.MustCall("shutdown", nil, nil)
	e.Notify("exit", nil)
	if got := e.ExitCode(); got != 0 {
		t.Errorf("exit code %d, want 0", got)
	}
}

func TestPanics(t *testing.T) {
	core, logs := observer.New(zapcore.ErrorLevel)
	e := lsptest.Start(t, server.Options{Log: zap.New(core)})
	e.Initialize(nil, nil)
	for _, method := range []string{"test/panicInline", "test/panicBeside"} {
		if got := code(t, e.Call(method, map[string]any{}, nil)); got != -32603 {
			t.Errorf("%s: code %d, want -32603", method, got)
		}
	}
	e.Notify("test/panicNotification", map[string]any{})
	e.Notify("test/panicBackground", map[string]any{})
	e.Await("window/logMessage", func(p json.RawMessage) bool { return strings.Contains(string(p), "internal error") })
	alive(t, e)
	if logs.Len() != 4 {
		t.Errorf("%d panics logged, want 4", logs.Len())
	}
	for _, entry := range logs.All() {
		if stack, _ := entry.ContextMap()["stack"].(string); !strings.Contains(stack, "export_test.go") {
			t.Errorf("logged without a stack: %v", entry.ContextMap())
		}
	}
}

func TestTrace(t *testing.T) {
	e := lsptest.Open(t, nil, nil)
	e.Notify("$/setTrace", map[string]any{"value": "messages"})
	e.MustCall("test/quick", nil, nil)
	e.Await("$/logTrace", func(p json.RawMessage) bool { return strings.Contains(string(p), "test/quick") })
	e.Notify("$/setTrace", map[string]any{"value": "off"})
	e.MustCall("test/quick", nil, nil)
	e.Drop()
	e.MustCall("test/quick", nil, nil)
	if got := e.Received("$/logTrace"); got != nil {
		t.Errorf("traced although off: %s", got)
	}
}

// Two clients over one process have states of their own; here, two servers in one process.
func TestSessionsAreSeparate(t *testing.T) {
	one, two := lsptest.Open(t, nil, nil), lsptest.Open(t, nil, nil)
	one.OpenFile(untitled, "dockerfile", "EVN a=b\n")
	two.OpenFile(untitled, "dockerfile", "FROM a\n")
	for e, want := range map[*lsptest.Editor]bool{one: true, two: false} {
		var report struct{ Items []any }
		e.MustCall("textDocument/diagnostic", lsptest.Document(untitled), &report)
		if got := len(report.Items) > 0; got != want {
			t.Errorf("diagnostics %v, want some: %t", report.Items, want)
		}
	}
}

func TestProgress(t *testing.T) {
	e := lsptest.Open(t, map[string]any{"window": map[string]any{"workDoneProgress": true}}, nil)
	e.Notify("test/longWork", map[string]any{})
	var created struct{ Token string }
	if err := json.Unmarshal(e.Await("window/workDoneProgress/create", nil), &created); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"kind":"begin","title":"Working long","cancellable":true,"message":"half way"`,
		`"kind":"report"`, `"kind":"end"`} {
		e.Await("$/progress", func(p json.RawMessage) bool {
			return strings.Contains(string(p), want) && strings.Contains(string(p), created.Token)
		})
	}
}

// What takes long can be cancelled where its progress is shown.
func TestProgressIsCancelled(t *testing.T) {
	e := lsptest.Open(t, map[string]any{"window": map[string]any{"workDoneProgress": true}}, nil)
	e.Notify("test/longWork", map[string]any{})
	var begun struct {
		Token string
		Value struct{ Cancellable bool }
	}
	if err := json.Unmarshal(e.Await("$/progress", func(p json.RawMessage) bool {
		return strings.Contains(string(p),
			`"begin"`)
	}), &begun); err != nil {
		t.Fatal(err)
	}
	if !begun.Value.Cancellable {
		t.Error("it does not say that it can be cancelled")
	}
	e.Notify("window/workDoneProgress/cancel", map[string]any{"token": "another"})
	e.Notify("window/workDoneProgress/cancel", map[string]any{"token": 7})
	e.Notify("window/workDoneProgress/cancel", map[string]any{"token": begun.Token})
	e.Await("window/logMessage", func(p json.RawMessage) bool { return strings.Contains(string(p), "was cancelled") })
	e.Await("$/progress", func(p json.RawMessage) bool { return strings.Contains(string(p), `"end"`) })
	e.Notify("window/workDoneProgress/cancel", map[string]any{"token": begun.Token})
	alive(t, e)
}

// A client that says one thing of itself in an odd way loses that, and not the server.
func TestOddInitialize(t *testing.T) {
	for _, odd := range []string{
		`"trace":null`, `"clientInfo":{"name":null}`, `"processId":"12"`, `"processId":99999999999`, `"locale":7`,
		`"workspaceFolders":[{"uri":3}]`,
		`"capabilities":[]`, `"capabilities":{"textDocument":{"hover":true}}`,
		`"capabilities":{"textDocument":{"foldingRange":{"rangeLimit":-1}}}`,
		`"capabilities":{"textDocument":7,"workspace":{"configuration":"yes"}}`,
	} {
		t.Run(odd, func(t *testing.T) {
			e := lsptest.Start(t, server.Options{})
			e.Body(
				`{"jsonrpc":"2.0","id":"i","method":"initialize","params":{"rootUri":null,"capabilities":{"general":{"positionEncodings":["utf-8"]}},` + odd + `}}`,
			)
			e.Await(`answer to "i"`, func(p json.RawMessage) bool { return string(p) == "null" })
			e.OpenFile(untitled, "dockerfile", "FROM a\nEVN b=c\n")
			e.Await(
				"textDocument/publishDiagnostics",
				func(p json.RawMessage) bool { return strings.Contains(string(p), "EVN") },
			)
		})
	}
	e := lsptest.Start(t, server.Options{})
	for _, params := range []string{`[]`, `7`, `"x"`} {
		e.Body(
			`{"jsonrpc":"2.0","id":"` + strings.Trim(
				params,
				`"[]`,
			) + `i","method":"initialize","params":` + params + `}`,
		)
	}
	var result struct {
		Capabilities struct{ PositionEncoding string }
	}
	e.MustCall(
		"initialize",
		map[string]any{"processId": nil, "rootUri": nil, "trace": nil, "capabilities": map[string]any{
			"general": map[string]any{
				"positionEncodings": []string{"utf-8"},
			}, "textDocument": map[string]any{"hover": 7},
		}},
		&result,
	)
	if result.Capabilities.PositionEncoding != "utf-8" {
		t.Errorf("what can be read does not count: %+v", result)
	}
}

// Changes as older clients send them count too.
func TestOlderChanges(t *testing.T) {
	e := lsptest.Open(t, nil, nil)
	e.OpenFile(untitled, "dockerfile", "FROM a AS one\n")
	for _, test := range []struct{ change, want string }{
		{`"version":null},"contentChanges":[{"text":"FROM a AS two\n"}]`, `"two"`},
		{`"version":7},"contentChanges":[{"range":null,"text":"FROM a AS three\n"}]`, `"three"`},
		{`"version":8},"contentChanges":[{"range":null,"rangeLength":null,"text":"FROM a AS x null\n"},{"range":{"start":{"line":0,"character":10},"end":{"line":0,"character":16}},"text":"four"}]`, `"four"`},
		{`"version":null},"contentChanges":[{"range":{"start":{"line":0,"character":10},"end":{"line":0,"character":14}},"rangeLength":4,"text":"five"}]`, `"five"`},
	} {
		e.Body(
			`{"jsonrpc":"2.0","method":"textDocument/didChange","params":{"textDocument":{"uri":"` + untitled + `",` +
				test.change + `}}`,
		)
		var symbols json.RawMessage
		e.MustCall("textDocument/documentSymbol", lsptest.Document(untitled), &symbols)
		if !strings.Contains(string(symbols), test.want) {
			t.Errorf("%s: %s", test.change, symbols)
		}
	}
}

// What only claims to be large, deep or long does not harm the server.
func TestHostileFrames(t *testing.T) {
	e := lsptest.Open(t, nil, nil)
	for _, raw := range []string{
		"Content-Length: -1\r\n" +
			"\r\n", "Content-Length: 99999999999999999999\r\n" +
			"\r\n", "Content-Length: 4294967296\r\n\r\n", "Content-Length: 0\r\n\r\n",
		"Content-Length: 1e3\r\n" +
			"\r\n", "Content-Length:\r\n\r\n", strings.Repeat("X", 1<<20) + "\r\n\r\n", "\r\n\r\n\r\n",
		strings.Repeat("Content-Type: x\r\n", 10000) + "\r\n",
	} {
		e.Raw(raw)
		alive(t, e)
	}
	deep := strings.Repeat("[", 1<<20)
	nested := strings.Repeat(`{"a":`, 1<<18) + "1" + strings.Repeat("}", 1<<18)
	for _, body := range []string{
		deep, deep + strings.Repeat("]", 1<<20), nested,
		`{"jsonrpc":"2.0","id":1,"method":"textDocument/hover","params":` + nested + `}`,
		`{"jsonrpc":"2.0","method":"$/x","params":` + deep + `}`,
		`{"jsonrpc":"2.0","method":"workspace/didChangeConfiguration","params":{"settings":` + nested + `}}`,
		`{"jsonrpc":"2.0","method":"workspace/didChangeConfiguration","params":{"settings":{"layerwise":` + nested +
			`}}}`,
	} {
		e.Body(body)
		alive(t, e)
	}
}

// A length that is announced takes no memory before the bytes are there.
func TestAnnouncedLength(t *testing.T) {
	e := lsptest.Open(t, nil, nil)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	e.Raw("Content-Length: 268435456\r\n\r\n{")
	time.Sleep(200 * time.Millisecond) // it is a bound from above: it cannot fail because of this wait
	runtime.ReadMemStats(&after)
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 16<<20 {
		t.Errorf("%d bytes were taken", grown)
	}
	e.HangUp()
}

// A client that registers features per kind of document is told to ask us about Dockerfiles only; one that does not
// gets them at once.
func TestRegistrations(t *testing.T) {
	e := lsptest.Start(t, server.Options{})
	dynamic := map[string]any{"dynamicRegistration": true}
	capabilities := map[string]any{
		"textDocument": map[string]any{
			"foldingRange": dynamic,
			"formatting":   dynamic,
			"completion":   dynamic,
			"hover":        map[string]any{},
		},
	}
	var result struct {
		Capabilities map[string]json.RawMessage
	}
	if err := json.Unmarshal(e.Initialize(capabilities, nil), &result); err != nil {
		t.Fatal(err)
	}
	for provider, want := range map[string]bool{
		"foldingRangeProvider": false, "documentFormattingProvider": false, "completionProvider": false,
		"hoverProvider": true, "codeLensProvider": true,
		"textDocumentSync": true,
	} {
		if got := result.Capabilities[provider] != nil; got != want {
			t.Errorf("%s at once: %v, want %v", provider, got, want)
		}
	}
	raw := string(
		e.Await(
			"client/registerCapability",
			func(p json.RawMessage) bool { return strings.Contains(string(p), "foldingRange") },
		),
	)
	for _, want := range []string{`"textDocument/foldingRange"`, `"textDocument/formatting"`,
		`"textDocument/completion"`, `"resolveProvider":true`, `{"language":"dockerfile"}`} {
		if !strings.Contains(raw, want) {
			t.Errorf("no %s in %s", want, raw)
		}
	}
	if strings.Contains(raw, "textDocument/hover") {
		t.Errorf("hover is registered twice: %s", raw)
	}

	// Of what is no Dockerfile nothing is said, which is other than that there is nothing.
	const compose = "untitled:compose.yaml"
	e.OpenFile(compose, "yaml", "services:\n  a:\n    image: b\n")
	for _, method := range []string{"foldingRange", "documentSymbol", "documentLink", "formatting", "hover",
		"completion", "selectionRange", "semanticTokens/full"} {
		var answer json.RawMessage
		at := map[string]any{"line": 1, "character": 2}
		e.MustCall(
			"textDocument/"+method,
			lsptest.Document(
				compose,
				"position",
				at,
				"positions",
				[]any{at},
				"options",
				map[string]any{"tabSize": 2, "insertSpaces": true},
			),
			&answer,
		)
		if string(answer) != "null" {
			t.Errorf("%s of a Compose file: %s", method, answer)
		}
	}
}
