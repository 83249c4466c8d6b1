package server_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

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

// key types or deletes a character in the middle of the document.
func (p *typist) key() {
	p.version++
	change := map[string]any{"range": lsptest.Range(p.line, 4, p.line, 4), "text": "x"}
	if p.version%2 == 1 {
		change = map[string]any{"range": lsptest.Range(p.line, 4, p.line, 5), "text": ""}
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

// ask waits for the answer to a request about the document.
func (p *typist) ask(method string, more ...any) {
	p.MustCall(method, lsptest.Document(p.uri, more...), nil)
}

// start is within the keyword of the line that is typed in, behind which there are arguments.
func (p *typist) start() map[string]any { return map[string]any{"line": p.line, "character": 2} }

// besidePeer are the operations whose time is compared with the npm server's: each is timed as a whole.
var besidePeer = []struct {
	name string
	do   func(p *typist)
	most int // lines that the npm server can take within the editor's patience; 0 is any number
}{
	{"diagnostics after a key", func(p *typist) { p.key(); p.diagnosed() }, 0},
	{"semantic tokens after a key", func(p *typist) { p.key(); p.ask("textDocument/semanticTokens/full") }, 1000},
	{"symbols after a key", func(p *typist) { p.key(); p.ask("textDocument/documentSymbol") }, 0},
	{"completion after a key", func(p *typist) { p.key(); p.ask("textDocument/completion", "position", p.start()) }, 0},
	{"hover after a key", func(p *typist) { p.key(); p.ask("textDocument/hover", "position", p.start()) }, 0},
	{"signature help after a key", func(p *typist) {
		p.key()
		p.ask("textDocument/signatureHelp", "position", map[string]any{"line": p.line, "character": 5})
	}, 0},
	{"folding after a key", func(p *typist) { p.key(); p.ask("textDocument/foldingRange") }, 0},
}

// BenchmarkBesidePeer takes turns between this server and the npm server, both as programs, so that whatever else the
// machine does falls upon both. times-faster is the ratio of the medians.
func BenchmarkBesidePeer(b *testing.B) {
	peerCommand(b)
	binary := build(b)
	for _, op := range besidePeer {
		for _, lines := range []int{50, 500, 1000, 5000} {
			b.Run(fmt.Sprintf("%s/lines=%d", op.name, lines), func(b *testing.B) {
				if op.most > 0 && lines > op.most {
					b.Skip("SKIPPED: the npm server takes more than 20 s for this")
				}
				var typists [2]*typist
				for i, cmd := range []*exec.Cmd{exec.Command(binary, "serve"), peerCommand(b)} {
					typists[i] = openTypist(b, cmd, longDockerfile(lines))
				}
				var took [2][]time.Duration
				for b.Loop() {
					for i, p := range typists {
						began := time.Now()
						op.do(p)
						took[i] = append(took[i], time.Since(began))
					}
				}
				var median [2]float64
				for i := range took {
					slices.Sort(took[i])
					median[i] = float64(took[i][len(took[i])/2].Microseconds()) / 1000
				}
				b.ReportMetric(median[0], "ms-ours")
				b.ReportMetric(median[1], "ms-npm")
				b.ReportMetric(median[1]/median[0], "times-faster")
			})
		}
	}
}

func openTypist(b *testing.B, cmd *exec.Cmd, text string) *typist {
	dir := b.TempDir()
	cmd.Env = append(os.Environ(), "XDG_CACHE_HOME="+b.TempDir())
	write(b, filepath.Join(dir, "Dockerfile"), text)
	p := &typist{Editor: lsptest.Command(b, cmd), uri: lsptest.URI(filepath.Join(dir, "Dockerfile")), version: 1}
	lines := strings.Split(text, "\n")
	for p.line = len(lines) / 2; !strings.HasPrefix(lines[p.line], "RUN"); p.line++ {
	}
	p.Initialize(map[string]any{"textDocument": map[string]any{"publishDiagnostics": map[string]any{}}}, nil, dir)
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
