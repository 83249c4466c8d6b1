package conformance

import (
	"context"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/layerwise/layerwise/cachemodel/buildcontext"
	"github.com/layerwise/layerwise/cachemodel/buildcontext/disk"
)

// forget is a tree in which some entries are not known, of a directory only its own properties.
func forget(r *rand.Rand, n *buildcontext.Node) *buildcontext.Node {
	meta := n.Meta()
	var children []*buildcontext.Node
	for _, c := range n.Children() {
		children = append(children, forget(r, c))
	}
	if r.IntN(8) == 0 {
		meta.Err = buildcontext.ErrUnknown
	}
	out := buildcontext.NewNode(n.Name(), meta, children)
	if id, known := n.Content(); known && meta.Err == nil {
		out.SetContent(id)
	}
	return out
}

// What certainly differs has another digest, whatever the unknown entries were; and where all is known, almost all that
// has another digest certainly differs.
func TestDiffers(t *testing.T) {
	different, found := 0, 0
	for i := range *pairs / 4 {
		r := rand.New(rand.NewPCG(*seed, uint64(i)))
		a := random(r)
		b := maps.Clone(a)
		for range r.IntN(3) {
			b.edit(r)
		}
		queries := a.queries(r)
		var trees []*buildcontext.Tree
		for _, l := range []layout{a, b} {
			dir := t.TempDir()
			l.write(t, dir)
			tree, err := disk.Scan(context.Background(), dir, filepath.Join(dir, "Dockerfile"), disk.Options{})
			if err != nil {
				t.Fatal(err)
			}
			tree.Prepare(context.Background(), []buildcontext.Query{{Path: "/"}}, nil)
			trees = append(trees, tree)
		}
		partly := buildcontext.NewTree(forget(r, trees[0].Root()), nil, nil, nil)
		for _, q := range queries {
			x, errX := trees[0].Digest(q)
			y, errY := trees[1].Digest(q)
			if errX != nil || errY != nil {
				continue
			}
			whole := buildcontext.Differs(trees[0], trees[1], q)
			wrong := whole || buildcontext.Differs(partly, trees[1], q) || buildcontext.Differs(trees[1], partly, q)
			if x == y && wrong {
				t.Errorf("seed %d, pair %d, %+v: has the same digest", *seed, i, q)
			}
			if x != y {
				different++
			}
			if whole {
				found++
			}
		}
	}
	t.Logf("of %d digests that are different %d are seen", different, found)
	if found*2 < different {
		t.Errorf("of %d digests that are different only %d are seen", different, found)
	}
}
