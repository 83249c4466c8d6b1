package server_test

import (
	"cmp"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/layerwise/layerwise/server/lsptest"
)

var (
	mutantTime = flag.Duration("mutants", 0, "type damaged Dockerfiles into a real server for so long: "+
		"go test ./server -run Mutants -timeout 1h -v -args -mutants 5m [-corpus DIR]")
	mutantCorpus = flag.String(
		"corpus",
		"",
		"a folder of Dockerfiles that -mutants damages, beside the texts of BenchmarkStress",
	)
)

// mutantPatience is how long an answer is waited for, on a machine that may be busy.
const mutantPatience = time.Minute

// mutantSlow is how long an answer may take that nobody looks at.
const mutantSlow = 300 * time.Millisecond

// mutantMemory is what the server may hold, in MiB. It must not take the machine down before anybody looks.
const mutantMemory = 1000

// dump ends the process, which then says what it was doing.
func (p *process) dump() {
	_ = p.cmd.Process.Signal(syscall.SIGQUIT)
	_ = p.cmd.Wait()
}

// mutantPieces are put into texts where they do harm.
var mutantPieces = []string{
	"FROM a AS b\n", "RUN <<EOF\n", "EOF\n", "\\\n", "\\", "\"", "'", "`", "$(", "${", "}", ")", "--mount=", "--from=",
	"[", "]", "\r", "\x00", "\xff", "\u202e", "😀",
	"# syntax=", "# escape=`\n", "# check=", "ONBUILD ", "if ", "case ", "; fi", "&&", "|", ",", "=", "$A", "\t",
	"\n\n", "ENV ", "ARG ", "COPY ", "SHELL [\"pwsh\"]\n",
}

// mutant returns a damaged text: parts of it left out, doubled, moved, or with pieces of harm or of another text in
// them.
func mutant(rnd *rand.Rand, text, other string) string {
	cut := func(s string) (int, int) {
		from := rnd.IntN(len(s) + 1)
		return from, min(len(s), from+rnd.IntN(1+rnd.IntN(200)))
	}
	for range 1 + rnd.IntN(6) {
		from, to := cut(text)
		at := rnd.IntN(len(text) + 1)
		switch rnd.IntN(5) {
		case 0:
			text = text[:from] + text[to:]
		case 1:
			text = text[:at] + strings.Repeat(text[from:to], 1+rnd.IntN(20)) + text[at:]
		case 2:
			text = text[:at] + strings.Repeat(
				mutantPieces[rnd.IntN(len(mutantPieces))],
				1+rnd.IntN(1+rnd.IntN(50)),
			) + text[at:]
		case 3:
			first, last := cut(other)
			text = text[:at] + other[first:last] + text[at:]
		case 4:
			bytes := []byte(text)
			for range rnd.IntN(4) {
				if len(bytes) > 0 {
					bytes[rnd.IntN(len(bytes))] ^= byte(1 << rnd.IntN(8))
				}
			}
			text = string(bytes)
		}
	}
	return strings.ToValidUTF8(text[:min(len(text), 100_000)], "\uFFFD")
}

// A real server bears whatever is typed: no crash, no answer that takes more than a second, no memory that is not given
// back.
func TestMutants(t *testing.T) {
	if *mutantTime == 0 {
		t.Skip("SKIPPED: needs -args -mutants 5m")
	}
	var texts []string
	for _, s := range stressTexts {
		texts = append(texts, s.of(2000))
	}
	if *mutantCorpus != "" {
		_ = filepath.WalkDir(*mutantCorpus, func(path string, entry os.DirEntry, err error) error {
			if err == nil && entry.Type().IsRegular() && strings.Contains(strings.ToLower(entry.Name()), "dockerfile") {
				if content, err := os.ReadFile(path); err == nil && len(content) > 0 {
					texts = append(texts, string(content))
				}
			}
			return nil
		})
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "Dockerfile")
	write(t, file, "FROM a\n")
	uri := lsptest.URI(file)
	p := start(t, build(t))
	defer func() { _ = p.cmd.Process.Kill(); _ = p.cmd.Wait() }()
	p.editor.OpenFile(uri, "dockerfile", "FROM a\n")
	seed := cmp.Or(*randomSeed, uint64(time.Now().UnixNano()))
	rnd := rand.New(rand.NewPCG(seed, 0))
	t.Logf("seed %d, %d texts", seed, len(texts))
	began, first := time.Now(), 0.0
	slowest, slowestAt, requests, version := time.Duration(0), "", 0, 1
	keep := func(text string) string {
		kept := filepath.Join(os.TempDir(), fmt.Sprintf("mutant-%d-%d", seed, version))
		_ = os.WriteFile(kept, []byte(text), 0o600)
		return kept
	}
	for time.Since(began) < *mutantTime {
		text := mutant(rnd, texts[rnd.IntN(len(texts))], texts[rnd.IntN(len(texts))])
		version++
		p.editor.Replace(uri, version, text)
		lines := strings.Split(text, "\n")
		at := place{line: rnd.IntN(len(lines)), lines: len(lines)}
		at.length = rnd.IntN(len(lines[at.line]) + 1)
		for _, request := range stressRequests {
			method, _, _ := strings.Cut(request.method, " ")
			asked, used := time.Now(), p.processor()
			if !p.editor.Send(method, lsptest.Document(uri, request.more(at)...)).WaitFor(mutantPatience) {
				p.dump()
				t.Fatalf("no answer to %s at line %d, character %d of %s", request.method, at.line, at.length, keep(text))
			}
			requests++
			took := min(time.Since(asked), p.processor()-used) // other programs may have had the machine
			if took > slowest {
				slowest, slowestAt = took, request.method
			}
			if took > mutantSlow {
				t.Logf("%s took %v at line %d, character %d of %s", request.method, took, at.line, at.length, keep(text))
			}
			if took > time.Second {
				t.Error("that is over a second")
			}
		}
		p.editor.Drop()
		if held := p.resident(t, "VmRSS"); held > mutantMemory {
			p.dump()
			t.Fatalf("it holds %.0f MiB at the latest with %s", held, keep(text))
		}
		if first == 0 && time.Since(began) > *mutantTime/5 {
			first = p.resident(t, "VmRSS")
		}
	}
	last := p.resident(t, "VmRSS")
	if last > 1.5*first+20 {
		t.Errorf("memory grew from %.0f to %.0f MiB", first, last)
	}
	t.Logf(
		"%d texts, %d requests, the slowest %v (%s); %.0f MiB after a fifth of the time, %.0f at the end",
		version-1,
		requests,
		slowest,
		slowestAt,
		first,
		last,
	)
}
