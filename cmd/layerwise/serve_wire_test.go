package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/textproto"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// framed is a message with its header.
func framed(body string) string { return fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(body), body) }

// The messages of the tests below. A call asks for what needs no document; one at a place needs one.
func called(id string) string {
	return framed(`{"jsonrpc":"2.0","id":` + id + `,"method":"workspace/symbol","params":{"query":""}}`)
}

func calledWith(id, method, params string) string {
	return framed(`{"jsonrpc":"2.0","id":` + id + `,"method":"` + method + `","params":` + params + `}`)
}

func hover(id, params string) string { return calledWith(id, "textDocument/hover", params) }

func hoverAt(id, line string) string {
	return hover(id, `{"textDocument":{"uri":"untitled:x"},"position":{"line":`+line+`,"character":`+line+`}}`)
}

func notified(method, params string) string {
	return framed(`{"jsonrpc":"2.0","method":"` + method + `","params":` + params + `}`)
}

func openedText(text string) string {
	return notified("textDocument/didOpen",
		`{"textDocument":{"uri":"untitled:x","languageId":"dockerfile","version":1,`+
			`"text":"`+text+`"}}`)
}

func changedText(changes string) string {
	return notified("textDocument/didChange", `{"textDocument":{"uri":"untitled:x","version":2},"contentChanges":`+
		changes+`}`)
}

// symbols asks for the names in the document, of which there is one for each stage.
const symbols = `{"textDocument":{"uri":"untitled:x"}}`

var (
	asked = calledWith("1", "textDocument/documentSymbol", symbols)
	hello = calledWith("0", "initialize", `{"processId":null,"rootUri":null,"capabilities":{}}`) +
		notified("initialized", `{}`)
	goodbye = calledWith("2", "shutdown", "null")
)

type wireCase struct{ why, send, want string }

// wanted is how many answers there are to be.
func (c wireCase) wanted() int {
	return len(strings.FieldsFunc(c.want, func(r rune) bool { return r == ',' }))
}

// wireCases are what a client may send, and what is answered: for each answer its ID, and a code or a part of the
// result. After each the server answers as before, or has ended.
var wireCases = []wireCase{
	// Bodies.
	{"a batch", hello + framed(`[{"jsonrpc":"2.0","id":1,"method":"workspace/symbol","params":{"query":""}}]`),
		"null -32600"},
	{"an empty batch", hello + framed(`[]`), "null -32600"},
	{"no JSON", hello + framed(`{"jsonrpc":`), "null -32700"},
	{"a number", hello + framed(`1`), "null -32600"},
	{"null", hello + framed(`null`), "null -32600"},
	{"another version", hello + framed(`{"jsonrpc":"1.0","id":1,"method":"workspace/symbol"}`), "null -32600"},
	{"no version", hello + framed(`{"id":1,"method":"workspace/symbol","params":{"query":""}}`), "null -32600"},
	{"a method that is a number", hello + framed(`{"jsonrpc":"2.0","id":1,"method":7}`), "null -32600"},
	{"an empty method", hello + calledWith("1", "", "{}"), "1 -32601"},
	{"members twice", hello +
		framed(`{"jsonrpc":"2.0","id":1,"id":2,"method":"x","method":"workspace/symbol","params":{"query":""}}`),
		"2 []"},
	{"an answer to nothing", hello + framed(`{"jsonrpc":"2.0","id":77,"result":{}}`), ""},
	{"an answer and a request in one", hello +
		framed(`{"jsonrpc":"2.0","id":1,"method":"workspace/symbol","params":{"query":""},"result":1}`),
		"null -32600"},
	{"a UTF-8 byte order mark", hello + framed("\ufeff"+`{"jsonrpc":"2.0","id":1,"method":"x"}`), "null -32700"},

	// Parameters.
	{"no parameters", hello + framed(`{"jsonrpc":"2.0","id":1,"method":"textDocument/hover"}`), "1 -32602"},
	{"parameters of other types", hello + hover("1", `"x"`) + hover("2", `[1]`) + hover("3", `7`) +
		hover("4", `{"textDocument":7,"position":"x"}`) + hover("5", `{"textDocument":{"uri":{}},"position":[]}`),
		"1 -32602, 2 -32602, 3 -32602, 4 -32602, 5 -32602"},
	{"10 MB of parameters", hello + calledWith("1", "workspace/symbol",
		`{"query":"","x":"`+strings.Repeat("a", 10<<20)+`"}`), "1 []"},
	{"10 MB of elements", hello + calledWith("1", "workspace/symbol",
		`{"query":"","x":[`+strings.Repeat("1,", 5<<20)+`1]}`), "1 []"},
	{"parameters that are deep", hello + calledWith("1", "workspace/symbol",
		`{"query":"","x":`+strings.Repeat("[", 1<<20)+strings.Repeat("]", 1<<20)+`}`), "1 -32602"},
	{"a method of 10 MB", hello + calledWith("1", strings.Repeat("a", 10<<20), `{}`), "1 -32601"},
	{"an unknown method", hello + calledWith("1", "textDocument/nonsense", `{}`) +
		calledWith("2", "$/nonsense", `{}`), "1 -32601, 2 -32601"},
	{"an unknown notification", hello + notified("textDocument/nonsense", `{}`) + notified("$/nonsense", `7`), ""},
	{"a notification as a request, and the reverse", hello + calledWith("1", "textDocument/didOpen", `{}`) +
		notified("workspace/symbol", `{"query":""}`), "1 -32601"},

	// IDs.
	{"IDs of all kinds", hello + called(`"a"`) + called(`""`) + called("-1") + called("0") + called("4294967296") +
		called("9223372036854775807"),
		`"" [], "a" [], -1 [], 0 [], 4294967296 [], 9223372036854775807 []`},
	{"an ID of 10 KB", hello + called(`"`+strings.Repeat("a", 10_000)+`"`), `"` + strings.Repeat("a", 10_000) +
		`" []`},
	{"IDs that are none: over 64 bits", hello + called("99999999999999999999"), "null -32600"},
	{"IDs that are none: a fraction", hello + called("1.5"), "null -32600"},
	{"an ID that is null, as if there was none", hello + called("null"), ""},
	{"IDs that are none: an object", hello + called("{}"), "null -32600"},
	{"IDs that are none: a list", hello + called("[1]"), "null -32600"},
	{"IDs that are none: true", hello + called("true"), "null -32600"},
	{"an ID twice", hello + called("1") + called("1") + called("1"), "1 [], 1 [], 1 []"},
	{"an ID as a number and a string", hello + called("1") + called(`"1"`), `"1" [], 1 []`},
	{"a request is cancelled that is not known", hello + notified("$/cancelRequest", `{"id":99}`) +
		notified("$/cancelRequest", `{"id":{}}`) +
		notified("$/cancelRequest", `{"id":1.5}`) + notified("$/cancelRequest", `{"id":99999999999999999999}`) +
		notified("$/cancelRequest", `null`) + called("1"), "1 []"},

	// Documents.
	{"a document is opened twice", hello + openedText("FROM a AS one") + openedText("FROM a AS two") + asked,
		"1 two"},
	{"a change before the document is opened", hello + changedText(`[{"text":"FROM a AS one"}]`) + asked +
		openedText("FROM a AS two") + calledWith("2", "textDocument/documentSymbol", symbols), "1 null, 2 two"},
	{"a change after it is closed", hello + openedText("FROM a AS one") + notified("textDocument/didClose", symbols) +
		changedText(`[{"text":"FROM a"}]`) + asked, "1 null"},
	{"what was never opened is closed and saved", hello + notified("textDocument/didClose", symbols) +
		notified("textDocument/didSave", symbols), ""},
	{"a text of 10 MB", hello + openedText(strings.Repeat("FROM a AS b\\n", 10<<20/13)) + asked, "1 null"},
	{"positions that are none", hello + openedText("FROM a AS one") + hoverAt("1", "-1") + hoverAt("2", "4294967295") +
		hoverAt("3", "4294967296") + hoverAt("4", "0.5") + hoverAt("5", "1e99") + hoverAt("6", `"0"`),
		"1 -32602, 2 one, 3 -32602, 4 -32602, 5 -32602, 6 -32602"},
	{"a range that ends before it starts", hello + openedText("FROM a AS one") + calledWith("1",
		"textDocument/codeAction", `{"textDocument":{"uri":"untitled:x"},"context":{"diagnostics":[]},`+
			`"range":{"start":{"line":9,"character":9},"end":{"line":0,"character":0}}}`), "1 null"},

	// The order of things.
	{"requests before initialize", called("1") + goodbye + hover("3", "7"),
		"1 -32002, 2 -32002, 3 -32002"},
	{"notifications before initialize", openedText("FROM a AS one") + notified("initialized", `{}`) + hello + asked,
		"1 null"},
	{"initialize twice", hello + calledWith("1", "initialize", `{"processId":null,"rootUri":null,"capabilities":{}}`),
		"1 -32600"},
	{"requests after shutdown", hello + goodbye + called("1") + goodbye + calledWith("3", "initialize",
		`{"capabilities":{}}`),
		"1 -32600, 2 -32600, 2 null, 3 -32600"},
	{"exit after shutdown", hello + goodbye + notified("exit", "null"), "2 null, ends 0"},
	{"exit without shutdown", hello + notified("exit", "null"), "ends 1"},
	{"exit at once", notified("exit", "null"), "ends 1"},

	// Headers.
	{"headers that end with LF", hello + strings.ReplaceAll(called("1"), "\r\n", "\n"), "1 []"},
	{"a header in small letters, with blanks", hello + strings.Replace(called("1"), "Content-Length: ",
		"content-length:\t  ", 1), "1 []"},
	{"a header of another kind, and one that nobody knows", hello +
		"Content-Type: application/vscode-jsonrpc; charset=utf-8\r\nX: y\r\n" + called("1"), "1 []"},
	{"a length twice", hello + "Content-Length: 5\r\n" + called("1"), "1 []"},
	{"a length that is none", hello +
		"Content-Length: -5\r\n\r\nContent-Length: 0x10\r\n\r\nContent-Length:\r\n\r\nContent-Length: 0\r\n\r\n" +
		called("1"), "1 []"},
	{"a length that no message has", hello +
		"Content-Length: 99999999999999999999\r\n\r\nContent-Length: 268435457\r\n\r\n" + called("1"), "1 []"},
	{"a length that is too short", hello + "Content-Length: 10\r\n\r\n" + `{"jsonrpc":"2.0","id":1,"method":"x"}` +
		called("2"),
		"2 [], null -32700"},
	{"a length that is too long", hello + "Content-Length: 60\r\n\r\n" + `{"jsonrpc":"2.0","id":1,"method":"x"}` +
		called("2") +
		called("3"), "3 [], null -32700"},
	{"no header", hello + `{"jsonrpc":"2.0","id":1,"method":"x"}` + called("2"), "2 []"},
	{"a header line of 1 MB", hello + strings.Repeat("X", 1<<20) + "\r\n" + called("1"), "1 []"},
	{"100,000 header lines", hello + strings.Repeat("X: y\r\n", 100_000) + called("1"), "1 []"},
	{"HTTP", "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "ends 1"},
}

// A client may send what it wants: what is no message is answered or left out, and the server goes on.
func TestServeWire(t *testing.T) {
	for _, c := range wireCases {
		t.Run(c.why, func(t *testing.T) {
			t.Parallel()
			s := startWired(t)
			s.say(c.send + called(`"alive"`))
			if got := s.answers(t, c.wanted()); got != c.want {
				t.Errorf("answers %q, want %q", clipped(got), c.want)
			}
		})
	}
}

// A message may come byte by byte.
func TestServeSlowly(t *testing.T) {
	s := startWired(t)
	s.say(strings.Split(hello+asked+called(`"alive"`), "")...)
	if got := s.answers(t, 0); got != "1 null" {
		t.Errorf("answers %q", got)
	}
}

// A message that never ends, and no message, end with the input.
func TestServeBrokenOff(t *testing.T) {
	for _, said := range []string{"", "Content-Le", "Content-Length: 100", "Content-Length: 100\r\n\r\n{",
		"Content-Length: 268435456\r\n\r\n{", hello + `Content-Length: 10`} {
		s := startWired(t)
		_, _ = io.WriteString(s.in, said)
		s.in.Close()
		if got := s.answers(t, 0); got != "ends 1" {
			t.Errorf("%q: %s", said, got)
		}
	}
}

// wired is a server process that is talked to in bytes.
type wired struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

func startWired(t *testing.T) *wired {
	cmd := exec.Command("layerwise", "serve")
	cmd.Dir = t.TempDir()
	cmd.Env = append(cmd.Environ(), "XDG_CACHE_HOME="+t.TempDir(), "HOME="+cmd.Dir)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if strings.Contains(log.String(), "goroutine ") {
			t.Errorf("a crash:\n%.4000s", &log)
		}
		if log.Len() > 10_000 {
			t.Errorf("%d bytes of log", log.Len())
		}
	})
	return &wired{cmd, in, bufio.NewReader(out)}
}

// say sends these pieces, one after the other.
func (s *wired) say(pieces ...string) {
	go func() {
		for _, piece := range pieces {
			_, _ = io.WriteString(s.in, piece)
		}
	}()
}

// answers are so many as are wanted and those that come before the one to "alive", but for that to initialize; or all
// before the process ends, and how it ends.
func (s *wired) answers(t *testing.T, wanted int) string {
	patience := time.AfterFunc(time.Minute, func() { _ = s.cmd.Process.Kill() })
	defer patience.Stop()
	var answers []string
	for alive := false; !alive || len(answers) < wanted; {
		header, err := textproto.NewReader(s.out).ReadMIMEHeader()
		if err != nil {
			_ = s.cmd.Wait()
			answers = append(answers, fmt.Sprint("ends ", s.cmd.ProcessState.ExitCode()))
			break
		}
		length, _ := strconv.Atoi(header.Get("Content-Length"))
		body := make([]byte, length)
		if _, err := io.ReadFull(s.out, body); err != nil {
			t.Fatal(err)
		}
		var m struct {
			ID     json.RawMessage
			Method string
			Result json.RawMessage
			Error  *struct{ Code int }
		}
		if err := json.Unmarshal(body, &m); err != nil {
			t.Fatalf("%v in %.200s", err, body)
		}
		if string(m.ID) == `"alive"` {
			alive = true
			continue
		}
		if m.Method != "" || string(m.ID) == "0" && strings.Contains(string(m.Result), "capabilities") {
			continue
		}
		said := string(m.Result)
		if m.Error != nil {
			said = strconv.Itoa(m.Error.Code)
		}
		for _, stage := range []string{"one", "two"} {
			if strings.Contains(said, `"name":"`+stage) || strings.Contains(said, "stage "+stage) {
				said = stage
			}
		}
		answers = append(answers, string(m.ID)+" "+said)
	}
	slices.Sort(answers)
	return strings.Join(answers, ", ")
}

func clipped(s string) string { return s[:min(len(s), 600)] }
