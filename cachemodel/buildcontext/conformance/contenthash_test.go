//go:build linux

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
	pairs = flag.Int("pairs", 1000, "contexts to generate; each is compared with three edits of it")
	seed  = flag.Uint64("seed", 1, "seed of the generated contexts")
)

// relation holds the digests of a run. Two of ours are equal only if BuildKit's are, whatever they are of; and where
// BuildKit's are equal and a cache key can hold both, ours are: a key has the patterns and the last element of the
// path.
type relation struct{ ours, theirs map[string]string }

func newRelation() relation { return relation{map[string]string{}, map[string]string{}} }

func (r relation) add(q buildcontext.Query, theirs, ours string) error {
	if was, ok := r.theirs[ours]; ok && was != theirs {
		return fmt.Errorf("our digest is that of another selection, BuildKit's is not")
	}
	r.theirs[ours] = theirs
	key := theirs
	if q.Wildcard || len(q.Include)+len(q.Exclude) > 0 {
		key += fmt.Sprintf(" %q", []any{q.Wildcard, filepath.Base(q.Path), q.Include, q.Exclude})
	}
	if was, ok := r.ours[key]; ok && was != ours {
		return fmt.Errorf("BuildKit's digest is that of another selection, ours is not")
	}
	r.ours[key] = ours
	return nil
}

// Contexts are generated and edited at random, transferred by BuildKit's code and hashed by its content hash; the
// entries, the equality of digests and whether there is a digest at all must be as buildcontext says.
func TestContentHash(t *testing.T) {
	digests := newRelation()
	total := map[string]int{}
	for i := range *pairs {
		r := rand.New(rand.NewPCG(*seed, uint64(i)))
		a := random(r)
		variants := []layout{a}
		for range 3 {
			b := maps.Clone(a)
			for range r.IntN(3) {
				b.edit(r)
			}
			variants = append(variants, b)
		}
		ignored := ignoreFile(r)
		queries := a.queries(r)
		for j, l := range variants {
			if !compare(
				t,
				fmt.Sprintf("seed %d, pair %d, context %d", *seed, i, j),
				l,
				ignored,
				queries,
				digests,
				total,
			) {
				return
			}
		}
	}
	t.Logf("%d contexts, outcomes %v, %d different digests", 4**pairs, total, len(digests.theirs))
}

func compare(
	t *testing.T,
	what string,
	l layout,
	ignored string,
	queries []buildcontext.Query,
	digests relation,
	total map[string]int,
) bool {
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
		if err := digests.add(q, want, got); err != nil {
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
