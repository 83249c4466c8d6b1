package buildcontext

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"sync"
)

// ClassicDigest returns the digest of what moby's classic builder hashes of the queries' files: each entry with its
// name, a link as what it leads to (archiveContext.Hash). Of extended attributes its client sends capabilities only. A
// file with several names is in its archive once, and every other name as a link to that: what is hashed hangs on the
// order, so it is ErrUnknown.
func (t *Tree) ClassicDigest(queries []Query) (string, error) {
	h := sha256.New()
	for _, q := range queries {
		selected, err := t.selection(q)
		if err != nil {
			return "", err
		}
		for _, p := range selected.picks {
			if err := t.addClassic(h, p.real, p.node, p.deep); err != nil {
				return "", err
			}
		}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

func (t *Tree) addClassic(h hash.Hash, p string, n *Node, deep bool) error {
	fmt.Fprintf(h, "%q", p)
	if n.meta.Type == Symlink {
		at, err := t.resolve(p, true)
		if err != nil || at.node == nil {
			return nil // it leads to nothing: its own name counts
		}
		p, n, deep = at.path, at.node, false
		fmt.Fprintf(h, "%q", p)
	}
	fmt.Fprintf(h, "%d %o %d %d", n.meta.Type, n.meta.Mode, n.meta.Major, n.meta.Minor)
	for _, x := range n.meta.Xattrs {
		if x.Name == capability {
			fmt.Fprintf(h, "%q", x.Value)
		}
	}
	if n.meta.Type == File {
		if t.hardLinked(n) {
			return pathError(p, ErrUnknown)
		}
		id, err := t.ContentOf(p)
		if err != nil {
			return err
		}
		h.Write(id[:])
	}
	if deep {
		for _, c := range n.children {
			if err := t.addClassic(h, p+"/"+c.name, c, true); err != nil {
				return err
			}
		}
	}
	return nil
}

// inode names a file beneath its names.
type inode struct{ device, number uint64 }

// hardLinked reports whether the context has a file by another name too.
func (t *Tree) hardLinked(n *Node) bool {
	names, _ := t.memo.LoadOrStore(inode{}, sync.OnceValue(func() map[inode]int {
		names := map[inode]int{}
		for _, n := range t.Files([]Query{{Path: "/"}}) {
			names[inode{n.meta.Stamp.Device, n.meta.Stamp.Inode}]++
		}
		return names
	}))
	stamp := n.meta.Stamp
	return stamp.Inode != 0 && names.(func() map[inode]int)()[inode{stamp.Device, stamp.Inode}] > 1
}
