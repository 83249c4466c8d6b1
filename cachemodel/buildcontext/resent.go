package buildcontext

import "slices"

// Resent is next as a daemon has it that was sent base before and still holds it. The transfer renews what differs by
// size, time, permissions, owner or link target, but takes no notice when only the permissions or extended attributes
// of a directory change: those stay as they were first sent (fsutil/rootdiskwriter.go, HandleChange). A daemon that let
// go of base, as its garbage collection may, has next as it is. It returns next itself where there is no such directory.
func Resent(base, next *Tree) *Tree {
	root := resent(base.root, next.root)
	if root == next.root {
		return next
	}
	return NewTree(root, next.ignore, next.hasher, next.failure)
}

func resent(a, b *Node) *Node {
	if a == b || a.meta.Type != Dir || b.meta.Type != Dir {
		return b
	}
	meta := b.meta
	meta.Mode, meta.Xattrs = a.meta.Mode, a.meta.Xattrs
	children := slices.Clone(b.children)
	for i, c := range children {
		if c.meta.Type != Dir {
			continue
		}
		if was := a.Child(c.name); was != nil {
			children[i] = resent(was, c)
		}
	}
	if b.SameAs(meta) && slices.Equal(children, b.children) {
		return b
	}
	return NewNode(b.name, meta, children)
}
