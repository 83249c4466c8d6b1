package conformance

import (
	"context"
	"flag"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/sirupsen/logrus"

	"github.com/layerwise/layerwise/cachemodel/conformance/daemon"
)

var (
	seedFlag      = flag.Uint64("seed", 1, "seed of the first generated case")
	pairsFlag     = flag.Int("pairs", 3000, "pairs of builds for the in-process oracle")
	scenariosFlag = flag.Int("scenarios", 15, "how many of the scenarios are played in each round, 0 for all")
	realFlag      = flag.Int("real", 100, "pairs of builds for the daemon")
)

func TestMain(m *testing.M) {
	flag.Parse()
	logrus.SetOutput(io.Discard) // BuildKit's
	os.Exit(m.Run())
}

// buildCommand builds the program that is tested.
func buildCommand(t *testing.T, dir string) string {
	t.Helper()
	cmd := exec.Command("go", "build", "-o", dir+"/", "./cmd/layerwise")
	cmd.Dir = filepath.Join("..", "..")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building the command: %v\n%s", err, out)
	}
	bin := filepath.Join(dir, "layerwise")
	if runtime.GOOS == "windows" {
		bin += ".exe"
	}
	return bin
}

// startReal starts a daemon for a test or skips it.
func startReal(t *testing.T) *Real {
	t.Helper()
	if what := daemon.Missing(); what != "" {
		t.Skip("NOT COMPARED WITH A REAL BUILDKIT: " + what)
	}
	r, err := NewReal(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}
