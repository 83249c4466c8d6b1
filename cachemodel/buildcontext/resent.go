package buildcontext

import "slices"

// Resent is next as a daemon has it that was sent base before and still holds it. The transfer renews what differs by
// size, time, permissions, owner or link target. It sends nothing when only the permissions or extended attributes of a
// directory change, or only the extended attributes of a file: those stay as they were first sent
// (fsutil/rootdiskwriter.go, HandleChange; diff_containerd.go, compareStat). A daemon that let go of base, as its
// garbage collection may, has next as it is. It returns next itself where there is nothing of the kind. Where held
// is not set, nobody knows whether the daemon still holds base, and so what it has of what would not be renewed.
func Resent(base, next *Tree, held bool) *Tree {
	root := resent(base.root, next.root, held)
	if root == next.root {
		return next
	}
	return NewTree(root, next.ignore, next.hasher, next.failure)
}

func resent(a, b *Node, held bool) *Node {
	if a == b || a.meta.Type != Dir || b.meta.Type != Dir {
		return resentFile(a, b, held)
	}
	meta := b.meta
	meta.Mode, meta.Xattrs = a.meta.Mode, a.meta.Xattrs
	if !held && !b.SameAs(meta) {
		meta.Err = ErrUnknown
	}
	children := slices.Clone(b.children)
	for i, c := range children {
		if was := a.Child(c.name); was != nil {
			children[i] = resent(was, c, held)
		}
	}
	if b.SameAs(meta) && slices.Equal(children, b.children) {
		return b
	}
	return NewNode(b.name, meta, children)
}

// resentFile is b with the extended attributes of a, if nothing else about the file is different.
func resentFile(a, b *Node, held bool) *Node {
	meta := b.meta
	meta.Xattrs = a.meta.Xattrs
	same := a.meta
	same.Stamp.ChangeTime = b.meta.Stamp.ChangeTime // setting attributes changes that one
	if a.meta.Type != File || b.meta.Stamp.ModTime == 0 || b.SameAs(meta) || a.meta.Err != nil || b.meta.Err != nil ||
		!NewNode(b.name, meta, nil).SameAs(same) {
		return b
	}
	if !held {
		meta.Err = ErrUnknown
	}
	n := NewNode(b.name, meta, nil)
	if id, known := b.Content(); known {
		n.SetContent(id)
	}
	if b.Doubted() {
		n.Doubt()
	}
	return n
}
