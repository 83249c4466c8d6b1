package workspace

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/layerwise/layerwise/cachemodel"
)

// A builder that was sent the context before does not notice other permissions of a folder; a fresh one does.
func TestFreshBuilderIsSentAll(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("NO PERMISSIONS ARE COMPARED: Windows has none")
	}
	w := open(t, "-- Dockerfile --\nFROM a\nCOPY d /d/\n-- d/f --\n1\n")
	earlier := t.TempDir()
	for _, step := range []error{
		os.CopyFS(earlier, os.DirFS(w.Folder)),
		os.Chmod(filepath.Join(earlier, "d"), 0o755),
		os.Chmod(filepath.Join(w.Folder, "d"), 0o700),
	} {
		if step != nil {
			t.Fatal(step)
		}
	}
	dockerfile := filepath.Join(w.Folder, "Dockerfile")
	text, err := os.ReadFile(dockerfile)
	if err != nil {
		t.Fatal(err)
	}
	file := parse(string(text))
	for cache, want := range map[cachemodel.CacheMode]cachemodel.Status{
		"": cachemodel.Cached, cachemodel.MaxCache: cachemodel.Rebuilt,
	} {
		q := Question{Choices: Choices{Baseline: "dir:" + earlier, Cache: cache}, File: file}
		q.Choices.ContextDir = w.Folder
		b := w.Reader(dockerfile).Load(t.Context(), q)
		for _, problem := range b.Problems {
			t.Error(problem)
		}
		if s := b.Judge(file, nil).Steps[1]; s.Status != want {
			t.Errorf("with cache %q COPY is %s (%+v), want %s", cache, s.Status, s.Cause, want)
		}
	}
}
