package conformance

import (
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/layerwise/layerwise/cachemodel/workspace"
)

var situations = flag.Int("situations", 8, "how many situations are played on a Docker engine, 0 for all")

// engineTools is a docker that only builds: with the network that there is.
const engineTools = `#!/bin/sh
[ "$1" = buildx ] && shift
[ "$1" = build ] && { shift; set -- build --network host "$@"; }
exec BUILDX "$@"
`

// TestSituations plays what people do with docker build on a current engine before they ask `layerwise predict`, which
// has nothing but the engine's history and the files; what it says is compared with the build that follows. Each block
// of testdata/situations.txt is shell, run in the project's folder, and behind "--" the Dockerfile.
func TestSituations(t *testing.T) {
	text, err := os.ReadFile("testdata/situations.txt")
	if err != nil {
		t.Fatal(err)
	}
	blocks := strings.Split(string(text), "\n## ")[1:]
	e := engineKinds()[0].run(t)
	tools := t.TempDir()
	command := buildCommand(t, tools)
	docker := strings.Replace(engineTools, "BUILDX", e.Builder[0], 1)
	if err := os.WriteFile(filepath.Join(tools, "docker"), []byte(docker), 0o755); err != nil {
		t.Fatal(err)
	}
	for i, block := range blocks {
		title, rest, _ := strings.Cut(block, "\n")
		if !slice(i, *situations, len(blocks)) {
			continue
		}
		t.Run(title, func(t *testing.T) {
			script, dockerfile, ok := strings.Cut("\n"+rest, "\n--\n")
			if !ok {
				t.Fatal("there is no Dockerfile")
			}
			if err := (engineBuilder{e}).Prune(t.Context()); err != nil {
				t.Fatal(err)
			}
			home := t.TempDir()
			dir := filepath.Join(home, "p")
			writeAll(t, dir, map[string]string{"Dockerfile": dockerfile})
			run := func(script string) []byte {
				t.Helper()
				var stderr strings.Builder
				cmd := exec.Command("sh", "-ec", script)
				cmd.Dir, cmd.Stderr = dir, &stderr
				cmd.Env = append(slices.Clone(e.Env), "XDG_CACHE_HOME="+home+"/cache", "PATH="+tools+":"+os.Getenv("PATH"))
				out, err := cmd.Output()
				if err != nil {
					t.Fatalf("%s: %v\n%s", script, err, stderr.String())
				}
				return out
			}
			run(stock + "sleep 0.05\n" + script)
			var report workspace.Report
			if err := json.Unmarshal(run(command+" predict --format json"), &report); err != nil {
				t.Fatal(err)
			}
			did, err := engineBuilder{e}.buildDir(t.Context(), dir, "Dockerfile", nil)
			if err != nil {
				t.Fatal(err)
			}
			t.Log("\n" + marksOf(report.Steps, did))
			for _, wrong := range Check(report.Steps, did, twinsOf(report.Steps, did), NewTally()) {
				t.Error(wrong)
			}
		})
	}
}
