package buildcontext

import (
	"cmp"
	"crypto/sha1"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// EntryType is what kind of thing an entry is.
type EntryType uint8

// The types. A socket is sent by BuildKit's client as an empty file, and is one here.
const (
	File EntryType = iota
	Dir
	Symlink
	Fifo
	CharDevice
	BlockDevice
)

// Meta is everything about an entry but its name, contents and children.
type Meta struct {
	Type         EntryType
	Mode         uint32 // Unix permission bits with setuid, setgid and sticky: at most 07777
	Size         int64  // bytes, of a File; no part of any digest, since the contents are
	Link         string // of a Symlink, slash-separated
	Major, Minor uint32 // of a device
	Xattrs       []Xattr
	Stamp        Stamp
	Err          error // why the contents or the children cannot be read; nil if they can
}

// Xattr is an extended attribute that counts for BuildKit: any but security.* and system.*, except security.capability.
type Xattr struct{ Name, Value string }

// Stamp is by what a reader of files recognises an unchanged one. It is no part of any digest.
type Stamp struct {
	ModTime, ChangeTime int64 // nanoseconds since 1970; ChangeTime is 0 where the system has none
	Inode, Device       uint64
}

// ContentID identifies the contents of a file: it is the id that git gives the blob, in a repository with SHA-1 ids,
// so that the files of a commit need not be read.
type ContentID [sha1.Size]byte

// HashContent gives the id of contents.
func HashContent(content []byte) ContentID {
	h := sha1.New()
	fmt.Fprintf(h, "blob %d\x00", len(content))
	h.Write(content)
	return ContentID(h.Sum(nil))
}

// Node is one entry of a tree: immutable but for what is computed on demand. Trees share nodes.
type Node struct {
	name     string
	meta     Meta
	children []*Node // in order of name
	troubled bool    // this or something below could not be read

	content atomic.Pointer[ContentID]
	exact   atomic.Pointer[string] // see Tree.Exact; of a Dir with all below it
	doubted atomic.Bool
	reading sync.Mutex // held while the contents are read, so that no one else reads them too

	// Of a Dir, once known: its recursive digest, and those of what queries with patterns select of it.
	subtree  atomic.Pointer[Digest]
	size     atomic.Int64 // of the files below, and one
	filtered atomic.Pointer[[]filtered]
}

// NewNode makes an entry; it takes over children, which only a Dir has, and sorts them.
func NewNode(name string, meta Meta, children []*Node) *Node {
	byName := func(a, b *Node) int { return cmp.Compare(a.name, b.name) }
	if !slices.IsSortedFunc(children, byName) {
		slices.SortFunc(children, byName)
	}
	troubled := meta.Err != nil || slices.ContainsFunc(children, func(c *Node) bool { return c.troubled })
	return &Node{name: name, meta: meta, children: children, troubled: troubled}
}

// Name is the last element of the entry's path.
func (n *Node) Name() string { return n.name }

// Meta gives the entry's properties; the caller must not change its Xattrs.
func (n *Node) Meta() Meta { return n.meta }

// Type says what kind of thing the entry is.
func (n *Node) Type() EntryType { return n.meta.Type }

// Mode gives the Unix permission bits.
func (n *Node) Mode() uint32 { return n.meta.Mode }

// Children gives the entries of a directory in order of name; the caller must not change the slice.
func (n *Node) Children() []*Node { return n.children }

// Child finds an entry of a directory, nil if there is none.
func (n *Node) Child(name string) *Node {
	i, ok := slices.BinarySearchFunc(
		n.children,
		name,
		func(c *Node, name string) int { return cmp.Compare(c.name, name) },
	)
	if !ok {
		return nil
	}
	return n.children[i]
}

// Content gives the id of a file's contents if it is known already.
func (n *Node) Content() (id ContentID, known bool) {
	if p := n.content.Load(); p != nil {
		return *p, true
	}
	return ContentID{}, false
}

// SetContent tells the id of a file's contents; the first one told stays.
func (n *Node) SetContent(id ContentID) { n.content.CompareAndSwap(nil, &id) }

// Doubt marks that the contents were read so soon after the file's last change that its stamp would not tell of another
// one: a later look at the file must read it again.
func (n *Node) Doubt() { n.doubted.Store(true) }

// Doubted says whether Doubt was called.
func (n *Node) Doubted() bool { return n.doubted.Load() }

// SameAs says whether both entries have the same properties and stamp, their contents and children left aside.
func (n *Node) SameAs(m Meta) bool {
	a := n.meta
	return a.Type == m.Type && a.Mode == m.Mode && a.Size == m.Size && a.Link == m.Link && a.Major == m.Major &&
		a.Minor == m.Minor && a.Stamp == m.Stamp && slices.Equal(a.Xattrs, m.Xattrs) && (a.Err == nil) == (m.Err == nil)
}

// with returns the directory n with leaf at the path below it, directories made where there are none; nil if something
// on the way is not a directory.
func (n *Node) with(elems []string, leaf *Node) *Node {
	if n.meta.Type != Dir {
		return nil
	}
	name := elems[0]
	child := leaf
	if len(elems) > 1 {
		old := n.Child(name)
		if old == nil {
			old = NewNode(name, Meta{Type: Dir, Mode: 0o755}, nil)
		}
		if child = old.with(elems[1:], leaf); child == nil {
			return nil
		}
	}
	i, found := slices.BinarySearchFunc(
		n.children,
		name,
		func(c *Node, name string) int { return cmp.Compare(c.name, name) },
	)
	var children []*Node
	if found {
		children = slices.Clone(n.children)
		children[i] = child
	} else {
		children = slices.Insert(slices.Clone(n.children), i, child)
	}
	return NewNode(n.name, n.meta, children)
}

// capability is the extended attribute of a file's capabilities.
const capability = "security.capability"

// xattrCounts says whether BuildKit's content hash includes an extended attribute (cache/contenthash/tarsum.go) and its
// client sends it (fsutil/stat_unix.go).
func xattrCounts(name string) bool {
	return name == capability ||
		!strings.HasPrefix(name, "security.") && !strings.HasPrefix(name, "system.") &&
			!strings.HasPrefix(name, "com.apple.")
}

// Xattrs selects and sorts the extended attributes that count.
func Xattrs(all map[string]string) []Xattr {
	var out []Xattr
	for name, value := range all {
		if xattrCounts(name) {
			out = append(out, Xattr{name, value})
		}
	}
	slices.SortFunc(out, func(a, b Xattr) int { return cmp.Compare(a.Name, b.Name) })
	return out
}
