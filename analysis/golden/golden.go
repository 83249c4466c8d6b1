// Package golden holds tests to their golden files: what a test finds is compared with what its file says or, with
// -update, written there. Only tests may import it.
package golden

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
)

var update = flag.Bool("update", false, "write what the tests find into their golden files")

// Updating says whether golden files are to be written.
func Updating() bool { return *update }

// File compares what was found with the file at path, or writes it there.
func File(t testing.TB, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v; -update writes it", err)
	}
	// A checkout may have changed the line ends.
	if diff := cmp.Diff(strings.ReplaceAll(string(want), "\r\n", "\n"), got); diff != "" {
		t.Errorf("%s, which -update writes (-want +got):\n%s", path, diff)
	}
}

// Archives runs a subtest for each txtar archive that pattern matches, of which there must be some. files returns the
// archive's files as they should be: what is given, and what is found.
func Archives(t *testing.T, pattern string, files func(t *testing.T, a *txtar.Archive) []txtar.File) {
	t.Helper()
	paths, err := filepath.Glob(pattern)
	if err != nil || len(paths) == 0 {
		t.Fatalf("no golden files %s: %v", pattern, err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			got := &txtar.Archive{Comment: archive.Comment, Files: files(t, archive)}
			if len(strings.TrimSpace(string(archive.Comment))) == 0 {
				t.Error("the archive does not say what it shows")
			}
			if !t.Failed() || !*update {
				File(t, path, string(txtar.Format(got)))
			}
		})
	}
}

// Behind returns the files with, behind each one that is not itself called name, what find says of it under that name.
func Behind(files []txtar.File, name string, find func(txtar.File) string) []txtar.File {
	var out []txtar.File
	for _, f := range files {
		if f.Name != name {
			out = append(out, f, txtar.File{Name: name, Data: []byte(find(f))})
		}
	}
	return out
}
