//go:build linux || darwin

package disk

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/layerwise/layerwise/cachemodel/buildcontext"
	"golang.org/x/sys/unix"
)

// An extended attribute counts, whether the file is known from this scan, from an earlier run or not at all.
func TestXattrs(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"f": "f", "d/": ""})
	set := func(name, value string) {
		t.Helper()
		if err := unix.Lsetxattr(filepath.Join(dir, name), "user.test", []byte(value), 0); err != nil {
			t.Skipf("NO EXTENDED ATTRIBUTES HERE, they are not tested: %v", err)
		}
	}
	opts := Options{CacheDir: t.TempDir()}
	seen := map[string]string{}
	for i, step := range []string{"none", "f first", "f second", "d first"} {
		if i > 0 {
			set(step[:1], step[2:])
		}
		time.Sleep(150 * time.Millisecond) // too young files are not remembered
		d, err := Open(t.Context(), dir, "", opts)
		if err != nil {
			t.Fatal(err)
		}
		sum := digest(t, d.Tree(), "/")
		if was, ok := seen[sum]; ok {
			t.Errorf("%q has the digest of %q", step, was)
		}
		seen[sum] = step
		if err := d.Save(); err != nil {
			t.Fatal(err)
		}
		if again, err := d.Rescan(t.Context()); err != nil || again != d.Tree() || digest(t, again, "/") != sum {
			t.Errorf("%q: a rescan differs, %v", step, err)
		}
	}
	if n, _ := open(t, dir).Tree().Lookup("f"); len(n.Meta().Xattrs) != 1 ||
		n.Meta().Xattrs[0] != (buildcontext.Xattr{Name: "user.test", Value: "second"}) {
		t.Errorf("f has %v", n.Meta().Xattrs)
	}
}
