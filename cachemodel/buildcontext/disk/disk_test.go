package disk

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/layerwise/layerwise/cachemodel/buildcontext"
)

// write makes files below dir; a name that ends in "/" is a directory.
func write(t testing.TB, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		p := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if name[len(name)-1] == '/' {
			if err := os.MkdirAll(p, 0o755); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func open(t testing.TB, dir string) *Dir {
	t.Helper()
	d, err := Open(t.Context(), dir, filepath.Join(dir, "Dockerfile"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func digest(t testing.TB, tree *buildcontext.Tree, path string) string {
	t.Helper()
	sum, err := tree.Digest(buildcontext.Query{Path: path, FollowLinks: true})
	if err != nil {
		t.Fatal(err)
	}
	return sum
}

// A changed file is seen after Update, other subtrees keep their nodes, and undoing the change gives the old digest.
func TestUpdate(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"src/a.txt": "a", "lib/b.txt": "b", "Dockerfile": "FROM scratch\n"})
	d := open(t, dir)
	before := d.Tree()
	root, src, lib := digest(t, before, "/"), digest(t, before, "/src"), digest(t, before, "/lib")
	write(t, dir, map[string]string{"src/a.txt": "changed"})
	after, changed := d.Update([]string{"src/a.txt"})
	if !changed {
		t.Fatal("the change was not seen")
	}
	if digest(t, after, "/") == root || digest(t, after, "/src") == src {
		t.Error("the digests did not change")
	}
	if digest(t, after, "/lib") != lib || after.Root().Child("lib") != before.Root().Child("lib") {
		t.Error("lib did not keep its node")
	}
	want := []buildcontext.Change{{Path: "src/a.txt", Kind: buildcontext.Modified}}
	if got := buildcontext.Diff(before, after, []buildcontext.Query{{Path: "/"}}); len(got) != 1 || got[0] != want[0] {
		t.Errorf("Diff = %v, want %v", got, want)
	}
	write(t, dir, map[string]string{"src/a.txt": "a"})
	again, _ := d.Update([]string{filepath.Join(dir, "src/a.txt")})
	if digest(t, again, "/") != root {
		t.Error("the old contents do not give the old digest")
	}
}
