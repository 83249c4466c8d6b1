package conformance

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/layerwise/layerwise/cachemodel/buildcontext"
	"github.com/layerwise/layerwise/cachemodel/buildcontext/disk"
)

var (
	pairs = flag.Int("pairs", 1500, "pairs of contexts to compare")
	seed  = flag.Uint64("seed", 1, "seed of the generated contexts")
)

// bijection maps BuildKit's digests to ours and back, over all contexts and queries of a run: two of ours are equal if
// and only if the two of BuildKit's are. That is more than the product needs, which compares equal queries only.
type bijection struct{ ours, theirs map[string]string }

func (b bijection) add(theirs, ours string) error {
	if was, ok := b.ours[theirs]; ok && was != ours {
		return fmt.Errorf("BuildKit's digest is that of another selection, ours is not")
	}
	if was, ok := b.theirs[ours]; ok && was != theirs {
		return fmt.Errorf("our digest is that of another selection, BuildKit's is not")
	}
	b.ours[theirs], b.theirs[ours] = ours, theirs
	return nil
}

// Contexts are generated and edited at random, transferred by BuildKit's code and hashed by its content hash; the
// entries, the equality of digests and whether there is a digest at all must be as buildcontext says.
func TestContentHash(t *testing.T) {
	digests := bijection{map[string]string{}, map[string]string{}}
	total := map[string]int{}
	for i := range *pairs {
		r := rand.New(rand.NewPCG(*seed, uint64(i)))
		a := random(r)
		b := maps.Clone(a)
		for range r.IntN(3) {
			b.edit(r)
		}
		ignored := ignoreFile(r)
		queries := a.queries(r)
		for j, l := range []layout{a, b} {
			if !compare(t, fmt.Sprintf("seed %d, pair %d, context %d", *seed, i, j), l, ignored, queries, digests, total) {
				return
			}
		}
	}
	t.Logf("%d contexts, outcomes %v, %d different digests", 2**pairs, total, len(digests.ours))
}

func compare(t *testing.T, what string, l layout, ignored string, queries []buildcontext.Query, digests bijection, total map[string]int) bool {
	t.Helper()
	ctx := context.Background()
	tmp, err := os.MkdirTemp("", "context")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(tmp)
	dir, dest := filepath.Join(tmp, "from"), filepath.Join(tmp, "to")
	for _, d := range []string{dir, dest} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	l.write(t, dir)
	dockerfile := filepath.Join(tmp, "Dockerfile")
	if err := os.WriteFile(dockerfile+".dockerignore", []byte(ignored), 0o644); err != nil {
		t.Fatal(err)
	}
	fail := func(format string, args ...any) bool {
		t.Helper()
		t.Errorf("%s: %s", what, fmt.Sprintf(format, args...))
		for _, p := range l.paths() {
			t.Logf("  %-20s %s %v %.20q", p, l[p].kind, l[p].mode, l[p].text)
		}
		t.Logf("  ignore: %q", ignored)
		return false
	}
	theirs, errTheirs := transfer(ctx, dir, dest, ignored)
	tree, err := disk.Scan(ctx, dir, dockerfile, disk.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if errTheirs != nil {
		if _, err := tree.Digest(queries[0]); err == nil {
			return fail("BuildKit refuses it (%v), there is a digest", errTheirs)
		}
		total["refused"]++
		return true
	}
	if d := cmp.Diff(theirs.entries, entries(tree)); d != "" {
		return fail("other entries (-BuildKit +ours):\n%s", d)
	}
	if len(theirs.entries) == 0 {
		total["empty"]++
		return true // the content hash would look at the snapshot's own root
	}
	for _, q := range queries {
		want, errWant := theirs.digest(ctx, q)
		got, errGot := tree.Digest(q)
		if (errWant == nil) != (errGot == nil) {
			return fail("%+v: BuildKit %q, %v; we %q, %v", q, want, errWant, got, errGot)
		}
		if errWant != nil {
			total["error"]++
			continue
		}
		total["digest"]++
		if err := digests.add(want, got); err != nil {
			return fail("%+v: %v", q, err)
		}
	}
	return true
}

// entries lists a tree as transfer lists a walk.
func entries(tree *buildcontext.Tree) (out []string) {
	var visit func(p string, n *buildcontext.Node)
	visit = func(p string, n *buildcontext.Node) {
		for _, c := range n.Children() {
			rel := filepath.Join(p, c.Name())
			out = append(out, fmt.Sprintf("%s %o", rel, goMode(c)))
			visit(rel, c)
		}
	}
	visit("", tree.Root())
	return out
}

func goMode(n *buildcontext.Node) os.FileMode {
	mode := os.FileMode(n.Mode() & 0o777)
	bits := map[uint32]os.FileMode{0o4000: os.ModeSetuid, 0o2000: os.ModeSetgid, 0o1000: os.ModeSticky}
	for _, bit := range slices.Sorted(maps.Keys(bits)) {
		if n.Mode()&bit != 0 {
			mode |= bits[bit]
		}
	}
	switch n.Type() {
	case buildcontext.Dir:
		mode |= os.ModeDir
	case buildcontext.Symlink:
		mode |= os.ModeSymlink
	case buildcontext.Fifo:
		mode |= os.ModeNamedPipe
	case buildcontext.CharDevice:
		mode |= os.ModeDevice | os.ModeCharDevice
	case buildcontext.BlockDevice:
		mode |= os.ModeDevice
	}
	return mode
}
