package server_test

import (
	"bufio"
	"bytes"
	"encoding/json"
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

// BenchmarkKeystroke is the time from a typed character to the diagnostics and the marks that follow from it, over the
// wire, for each of benchTexts, and in contexts that are copied as a whole. The median is what a person feels.
func BenchmarkKeystroke(b *testing.B) {
	for _, text := range benchTexts(b) {
		for _, lines := range benchLines {
			b.Run(fmt.Sprintf("%s/lines=%d", text.name, lines), func(b *testing.B) {
				benchmarkKeystroke(b, text.of(lines), 1000)
			})
		}
	}
	b.Run("mixed/lines=1000/files=100000", func(b *testing.B) {
		benchmarkKeystroke(b, longDockerfile(1000), 100_000)
	})
}

func benchmarkKeystroke(b *testing.B, text string, files int) {
	dir := contextOf(b, files)
	write(b, filepath.Join(dir, "Dockerfile"), text)
	opened := time.Now()
	p := newTypist(lsptest.Open(b, nil, painter, dir), dir, text)
	p.OpenFile(p.uri, "dockerfile", text)
	p.Await("layerwise/cacheStatus", func(params json.RawMessage) bool {
		return bytes.Contains(params, []byte(`"state":"ready"`))
	})
	b.ReportMetric(float64(time.Since(opened).Milliseconds()), "ms-to-first-marks")
	var took []time.Duration
	for b.Loop() {
		began := time.Now()
		p.key()
		p.diagnosed()
		p.marked()
		took = append(took, time.Since(began))
		p.Drop()
	}
	slices.Sort(took)
	b.ReportMetric(ms(took[len(took)/2]), "ms-median")
	b.ReportMetric(ms(took[len(took)*99/100]), "ms-p99")
}

func contextOf(b testing.TB, files int) string {
	dir := b.TempDir()
	for i := range files {
		write(b, filepath.Join(dir, fmt.Sprintf("src/%03d/%03d.txt", i/500, i%500)), strconv.Itoa(i))
	}
	return dir
}

func longDockerfile(lines int) string {
	var b strings.Builder
	for i := range lines {
		switch i % 10 {
		case 0:
			if i%100 == 0 {
				fmt.Fprintf(&b, "FROM alpine:3.20 AS stage%d\n", i)
			} else {
				fmt.Fprintf(&b, "# comment %d\n", i)
			}
		case 1:
			fmt.Fprintf(&b, "WORKDIR /app/%d\n", i)
		case 2:
			fmt.Fprintf(&b, "ENV VARIABLE_%d=value\n", i)
		case 3:
			fmt.Fprintf(&b, "COPY src/000/%03d.txt ./\n", i%500)
		case 4:
			fmt.Fprintf(&b, "COPY . .\n")
		case 5:
			fmt.Fprintf(&b, "RUN apt-get install -y \\\n")
		case 6:
			fmt.Fprintf(&b, "    package-%d\n", i)
		default:
			fmt.Fprintf(&b, "RUN echo $VARIABLE_%d && make target-%d\n", i-i%10+2, i)
		}
	}
	return b.String()
}

// BenchmarkInitialize is the time from starting the real process to its answer to initialize.
func BenchmarkInitialize(b *testing.B) {
	binary := build(b)
	var took []time.Duration
	for b.Loop() {
		began := time.Now()
		p := start(b, binary)
		took = append(took, time.Since(began))
		p.stop()
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "ms-median")
}

// BenchmarkMemory is what the real process holds with a document open and the context read.
func BenchmarkMemory(b *testing.B) {
	if runtime.GOOS != "linux" {
		b.Skip("SKIPPED: memory is read from /proc")
	}
	binary := build(b)
	for _, files := range []int{0, 1000, 100_000} {
		b.Run(fmt.Sprintf("files=%d", files), func(b *testing.B) {
			dir := contextOf(b, files)
			text := longDockerfile(50)
			write(b, filepath.Join(dir, "Dockerfile"), text)
			uri := lsptest.URI(filepath.Join(dir, "Dockerfile"))
			for b.Loop() {
				p := start(b, binary)
				p.editor.OpenFile(uri, "dockerfile", text)
				p.editor.Await(
					"layerwise/cacheStatus",
					func(p json.RawMessage) bool { return strings.Contains(string(p), `"state":"ready"`) },
				)
				for version := 2; version < 200; version++ {
					p.editor.Replace(uri, version, text+strings.Repeat("RUN x\n", version%7))
				}
				p.editor.MustCall("textDocument/diagnostic", lsptest.Document(uri), nil)
				b.ReportMetric(p.resident(b, "VmRSS"), "MiB")
				b.ReportMetric(p.resident(b, "VmHWM"), "MiB-peak")
				p.stop()
			}
		})
	}
}

// process is a real server process.
type process struct {
	cmd    *exec.Cmd
	editor *lsptest.Editor
}

func build(t testing.TB) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "layerwise")
	if out, err := exec.Command("go", "build", "-o", binary, "../cmd/layerwise").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return binary
}

// start starts a server and initialises it.
func start(t testing.TB, binary string) *process {
	t.Helper()
	cmd := exec.Command(binary, "serve")
	cmd.Env = append(os.Environ(), "XDG_CACHE_HOME="+t.TempDir())
	p := &process{cmd: cmd, editor: lsptest.Command(t, cmd)}
	p.editor.Initialize(nil, painter)
	return p
}

func (p *process) stop() int {
	p.editor.MustCall("shutdown", nil, nil)
	p.editor.Notify("exit", nil)
	_ = p.cmd.Wait()
	return p.cmd.ProcessState.ExitCode()
}

// resident reads a line of /proc/PID/status, in MiB: on Linux, else 0.
func (p *process) resident(t testing.TB, field string) float64 {
	if runtime.GOOS != "linux" {
		return 0
	}
	f, err := os.Open(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if rest, ok := strings.CutPrefix(lines.Text(), field+":"); ok {
			kib, _ := strconv.Atoi(strings.Fields(rest)[0])
			return float64(kib) / 1024
		}
	}
	return 0
}

// The real process answers over its standard streams and ends as the protocol says.
func TestProcess(t *testing.T) {
	p := start(t, build(t))
	p.editor.OpenFile(untitled, "dockerfile", "FROM a\nEVN b=c\n")
	p.editor.Await(
		"textDocument/publishDiagnostics",
		func(params json.RawMessage) bool { return strings.Contains(string(params), "EVN") },
	)
	if code := p.stop(); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
	p = start(t, build(t))
	p.editor.HangUp()
	_ = p.cmd.Wait()
	if code := p.cmd.ProcessState.ExitCode(); code != 1 {
		t.Errorf("exit code %d after the input's end, want 1", code)
	}
}
