package buildcontext

import (
	"errors"
	"slices"
)

// Settled is what is known of a context that was used between two looks at it: before with everything that is different
// in after, or was touched meanwhile, marked as unknown. It returns the paths of those entries too, in order.
func Settled(before, after *Tree) (*Tree, []string) {
	s := settler{before: before, after: after}
	root := s.node("", before.root, after.root)
	if before.failure != nil || after.failure != nil ||
		!slices.Equal(before.ignore.Patterns(), after.ignore.Patterns()) {
		return Unknown(), []string{"."}
	}
	if root == before.root {
		return before, nil
	}
	return NewTree(root, before.ignore, before.hasher, nil), s.paths
}

type settler struct {
	before, after *Tree
	paths         []string
}

func (s *settler) node(p string, a, b *Node) *Node {
	switch {
	case a == b:
		return a
	case a == nil || b == nil || !sameStamp(a, b):
		return s.unknown(p, a, b)
	case a.meta.Type == Dir:
		return s.dir(p, a, b)
	}
	// The stamps are equal, but one of them is too young to be trusted.
	id, known := a.Content()
	if !known || a.meta.Type != File {
		return a
	}
	if now, err := s.after.ContentOf(p); err != nil || now != id {
		return s.unknown(p, a, b)
	}
	return a
}

// sameStamp reports whether an entry was left alone. Of a directory the stamp does not count: what is in it is looked
// at.
func sameStamp(a, b *Node) bool {
	now := b.meta
	if a.meta.Type == Dir {
		now.Stamp = a.meta.Stamp
	}
	return a.SameAs(now) &&
		(a.meta.Err == nil || errors.Is(b.meta.Err, a.meta.Err) || a.meta.Err.Error() == b.meta.Err.Error())
}

func (s *settler) unknown(p string, a, b *Node) *Node {
	s.paths = append(s.paths, p)
	n := a
	if n == nil {
		n = b
	}
	meta := n.meta
	meta.Err = ErrUnknown
	return NewNode(n.name, meta, nil)
}

func (s *settler) dir(p string, a, b *Node) *Node {
	var children []*Node
	same := true
	add := func(was, is *Node) {
		n := was
		if n == nil {
			n = is
		}
		at := n.name
		if p != "" {
			at = p + "/" + at
		}
		settled := s.node(at, was, is)
		same = same && settled == was
		children = append(children, settled)
	}
	for _, c := range a.children {
		add(c, b.Child(c.name))
	}
	for _, c := range b.children {
		if a.Child(c.name) == nil {
			add(nil, c)
		}
	}
	if same {
		return a
	}
	return NewNode(a.name, a.meta, children)
}
