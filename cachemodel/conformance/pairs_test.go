package conformance

import (
	"cmp"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/moby/buildkit/client"
	"github.com/tonistiigi/fsutil"

	"github.com/layerwise/layerwise/cachemodel"
	"github.com/layerwise/layerwise/cachemodel/conformance/daemon"
)

var (
	pairsPlayed = flag.Int("pairs-played", 160, "how many of the pairs of folders are played, 0 for all")
	pairsBuilt  = flag.Int("pairs-built", 20, "how many of these are built on the daemon, 0 for all")
	updatePairs = flag.Bool("update-pairs", false, "write testdata/pairs.golden, or upon.golden")
)

// diskPair is one block of testdata/pairs.txt.
type diskPair struct {
	title       string
	name        string   // of the Dockerfile
	a, b        string   // the Dockerfiles; b is "" if it is a
	setup, edit string   // shell scripts, for both folders and for the second
	first, then []string // options of layerwise predict for the two builds
	git         bool     // the first build is of the commit that the second folder has at HEAD
}

func readPairs(t *testing.T) []diskPair {
	t.Helper()
	text, err := os.ReadFile("testdata/pairs.txt")
	if err != nil {
		t.Fatal(err)
	}
	from := regexp.MustCompile(`(?im)^\s*FROM\s`)
	var out []diskPair
	for _, block := range strings.Split(string(text), "\n## ")[1:] {
		lines := strings.Split(strings.TrimRight(block, "\n"), "\n")
		p := diskPair{title: lines[0], name: "Dockerfile"}
		into := &p.a
		for _, line := range lines[1:] {
			switch key, value, _ := strings.Cut(line, ": "); key {
			case "first":
				p.first = strings.Fields(value)
			case "then":
				p.then = strings.Fields(value)
			case "both":
				p.first, p.then = strings.Fields(value), strings.Fields(value)
			case "git":
				p.git = true
			case "name":
				p.name = value
			case "setup":
				p.setup += value + "\n"
			case "edit":
				p.edit += value + "\n"
			case "--":
				into = &p.b
			default:
				*into += line + "\n"
			}
		}
		for _, text := range []*string{&p.a, &p.b} {
			if *text != "" && !from.MatchString(*text) {
				*text = "FROM base\n" + *text
			}
		}
		out = append(out, p)
	}
	return out
}

// stock makes the files that every folder has.
const stock = `umask 022
mkdir -p src/sub lib empty
for f in a.txt b.txt c.md src/x.go src/y.go src/sub/z.txt src/sub/n.md lib/q.txt; do echo $f > $f; done
echo '#!/bin/sh' > run.sh; chmod +x run.sh
ln -s a.txt link; ln -s sub src/dl; ln -s src dir
find . -exec touch -h -d '2026-01-01' {} +
`

// TestPairs plays what people may do to a folder between two builds, as it lies on the disk: links, permissions, ignore
// files, odd names, every form of every instruction. What `layerwise predict` says of each pair is compared with
// testdata/pairs.golden, where it stands beside what the daemon did. Some pairs are played and some of these built
// again, all of them with -args -pairs-played 0 -pairs-built 0.
func TestPairs(t *testing.T) {
	t.Parallel()
	pairs, want := readPairs(t), readGolden(t, "testdata/pairs.golden")
	w := newPairsWorkplace(t)
	if daemon.Missing() == "" {
		w.builder = startReal(t)
	}
	got, played := make([]string, len(pairs)), 0
	t.Run("pairs", func(t *testing.T) {
		for i, p := range pairs {
			if !*updatePairs && !slice(i, *pairsPlayed, len(pairs)) {
				continue
			}
			played++
			build := w.builder != nil && slice(played, *pairsBuilt, cmp.Or(*pairsPlayed, len(pairs)))
			t.Run(p.title, func(t *testing.T) {
				t.Parallel()
				got[i] = w.play(t, p, build)
				if !build {
					got[i] = keepRan(got[i], want[p.title])
				}
				if got[i] != want[p.title] && !*updatePairs {
					t.Errorf("got\n%s\ninstead of\n%s", got[i], want[p.title])
				}
			})
		}
	})
	if !*updatePairs {
		return
	}
	var golden strings.Builder
	for i, p := range pairs {
		golden.WriteString("## " + p.title + "\n" + cmp.Or(got[i], want[p.title]))
	}
	if err := os.WriteFile("testdata/pairs.golden", []byte(golden.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// readGolden reads the verdicts by title. A line ends in how many of the instruction's vertices the daemon executed.
func readGolden(t *testing.T, file string) map[string]string {
	text, err := os.ReadFile(file)
	if err != nil && !*updatePairs {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, block := range strings.Split("\n"+strings.TrimSuffix(string(text), "\n"), "\n## ")[1:] {
		title, rest, _ := strings.Cut(block, "\n")
		out[title] = rest + "\n"
	}
	return out
}

// keepRan adds to verdicts what the golden ones say of the daemon.
func keepRan(verdicts, golden string) string {
	ran := map[string]string{}
	for line := range strings.Lines(golden) {
		if at := strings.LastIndex(line, " | ran "); at >= 0 {
			ran[line[:4]] = line[at:]
		}
	}
	var b strings.Builder
	for line := range strings.Lines(verdicts) {
		if did, ok := ran[line[:min(4, len(line))]]; ok {
			line = strings.TrimSuffix(line, "\n") + did
		}
		b.WriteString(line)
	}
	return b.String()
}

// slice picks n of so many, evenly; all if n is 0.
func slice(i, n, of int) bool { return n == 0 || n >= of || i*n/of != (i-1)*n/of }

// pairsBuilder is a builder that pairs are built on.
type pairsBuilder interface {
	Prune(ctx context.Context) error
	// buildDir builds a folder with options of layerwise predict, and says what that executed.
	buildDir(ctx context.Context, dir, name string, options []string) (Truth, error)
}

// pairsWorkplace is where pairs are played.
type pairsWorkplace struct {
	tools   string
	site    *httptest.Server // $SITE in Dockerfiles
	served  atomic.Pointer[string]
	builder pairsBuilder // nil if there is none
	engine  cachemodel.Engine
	refuses bool       // the builder may refuse a pair
	mu      sync.Mutex // held while the daemon builds a pair
}

func newPairsWorkplace(t *testing.T) *pairsWorkplace {
	t.Helper()
	w := &pairsWorkplace{tools: t.TempDir(), engine: cachemodel.BuildKit}
	buildCommand(t, w.tools)
	w.site = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		http.FileServer(http.Dir(*w.served.Load())).ServeHTTP(rw, r)
	}))
	t.Cleanup(w.site.Close)
	return w
}

// play makes the folders of a pair, asks for the marks of the second and, with build, builds both. It returns the
// marks, beside what was executed.
func (w *pairsWorkplace) play(t *testing.T, p diskPair, build bool) string {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "A", "p"), filepath.Join(dir, "B", "p")
	sh := func(dir, script string) {
		t.Helper()
		cmd := exec.Command("sh", "-ec", script)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", script, err, out)
		}
	}
	write := func(dir, text string) {
		name := filepath.Join(dir, p.name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(strings.ReplaceAll(text, "$SITE", w.site.URL)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(a, p.a)
	sh(a, stock+p.setup+"cd ../..; cp -a A B")
	time.Sleep(5 * time.Millisecond) // the kernel's clock for files is coarse
	baseline := "dir:" + a
	if p.git {
		baseline = "git"
		sh(
			b,
			`git init -q . && git add -A && git -c user.name=x -c user.email=x@x commit -qm x && cd ../.. && rm -r A && git clone -q B/p A/p && rm -r A/p/.git`,
		)
	}
	if p.b != "" {
		write(b, p.b)
	}
	if p.edit != "" {
		sh(b, p.edit)
	}

	args := []string{
		"predict",
		p.name,
		"--context",
		".",
		"--baseline",
		baseline,
		"--format",
		"json",
		"--buildkit",
		"off",
		"--engine",
		string(w.engine),
	}
	args = append(args, p.then...)
	if slices.Contains(p.then, "--target") {
		args = append(args, "--baseline-target", "")
	}
	for i := range p.first {
		switch p.first[i] {
		case "--build-arg", "--target":
			args = append(args, "--baseline-"+p.first[i][2:], p.first[i+1])
		}
	}
	predict := exec.Command(filepath.Join(w.tools, "layerwise"), args...)
	predict.Dir, predict.Env = b, append(os.Environ(), "XDG_CACHE_HOME="+filepath.Join(dir, "cache"), "HOME="+dir)
	var stderr strings.Builder
	predict.Stderr = &stderr
	answer, err := predict.Output()
	if code := predict.ProcessState.ExitCode(); code == 2 && w.refuses {
		t.Logf("not for this builder: %s", stderr.String())
		return ""
	} else if code == 2 { // it fails, it says
		if build {
			if _, err := w.build(t, p, a, b); err == nil {
				t.Errorf("it is built")
			}
		}
		return stderr.String()
	}
	if err != nil {
		t.Fatalf("predict: %v\n%s", err, stderr.String())
	}
	var report cachemodel.Report
	if err := json.Unmarshal(answer, &report); err != nil {
		t.Fatal(err)
	}
	var did Truth
	if build {
		if did, err = w.build(t, p, a, b); err != nil {
			if !w.refuses {
				t.Fatal(err)
			}
			t.Logf("not for this builder: %v", err)
			return ""
		}
		for _, wrong := range Check(report.Steps, did, twinsOf(report.Steps, did), NewTally()) {
			t.Error(wrong)
		}
	}
	return strings.ReplaceAll(marksOf(report.Steps, did)+stderr.String(), w.site.URL, "$SITE")
}

// twinsOf tells of a line whether another one with the same text was executed, whose result it takes.
func twinsOf(steps []cachemodel.Step, did Truth) func(line int) bool {
	return func(line int) bool {
		same := func(s cachemodel.Step) bool {
			return slices.ContainsFunc(steps, func(o cachemodel.Step) bool { return o.Line == line && o.Text == s.Text })
		}
		return slices.ContainsFunc(steps, func(s cachemodel.Step) bool {
			return s.Line != line && did[s.Line].Executed > 0 && same(s)
		})
	}
}

// marksOf prints verdicts, beside what was executed.
func marksOf(steps []cachemodel.Step, did Truth) string {
	var out strings.Builder
	for _, s := range steps {
		fmt.Fprintf(&out, "%3d %-8s %s", s.Line, s.Status, s.Text)
		if s.Cause != nil {
			fmt.Fprintf(&out, " | %s %d %v %s", s.Cause.Kind, s.Cause.Line, s.Cause.Paths, s.Cause.Detail)
		}
		if !s.Certain {
			out.WriteString(" | uncertain")
		}
		if s.Detail != "" && s.Instruction != "FROM" {
			out.WriteString(" | " + s.Detail)
		}
		if lt := did[s.Line]; lt.Vertices > 0 {
			fmt.Fprintf(&out, " | ran %d/%d", lt.Executed, lt.Vertices)
		}
		out.WriteString("\n")
	}
	return out.String()
}

// build builds a pair on a daemon without a cache, and says what the second build executed.
func (w *pairsWorkplace) build(t *testing.T, p diskPair, a, b string) (did Truth, err error) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	ctx := context.Background()
	if err := w.builder.Prune(ctx); err != nil {
		t.Fatal(err)
	}
	for _, build := range []struct {
		dir     string
		options []string
	}{{a, p.first}, {b, p.then}} {
		www := filepath.Join(build.dir, "..", "www")
		w.served.Store(&www)
		if did, err = w.builder.buildDir(ctx, build.dir, p.name, build.options); err != nil {
			return nil, fmt.Errorf("building %s: %w", build.dir, err)
		}
	}
	return did, nil
}

// buildDir builds a folder as buildctl does.
func (r *Real) buildDir(ctx context.Context, dir, name string, options []string) (Truth, error) {
	opts := map[string]string{"filename": name, "cmdline": "builtin"}
	maps.Copy(opts, r.images.Contexts)
	local, err := fsutil.NewFS(dir)
	if err != nil {
		return nil, err
	}
	locals := map[string]fsutil.FS{"context": local, "dockerfile": local}
	for i := 0; i < len(options); i++ {
		value := ""
		if i+1 < len(options) {
			value = options[i+1]
		}
		switch options[i] {
		case "--no-cache":
			opts["no-cache"] = ""
			continue
		case "--target":
			opts["target"] = value
		case "--platform":
			opts["platform"] = value
		case "--build-arg":
			k, v, _ := strings.Cut(value, "=")
			opts["build-arg:"+k] = v
		case "--build-context":
			k, v, _ := strings.Cut(value, "=")
			if opts["context:"+k] = v; strings.Contains(v, "://") {
				break
			}
			opts["context:"+k] = "local:" + k
			if locals[k], err = fsutil.NewFS(filepath.Join(dir, v)); err != nil {
				return nil, err
			}
		default:
			return nil, fmt.Errorf("option %s", options[i])
		}
		i++
	}
	return r.solve(ctx, opts, locals, client.SolveOpt{})
}
