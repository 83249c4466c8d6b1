package conformance

import (
	"context"
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/layerwise/layerwise/cachemodel"
)

// `layerwise predict --baseline dir:A --format json` says what the model says when asked directly.
func TestCommand(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	bin := buildCommand(t, dir)
	compared := 0
	for seed := *seedFlag; compared < 25; seed++ {
		sketches, _ := NewGenerator(seed, Limits{}).Case()
		a, b := sketches[0].Build(), sketches[1].Build()
		if a.Target != b.Target || a.Platform != b.Platform || a.NoCache || !maps.Equal(a.Extra, b.Extra) {
			continue // the command has these settings for the next build only
		}
		if _, _, err := Convert(ctx, b); err != nil {
			continue
		}
		model := &Model{Dir: dir, Daemon: true}
		if _, err := model.Predict(ctx, a); err != nil {
			t.Fatal(err)
		}
		want, err := model.Predict(ctx, b)
		if err != nil {
			t.Fatal(err)
		}
		was, is := filepath.Join(dir, "was"), filepath.Join(dir, "is")
		extra := filepath.Join(dir, "extra")
		for at, b := range map[string]Build{was: a, is: b, extra: {Name: "Dockerfile", Files: b.Extra}} {
			if err := os.Mkdir(at, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := b.Write(at); err != nil {
				t.Fatal(err)
			}
		}
		args := []string{
			"predict",
			filepath.Join(is, filepath.FromSlash(b.Name)),
			"--context",
			is,
			"--baseline",
			"dir:" + was,
			"--format",
			"json",
		}
		for _, k := range slices.Sorted(maps.Keys(b.Args)) {
			args = append(args, "--build-arg", k+"="+b.Args[k])
		}
		for _, k := range slices.Sorted(maps.Keys(a.Args)) {
			args = append(args, "--baseline-build-arg", k+"="+a.Args[k])
		}
		if b.Extra != nil {
			if err := os.Remove(filepath.Join(extra, "Dockerfile")); err != nil {
				t.Fatal(err)
			}
			args = append(args, "--build-context", "extra="+extra)
		}
		if b.Target != "" {
			args = append(args, "--target", b.Target)
		}
		if b.Platform != "" {
			args = append(args, "--platform", b.Platform)
		}
		if b.NoCache {
			args = append(args, "--no-cache")
		}
		var said strings.Builder
		predict := exec.Command(bin, args...)
		predict.Stderr = &said
		out, err := predict.Output()
		fails := slices.ContainsFunc(want, func(s cachemodel.Step) bool { return s.Status == cachemodel.Fails })
		if code := predict.ProcessState.ExitCode(); code != 0 && (code != 2 || !fails) || code == 0 && fails {
			t.Fatalf("seed %d: %v: %v, though a step fails: %v\n%s", seed, args, err, fails, said.String())
		}
		var got cachemodel.Report
		if err := json.Unmarshal(out, &got); err != nil {
			t.Fatalf("seed %d: %v\n%s", seed, err, out)
		}
		if diff := cmp.Diff(want, got.Steps); diff != "" {
			t.Errorf("seed %d: the command and the model differ (-model +command):\n%s\n%s", seed, diff, b.Dockerfile)
		}
		if sum := cachemodel.Summarize(want); !cmp.Equal(sum, got.Summary) {
			t.Errorf("seed %d: summary %+v, want %+v", seed, got.Summary, sum)
		}
		for _, d := range []string{was, is, extra} {
			if err := os.RemoveAll(d); err != nil {
				t.Fatal(err)
			}
		}
		compared++
	}
}
