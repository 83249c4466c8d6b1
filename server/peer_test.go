package server_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/layerwise/layerwise/analysis/corpus"
	"github.com/layerwise/layerwise/server/lsptest"
)

// The npm server is no part of the project: it is installed into this folder if it is not there.
var peerFolder = flag.String(
	"peer",
	"",
	"benchmark beside the npm server in this folder, installing it there if need be: "+
		"go test ./server -run '^$' -bench Beside -args -peer DIR",
)

const peerPackage = "dockerfile-language-server-nodejs@0.15.0"

// peerCommand is how the npm server is started.
func peerCommand(b *testing.B) *exec.Cmd {
	if *peerFolder == "" {
		b.Skip("SKIPPED: needs -args -peer DIR, a folder for the npm server " + peerPackage)
	}
	program := filepath.Join(*peerFolder, "node_modules", ".bin", "docker-langserver")
	if _, err := os.Stat(program); err != nil {
		if out, err := exec.Command("npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix",
			*peerFolder, peerPackage).CombinedOutput(); err != nil {
			b.Fatalf("npm install %s: %v\n%s", peerPackage, err, out)
		}
	}
	return exec.Command(program, "--stdio")
}

// typist is an editor with one document open in one server.
type typist struct {
	*lsptest.Editor
	uri     string
	line    int // of a RUN in the middle
	version int
}

// newTypist is going to open the Dockerfile in dir, whose text is given.
func newTypist(e *lsptest.Editor, dir, text string) *typist {
	p := &typist{Editor: e, uri: lsptest.URI(filepath.Join(dir, "Dockerfile")), version: 1}
	lines := strings.Split(text, "\n")
	for p.line = len(lines) / 2; !strings.HasPrefix(lines[p.line], "RUN") || len(lines[p.line]) < 5; p.line++ {
	}
	return p
}

// key changes a word in the middle of the document to one that was never there, so that no server remembers the text.
func (p *typist) key() {
	before := strconv.Itoa(p.version)
	if p.version == 1 {
		before = ""
	}
	p.version++
	change := map[string]any{
		"range": lsptest.Range(p.line, 4, p.line, 4+len(before)), "text": strconv.Itoa(p.version),
	}
	p.Notify("textDocument/didChange", map[string]any{
		"textDocument": map[string]any{"uri": p.uri, "version": p.version}, "contentChanges": []any{change},
	})
}

// diagnosed waits for the diagnostics of the newest text. The npm server does not say of which version they are: it
// sends them once for each.
func (p *typist) diagnosed() {
	this := []byte(`"version":` + strconv.Itoa(p.version) + ",")
	p.Await("textDocument/publishDiagnostics", func(params json.RawMessage) bool {
		return bytes.Contains(params, this) || !bytes.Contains(params, []byte(`"version":`))
	})
}

// marked waits for the marks of the newest text.
func (p *typist) marked() {
	this := []byte(`"version":` + strconv.Itoa(p.version) + ",")
	p.Await("layerwise/cacheStatus", func(params json.RawMessage) bool {
		return bytes.Contains(params[:min(len(params), 400)], this)
	})
}

// ask waits for the answer to a request about the document.
func (p *typist) ask(method string, more ...any) {
	p.MustCall(method, lsptest.Document(p.uri, more...), nil)
}

// at is a place in the line that is typed in: RUN and its arguments.
func (p *typist) at(character int) map[string]any {
	return map[string]any{"line": p.line, "character": character}
}

// besidePeer are the operations whose time is compared with the npm server's: each is timed as a whole, after a key.
var besidePeer = []struct {
	name string
	ask  func(p *typist)
}{
	{"diagnostics", (*typist).diagnosed},
	{"semantic tokens", func(p *typist) { p.ask("textDocument/semanticTokens/full") }},
	{"symbols", func(p *typist) { p.ask("textDocument/documentSymbol") }},
	{"completion", func(p *typist) { p.ask("textDocument/completion", "position", p.at(2)) }},
	{"hover", func(p *typist) { p.ask("textDocument/hover", "position", p.at(2)) }},
	{"signature help", func(p *typist) { p.ask("textDocument/signatureHelp", "position", p.at(5)) }},
	{"folding", func(p *typist) { p.ask("textDocument/foldingRange") }},
	{"code actions", func(p *typist) {
		p.ask("textDocument/codeAction", "range", lsptest.Range(p.line, 2, p.line, 2),
			"context", map[string]any{"diagnostics": []any{}})
	}},
}

// benchText is a sort of Dockerfile that is as long as one wants.
type benchText struct {
	name string
	of   func(lines int) string
}

// benchTexts are what was measured with before, what others measured with, texts that are hard in one way each, and
// real files one behind the other.
func benchTexts(b testing.TB) []benchText {
	texts := []benchText{{"mixed", longDockerfile}}
	for _, name := range []string{"apt, ENV, COPY", "stages", "ARGs", "commands over lines", "heredocs",
		"one stage of instructions", "misspelt words", "every rule"} {
		at := slices.IndexFunc(stressTexts, func(s stressText) bool { return s.name == name })
		if at < 0 {
			b.Fatalf("no text %q", name)
		}
		text := stressTexts[at]
		texts = append(texts, benchText{name, func(lines int) string {
			made := text.head
			for i := 0; strings.Count(made, "\n") < lines-3; i++ {
				made += text.unit(i)
			}
			return made + text.tail + "\nRUN echo the end\n"
		}})
	}
	if _, ok := corpus.Find(b, "dockerfiles"); !ok {
		b.Log("MISSING: ../shared/corpus/dockerfiles beside the checkout; no real files are measured with")
		return texts
	}
	return append(texts, benchText{"real files", func(lines int) string {
		var made strings.Builder
		n := 0
		for _, text := range corpus.Dockerfiles(b) {
			if corpus.Refusal(text) != nil || strings.HasPrefix(text, "#") { // a directive would not be one further down
				continue
			}
			made.WriteString(text + "\n")
			if n += strings.Count(text, "\n") + 1; n >= lines {
				break
			}
		}
		return made.String()
	}})
}

var benchLines = []int{50, 300, 1000, 5000}

// beside times an operation in both servers by turns, so that whatever else the machine does falls upon both, until
// that took a few seconds. The answers are the medians, in milliseconds.
func beside(typists [2]*typist, ask func(p *typist)) (median [2]float64) {
	const most, longest = 25, 4 * time.Second
	var took [2][]time.Duration
	for began := time.Now(); len(took[0]) < most && time.Since(began) < longest; {
		for i, p := range typists {
			began := time.Now()
			p.key()
			ask(p)
			took[i] = append(took[i], time.Since(began))
			p.Drop()
		}
	}
	for i := range took {
		slices.Sort(took[i])
		median[i] = ms(took[i][len(took[i])/2])
	}
	return median
}

// BenchmarkBesidePeer compares this server with the npm server, both as programs, on each of benchTexts. It prints the
// tables of docs/peers.md: how many times faster this server is, for the worst, the middle and the best text, and the milliseconds
// that this server takes.
func BenchmarkBesidePeer(b *testing.B) {
	peerCommand(b)
	binary := build(b)
	for b.Loop() {
		faster := make([][]map[string]float64, len(besidePeer)) // by operation, lines and text
		ours := make([][]map[string]float64, len(besidePeer))
		for op := range besidePeer {
			for range benchLines {
				faster[op] = append(faster[op], map[string]float64{})
				ours[op] = append(ours[op], map[string]float64{})
			}
		}
		for _, text := range benchTexts(b) {
			// Operations for which the npm server will not answer within the editor's patience: it may need the square of
			// the time for a text that is a few times as long.
			tooSlow := map[string]bool{}
			for n, lines := range benchLines {
				var typists [2]*typist
				servers := []*exec.Cmd{exec.Command(binary, "serve"), peerCommand(b)}
				for i, cmd := range servers {
					typists[i] = openTypist(b, cmd, text.of(lines))
				}
				for op, operation := range besidePeer {
					if tooSlow[operation.name] {
						continue
					}
					median := beside(typists, operation.ask)
					tooSlow[operation.name] = median[1] > 200
					faster[op][n][text.name] = median[1] / median[0]
					ours[op][n][text.name] = median[0]
					fmt.Fprintf(os.Stderr, "%s, %d lines, %s: %.1f ms, npm %.1f ms\n", text.name, lines, operation.name,
						median[0], median[1])
				}
				for _, cmd := range servers {
					_ = cmd.Process.Kill()
				}
			}
		}
		var rows, times strings.Builder
		least := 0.0
		for op, operation := range besidePeer {
			fmt.Fprintf(&rows, "| %s |", operation.name)
			fmt.Fprintf(&times, "| %s |", operation.name)
			for n := range benchLines {
				at := faster[op][n]
				if len(at) == 0 {
					rows.WriteString(" the npm server is too slow |")
					times.WriteString(" not measured |")
					continue
				}
				ratios := slices.Sorted(maps.Values(at))
				if least == 0 || ratios[0] < least {
					least = ratios[0]
				}
				fmt.Fprintf(&rows, " %.1f · %.1f · %.1f", ratios[0], ratios[len(ratios)/2], ratios[len(ratios)-1])
				if len(ratios) < len(benchTexts(b)) {
					fmt.Fprintf(&rows, " (of %d)", len(ratios))
				}
				rows.WriteString(" |")
				slow := slices.Sorted(maps.Values(ours[op][n]))
				fmt.Fprintf(&times, " %.1f to %.1f |", slow[0], slow[len(slow)-1])
			}
			rows.WriteString("\n")
			times.WriteString("\n")
		}
		head := "\n| | 50 lines | 300 | 1,000 | 5,000 |\n|---|---|---|---|---|\n"
		fmt.Fprint(os.Stderr, head, rows.String(), head, times.String())
		b.ReportMetric(least, "times-faster-at-least")
	}
}

// ordinaryClient can what VS Code, Neovim and others can as far as it matters here: it asks for the edits of a code action
// when that is chosen.
var ordinaryClient = map[string]any{"textDocument": map[string]any{
	"publishDiagnostics": map[string]any{},
	"codeAction": map[string]any{
		"codeActionLiteralSupport": map[string]any{"codeActionKind": map[string]any{"valueSet": []string{"quickfix"}}},
		"dataSupport":              true,
		"resolveSupport":           map[string]any{"properties": []string{"edit"}},
	},
}}

func openTypist(b *testing.B, cmd *exec.Cmd, text string) *typist {
	dir := b.TempDir()
	cmd.Env = append(os.Environ(), "XDG_CACHE_HOME="+b.TempDir())
	write(b, filepath.Join(dir, "Dockerfile"), text)
	p := newTypist(lsptest.Command(b, cmd), dir, text)
	p.Initialize(ordinaryClient, nil, dir)
	p.OpenFile(p.uri, "dockerfile", text)
	p.diagnosed()
	for range 10 { // the context is read, the programs are warm
		p.key()
		p.diagnosed()
		time.Sleep(20 * time.Millisecond)
	}
	p.Drop()
	return p
}

// BenchmarkStartBesidePeer is the time from starting each server to its answer to initialize, and what the process
// holds then and with a document of 1,000 lines open and asked about.
func BenchmarkStartBesidePeer(b *testing.B) {
	if runtime.GOOS != "linux" {
		b.Skip("SKIPPED: memory is read from /proc")
	}
	peerCommand(b)
	binary := build(b)
	var took [2][]time.Duration
	var fresh, used [2]float64
	for b.Loop() {
		for i, cmd := range []*exec.Cmd{exec.Command(binary, "serve"), peerCommand(b)} {
			dir := b.TempDir()
			cmd.Env = append(os.Environ(), "XDG_CACHE_HOME="+b.TempDir())
			began := time.Now()
			p := &process{cmd: cmd, editor: lsptest.Command(b, cmd)}
			p.editor.Initialize(
				map[string]any{"textDocument": map[string]any{"publishDiagnostics": map[string]any{}}},
				nil,
				dir,
			)
			took[i] = append(took[i], time.Since(began))
			fresh[i] = p.resident(b, "VmRSS")
			uri := lsptest.URI(filepath.Join(dir, "Dockerfile"))
			p.editor.OpenFile(uri, "dockerfile", longDockerfile(1000))
			for range 5 {
				p.editor.MustCall("textDocument/semanticTokens/full", lsptest.Document(uri), nil)
				p.editor.MustCall("textDocument/documentSymbol", lsptest.Document(uri), nil)
				p.editor.MustCall("textDocument/codeAction", lsptest.Document(uri, "range", lsptest.Range(20, 0, 20, 0),
					"context", map[string]any{"diagnostics": []any{}}), nil)
			}
			used[i] = p.resident(b, "VmRSS")
			p.stop()
		}
	}
	for i, who := range []string{"ours", "npm"} {
		slices.Sort(took[i])
		b.ReportMetric(float64(took[i][len(took[i])/2].Microseconds())/1000, "ms-start-"+who)
		b.ReportMetric(fresh[i], "MiB-fresh-"+who)
		b.ReportMetric(used[i], "MiB-used-"+who)
	}
}
