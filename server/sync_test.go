package server

import (
	"context"
	"encoding/json"
	"io"
	"math/rand/v2"
	"slices"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
	"go.lsp.dev/jsonrpc2"
	"go.lsp.dev/protocol"
	"go.lsp.dev/uri"
	"go.uber.org/zap"
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
			s.send(t, "textDocument/didOpen", object{"textDocument": object{"uri": document, "languageId": "dockerfile", "version": 0, "text": want}})
			for version := 1; version < 40; version++ {
				var changes []object
				for range 1 + rnd.IntN(3) {
					insert := randomText(rnd, 6)
					if rnd.IntN(20) == 0 {
						want = insert
						changes = append(changes, object{"text": insert})
						continue
					}
					start := boundary(want, rnd.IntN(len(want)+1))
					end := boundary(want, min(len(want), start+rnd.IntN(12)))
					changes = append(changes, object{
						"range": object{"start": naivePosition(e, want, start), "end": naivePosition(e, want, end)}, "text": insert,
					})
					want = want[:start] + insert + want[end:]
				}
				s.send(t, "textDocument/didChange", object{"textDocument": object{"uri": document, "version": version}, "contentChanges": changes})
				snap := s.snapshotOf(document)
				if got := snap.file.Text.String(); got != want {
					t.Fatalf("%s, seed %d, version %d:\n got %q\nwant %q", e, seed, version, got, want)
				}
				if snap.version != int32(version) {
					t.Fatalf("version %d, want %d", snap.version, version)
				}
				fresh := dockerfile.Parse(source.New(want), nil)
				if got, want := outlineOf(snap.file), outlineOf(fresh); !slices.Equal(got, want) {
					t.Fatalf("%s, seed %d: read step by step %q differs from read at once:\n%s", e, seed, snap.file.Text, cmp.Diff(want, got))
				}
			}
			s.send(t, "textDocument/didClose", object{"textDocument": object{"uri": document}})
		}
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

// Strings on the wire may hold what is no Unicode: half a surrogate pair, or bytes that are no UTF-8.
func TestTextThatIsNoUnicode(t *testing.T) {
	s := inward(t, utf16Units)
	for _, raw := range []string{`a\ud83db`, "a\xffb"} {
		body := `{"textDocument":{"uri":"untitled:x","languageId":"dockerfile","version":1,"text":"` + raw + `"}}`
		if _, err := methods[protocol.MethodTextDocumentDidOpen].start(s, []byte(body)); err != nil {
			t.Fatal(err)
		}
		s.send(t, "textDocument/didChange", object{"textDocument": object{"uri": "untitled:x", "version": 2}, "contentChanges": []object{
			{"range": object{"start": object{"line": 0, "character": 2}, "end": object{"line": 0, "character": 3}}, "text": "c"},
		}})
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
