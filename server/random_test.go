package server_test

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/layerwise/layerwise/analysis/corpus"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/outline"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/layerwise/layerwise/server"
	"github.com/layerwise/layerwise/server/lsptest"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
	"golang.org/x/tools/txtar"
)

var (
	randomSteps = flag.Int("steps", 500, "how many random edits and requests")
	randomSeed  = flag.Uint64("seed", 0, "for the random edits; 0 is another each time")
)

// randomRequests is what is asked at random, with the parameters besides the document.
var randomRequests = map[string]func(u *randomUser) map[string]any{
	"textDocument/definition":                (*randomUser).position,
	"textDocument/references":                (*randomUser).position,
	"textDocument/documentHighlight":         (*randomUser).position,
	"textDocument/prepareRename":             (*randomUser).position,
	"textDocument/rename":                    (*randomUser).position,
	"textDocument/linkedEditingRange":        (*randomUser).position,
	"textDocument/prepareCallHierarchy":      (*randomUser).position,
	"textDocument/hover":                     (*randomUser).position,
	"textDocument/completion":                (*randomUser).position,
	"textDocument/signatureHelp":             (*randomUser).position,
	"textDocument/selectionRange":            (*randomUser).position,
	"textDocument/documentSymbol":            (*randomUser).nothing,
	"textDocument/foldingRange":              (*randomUser).nothing,
	"textDocument/documentLink":              (*randomUser).nothing,
	"textDocument/codeLens":                  (*randomUser).nothing,
	"textDocument/diagnostic":                (*randomUser).nothing,
	"textDocument/semanticTokens/full":       (*randomUser).nothing,
	"textDocument/semanticTokens/range":      (*randomUser).rng,
	"textDocument/inlayHint":                 (*randomUser).rng,
	"textDocument/codeAction":                (*randomUser).rng,
	"textDocument/rangeFormatting":           (*randomUser).rng,
	"textDocument/formatting":                (*randomUser).nothing,
	"textDocument/onTypeFormatting":          (*randomUser).position,
	"workspace/symbol":                       (*randomUser).nothing,
	"textDocument/semanticTokens/full/delta": (*randomUser).nothing,
}

// randomUser edits one document and asks about it, at random.
type randomUser struct {
	t       *testing.T
	e       *lsptest.Editor
	r       *rand.Rand
	uri     string
	text    *source.Text
	version int
	last    string // the last edit, for messages
}

func (u *randomUser) nothing() map[string]any { return nil }

// at returns a random place that an editor can name.
func (u *randomUser) at() (offset int, place map[string]any) {
	text := u.text.String()
	for offset = u.r.IntN(len(text) + 1); offset > 0 && offset < len(text) && !utf8.RuneStart(text[offset]); {
		offset--
	}
	line := u.text.LineAt(offset)
	offset = min(offset, u.text.Line(line).End)
	units := len(utf16.Encode([]rune(text[u.text.LineStart(line):offset])))
	return offset, map[string]any{"line": line, "character": units}
}

func (u *randomUser) position() map[string]any {
	_, at := u.at()
	return map[string]any{
		"position":  at,
		"positions": []any{at},
		"newName":   "renamed_it",
		"context":   map[string]any{"includeDeclaration": true},
		"ch":        "\n",
		"options":   layout,
	}
}

func (u *randomUser) rng() map[string]any {
	a, from := u.at()
	b, to := u.at()
	if a > b {
		from, to = to, from
	}
	return map[string]any{
		"range":   map[string]any{"start": from, "end": to},
		"context": map[string]any{"diagnostics": []any{}},
		"options": layout,
	}
}

var layout = map[string]any{"tabSize": 4, "insertSpaces": true}

// pieces are what people type into Dockerfiles.
var pieces = []string{
	"\n", "\\\n", " ", "  ", "FROM ", "FROM a AS b\n", "RUN ", "COPY --from=b ", "ENV A=$A ", "ARG A\n", "$", "${", "}",
	"\"", "'", "<<EOF\n", "EOF\n", "#", "# escape=`\n", "`", "[", "]",
	"é", "😀", "\t", "&& ", "if x; then", "--mount=type=cache,", "=", "ONBUILD ", "\r\n", "HEALTHCHECK " +
		"CMD ", "`\n", "a", "\ufeff",
}

// edit changes something and tells the server.
func (u *randomUser) edit() {
	a, from := u.at()
	b, to := a, from
	if u.r.IntN(3) == 0 {
		if b, to = u.at(); b < a || b-a > 200 {
			b, to = a, from
		}
	}
	piece := pieces[u.r.IntN(len(pieces))]
	if u.r.IntN(4) == 0 {
		piece = ""
	}
	content := u.text.String()
	u.text = source.New(content[:a] + piece + content[b:])
	u.version++
	u.last = fmt.Sprintf("replaced %d to %d by %q", a, b, piece)
	u.e.Notify("textDocument/didChange", map[string]any{
		"textDocument":   map[string]any{"uri": u.uri, "version": u.version},
		"contentChanges": []any{map[string]any{"range": map[string]any{"start": from, "end": to}, "text": piece}},
	})
}

// question is a request under way, with what it was asked of.
type question struct {
	pending   *lsptest.Pending
	method    string
	params    any
	text      *source.Text
	version   int
	cancelled bool
}

// Random edits and requests over real Dockerfiles, with cancellations: nothing fails, each answer is about the version
// that was asked of, and what the server keeps does not grow.
func TestRandomUse(t *testing.T) {
	files := realOrOwn(t)
	seed := *randomSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	r := rand.New(rand.NewPCG(seed, 1))
	core, logs := observer.New(zapcore.WarnLevel)
	e := lsptest.Start(t, server.Options{Log: zap.New(core)})
	capabilities := e.Initialize(map[string]any{
		"textDocument": map[string]any{
			"rename": map[string]any{
				"prepareSupport": true,
			}, "documentSymbol": map[string]any{"hierarchicalDocumentSymbolSupport": true},
			"publishDiagnostics": map[string]any{},
		},
		"workspace": map[string]any{
			"inlayHint":     map[string]any{"refreshSupport": true},
			"workspaceEdit": map[string]any{"documentChanges": true},
		},
	}, nil, t.TempDir())
	methods := slices.Sorted(maps.Keys(randomRequests))
	for method, provider := range map[string]string{"textDocument/completion": "completionProvider",
		"textDocument/signatureHelp": "signatureHelpProvider"} {
		if !strings.Contains(string(capabilities), provider) {
			methods = slices.DeleteFunc(methods, func(m string) bool { return m == method })
		}
	}
	names := slices.Sorted(maps.Keys(files))
	u := &randomUser{t: t, e: e, r: r}
	var asked []question
	var early, late uint64
	answered, cancelled := 0, 0
	finish := func() {
		for _, q := range asked {
			if u.check(q) {
				cancelled++
			}
			answered++
		}
		asked = asked[:0]
	}
	for step := range *randomSteps {
		if step%100 == 0 {
			if u.uri != "" {
				e.Notify("textDocument/didClose", lsptest.Document(u.uri))
			}
			name := names[r.IntN(len(names))]
			text := strings.ToValidUTF8(files[name], "?")
			u.uri, u.version, u.text = fmt.Sprintf(
				"untitled:%d-%s",
				step,
				name,
			), 1, source.New(
				strings.ReplaceAll(text, "\r", ""),
			)
			e.OpenFile(u.uri, "dockerfile", u.text.String())
			e.Drop()
		}
		if step == *randomSteps/2 {
			early = heap()
		}
		if r.IntN(2) == 0 {
			u.edit()
			continue
		}
		method := methods[r.IntN(len(methods))]
		params := lsptest.Document(u.uri)
		maps.Copy(params, randomRequests[method](u))
		if method == "textDocument/semanticTokens/full/delta" {
			params["previousResultId"] = fmt.Sprint(r.IntN(5))
		}
		params["query"] = "a"
		if method == "textDocument/formatting" {
			params["options"] = layout
		}
		q := question{
			pending:   e.Send(method, params),
			method:    method,
			params:    params,
			text:      u.text,
			version:   u.version,
			cancelled: r.IntN(10) == 0,
		}
		if q.cancelled {
			e.Notify("$/cancelRequest", map[string]any{"id": q.pending.ID})
		}
		if asked = append(asked, q); len(asked) > 8 {
			finish()
		}
		if t.Failed() {
			t.Fatalf("seed %d, step %d", seed, step)
		}
	}
	finish()
	late = heap()
	for _, entry := range logs.All() {
		t.Errorf("the server logged: %s %v", entry.Message, entry.ContextMap())
	}
	if *randomSteps >= 5000 && late > early+early/2+20<<20 {
		t.Errorf("the heap grew from %d to %d MiB in the second half", early>>20, late>>20)
	}
	t.Logf(
		"seed %d: %d steps, %d answers, %d of them that the request was cancelled; heap %d MiB, then %d MiB",
		seed,
		*randomSteps,
		answered,
		cancelled,
		early>>20,
		late>>20,
	)
}

// realOrOwn returns the corpus, or where that is not at hand the Dockerfiles of the tests.
func realOrOwn(t *testing.T) map[string]string {
	if _, ok := corpus.Find(t, "dockerfiles"); ok {
		return maps.Collect(corpus.Dockerfiles(t))
	}
	files := map[string]string{"long": longDockerfile(300)}
	paths, err := filepath.Glob("../*/*/testdata/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		if archive, err := txtar.ParseFile(path); err == nil {
			for _, f := range archive.Files {
				if f.Name == "Dockerfile" {
					files[filepath.Base(path)] = string(f.Data)
				}
			}
		}
	}
	return files
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// check waits for an answer and holds it against the text it was asked of. It reports whether it says that the request
// was cancelled.
func (u *randomUser) check(q question) bool {
	u.t.Helper()
	var answer any
	err := q.pending.Wait(&answer)
	var code *lsptest.Error
	fail := func(format string, args ...any) {
		params, _ := json.Marshal(q.params)
		u.t.Errorf("%s %s: %s\n%s", q.method, params, fmt.Sprintf(format, args...), q.text.String())
	}
	switch {
	case errors.As(err, &code) && code.Code == -32800 && q.cancelled:
		return true
	case errors.As(err, &code) && code.Code == -32803 && strings.HasSuffix(strings.ToLower(q.method), "rename"):
		return false // refused
	case err != nil:
		fail("%v", err)
		return false
	}
	file := dockerfile.Parse(q.text, nil)
	switch q.method {
	case "textDocument/foldingRange":
		var got, want []string
		for _, f := range outline.Folds(file) {
			want = append(want, fmt.Sprint(f.Start, f.End))
		}
		folds, _ := answer.([]any) // null where there are none
		for _, f := range folds {
			got = append(got, fmt.Sprint(pick(f, "startLine"), pick(f, "endLine")))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			fail("not of version %d:\n%s", q.version, diff)
		}
	case "textDocument/documentSymbol":
		var got, want []string
		var walk func(list []outline.Symbol)
		walk = func(list []outline.Symbol) {
			for _, s := range list {
				want = append(want, s.Name)
				walk(s.Children)
			}
		}
		walk(outline.Symbols(file))
		var visit func(list any)
		visit = func(list any) {
			each(list, func(s any) any {
				got = append(got, fmt.Sprint(pick(s, "name")))
				visit(pick(s, "children"))
				return nil
			})
		}
		visit(answer)
		if diff := cmp.Diff(want, got); diff != "" {
			fail("not of version %d:\n%s", q.version, diff)
		}
	case "textDocument/rename":
		for _, change := range pick(answer, "documentChanges").([]any) {
			if v := pick(pick(change, "textDocument"), "version"); v != float64(q.version) {
				fail("edits version %v, asked of %d", v, q.version)
			}
		}
	case "workspace/symbol":
		return false // of several documents
	}
	ranges(answer, func(line, character int) {
		if line >= q.text.EndLine() || character > len(utf16.Encode([]rune(q.text.Slice(q.text.Line(line)))))+1 {
			fail("position %d:%d lies outside of version %d", line, character, q.version)
		}
	})
	return false
}

// ranges calls each for all positions in an answer.
func ranges(answer any, call func(line, character int)) {
	switch a := answer.(type) {
	case []any:
		for _, item := range a {
			ranges(item, call)
		}
	case map[string]any:
		line, isLine := a["line"].(float64)
		character, isCharacter := a["character"].(float64)
		if isLine && isCharacter {
			call(int(line), int(character))
		}
		for _, item := range a {
			ranges(item, call)
		}
	}
}
