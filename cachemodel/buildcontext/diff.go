package buildcontext

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
)

// ChangeKind says how an entry of the context differs from the baseline's.
type ChangeKind string

// The kinds of changes.
const (
	Added    ChangeKind = "added"
	Removed  ChangeKind = "removed"
	Modified ChangeKind = "modified" // content, size or link target
	Mode     ChangeKind = "mode"     // permissions only
	Type     ChangeKind = "type"     // a file became a directory, a link a file, ...
	Unsure   ChangeKind = "unsure"   // it is not known what it was, see ErrUnknown
)

// Change is one entry that differs between two trees.
type Change struct {
	Path string // relative to the context, slash-separated; "." is the context itself
	Kind ChangeKind
}

// Diff lists what differs between base and next among the entries that any of the queries selects, in order of path. A
// query with the same digest in both adds nothing. Of a directory that came or went the files are listed, unless they
// are more than maxListed: then only the directory is. A nil tree is an empty one; of one of which nothing is known
// nothing is listed.
func Diff(base, next *Tree, queries []Query) []Change {
	empty := NewTree(NewNode("", Meta{Type: Dir}, nil), nil, nil, nil)
	if base == nil {
		base = empty
	}
	if next == nil {
		next = empty
	}
	if errors.Is(base.failure, ErrUnknown) || errors.Is(next.failure, ErrUnknown) {
		return nil
	}
	d := differ{base: base, next: next, found: map[string]ChangeKind{}}
	for _, q := range queries {
		a, errA := base.digest(q)
		b, errB := next.digest(q)
		if errA != nil || errB != nil || a != b {
			d.query(q)
		}
	}
	var out []Change
	for _, p := range slices.SortedFunc(maps.Keys(d.found), comparePaths) {
		name := strings.TrimPrefix(p, "/")
		if name == "" {
			name = "."
		}
		out = append(out, Change{name, d.found[p]})
	}
	return out
}

// Differs reports whether a query's digest is certainly another one in b than in a, though what it selects may not be
// known as a whole: something that is known of both is different. It reads no file.
func Differs(a, b *Tree, q Query) bool {
	x, errA := a.selection(q)
	y, errB := b.selection(q)
	if a.failure != nil || b.failure != nil || errA != nil || errB != nil || len(x.links)+len(y.links) > 0 {
		return false
	}
	was := map[string]pick{}
	for _, p := range x.picks {
		was[p.real] = p
	}
	return slices.ContainsFunc(y.picks, func(p pick) bool {
		old := was[p.real]
		return old.node != nil && p.node != nil && differs(old.node, p.node, p.deep && old.deep, p.real == "")
	})
}

func differs(a, b *Node, deep, root bool) bool {
	known := a.meta.Err == nil && b.meta.Err == nil
	switch {
	case a == b:
		return false
	case a.meta.Type != b.meta.Type:
		return known
	}
	if known && !root {
		x, errX := a.header()
		y, errY := b.header()
		if errX == nil && errY == nil && x != y {
			return true
		}
	}
	if x, y := a.subtree.Load(), b.subtree.Load(); !deep || x != nil && y != nil && *x == *y {
		return false
	}
	alone := func(c *Node, dir *Node) bool { return known && c.meta.Err == nil && dir.Child(c.name) == nil }
	return slices.ContainsFunc(a.children, func(c *Node) bool {
		other := b.Child(c.name)
		return alone(c, b) || other != nil && differs(c, other, true, false)
	}) || slices.ContainsFunc(b.children, func(c *Node) bool { return alone(c, a) })
}

// comparePaths orders paths as a walk comes to them: a directory's entries directly after it.
func comparePaths(a, b string) int {
	return cmp.Compare(strings.ReplaceAll(a, "/", "\x00"), strings.ReplaceAll(b, "/", "\x00"))
}

type differ struct {
	base, next *Tree
	found      map[string]ChangeKind // by absolute path
}

func (d *differ) query(q Query) {
	a, err := d.base.selection(q)
	if at := (*PathError)(nil); errors.Is(err, ErrUnknown) && errors.As(err, &at) {
		d.found["/"+at.Path] = Unsure
		return
	}
	b, _ := d.next.selection(q)
	before := len(d.found)
	for _, link := range append(a.links, b.links...) {
		d.entry(link, d.base.get(link), d.next.get(link), false)
	}
	if len(d.found) > before { // another place was looked at: the link is the reason
		return
	}
	was, is := map[string]pick{}, map[string]bool{} // a link and what it leads to are both picked as that
	for _, p := range a.picks {
		was[p.real] = p
	}
	for _, p := range b.picks {
		old := was[p.real]
		is[p.real] = true
		d.entry(p.real, old.node, p.node, p.deep || old.deep)
	}
	for _, p := range a.picks {
		if !is[p.real] {
			d.entry(p.real, p.node, nil, p.deep)
		}
	}
	d.prune()
}

// maxListed is how many files are listed of a directory that came or went.
const maxListed = 20

// whole notes an entry that came or went, and with deep what is below it, if that is not too much.
func (d *differ) whole(p string, n *Node, kind ChangeKind, deep bool) {
	d.found[p] = kind
	if deep && n.meta.Type == Dir && n.Fewer(maxListed+1) > 0 {
		for _, c := range n.children {
			d.whole(p+"/"+c.name, c, kind, true)
		}
	}
}

// Fewer takes the leaves at and below n from limit, and returns what is left: 0 if they are as many or more.
func (n *Node) Fewer(limit int) int {
	if len(n.children) == 0 {
		return max(0, limit-1)
	}
	for _, c := range n.children {
		if limit = c.Fewer(limit); limit == 0 {
			return 0
		}
	}
	return limit
}

// prune leaves either the directories that came or went or what is below them.
func (d *differ) prune() {
	// By the uppermost directory; what holds something that is noted.
	below, holds := map[string][]string{}, map[string]bool{}
	for p, kind := range d.found {
		if kind != Added && kind != Removed {
			continue
		}
		top := ""
		for dir := parent(p); dir != "" && d.found[dir] == kind; dir = parent(dir) {
			top = dir
			holds[dir] = true
		}
		if top != "" {
			below[top] = append(below[top], p)
		}
	}
	for top, paths := range below {
		leaves := 0
		for _, p := range paths {
			if !holds[p] {
				leaves++
			}
		}
		if leaves <= maxListed {
			delete(d.found, top)
		}
		for _, p := range paths {
			if leaves > maxListed || holds[p] {
				delete(d.found, p)
			}
		}
	}
}

func parent(p string) string { return p[:max(0, strings.LastIndexByte(p, '/'))] }

// entry compares one entry, and with deep all that is below it.
func (d *differ) entry(p string, a, b *Node, deep bool) {
	if a == b {
		return
	}
	switch {
	case a != nil && errors.Is(a.meta.Err, ErrUnknown):
		d.found[p] = Unsure
		return
	case a == nil:
		d.whole(p, b, Added, deep)
		return
	case b == nil:
		d.whole(p, a, Removed, deep)
		return
	case a.meta.Type != b.meta.Type:
		d.found[p] = Type
		return
	}
	if kind := d.kind(p, a, b); kind != "" {
		d.found[p] = kind
	}
	if !deep || a.meta.Type != Dir {
		return
	}
	if x, y := a.subtree.Load(), b.subtree.Load(); x != nil && y != nil && *x == *y {
		return
	}
	for _, c := range a.children {
		d.entry(p+"/"+c.name, c, b.Child(c.name), true)
	}
	for _, c := range b.children {
		if a.Child(c.name) == nil {
			d.whole(p+"/"+c.name, c, Added, true)
		}
	}
}

// kind compares two entries of one type; "" is no difference.
func (d *differ) kind(p string, a, b *Node) ChangeKind {
	if a == d.base.root && b == d.next.root {
		return ""
	}
	errBase := d.base.read(context.Background(), readable(p, a), nil) // what cannot be read differs, below
	errNext := d.next.read(context.Background(), readable(p, b), nil)
	x, errX := a.header()
	y, errY := b.header()
	switch {
	case errors.Is(errBase, ErrUnknown) || errors.Is(errNext, ErrUnknown):
		return Unsure
	case errX != nil || errY != nil:
		return Modified
	case x == y:
		return ""
	}
	idA, _ := a.Content()
	idB, _ := b.Content()
	if a.meta.Type == File && idA != idB || a.meta.Link != b.meta.Link || a.meta.Major != b.meta.Major ||
		a.meta.Minor != b.meta.Minor || !slices.Equal(a.meta.Xattrs, b.meta.Xattrs) {
		return Modified
	}
	return Mode
}

func readable(p string, n *Node) (files []file) {
	n.unread(p, false, func(f file) { files = append(files, f) })
	return files
}
