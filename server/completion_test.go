package server_test

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	local "github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/layerwise/layerwise/server/lsptest"
)

type completionList struct {
	IsIncomplete bool
	Items        []completionItem
}

type completionItem struct {
	Label, Detail, FilterText string
	InsertTextFormat          int
	TextEdit                  struct {
		Range   lspRange
		NewText string
	}
	Data          any
	Documentation struct{ Kind, Value string }
}

func (l completionList) labels() string {
	var labels []string
	for _, it := range l.Items {
		labels = append(labels, it.Label)
	}
	return strings.Join(labels, " ")
}

var completionAbilities = map[string]any{"textDocument": map[string]any{
	"completion": map[string]any{
		"completionItem": map[string]any{"snippetSupport": true, "documentationFormat": []string{"markdown"}},
	},
	"hover": map[string]any{"contentFormat": []string{"markdown"}},
	"signatureHelp": map[string]any{
		"signatureInformation": map[string]any{"parameterInformation": map[string]any{"labelOffsetSupport": true}},
	},
}}

// complete asks for completion at the end of a text of one document, and waits until the build context is there.
func completeAt(t *testing.T, e *lsptest.Editor, uri, text string) completionList {
	t.Helper()
	lines := strings.Split(text, "\n")
	at := map[string]any{"line": len(lines) - 1, "character": len(lines[len(lines)-1])}
	e.OpenFile(uri, "dockerfile", text)
	defer e.Notify("textDocument/didClose", lsptest.Document(uri))
	e.MustCall("textDocument/hover", lsptest.Document(uri, "position", map[string]any{"line": 0, "character": 0}), nil)
	var list completionList
	e.MustCall("textDocument/completion", lsptest.Document(uri, "position", at), &list)
	return list
}

// What the editor has open and what lies beside it is offered: files that are not ignored, images of other Dockerfiles.
// Documentation comes with resolve.
func TestCompletion(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, ".dockerignore"), "*.log\nsecret\n")
	write(t, filepath.Join(dir, "main.go"), "x")
	write(t, filepath.Join(dir, "more", "y.go"), "x")
	write(t, filepath.Join(dir, "many.log"), "x")
	write(t, filepath.Join(dir, "secret", "key"), "x")
	e := lsptest.Open(t, completionAbilities, nil, dir)
	e.OpenFile(lsptest.URI(filepath.Join(dir, "other.Dockerfile")), "dockerfile", "FROM registry.example.com/base:7\n")
	uri := lsptest.URI(filepath.Join(dir, "Dockerfile"))

	if got := completeAt(t, e, uri, "FROM a\nCOPY m").labels(); got != "more/ main.go" {
		t.Errorf("files: %s", got)
	}
	if got := completeAt(t, e, uri, "FROM registry.e").labels(); got != "registry.example.com/base:7" {
		t.Errorf("images: %s", got)
	}
	list := completeAt(t, e, uri, "FROM a\nRUN --moun")
	if len(list.Items) != 1 || list.Items[0].InsertTextFormat != 2 ||
		list.Items[0].TextEdit.Range.String() != "2:5-2:11" {
		t.Fatalf("flags: %+v", list)
	}
	item := map[string]any{"label": list.Items[0].Label, "data": list.Items[0].Data}
	var resolved completionItem
	e.MustCall("completionItem/resolve", item, &resolved)
	if resolved.Documentation.Kind != "markdown" || !strings.Contains(resolved.Documentation.Value, "#run---mount") {
		t.Errorf("resolved: %+v", resolved.Documentation)
	}
	for _, data := range []any{nil, 7, "nonsense/x", map[string]any{"x": 1}} {
		var same completionItem
		e.MustCall("completionItem/resolve", map[string]any{"label": "x", "data": data}, &same)
		if same.Label != "x" || same.Documentation.Value != "" {
			t.Errorf("data %v: %+v", data, same)
		}
	}
}

// A client that chooses between putting a word in and replacing the one that stands there is told of both; where the
// item's text goes with what follows, there is nothing to choose. Behind a folder or a flag there is more to choose
// from: the client's own command opens the list.
func TestCompletionEdits(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "src", "x.go"), "x")
	item := map[string]any{"snippetSupport": true, "insertReplaceSupport": true}
	e := lsptest.Open(
		t,
		map[string]any{"textDocument": map[string]any{"completion": map[string]any{"completionItem": item}}},
		map[string]any{"suggestCommand": "again"},
		dir,
	)
	uri := lsptest.URI(filepath.Join(dir, "Dockerfile"))
	for _, test := range []struct {
		about, text, label   string
		whole, front, behind string // the ranges of the edit: whole, or front and behind
		command              string
	}{
		{"in front of a word", "FROM a\nCOPY ‸src dest", ".", "", "2:6-2:6", "2:6-2:9", ""},
		{"within a word", "FROM a\nCOPY s‸rc dest", "src/", "", "2:6-2:7", "2:6-2:9", "again"},
		{"at its end", "FROM a\nCOPY src‸ dest", "src/", "2:6-2:9", "", "", "again"},
		{"with the slash", "FROM a\nCOPY s‸/x dest", "src/", "2:6-2:8", "", "", "again"},
		{"with the brace", "FROM a\nENV A=1\nRUN ${‸}", "${A}", "3:5-3:8", "", "", ""},
		{"a file needs no more", "FROM a\nCOPY src/x‸y dest", "x.go", "", "2:10-2:11", "2:10-2:12", ""},
	} {
		text, rest, _ := strings.Cut(test.text, "‸")
		e.OpenFile(uri, "dockerfile", text+rest)
		e.MustCall(
			"textDocument/hover",
			lsptest.Document(uri, "position", map[string]any{"line": 0, "character": 0}),
			nil,
		)
		lines := strings.Split(text, "\n")
		var list struct {
			Items []struct {
				Label    string
				TextEdit struct{ Range, Insert, Replace lspRange }
				Command  struct{ Command string }
			}
		}
		e.MustCall(
			"textDocument/completion",
			lsptest.Document(
				uri,
				"position",
				map[string]any{"line": len(lines) - 1, "character": len(lines[len(lines)-1])},
			),
			&list,
		)
		e.Notify("textDocument/didClose", lsptest.Document(uri))
		if len(list.Items) == 0 || list.Items[0].Label != test.label {
			t.Errorf("%s: %+v", test.about, list)
			continue
		}
		show := func(r lspRange) string {
			if r == (lspRange{}) {
				return ""
			}
			return r.String()
		}
		got := list.Items[0]
		if show(got.TextEdit.Range) != test.whole || show(got.TextEdit.Insert) != test.front ||
			show(got.TextEdit.Replace) != test.behind ||
			got.Command.Command != test.command {
			t.Errorf("%s: %+v", test.about, got)
		}
	}
}

// A registry is asked only if the user wants that; the first answer does not wait for it.
func TestCompletionOfTags(t *testing.T) {
	registry := httptest.NewServer(local.New(local.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(registry.Close)
	image := strings.TrimPrefix(registry.URL, "http://") + "/app"
	for _, tag := range []string{"1.2", "1.10"} {
		ref, err := name.NewTag(image + ":" + tag)
		if err == nil {
			err = remote.Write(ref, empty.Image)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	for _, setting := range []string{"off", "on"} {
		dir := t.TempDir()
		e := lsptest.Open(t, completionAbilities, map[string]any{"layerwise": map[string]any{"registry": setting}}, dir)
		uri := lsptest.URI(filepath.Join(dir, "Dockerfile"))
		list := completeAt(t, e, uri, "FROM "+image+":")
		if len(list.Items) > 0 || list.IsIncomplete != (setting == "on") {
			t.Errorf("%s: at first %+v", setting, list)
		}
		for end := time.Now().Add(10 * time.Second); list.IsIncomplete && time.Now().Before(end); {
			time.Sleep(10 * time.Millisecond)
			list = completeAt(t, e, uri, "FROM "+image+":")
		}
		if want := map[string]string{"off": "", "on": "1.10 1.2"}[setting]; list.labels() != want {
			t.Errorf("%s: then %q, want %q", setting, list.labels(), want)
		}
	}
}

// What a registry has under an image's reference is told where the user wants that; without, nothing is asked.
func TestHoverOfImage(t *testing.T) {
	var asked atomic.Int32
	handler := local.New(local.Logger(log.New(io.Discard, "", 0)))
	registry := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(registry.Close)
	image := strings.TrimPrefix(registry.URL, "http://") + "/app:1"
	ref, err := name.NewTag(image)
	if err == nil {
		err = remote.Write(ref, empty.Image)
	}
	if err != nil {
		t.Fatal(err)
	}
	digest, _ := empty.Image.Digest()
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	for _, setting := range []string{"off", "on"} {
		before := asked.Load()
		dir := t.TempDir()
		e := lsptest.Open(t, completionAbilities, map[string]any{"layerwise": map[string]any{"registry": setting}}, dir)
		uri := lsptest.URI(filepath.Join(dir, "Dockerfile"))
		e.OpenFile(uri, "dockerfile", "FROM "+image+"\nFROM 127.0.0.1:1/gone\n")
		var said struct{ Contents struct{ Value string } }
		e.MustCall(
			"textDocument/hover",
			lsptest.Document(uri, "position", map[string]any{"line": 0, "character": 6}),
			&said,
		)
		if got := strings.Contains(said.Contents.Value, digest.String()); got != (setting == "on") ||
			(asked.Load() > before) != (setting == "on") {
			t.Errorf("%s: %d requests, %s", setting, asked.Load()-before, said.Contents.Value)
		}
		e.MustCall(
			"textDocument/hover",
			lsptest.Document(uri, "position", map[string]any{"line": 1, "character": 6}),
			&said,
		)
		if got := strings.Contains(said.Contents.Value, "does not tell more"); got != (setting == "on") {
			t.Errorf("%s: %s", setting, said.Contents.Value)
		}
	}
}

// The parameters of a signature are told by place to a client that knows that, else by text.
func TestSignatureHelp(t *testing.T) {
	for _, c := range []struct {
		abilities any
		want      string
	}{{completionAbilities, "[5,12]"}, {map[string]any{}, `"[flags]"`}} {
		e := lsptest.Open(t, c.abilities, nil)
		e.OpenFile("untitled:Dockerfile", "dockerfile", "FROM a\nCOPY x y")
		var help struct {
			Signatures []struct {
				Label           string
				ActiveParameter int
				Parameters      []struct{ Label rawJSON }
			}
			ActiveParameter int
		}
		e.MustCall(
			"textDocument/signatureHelp",
			lsptest.Document("untitled:Dockerfile", "position", map[string]any{"line": 1, "character": 8}),
			&help,
		)
		if len(help.Signatures) != 1 || help.ActiveParameter != 3 ||
			string(help.Signatures[0].Parameters[0].Label) != c.want {
			t.Errorf("%+v", help)
		}
	}
}

type rawJSON string

func (r *rawJSON) UnmarshalJSON(b []byte) error { *r = rawJSON(b); return nil }
