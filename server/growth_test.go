package server_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/layerwise/layerwise/server/lsptest"
)

// worn is a session of which the same is asked again and again.
type worn struct {
	*lsptest.Editor
	t   testing.TB
	dir string
	rnd *rand.Rand
}

// file makes a file of the workspace, unless it is there already, and gives its address.
func (w *worn) file(name, text string) string {
	path := filepath.Join(w.dir, filepath.FromSlash(name))
	if was, err := os.ReadFile(path); err == nil && string(was) == text {
		return lsptest.URI(path)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		w.t.Fatal(err)
	}
	write(w.t, path, text)
	return lsptest.URI(path)
}

// asks sends some requests and waits for the answers.
func (w *worn) asks(uri string, methods ...string) {
	for _, request := range stressRequests {
		for _, method := range methods {
			if request.method == "textDocument/"+method &&
				!w.Send(request.method, lsptest.Document(uri, request.more(place{line: 1, lines: 3})...)).
					WaitFor(mutantPatience) {
				w.t.Fatalf("no answer to %s", request.method)
			}
		}
	}
}

// wearing is what is asked of a session, the i-th time.
var wearing = []struct {
	name string
	do   func(w *worn, i int)
}{
	{"texts typed", func(w *worn, i int) {
		s := stressTexts[i%len(stressTexts)]
		w.Replace(w.file("Dockerfile", "FROM a\n"), i, mutant(w.rnd, s.of(300), "RUN a\n"))
		w.asks(lsptest.URI(filepath.Join(w.dir, "Dockerfile")), "hover", "codeAction", "inlayHint", "diagnostic")
	}},
	{"Dockerfiles opened and closed", func(w *worn, i int) {
		uri := w.file(fmt.Sprintf("d%d/Dockerfile", i%7), "FROM a\n")
		w.OpenFile(uri, "dockerfile", fmt.Sprintf("FROM a\nRUN x%d\n", i))
		w.asks(uri, "hover", "codeLens", "codeAction")
		w.Notify("textDocument/didClose", lsptest.Document(uri))
	}},
	{"untitled texts opened and closed", func(w *worn, i int) {
		uri := fmt.Sprintf("untitled:Untitled-%d", i)
		w.OpenFile(uri, "dockerfile", "FROM a\nRUN x\n")
		w.asks(uri, "hover", "codeLens", "codeAction")
		w.Notify("textDocument/didClose", lsptest.Document(uri))
	}},
	{"a service renamed", func(w *worn, i int) {
		uri := lsptest.URI(filepath.Join(w.dir, "compose.yaml"))
		w.Replace(uri, i, fmt.Sprintf("services:\n  web%d:\n    build: .\n", i))
		w.asks(uri, "codeLens", "diagnostic")
	}},
	{"an image's name typed", func(w *worn, i int) {
		uri := lsptest.URI(filepath.Join(w.dir, "Dockerfile"))
		w.Replace(uri, i, fmt.Sprintf("FROM image%d\nARG A%d\nRUN b%d\n", i, i, i))
		w.asks(uri, "completion", "hover", "rename", "semanticTokens/full")
	}},
	{"requests cancelled", func(w *worn, i int) {
		uri := lsptest.URI(filepath.Join(w.dir, "Dockerfile"))
		w.Replace(uri, i, fmt.Sprintf("FROM a\nRUN b%d\n", i))
		id := fmt.Sprintf("cancelled-%d", i)
		w.Body(fmt.Sprintf(
			`{"jsonrpc":"2.0","id":%q,"method":"textDocument/codeLens","params":{"textDocument":{"uri":%q}}}`, id, uri))
		w.Notify("$/cancelRequest", map[string]any{"id": id})
		w.Notify("$/cancelRequest", map[string]any{"id": id + "-unknown"})
		w.asks(uri, "hover")
	}},
	{"files saved and changed", func(w *worn, i int) {
		uri := w.file("Dockerfile", "FROM a\nCOPY . .\n")
		w.Replace(uri, i, fmt.Sprintf("FROM a\nCOPY . .\nRUN b%d\n", i))
		w.Notify("textDocument/didSave", lsptest.Document(uri))
		changed := lsptest.URI(fmt.Sprintf("/nowhere/f%d", i)) // looks at the context itself are kept, up to a number
		w.Notify("workspace/didChangeWatchedFiles", map[string]any{
			"changes": []any{map[string]any{"uri": changed, "type": 1}},
		})
		w.asks(uri, "codeLens", "hover")
	}},
	{"settings that are wrong", func(w *worn, i int) {
		w.Notify("workspace/didChangeConfiguration", map[string]any{
			"settings": map[string]any{"layerwise": map[string]any{"engine": fmt.Sprint(i)}},
		})
		w.asks(lsptest.URI(filepath.Join(w.dir, "Dockerfile")), "hover")
	}},
	{"messages that are none", func(w *worn, i int) {
		w.Body(fmt.Sprintf(`{"jsonrpc":"2.0","id":"w%d","method":"no/such%d"}`, i, i))
		w.Body(fmt.Sprintf(`{"jsonrpc":"2.0","method":"no/such%d"}`, i))
		w.Body(fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"result":null}`, 1_000_000+i))
		w.Body(fmt.Sprintf(`{"no%d":[`, i))
		w.asks(lsptest.URI(filepath.Join(w.dir, "Dockerfile")), "hover")
	}},
}

// A session holds what is open, not what was: after some hundred times of the same it has as many objects as after
// three times as many.
func TestHoldsNoMore(t *testing.T) {
	for _, row := range wearing {
		t.Run(row.name, func(t *testing.T) {
			dir := t.TempDir()
			w := &worn{lsptest.Open(t, nil, painter, dir), t, dir, rand.New(rand.NewPCG(1, 0))}
			uri := w.file("Dockerfile", "FROM a\n")
			w.OpenFile(uri, "dockerfile", "FROM a\n")
			w.OpenFile(w.file("compose.yaml", "services: {}\n"), "yaml", "services: {}\n")
			const times = 300
			version := 1
			held := func(until int) uint64 {
				for version < until {
					version++
					row.do(w, version)
					w.Drop()
				}
				version++
				w.Replace(uri, version, "FROM a\n")
				w.asks(uri, "hover", "codeAction", "inlayHint", "diagnostic")
				time.Sleep(2 * time.Second) // no search for orders takes longer
				w.Drop()
				runtime.GC()
				runtime.GC()
				var now runtime.MemStats
				runtime.ReadMemStats(&now)
				return now.HeapObjects
			}
			before, after := held(times), held(3*times)
			t.Logf("%d objects after %d times, %d after %d", before, times, after, 3*times)
			if after > before+times { // one for every other time
				t.Errorf("%d objects after %d times, %d after %d", before, times, after, 3*times)
			}
		})
	}
}
