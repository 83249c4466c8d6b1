package buildcontext

import (
	"context"
	"path"
	"time"
)

// coarse is how far a time stamp of whole seconds may be from the change that it stands for (FAT counts two at a time).
const coarse = 2 * time.Second

// tick is how far the finest time stamp may be behind the change that it stands for: Linux takes it from a clock that
// it sets a hundred times a second at least.
const tick = 10 * time.Millisecond

// AsOf is the context as it was at an earlier time, as far as the stamps of the files that are there now tell. What has
// not changed since is the same; of all else it is not known what it held (ErrUnknown), be it changed, new, renamed or
// in a directory from which something may have been removed. texts are the contents at that time of files for which
// they are known, by their path.
//
// What makes this safe is the change time: a system call sets it whenever the contents, the permissions, the attributes
// or the name of a file change, and no program can set it back. Where the system has none, nothing but the texts is
// known. The folder of the context itself is taken to be the same, not another one that was moved to its place.
func AsOf(t *Tree, when time.Time, texts map[string]string) *Tree {
	if t == nil {
		return nil
	}
	if t.failure != nil {
		return Unknown()
	}
	a := asOf{when: when, edited: map[string]ContentID{}}
	for name, text := range texts {
		// What is not sure of such a file besides are its permissions: they do not matter if the contents differ
		// anyway.
		now, err := t.ContentOf(name)
		if was := HashContent([]byte(text)); err == nil && now != was {
			a.edited[path.Clean(name)] = was
		}
	}
	root := a.dir("", t.root, a.moment(t.root.meta.Stamp))
	return NewTree(root, t.ignore, unchanged{t.hasher}, nil)
}

// ChangedSince reports whether something with this stamp may have changed at or after a time.
func ChangedSince(s Stamp, when time.Time) bool { return asOf{when: when}.moment(s) }

type asOf struct {
	when   time.Time
	edited map[string]ContentID // what files held that hold something else now
}

// moment reports whether something with this stamp may have changed since.
func (a asOf) moment(s Stamp) bool {
	late := tick
	if s.ChangeTime%int64(time.Second) == 0 {
		late = coarse
	}
	return s.ChangeTime == 0 || s.ChangeTime+int64(late) >= a.when.UnixNano()
}

// dir is a directory as it was. If it has changed, any entry of it may have come, gone or been replaced; one that has
// not changed itself was there all the same, under this name: a rename changes it too.
func (a asOf) dir(rel string, n *Node, changed bool) *Node {
	children := make([]*Node, len(n.children))
	same := !changed
	for i, c := range n.children {
		children[i] = a.entry(path.Join(rel, c.name), c, changed)
		same = same && children[i] == c
	}
	if same {
		return n
	}
	meta := n.meta
	if changed {
		meta.Err = ErrUnknown
	}
	return NewNode(n.name, meta, children)
}

func (a asOf) entry(rel string, n *Node, moved bool) *Node {
	changed := a.moment(n.meta.Stamp)
	switch {
	case n.meta.Err != nil:
		return unknownNode(n)
	case !changed && n.meta.Type == Dir:
		return a.dir(rel, n, false)
	case !changed:
		return n
	case n.meta.Type == Dir && !moved:
		return a.dir(rel, n, true)
	}
	// A directory that changed in one that changed may have been moved here, with all that is in it.
	if id, ok := a.edited[rel]; ok && n.meta.Type == File {
		was := NewNode(n.name, n.meta, nil)
		was.SetContent(id)
		return was
	}
	return unknownNode(n)
}

// unknownNode stands for whatever was at a place. It is a file, so that no link leads on from it.
func unknownNode(n *Node) *Node { return NewNode(n.name, Meta{Type: File, Err: ErrUnknown}, nil) }

// unchanged reads files only as long as they are what they were when the tree was made.
type unchanged struct{ Hasher }

func (h unchanged) Hash(ctx context.Context, path string, n *Node) (ContentID, error) {
	if h.Hasher == nil {
		return ContentID{}, ErrUnknown
	}
	id, err := h.Hasher.Hash(ctx, path, n)
	if err == nil && n.Doubted() {
		return id, ErrUnknown
	}
	return id, err
}
