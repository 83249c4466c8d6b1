//go:build unix

package disk

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/layerwise/layerwise/cachemodel/buildcontext"
)

// Whatever lies under the names of the files that are read, scanning and digesting come to an end.
func TestHostileContext(t *testing.T) {
	tests := []struct {
		why    string
		make   func(dir string) error
		digest error // of a, an ordinary file; nil if it has one
	}{
		{"an ignore file that is a pipe is none", func(dir string) error {
			return syscall.Mkfifo(filepath.Join(dir, ".dockerignore"), 0o600)
		}, nil},
		{"one that is a device without an end", func(dir string) error {
			return os.Symlink("/dev/zero", filepath.Join(dir, ".dockerignore"))
		}, nil},
		{"one that is a link to itself", func(dir string) error {
			return os.Symlink(".dockerignore", filepath.Join(dir, ".dockerignore"))
		}, nil},
		{"one that is longer than BuildKit takes", func(dir string) error {
			return sparse(filepath.Join(dir, ".dockerignore"), 4<<30)
		}, buildcontext.ErrIgnoreFile},
		{"one with more patterns than are matched: what is sent is not known", func(dir string) error {
			return os.WriteFile(
				filepath.Join(dir, "Dockerfile.dockerignore"),
				bytes.Repeat([]byte("*.x\n"), 1_000_000),
				0o600,
			)
		}, buildcontext.ErrUnknown},
		{"one pattern with more wildcards than are matched", func(dir string) error {
			return os.WriteFile(filepath.Join(dir, ".dockerignore"), bytes.Repeat([]byte("**/"), 20_000), 0o600)
		}, buildcontext.ErrUnknown},
		{"many patterns with many wildcards", func(dir string) error {
			line := append(bytes.Repeat([]byte("**/"), 40), "x\n"...)
			return os.WriteFile(filepath.Join(dir, ".dockerignore"), bytes.Repeat(line, 3000), 0o600)
		}, buildcontext.ErrUnknown},
		{"pipes, sockets and links that lead nowhere", func(dir string) error {
			return errors.Join(
				syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600),
				os.Symlink("loop", filepath.Join(dir, "loop")),
				os.Symlink("..", filepath.Join(dir, "up")),
				os.Symlink("/", filepath.Join(dir, "root")),
			)
		}, nil},
		{
			"a folder that cannot be read",
			func(dir string) error { return os.Mkdir(filepath.Join(dir, "closed"), 0) },
			nil,
		},
		{"a very deep folder", func(dir string) error {
			return os.MkdirAll(filepath.Join(dir, strings.Repeat("d/", 1500)), 0o700)
		}, nil},
	}
	for _, tt := range tests {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "a"), []byte("1"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := tt.make(dir); err != nil {
			t.Errorf("%s: %v", tt.why, err)
			continue
		}
		tree, err := Scan(t.Context(), dir, filepath.Join(dir, "Dockerfile"), Options{})
		if err != nil {
			t.Errorf("%s: %v", tt.why, err)
			continue
		}
		if _, err := tree.Digest(buildcontext.Query{Path: "/a"}); !errors.Is(err, tt.digest) {
			t.Errorf("%s: the digest of a: %v, want %v", tt.why, err, tt.digest)
		}
		if _, err := tree.Digest(buildcontext.Query{Path: "/"}); err != nil {
			t.Logf("%s: %v", tt.why, err)
		}
	}
}

func sparse(name string, size int64) error {
	return errors.Join(os.WriteFile(name, nil, 0o600), os.Truncate(name, size))
}

// The whole file system is no context, also by another name; nor is a folder with more files than can be kept.
func TestOpenRefuses(t *testing.T) {
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink("/", link); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"/", link} {
		if _, err := Open(t.Context(), dir, "", Options{}); !errors.Is(err, ErrWholeFileSystem) {
			t.Errorf("%s: %v", dir, err)
		}
	}
	dir := t.TempDir()
	for _, name := range []string{"a", "b", "c"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	d, err := Open(t.Context(), dir, "", Options{})
	if err != nil {
		t.Fatal(err)
	}
	d.maxEntries = 2
	if _, err := d.Rescan(t.Context()); !errors.Is(err, ErrTooManyFiles) {
		t.Errorf("more files than can be kept: %v", err)
	}
	if n := len(d.Tree().Root().Children()); n != 3 {
		t.Errorf("the tree of before has %d entries", n)
	}
}

// What is larger than anybody waits for is not read: it is not known what it holds.
func TestTooLargeFile(t *testing.T) {
	dir := t.TempDir()
	if err := sparse(filepath.Join(dir, "huge"), 1<<40); err != nil {
		t.Skip("NO SPARSE FILES HERE: ", err)
	}
	tree, err := Scan(t.Context(), dir, "", Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tree.Digest(buildcontext.Query{Path: "/huge"}); !errors.Is(err, buildcontext.ErrUnknown) {
		t.Errorf("the digest: %v", err)
	}
}

// A huge file delays nobody: a quick tree has the digests that need not read it, and reading it can be given up.
func TestQuick(t *testing.T) {
	dir := t.TempDir()
	if err := sparse(filepath.Join(dir, "huge"), maxFile); err != nil {
		t.Skip("NO SPARSE FILES HERE: ", err)
	}
	for _, name := range []string{"a", "b"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	tree, err := Scan(t.Context(), dir, "", Options{})
	if err != nil {
		t.Fatal(err)
	}
	q := tree.Quick(1 << 20)
	for _, name := range []string{"/a", "/b"} {
		if _, err := q.Digest(buildcontext.Query{Path: name}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range []string{"/", "/huge"} {
		if _, err := q.Digest(buildcontext.Query{Path: name}); !errors.Is(err, buildcontext.ErrUnreadYet) ||
			!errors.Is(err, buildcontext.ErrUnknown) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := tree.Quick(1).Digest(buildcontext.Query{Path: "/a"}); err != nil {
		t.Errorf("what is read already costs nothing: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error)
	go func() { ended <- tree.Prepare(ctx, []buildcontext.Query{{Path: "/"}}, nil) }()
	for range 3 { // while the huge file is read, a quick tree does not wait for it
		if _, err := tree.Quick(1 << 50).Digest(buildcontext.Query{Path: "/a"}); err != nil {
			t.Error(err)
		}
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("Prepare: %v", err)
	}
}

// What is kept between runs is of no use once it is damaged, and does no harm.
func TestDamagedStore(t *testing.T) {
	dir, cache := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a"), []byte("1"), 0o600); err != nil {
		t.Fatal(err)
	}
	d, err := Open(t.Context(), dir, "", Options{CacheDir: cache})
	if err != nil {
		t.Fatal(err)
	}
	want, err := d.Tree().Digest(buildcontext.Query{Path: "/"})
	if err == nil {
		err = d.Save()
	}
	if err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(d.cacheFile())
	if err != nil {
		t.Fatal(err)
	}
	check := func(what string) {
		t.Helper()
		tree, err := Scan(t.Context(), dir, "", Options{CacheDir: cache})
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if got, err := tree.Digest(buildcontext.Query{Path: "/"}); got != want || err != nil {
			t.Errorf("%s: the digest is %s, %v", what, got, err)
		}
	}
	for i := range whole {
		damaged := bytes.Clone(whole)
		damaged[i] ^= 0x55
		if err := os.WriteFile(d.cacheFile(), damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		check("a changed byte")
		if err := os.WriteFile(d.cacheFile(), whole[:i], 0o600); err != nil {
			t.Fatal(err)
		}
		check("cut off")
	}
	os.Remove(d.cacheFile())
	if err := syscall.Mkfifo(d.cacheFile(), 0o600); err != nil {
		t.Fatal(err)
	}
	check("a pipe")
	os.Remove(d.cacheFile())
	if err := os.Symlink("/dev/zero", d.cacheFile()); err != nil {
		t.Fatal(err)
	}
	check("a device without an end")
}
