package disk

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

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

// An ignored directory is not even entered, an exception in it is found, and the Dockerfile's own ignore file replaces
// the general one, also if it is empty.
func TestIgnoreFiles(t *testing.T) {
	files := map[string]string{
		"node_modules/x/y.js": "",
		"logs/a.log":          "",
		"logs/keep":           "",
		"src/a":               "",
		"Dockerfile":          "",
	}
	tests := []struct {
		about   string
		ignores map[string]string
		want    []string // of node_modules, logs, logs/a.log, logs/keep, src
	}{
		{"none", nil, []string{"node_modules", "logs", "logs/a.log", "logs/keep", "src"}},
		{
			"the general one",
			map[string]string{".dockerignore": "node_modules\nlogs\n!logs/keep\n"},
			[]string{"logs", "logs/keep", "src"},
		},
		{
			"an exception that is not there",
			map[string]string{".dockerignore": "node_modules\nlogs\n!logs/none\n"},
			[]string{"src"},
		},
		{
			"the Dockerfile's own",
			map[string]string{".dockerignore": "src", "Dockerfile.dockerignore": "node_modules\nlogs"},
			[]string{"src"},
		},
		{
			"an empty one of its own",
			map[string]string{".dockerignore": "src", "Dockerfile.dockerignore": ""},
			[]string{"node_modules", "logs", "logs/a.log", "logs/keep", "src"},
		},
		{
			"a directory of that name",
			map[string]string{".dockerignore": "src", "Dockerfile.dockerignore/": ""},
			[]string{"node_modules", "logs", "logs/a.log", "logs/keep"},
		},
	}
	for _, tt := range tests {
		dir := t.TempDir()
		write(t, dir, files)
		write(t, dir, tt.ignores)
		tree := open(t, dir).Tree()
		var got []string
		for _, name := range []string{"node_modules", "logs", "logs/a.log", "logs/keep", "src"} {
			if _, ok := tree.Lookup(name); ok {
				got = append(got, name)
			}
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: %q are there, want %q", tt.about, got, tt.want)
		}
	}
}

// Editing an ignore file, or making or removing one, changes what is there; a faulty one fails the digests until it is
// fixed.
func TestIgnoreFileChanges(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"a": "", "b": ""})
	d := open(t, dir)
	has := func(want string) {
		t.Helper()
		got := ""
		for _, n := range d.Tree().Root().Children() {
			if !strings.HasPrefix(n.Name(), ".") {
				got += n.Name()
			}
		}
		if got != want {
			t.Errorf("%q are there, want %q", got, want)
		}
	}
	for _, step := range []struct{ text, want string }{{"a\n", "b"}, {"a\nb\n", ""}, {"!\n", "ab"}, {"b\n", "a"}} {
		write(t, dir, map[string]string{".dockerignore": step.text})
		tree, changed := d.Update([]string{".dockerignore"})
		if !changed {
			t.Errorf("%q: not seen", step.text)
		}
		_, err := tree.Digest(buildcontext.Query{Path: "/"})
		if wrong := step.text == "!\n"; wrong != errors.Is(err, buildcontext.ErrIgnoreFile) {
			t.Errorf("%q: error %v", step.text, err)
		}
		has(step.want)
	}
	os.Remove(filepath.Join(dir, ".dockerignore"))
	d.Update([]string{filepath.Join(dir, ".dockerignore")})
	has("ab")
}

// The context may be named through a link, relatively, and the Dockerfile may lie outside of it.
func TestOpenPaths(t *testing.T) {
	top := t.TempDir()
	write(
		t,
		top,
		map[string]string{
			"ctx/a":                         "a",
			"ctx/sub/b":                     "b",
			"build/Dockerfile":              "",
			"build/Dockerfile.dockerignore": "sub\n",
		},
	)
	if err := os.Symlink("ctx", filepath.Join(top, "link")); err != nil {
		t.Fatal(err)
	}
	t.Chdir(top)
	for _, root := range []string{"ctx", "link", "./ctx/../link", filepath.Join(top, "link")} {
		d, err := Open(t.Context(), root, "build/Dockerfile", Options{})
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := d.Tree().Lookup("a"); !ok {
			t.Errorf("%s: a is not there", root)
		}
		if _, ok := d.Tree().Lookup("sub"); ok {
			t.Errorf("%s: the Dockerfile's ignore file does not count", root)
		}
		write(t, top, map[string]string{"link/a": "new " + root})
		if _, changed := d.Update([]string{filepath.Join(top, "link", "a")}); !changed {
			t.Errorf("%s: a change through the link is not seen", root)
		}
	}
	for root, want := range map[string]error{"none": os.ErrNotExist, "ctx/a": ErrNotDirectory} {
		if _, err := Open(t.Context(), root, "", Options{}); !errors.Is(err, want) {
			t.Errorf("%s: error %v", root, err)
		}
	}
}

// Odd entries do no harm: links in a circle, pipes, sockets, names that are no text.
func TestOddEntries(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"a": "a", "\xff\xfe": "x", "d/": ""})
	if err := os.Symlink("..", filepath.Join(dir, "d/up")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("self", filepath.Join(dir, "self")); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", filepath.Join(dir, "s"))
	if err != nil {
		t.Skip("no sockets here")
	}
	defer l.Close()
	d := open(t, dir)
	digest(t, d.Tree(), "/")
	if n, ok := d.Tree().Lookup("s"); !ok || n.Type() != buildcontext.File {
		t.Error("a socket is no empty file")
	}
	if _, err := d.Tree().Digest(buildcontext.Query{Path: "/self", FollowLinks: true}); !errors.Is(
		err,
		buildcontext.ErrTooManyLinks,
	) {
		t.Errorf("a link to itself: %v", err)
	}
}

// A directory or file without permission to read is told by name; the rest works.
func TestUnreadable(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("ROOT MAY READ EVERYTHING: what cannot be read is not tested")
	}
	dir := t.TempDir()
	write(
		t,
		dir,
		map[string]string{"a": "a", "f": "f", "d/x": "x", "ignored/x": "x", ".dockerignore": "ignored\n!ignored/y\n"},
	)
	for _, name := range []string{"f", "d", "ignored"} {
		p := filepath.Join(dir, name)
		if err := os.Chmod(p, 0); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.Chmod(p, 0o755) })
	}
	tree := open(t, dir).Tree()
	digest(t, tree, "/a")
	for _, name := range []string{"f", "d"} {
		var pe *buildcontext.PathError
		if _, err := tree.Digest(buildcontext.Query{Path: "/" + name}); !errors.Is(err, os.ErrPermission) ||
			!errors.As(err, &pe) ||
			pe.Path != name {
			t.Errorf("%s: error %v", name, err)
		}
	}
	if p := tree.Problems(); len(p) != 1 || p[0].Path != "d" {
		t.Errorf("Problems = %v", p)
	}
}

// A file that vanished or turned into a directory after the scan is told by name.
func TestVanished(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"a": "a", "b": "b"})
	tree := open(t, dir).Tree()
	os.Remove(filepath.Join(dir, "a"))
	os.Remove(filepath.Join(dir, "b"))
	write(t, dir, map[string]string{"b/": ""})
	if _, err := tree.Digest(buildcontext.Query{Path: "/a"}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error %v", err)
	}
	if _, err := tree.Digest(buildcontext.Query{Path: "/b"}); !errors.Is(err, ErrNotRegular) {
		t.Errorf("error %v", err)
	}
}

func age(t testing.TB, dir string, names ...string) {
	t.Helper()
	for _, name := range names {
		when := time.Now().Add(-time.Hour)
		if err := os.Chtimes(filepath.Join(dir, name), when, when); err != nil {
			t.Fatal(err)
		}
	}
}

// opened opens the files of a folder.
func opened(dir string) buildcontext.Contents {
	return func(path string, _ *buildcontext.Node) (io.ReadCloser, error) {
		return os.Open(filepath.Join(dir, path))
	}
}

// Content ids outlive the process, for files that did not change; a file that is not whole counts for nothing.
func TestStore(t *testing.T) {
	dir, cache := t.TempDir(), t.TempDir()
	write(t, dir, map[string]string{"a": "a", "d/b": "b", "c": "c"})
	age(t, dir, "a", "d/b", "c")
	time.Sleep(150 * time.Millisecond) // the change time is now: younger files are not trusted
	opts := Options{CacheDir: filepath.Join(cache, "new")}
	start := func() *Dir {
		t.Helper()
		d, err := Open(t.Context(), dir, "", opts)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	known := func(d *Dir) (names []string) {
		for _, name := range []string{"a", "c", "d/b"} {
			n, _ := d.Tree().Lookup(name)
			if _, ok := n.Content(); ok {
				names = append(names, name)
			}
		}
		return names
	}
	d := start()
	sum := digest(t, d.Tree(), "/")
	if _, err := d.Tree().Exact(buildcontext.Query{Path: "/d"}, opened(dir)); err != nil {
		t.Fatal(err)
	}
	if err := d.Save(); err != nil {
		t.Fatal(err)
	}
	if got := known(start()); len(got) != 3 {
		t.Errorf("known after a restart: %q", got)
	}
	if digest(t, start().Tree(), "/") != sum {
		t.Error("another digest after a restart")
	}
	// What BuildKit computes of a file is kept too, where somebody has asked for it.
	for name, want := range map[string]bool{"a": false, "d/b": true} {
		n, _ := start().Tree().Lookup(name)
		now, _ := d.Tree().Lookup(name)
		if got := n.KnownExact(); got != now.KnownExact() || (got != "") != want {
			t.Errorf("BuildKit's digest of %s is %q after a restart, was %q", name, got, now.KnownExact())
		}
	}
	write(t, dir, map[string]string{"a": "A"}) // same size
	if got := known(start()); slices.Contains(got, "a") || len(got) != 2 {
		t.Errorf("known after a change of a: %q", got)
	}
	file := d.cacheFile()
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for i := range whole {
		broken := bytes.Clone(whole)
		broken[i] ^= 0x40
		for _, data := range [][]byte{broken, whole[:i]} {
			if err := os.WriteFile(file, data, 0o600); err != nil {
				t.Fatal(err)
			}
			if got := load(file, d.root); got != nil {
				t.Fatalf("a file broken at byte %d is trusted: %v", i, got)
			}
		}
	}
	if err := start().Save(); err != nil {
		t.Error(err)
	}
	for i := range maxStores + 5 {
		p := filepath.Join(opts.CacheDir, fmt.Sprintf("%032x.ids", i))
		if err := os.WriteFile(p, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		when := time.Now().Add(-time.Duration(i+1) * time.Hour)
		os.Chtimes(p, when, when)
	}
	if err := start().Save(); err != nil {
		t.Error(err)
	}
	if list, _ := filepath.Glob(filepath.Join(opts.CacheDir, "*")); len(list) != maxStores {
		t.Errorf("%d files are kept, want %d", len(list), maxStores)
	}
}

// A file that is changed again in the same tick of the clock, to the same size, is read again: it was hashed when it
// was too young to be trusted.
func TestRacyChange(t *testing.T) {
	dir := t.TempDir()
	p := filepath.Join(dir, "f")
	d := open(t, dir)
	for i := range 200 {
		text := fmt.Sprintf("%04d", i)
		if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		tree, _ := d.Update([]string{"f"})
		got, err := tree.ContentOf("f")
		if err != nil || got != buildcontext.HashContent([]byte(text)) {
			t.Fatalf("round %d: the old contents, %v", i, err)
		}
	}
}

func TestCancel(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"a/b/c": ""})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Open(ctx, dir, "", Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("Open: error %v", err)
	}
	d := open(t, dir)
	before := d.Tree()
	if _, err := d.Rescan(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Rescan: error %v", err)
	}
	if d.Tree() != before {
		t.Error("a cancelled scan changed the tree")
	}
	if again, err := d.Rescan(t.Context()); err != nil || again != before {
		t.Errorf("an unchanged directory gives another tree, %v", err)
	}
}

// Whatever changes, Update of the changed paths, Rescan and a new Scan agree, entry for entry.
func TestUpdateIsScan(t *testing.T) {
	all := []buildcontext.Query{{Path: "/"}}
	for seed := range uint64(40) {
		r := rand.New(rand.NewPCG(seed, 0))
		dir := t.TempDir()
		names := []string{"a", "b", "c", "d.txt"}
		random := func() string {
			p := names[r.IntN(4)]
			for r.IntN(2) == 0 {
				p += "/" + names[r.IntN(4)]
			}
			return p
		}
		write(
			t,
			dir,
			map[string]string{
				".dockerignore": []string{"", "a\n", "a\n!a/b\n", "**/c\n!**/d.txt\n", "*\n!b\n"}[r.IntN(5)],
			},
		)
		d, lazy := open(t, dir), open(t, dir)
		for step := range 30 {
			var changed []string
			for range 1 + r.IntN(3) {
				rel := random()
				p := filepath.Join(dir, rel)
				switch r.IntN(5) {
				case 0:
					os.RemoveAll(p)
				case 1:
					os.MkdirAll(p, 0o755)
				case 2:
					os.Chmod(p, os.FileMode(0o700|r.IntN(0o100)))
				case 3:
					to := random()
					if os.Rename(p, filepath.Join(dir, to)) == nil {
						changed = append(changed, to)
					}
				default:
					// The directories that this makes get no event of their own.
					os.MkdirAll(filepath.Dir(p), 0o755)
					os.WriteFile(p, fmt.Append(nil, r.IntN(3)), 0o644)
				}
				changed = append(changed, rel)
			}
			tree, _ := d.Update(changed)
			rescanned, err := lazy.Rescan(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			fresh := open(t, dir).Tree()
			for what, got := range map[string]*buildcontext.Tree{"Update": tree, "Rescan": rescanned} {
				if digest(t, got, "/") != digest(t, fresh, "/") {
					t.Fatalf(
						"seed %d, step %d: after %q %s differs from Scan: %v",
						seed,
						step,
						changed,
						what,
						buildcontext.Diff(fresh, got, all),
					)
				}
			}
		}
	}
}

// Trees are used while the directory is brought up to date.
func TestConcurrent(t *testing.T) {
	dir := t.TempDir()
	for i := range 200 {
		write(t, dir, map[string]string{fmt.Sprintf("d%d/f%d", i%10, i): "x"})
	}
	d := open(t, dir)
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for j := range 20 {
				name := fmt.Sprintf("d%d/f%d", i, i)
				os.WriteFile(filepath.Join(dir, name), fmt.Append(nil, j), 0o644)
				d.Update([]string{name})
			}
		})
		wg.Go(func() {
			for range 20 {
				d.Tree().WithContent("d1/f1", []byte("new")).Digest(buildcontext.Query{Path: "/"})
				d.Tree().Digest(buildcontext.Query{Path: "/d*", Wildcard: true, Exclude: []string{"f7"}})
			}
		})
	}
	wg.Wait()
	if digest(t, d.Tree(), "/") != digest(t, open(t, dir).Tree(), "/") {
		t.Error("differs from a new scan")
	}
}
