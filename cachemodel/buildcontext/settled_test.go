package buildcontext_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/layerwise/layerwise/cachemodel/buildcontext"
	"github.com/layerwise/layerwise/cachemodel/buildcontext/disk"
)

// What changes between two looks at a context spoils the digests that include it, and no others.
func TestSettled(t *testing.T) {
	old := time.Now().Add(-time.Hour)
	for _, c := range []struct {
		why     string
		change  func(dir string) error
		changed []string
		known   []string // paths whose digests stay
		unknown []string
	}{
		{"nothing happens", func(string) error { return nil }, nil, []string{"/", "/a", "/d"}, nil},
		{"a file is written", func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "a"), []byte("new"),
				0o644)
		},
			[]string{"a"}, []string{"/b", "/d"}, []string{"/", "/a"}},
		{"a file is written with what it " +
			"held", func(dir string) error { return os.WriteFile(filepath.Join(dir, "a"), []byte("a"), 0o644) },
			[]string{"a"}, []string{"/b"}, []string{"/a"}},
		{"a file is added", func(dir string) error { return os.WriteFile(filepath.Join(dir, "d", "new"), nil, 0o644) },
			[]string{"d/new"}, []string{"/a", "/d/c"}, []string{"/", "/d"}},
		{"a file is removed", func(dir string) error { return os.Remove(filepath.Join(dir, "d", "c")) },
			[]string{"d/c"}, []string{"/a"}, []string{"/d", "/d/c"}},
		{"a folder is removed", func(dir string) error { return os.RemoveAll(filepath.Join(dir, "d")) },
			[]string{"d"}, []string{"/a"}, []string{"/d"}},
		{"permissions change", func(dir string) error { return os.Chmod(filepath.Join(dir, "b"), 0o755) },
			[]string{"b"}, []string{"/a"}, []string{"/b"}},
		{"other files are " +
			"ignored", func(dir string) error {
			return os.WriteFile(filepath.Join(dir, ".dockerignore"), []byte("b\n"),
				0o644)
		},
			[]string{"."}, nil, []string{"/a"}},
	} {
		dir := t.TempDir()
		for name, text := range map[string]string{"a": "a", "b": "b", "d/c": "c"} {
			path := filepath.Join(dir, name)
			if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644),
				os.Chtimes(path, old, old)); err != nil {
				t.Fatal(err)
			}
		}
		d, err := disk.Open(context.Background(), dir, "", disk.Options{})
		if err != nil {
			t.Fatal(err)
		}
		before := d.Tree()
		if _, err := before.Digest(buildcontext.Query{Path: "/"}); err != nil {
			t.Fatal(err)
		}
		if err := c.change(dir); err != nil {
			t.Fatal(err)
		}
		after, err := d.Rescan(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		got, changed := buildcontext.Settled(before, after)
		if !slices.Equal(changed, c.changed) {
			t.Errorf("%s: changed %q, want %q", c.why, changed, c.changed)
		}
		for _, path := range c.known {
			a, _ := before.Digest(buildcontext.Query{Path: path})
			if b, err := got.Digest(buildcontext.Query{Path: path}); err != nil || a != b {
				t.Errorf("%s: %s has another digest: %v", c.why, path, err)
			}
		}
		for _, path := range c.unknown {
			if _, err := got.Digest(buildcontext.Query{Path: path}); !errors.Is(err, buildcontext.ErrUnknown) {
				t.Errorf("%s: %s: %v", c.why, path, err)
			}
		}
	}
}
