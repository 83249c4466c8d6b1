package server_test

import (
	"encoding/json"
	"flag"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/layerwise/layerwise/analysis/corpus"
	"github.com/layerwise/layerwise/server"
	"github.com/layerwise/layerwise/server/lsptest"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

var typingEvery = flag.Int("typing-every", 6, "type every n-th file of the corpus, on average; 1 is all of them")

// Every prefix of files in the corpus is typed, small files character by character and others line by line; after each
// step the server is asked everything. Short mode takes every 20th file.
func TestTypingTheCorpus(t *testing.T) {
	files := maps.Collect(corpus.Dockerfiles(t))
	every := *typingEvery
	if testing.Short() {
		every = 20
	}
	rnd := rand.New(rand.NewPCG(1, 1))
	skip := func() bool { return rnd.IntN(every) != 0 }
	t.Logf("one of %d files, chosen with seed 1:1", every)
	const editors = 4
	names := slices.Sorted(maps.Keys(files))
	for i := range editors {
		var mine []string
		for k := i; k < len(names); k += editors {
			if !skip() {
				mine = append(mine, names[k])
			}
		}
		t.Run(strconv.Itoa(i), func(t *testing.T) {
			t.Parallel()
			core, logs := observer.New(zapcore.WarnLevel)
			e := lsptest.Start(t, server.Options{Log: zap.New(core)})
			e.Initialize(
				map[string]any{"workspace": map[string]any{"inlayHint": map[string]any{"refreshSupport": true}}},
				painter,
			)
			prefixes := 0
			for _, name := range mine {
				prefixes += typeFile(t, e, name, files[name])
			}
			for _, entry := range logs.All() {
				t.Errorf("the server logged: %s %v", entry.Message, entry.ContextMap())
			}
			t.Logf("%d prefixes", prefixes)
		})
	}
}

func typeFile(t *testing.T, e *lsptest.Editor, name, text string) int {
	uri := "untitled:" + strings.ReplaceAll(name, "/", "-")
	e.OpenFile(uri, "dockerfile", "")
	var pending []*lsptest.Pending
	wait := func() {
		for _, p := range pending {
			var answer json.RawMessage
			if err := p.Wait(&answer); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		pending = pending[:0]
	}
	version, line, character := 1, 0, 0
	for rest := text; rest != ""; {
		size := strings.IndexByte(rest, '\n') + 1
		if len(text) < 1024 {
			_, size = utf8.DecodeRuneInString(rest)
		} else if size == 0 {
			size = len(rest)
		}
		typed := strings.ToValidUTF8(rest[:size], "\ufffd")
		rest = rest[size:]
		version++
		e.Notify("textDocument/didChange", map[string]any{
			"textDocument": map[string]any{"uri": uri, "version": version},
			"contentChanges": []any{
				map[string]any{"range": lsptest.Range(line, character, line, character), "text": typed},
			},
		})
		character += len(utf16.Encode([]rune(typed)))
		if strings.HasSuffix(typed, "\n") {
			line, character = line+1, 0
		}
		visible := lsptest.Range(max(0, line-40), 0, line+1, 0)
		pending = append(
			pending,
			e.Send("textDocument/inlayHint", lsptest.Document(uri, "range", visible)),
			e.Send(
				"textDocument/hover",
				lsptest.Document(uri, "position", map[string]any{"line": line, "character": max(0, character-1)}),
			),
			e.Send(
				"textDocument/codeAction",
				lsptest.Document(uri, "range", visible, "context", map[string]any{"diagnostics": []any{}}),
			),
		)
		if len(pending) > 60 {
			wait()
		}
	}
	wait()
	e.Notify("textDocument/didClose", lsptest.Document(uri))
	e.Drop()
	return version - 1
}
