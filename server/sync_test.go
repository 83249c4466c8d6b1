package server

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/layerwise/layerwise/cachemodel/textfile"
	"go.lsp.dev/jsonrpc2"
	"go.lsp.dev/protocol"
	"go.lsp.dev/uri"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// inward is a session without a reader: tests hand it messages directly.
func inward(t testing.TB, e encoding) *session {
	ctx, cancel := context.WithCancel(context.Background())
	rpc := jsonrpc2.NewConn(newFrames(nowhere{}, zap.NewNop()), jsonrpc2.WithCodec(codec{}))
	s := newSession(ctx, rpc, Options{Log: zap.NewNop()})
	s.can.encoding = e
	s.settle()
	t.Cleanup(func() { cancel(); s.close() })
	return s
}

type nowhere struct{}

func (nowhere) Read([]byte) (int, error)    { return 0, io.EOF }
func (nowhere) Write(p []byte) (int, error) { return len(p), nil }
func (nowhere) Close() error                { return nil }

// send hands a notification to the session as it comes over the wire.
func (s *session) send(t testing.TB, method string, params any) {
	t.Helper()
	raw, err := json.Marshal(params)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := methods[method].start(s, raw); err != nil {
		t.Fatal(err)
	}
}

type object = map[string]any

// Random incremental edits leave the text that the same edits leave when they are carried out on the whole text, and
// the document model is that of reading the text at once.
func TestIncrementalEditsEqualFullText(t *testing.T) {
	const document = "untitled:x"
	for _, e := range encodings {
		for seed := range uint64(60) {
			rnd := rand.New(rand.NewPCG(seed, 7))
			s := inward(t, e)
			want := randomText(rnd, 80)
			s.send(
				t,
				"textDocument/didOpen",
				object{"textDocument": object{"uri": document, "languageId": "dockerfile", "version": 0, "text": want}},
			)
			for version := 1; version < 40; version++ {
				var changes []object
				most := len(want) // of each change: many cursors make theirs from the end to the start
				cursors := rnd.IntN(2) == 0
				for range 1 + rnd.IntN(6) {
					insert := randomText(rnd, 6)
					if rnd.IntN(20) == 0 {
						want = insert
						changes = append(changes, object{"text": insert})
						continue
					}
					if !cursors || most > len(want) {
						most = len(want)
					}
					start := boundary(want, rnd.IntN(most+1))
					end := boundary(want, min(most, start+rnd.IntN(12)))
					most = start
					changes = append(changes, object{
						"range": object{
							"start": naivePosition(e, want, start),
							"end":   naivePosition(e, want, end),
						}, "text": insert,
					})
					want = want[:start] + insert + want[end:]
				}
				s.send(
					t,
					"textDocument/didChange",
					object{"textDocument": object{"uri": document, "version": version}, "contentChanges": changes},
				)
				snap := s.snapshotOf(document)
				if got := snap.file.Text.String(); got != want {
					t.Fatalf("%s, seed %d, version %d:\n got %q\nwant %q", e, seed, version, got, want)
				}
				if snap.version != int32(version) {
					t.Fatalf("version %d, want %d", snap.version, version)
				}
				fresh := dockerfile.Parse(source.New(want), nil)
				if got, want := outlineOf(snap.file), outlineOf(fresh); !slices.Equal(got, want) {
					t.Fatalf(
						"%s, seed %d: read step by step %q differs from read at once:\n%s",
						e,
						seed,
						snap.file.Text,
						cmp.Diff(want, got),
					)
				}
			}
			s.send(t, "textDocument/didClose", object{"textDocument": object{"uri": document}})
		}
	}
}

// What many cursors change at once takes no time for each of them.
func TestManyCursors(t *testing.T) {
	const lines = 30_000
	text := source.New(strings.Repeat("RUN x\n", lines))
	changes := make([]protocol.TextDocumentContentChangeEvent, lines)
	for i := range changes {
		at := protocol.Position{Line: uint32(lines - 1 - i), Character: 4}
		changes[i] = &protocol.TextDocumentContentChangePartial{
			Range: protocol.Range{Start: at, End: protocol.Position{Line: at.Line, Character: 5}}, Text: "yz",
		}
	}
	began := time.Now()
	got, _ := utf16Units.changed(text, changes)
	if want := strings.Repeat("RUN yz\n", lines); got.String() != want {
		t.Errorf("%.100q", got.String())
	}
	if took := time.Since(began); took > 2*time.Second { // one by one they take 5 on an idle machine
		t.Errorf("%d changes took %v", lines, took)
	}
}

// outlineOf is what edits must not confuse.
func outlineOf(f *dockerfile.File) []string {
	var out []string
	for _, in := range f.Instructions {
		out = append(out, in.Meant+" "+f.Text.Slice(in.Span))
	}
	for _, p := range f.Problems {
		out = append(out, string(p.Kind)+" "+p.Message+" "+f.Text.Slice(p.Span))
	}
	return out
}

// boundary is the start of the character at or before a byte.
func boundary(s string, at int) int {
	for at > 0 && at < len(s) && !utf8.RuneStart(s[at]) {
		at--
	}
	return at
}

// A client that reads no answers has only so many requests wait for it.
func TestMostRequests(t *testing.T) {
	s := inward(t, utf16Units)
	var ended []func()
	for i := range mostRequests {
		_, done, err := s.cancellable(jsonrpc2.NewNumberID(int64(i)))
		if err != nil {
			t.Fatal(err)
		}
		ended = append(ended, done)
	}
	if _, _, err := s.cancellable(jsonrpc2.NewNumberID(mostRequests)); err == nil {
		t.Errorf("more than %d requests are taken", mostRequests)
	}
	ours, theirs := jsonrpc2.NewChannelStreamPair(1)
	rpc, client := jsonrpc2.NewConn(ours, jsonrpc2.WithCodec(codec{})), jsonrpc2.NewConn(theirs)
	rpc.Go(s.ctx, s.handle)
	client.Go(s.ctx, nil)
	s.state.Store(running)
	decision := map[string]any{"command": markAsBuiltCommand, "arguments": []string{"file:///Dockerfile"}}
	if _, err := client.Call(s.ctx, protocol.MethodWorkspaceExecuteCommand, decision, nil); err == nil {
		t.Error("a decision is taken")
	}
	if s.decided != nil {
		t.Error("a decision that is refused is waited for")
	}
	ended[0]()
	if _, _, err := s.cancellable(jsonrpc2.NewNumberID(mostRequests)); err != nil {
		t.Error(err)
	}
}

// Header lines without an end fill no log.
func TestEndlessHeader(t *testing.T) {
	logged, logs := observer.New(zap.WarnLevel)
	text := strings.Repeat("X-Y: z\r\nContent-Length: -1\r\n", 1000) + "Content-Length: 2\r\n\r\n"
	f := newFrames(struct {
		io.Reader
		io.WriteCloser
	}{strings.NewReader(text), nowhere{}}, zap.New(logged))
	if n, err := f.readHeader(); n != 2 || err != nil || logs.Len() != 1 {
		t.Errorf("length %d, %v, %d lines in the log", n, err, logs.Len())
	}
}

// What is no UTF-8 is read as U+FFFD, for answers repeat parts of a message, and a client would read no further.
func TestNoUTF8(t *testing.T) {
	const body = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"no/\xff\"}"
	f := newFrames(struct {
		io.Reader
		io.WriteCloser
	}{strings.NewReader(fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(body), body)), nowhere{}}, zap.NewNop())
	got, _, err := f.ReadFrame(t.Context())
	if want := strings.ToValidUTF8(body, "\ufffd"); err != nil || string(got) != want {
		t.Errorf("%q, %v", got, err)
	}
}

// Strings on the wire may hold what is no Unicode: half a surrogate pair, or bytes that are no UTF-8.
func TestTextThatIsNoUnicode(t *testing.T) {
	s := inward(t, utf16Units)
	for _, raw := range []string{`a\ud83db`, "a\xffb"} {
		body := `{"textDocument":{"uri":"untitled:x","languageId":"dockerfile","version":1,"text":"` + raw + `"}}`
		if _, err := methods[protocol.MethodTextDocumentDidOpen].start(s, []byte(body)); err != nil {
			t.Fatal(err)
		}
		s.send(
			t,
			"textDocument/didChange",
			object{"textDocument": object{"uri": "untitled:x", "version": 2}, "contentChanges": []object{
				{
					"range": object{
						"start": object{"line": 0, "character": 2},
						"end":   object{"line": 0, "character": 3},
					},
					"text": "c",
				},
			}},
		)
		if got := s.snapshotOf("untitled:x").file.Text.String(); got != "a\ufffdc" {
			t.Errorf("%q became %q", raw, got)
		}
	}
}

func TestIsDockerfile(t *testing.T) {
	for _, test := range []struct {
		uri, language string
		want          bool
	}{
		{"file:///w/anything", "dockerfile", true},
		{"file:///w/anything", "Dockerfile", true},
		{"file:///w/anything", "containerfile", true},
		{"file:///w/Dockerfile", "", true},
		{"file:///w/Dockerfile", "plaintext", true},
		{"file:///w/Dockerfile.dev", "", true},
		{"file:///w/api.Dockerfile", "", true},
		{"file:///w/api.dockerfile", "", true},
		{"file:///w/Containerfile", "", true},
		{"file:///w/Dockerfile.dockerignore", "", false},
		{"file:///w/Dockerfile.dockerignore", "dockerfile", false},
		{"file:///w/.dockerignore", "ignore", false},
		{"file:///w/Dockerfile.go", "go", false},
		{"file:///w/dockerfiles", "", false},
		{"untitled:Untitled-1", "dockerfile", true},
		{"untitled:Untitled-1", "", false},
	} {
		if got := isDockerfile(uri.URI(test.uri), protocol.LanguageKind(test.language)); got != test.want {
			t.Errorf("%s %q: %t", test.uri, test.language, got)
		}
	}
}

// Positions that no position can be count as the nearest one: the server's text stays the editor's.
func TestImpossiblePositions(t *testing.T) {
	const document = "untitled:x"
	at := func(line, character string) string { return `{"line":` + line + `,"character":` + character + `}` }
	for _, test := range []struct{ why, start, end, want string }{
		{"negative", at("-1", "-5"), at("0", "4"), "X a\nUSER b\n"},
		{"a negative character", at("1", "-7"), at("1", "4"), "FROM a\nX b\n"},
		{"a character beyond the line", at("0", "99"), at("0", "100"), "FROM aX\nUSER b\n"},
		{"a line beyond the end", at("0", "0"), at("70", "0"), "X"},
		{"over 31 bits", at("0", "0"), at("2147483648", "0"), "X"},
		{"over 32 bits", at("0", "0"), at("4294967296", "4294967296"), "X"},
		{"over 64 bits", at("0", "0"), at("99999999999999999999", "0"), "X"},
		{"more than a number can hold", at("0", "0"), at("1e999", "0"), "X"},
		{"a fraction", at("0.5", "0"), at("1.0", "4"), "X b\n"},
		{"the end before the start", at("1", "4"), at("0", "0"), "FROM a\nUSERX b\n"},
	} {
		s := inward(t, utf16Units)
		s.send(t, "textDocument/didOpen", object{"textDocument": object{
			"uri": document, "languageId": "dockerfile", "version": 1, "text": "FROM a\nUSER b\n",
		}})
		_, err := startChange(
			s,
			[]byte(`{"textDocument":{"uri":"`+document+`","version":99999999999},"contentChanges":[`+
				`{"text":"X","range":{"start":`+test.start+`,"end":`+test.end+`}}]}`),
		)
		if got := s.documents[document].text.String(); err != nil || got != test.want {
			t.Errorf("%s: %q, want %q (%v)", test.why, got, test.want, err)
		}
	}
}

// After an edit that cannot be read nothing is said of the document, until its whole text comes.
func TestLostDocument(t *testing.T) {
	const document = "untitled:x"
	for _, changes := range []string{
		`[{"text":7}]`, `[{"range":{"start":{"line":0,"character":0},"end":{"line":0,"character":0}}}]`,
		`[{"text":"a","range":"x"}]`,
		`[{"text":"a","range":{"start":{"line":"0","character":0},"end":{"line":0,"character":0}}}]`, `{}`, `[null]`,
		`[7]`,
	} {
		s := inward(t, utf16Units)
		open := object{
			"textDocument": object{
				"uri":        document,
				"languageId": "dockerfile",
				"version":    1,
				"text":       "FROM a\nEVN b=c\n",
			},
		}
		s.send(t, "textDocument/didOpen", open)
		params := []byte(`{"textDocument":{"uri":"` + document + `","version":2},"contentChanges":` + changes + `}`)
		if _, err := startChange(s, params); err == nil {
			t.Errorf("%s: it is read", changes)
		}
		edit := object{
			"text":  "x",
			"range": object{"start": object{"line": 0, "character": 0}, "end": object{"line": 0, "character": 0}},
		}
		s.send(
			t,
			"textDocument/didChange",
			object{"textDocument": object{"uri": document, "version": 3}, "contentChanges": []any{edit}},
		)
		if snap := s.snapshotOf(document); len(snap.file.Instructions) > 0 || len(snap.diagnostics()) > 1 {
			t.Errorf("%s: a text is analysed that the editor does not show: %q", changes, snap.file.Text.String())
		}
		s.send(t, "textDocument/didChange", object{
			"textDocument": object{
				"uri":     document,
				"version": 4,
			}, "contentChanges": []any{object{"text": "FROM b\nFROM c\n"}},
		})
		if snap := s.snapshotOf(document); len(snap.file.Stages) != 2 {
			t.Errorf("%s: the whole text does not count", changes)
		}
	}
}

// A text that is longer than any file that we read is not analysed, and costs nothing.
func TestLongDocument(t *testing.T) {
	const document = "untitled:x"
	s := inward(t, utf16Units)
	s.send(t, "textDocument/didOpen", object{"textDocument": object{
		"uri": document, "languageId": "dockerfile", "version": 1, "text": strings.Repeat("FROM a\n", textfile.Limit/7+
			1),
	}})
	if n := len(s.snapshotOf(document).file.Instructions); n > 0 {
		t.Errorf("%d instructions", n)
	}
	s.send(t, "textDocument/didChange", object{
		"textDocument": object{"uri": document, "version": 2}, "contentChanges": []any{object{"text": "FROM b\n"}},
	})
	if n := len(s.snapshotOf(document).file.Instructions); n != 1 {
		t.Errorf("%d instructions, want 1", n)
	}
}

// Of very many findings the most serious are sent, wherever they stand, and a note that there are more.
func TestManyFindings(t *testing.T) {
	const document = "untitled:x"
	s := inward(t, utf16Units)
	s.send(t, "textDocument/didOpen", object{"textDocument": object{
		"uri": document, "languageId": "dockerfile", "version": 1,
		"text": "FROM a\n" + strings.Repeat("MAINTAINER b\n", 2*mostDiagnostics) + "EVN c=d\n",
	}})
	items := s.snapshotOf(document).diagnostics()
	if len(items) != mostDiagnostics+1 || items[0].Severity != protocol.DiagnosticSeverityError ||
		items[mostDiagnostics].Code != protocol.String("too-many-findings") {
		t.Errorf("%d diagnostics: first %+v, last %+v", len(items), items[0], items[len(items)-1])
	}
	s.send(t, "textDocument/didChange", object{
		"textDocument": object{"uri": document, "version": 2}, "contentChanges": []any{object{"text": "FROM a\nEVN c=d\n"}},
	})
	if items := s.snapshotOf(document).diagnostics(); len(items) > 3 {
		t.Errorf("few findings: %d diagnostics", len(items))
	}
}
