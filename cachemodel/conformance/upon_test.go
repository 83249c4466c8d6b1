package conformance

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	digest "github.com/opencontainers/go-digest"
	"golang.org/x/tools/txtar"

	"github.com/layerwise/layerwise/cachemodel"
)

var uponPlayed = flag.Int("upon-played", 6, "how many of the builds upon builds are played, 0 for all")

// uponCase is one block of testdata/upon.txt.
type uponCase struct {
	title          string
	file, baseline string
	targets        []string
	edit           string
	files          map[string]string
}

func readUpon(t *testing.T) []uponCase {
	t.Helper()
	text, err := os.ReadFile("testdata/upon.txt")
	if err != nil {
		t.Fatal(err)
	}
	var out []uponCase
	stock := map[string]string{}
	for _, block := range strings.Split(string(text), "\n## ")[1:] {
		title, rest, _ := strings.Cut(block, "\n")
		c := uponCase{title: title, targets: []string{"base", "app"}, file: "docker-bake.hcl", baseline: "git"}
		archive := txtar.Parse([]byte(rest))
		for line := range strings.Lines(string(archive.Comment)) {
			switch key, value, _ := strings.Cut(strings.TrimSpace(line), ": "); key {
			case "ask":
				c.targets = strings.Fields(value)
			case "file":
				c.file = value
			case "baseline":
				c.baseline = value
			case "edit":
				c.edit += value + "\n"
			case "":
			default:
				t.Fatalf("%s: what is %q?", title, line)
			}
		}
		c.files = maps.Clone(stock)
		for _, f := range archive.Files {
			c.files[f.Name] = strings.TrimRight(string(f.Data), "\n") + "\n"
		}
		if len(out) == 0 {
			stock = c.files
		}
		out = append(out, c)
	}
	return out
}

// TestBuildsUponBuilds asks for the marks of builds whose named contexts other builds of a bake or Compose file make,
// and holds them to what docker buildx bake does on a real daemon. What is said of each stands in testdata/upon.golden
// beside what the daemon did. All are built with -args -upon-played 0.
func TestBuildsUponBuilds(t *testing.T) {
	t.Parallel()
	w := newUponWorkplace(t)
	cases, want := readUpon(t), readGolden(t, "testdata/upon.golden")
	var golden strings.Builder
	for i, c := range cases {
		if *uponPlayed != 0 && i%max(len(cases) / *uponPlayed, 1) != 0 {
			golden.WriteString("## " + c.title + "\n" + want[c.title])
			continue
		}
		t.Run(c.title, func(t *testing.T) {
			got := w.play(t, c)
			golden.WriteString("## " + c.title + "\n" + got)
			if got != want[c.title] && !*updatePairs {
				t.Errorf("got\n%s\ninstead of\n%s", got, want[c.title])
			}
		})
	}
	if *updatePairs {
		if err := os.WriteFile("testdata/upon.golden", []byte(golden.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// uponWorkplace is where builds upon builds are played.
type uponWorkplace struct {
	tools string // layerwise, buildx, and a docker that has nothing but buildx
	real  *Real
}

func newUponWorkplace(t *testing.T) *uponWorkplace {
	t.Helper()
	w := &uponWorkplace{tools: t.TempDir(), real: startReal(t)}
	buildx, err := findBuildx(context.Background())
	if err != nil {
		t.Skipf("NOT COMPARED WITH A REAL BUILDKIT: no buildx: %v", err)
	}
	buildCommand(t, w.tools)
	if err := os.Symlink(buildx, filepath.Join(w.tools, "buildx")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(w.tools, "docker"), []byte(docker), 0o755); err != nil {
		t.Fatal(err)
	}
	return w
}

// play makes a folder, builds it, edits it, asks for the marks of its targets and builds it again. It returns the marks,
// beside what was executed.
func (w *uponWorkplace) play(t *testing.T, c uponCase) string {
	home := t.TempDir()
	dir := filepath.Join(home, "p")
	bake := strings.Join([]string{"docker", "buildx", "bake", "-f", c.file, "--set", "*.output=type=cacheonly"}, " ")
	env := append(os.Environ(),
		"PATH="+w.tools+":"+os.Getenv("PATH"), "HOME="+home, "DOCKER_CONFIG="+home, "XDG_CACHE_HOME="+home+"/cache",
		"BUILDX_CONFIG="+home+"/buildx", "BUILDX_BUILDER=", "BUILDKIT_HOST=", "BAKE="+bake,
		"GIT_CONFIG_GLOBAL=/dev/null", "GIT_AUTHOR_NAME=x", "GIT_AUTHOR_EMAIL=x@x", "GIT_COMMITTER_NAME=x",
		"GIT_COMMITTER_EMAIL=x@x")
	run := func(script string) (stdout []byte, code int) {
		t.Helper()
		var stderr strings.Builder
		cmd := exec.Command("sh", "-fec", script)
		cmd.Dir, cmd.Env, cmd.Stderr = dir, env, &stderr
		out, err := cmd.Output()
		if code = cmd.ProcessState.ExitCode(); err != nil && code != 2 {
			t.Fatalf("%s: %v\n%s%s", script, err, out, stderr.String())
		}
		return out, code
	}
	for name, text := range c.files {
		at := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	run("umask 022; cp /bin/busybox .; git init -q .; git add -A; git commit -qm x; " +
		"find . -exec touch -h -d 2026-01-01 {} +")
	all := " " + strings.Join(c.targets, " ")
	predict := "layerwise predict --format json"
	if err := w.real.Prune(context.Background()); err != nil {
		t.Fatal(err)
	}
	run("docker buildx create --name real --use --driver remote " + w.real.daemon.Address())
	if c.baseline == "recorded" {
		run("layerwise build -- " + bake + all)
	} else {
		run(bake + all)
		predict += " --buildkit off"
	}
	run(c.edit)
	choice := " --bake "
	if c.file == "compose.yaml" {
		choice = " --service "
	}
	reports := map[string]cachemodel.Report{}
	for _, target := range c.targets {
		answer, code := run(predict + " --baseline " + c.baseline + choice + target)
		var report cachemodel.Report
		if err := json.Unmarshal(answer, &report); err != nil {
			t.Fatalf("%s: exit code %d, %v\n%s", target, code, err, answer)
		}
		reports[target] = report
	}
	events, _ := run(bake + " --progress rawjson" + all + " 2>&1")
	did := bakeTruth(t, events, c.targets)
	var out strings.Builder
	for _, target := range c.targets {
		steps, truth := reports[target].Steps, Truth{}
		for _, s := range steps {
			if lt, ok := did[target][s.Text]; ok {
				truth[s.Line] = lt
			}
		}
		for _, wrong := range Check(steps, truth, nil, NewTally()) {
			t.Errorf("%s: %s", target, wrong)
		}
		fmt.Fprintf(&out, "# %s\n%s", target, marksOf(steps, truth))
	}
	return out.String()
}

// bakeTruth tells from the progress of docker buildx bake what it executed, by target and instruction. Each target is a
// build of its own, whose progress has also what it shares with those that it stands on. One that is built alone is not
// named there.
func bakeTruth(t *testing.T, events []byte, targets []string) map[string]map[string]LineTruth {
	t.Helper()
	type vertex struct {
		ran   map[time.Time]bool // by when it began; not where it was found in the cache
		names map[string]bool
	}
	vertices := map[digest.Digest]*vertex{}
	for status := range rawProgress(events) {
		for _, v := range status.Vertexes {
			if len(v.Inputs) == 0 || strings.Contains(v.Name, "[internal]") || strings.Contains(v.Name, " internal] ") {
				continue
			}
			if vertices[v.Digest] == nil {
				vertices[v.Digest] = &vertex{map[time.Time]bool{}, map[string]bool{}}
			}
			vertices[v.Digest].names[v.Name] = true
			if v.Started != nil {
				vertices[v.Digest].ran[*v.Started] = !v.Cached
			}
		}
	}
	did := map[string]map[string]LineTruth{}
	for _, v := range vertices {
		for name := range v.names {
			place, text, _ := strings.Cut(strings.TrimPrefix(name, "["), "] ")
			target, _, _ := strings.Cut(place, " ")
			if len(targets) == 1 {
				target = targets[0]
			}
			text = strings.TrimPrefix(text, "LINK ") // the second operation of a COPY --link
			if did[target] == nil {
				did[target] = map[string]LineTruth{}
			}
			lt := did[target][text]
			lt.Vertices++
			if slices.Contains(slices.Collect(maps.Values(v.ran)), true) {
				lt.Executed++
			}
			did[target][text] = lt
		}
	}
	if len(did) == 0 {
		t.Fatalf("no progress:\n%s", events)
	}
	return did
}
