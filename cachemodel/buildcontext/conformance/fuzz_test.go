//go:build linux

package conformance

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/layerwise/layerwise/cachemodel/buildcontext"
	"github.com/layerwise/layerwise/cachemodel/buildcontext/disk"
)

// FuzzIgnore gives both sides any text as ignore file: the same entries are left, or both refuse it.
func FuzzIgnore(f *testing.F) {
	for _, text := range append([]string{"", "\ufeffa\r\nb", "!", "! a", "[", "a[", "\\", "a\\", "**/", "/", "/**",
		"***", "a/***/b", "[^a]*", "[a-", "a//b", "a/../b", "!**", "*\n!a/b/c"}, ignore...) {
		f.Add(text)
	}
	l := layout{}
	for _, p := range []string{"a", "a/b", "a/b/c", "c", "src", "src/a", "src/a/b", "[y]", "é"} {
		l[p] = item{"dir", "", 0o755}
	}
	for _, p := range []string{"a.txt", "a/a.txt", "a/b/b.txt", "a/b/c/x*", "b", "src/a/b/.h", "src/a b", "[y]/a",
		"é/é", "c/c", "a\\"} {
		l[p] = item{"file", "x", 0o644}
	}
	top := f.TempDir()
	dir := filepath.Join(top, "context")
	if err := os.Mkdir(dir, 0o755); err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { os.RemoveAll(dir) })
	writeOnce := false
	f.Fuzz(func(t *testing.T, text string) {
		if !writeOnce {
			l.write(t, dir)
			writeOnce = true
		}
		theirs, errTheirs := walk(context.Background(), dir, text)
		dockerfile := filepath.Join(t.TempDir(), "Dockerfile")
		if err := os.WriteFile(dockerfile+".dockerignore", []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		tree, err := disk.Scan(context.Background(), dir, dockerfile, disk.Options{})
		if err != nil {
			t.Fatal(err)
		}
		_, errOurs := tree.Digest(buildcontext.Query{Path: "/"})
		if errTheirs != nil || errOurs != nil {
			// A pattern that BuildKit would only compile if the walk came to it is refused here at once.
			if errTheirs != nil && errOurs == nil {
				t.Fatalf("BuildKit refuses %q: %v", text, errTheirs)
			}
			return
		}
		if d := cmp.Diff(theirs, entries(tree)); d != "" {
			t.Fatalf("%q (-BuildKit +ours):\n%s", text, d)
		}
	})
}
