package buildcontext

import (
	"archive/tar"
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Contents gives the contents of a regular file of a context, by its path relative to the context.
type Contents func(path string, n *Node) (io.ReadCloser, error)

// errOther is what Exact's error is where a file's contents are not those that the tree has.
var errOther = errors.New("the file has other contents than when it was looked at")

// Exact is the content digest of what q selects as BuildKit computes it, which is what an exported cache has: Digest
// gives another one for the same. Files are kept with their digests once they are read.
func (t *Tree) Exact(q Query, contents Contents) (string, error) {
	if _, err := t.digest(q); err != nil { // which also checks what q requires
		return "", err
	}
	x := exact{t, contents}
	s, err := t.selection(q)
	if err != nil {
		return "", err
	}
	if q.plain() {
		return x.deep(s.picks[0].real, s.picks[0].node)
	}
	if len(s.picks) == 0 {
		return digestText(nil), nil
	}
	p, prefix := path.Join("/", q.Path), path.Join("/", q.Path)
	if q.Wildcard {
		prefix, _ = splitWildcards(p)
	}
	if p == "/" {
		prefix = ""
	}
	var list bytes.Buffer
	for _, pick := range s.picks {
		sum := x.header
		if pick.deep {
			sum = x.deep
		}
		d, err := sum(pick.real, pick.node)
		if err != nil {
			return "", err
		}
		if len(s.picks) == 1 && path.Base(p) == path.Base(pick.path) {
			return d, nil
		}
		key := strings.ReplaceAll(strings.TrimPrefix(pick.path, strings.TrimSuffix(prefix, "/")), "/", "\x00")
		if key == "" {
			key = "\x00"
		}
		list.WriteString(key + d)
	}
	return digestText(list.Bytes()), nil
}

type exact struct {
	tree     *Tree
	contents Contents
}

// deep is the digest of an entry with all that is below it, at an absolute path.
func (x exact) deep(p string, n *Node) (string, error) {
	if n.meta.Type != Dir {
		return x.header(p, n)
	}
	if known := n.exact.Load(); known != nil {
		return *known, nil
	}
	head, err := x.header(p, n)
	if err != nil {
		return "", err
	}
	var list bytes.Buffer
	list.WriteString("\x00" + head)
	for _, c := range n.children {
		d, err := x.deep(p+"/"+c.name, c)
		if err != nil {
			return "", err
		}
		list.WriteString("\x00" + c.name + d)
	}
	d := digestText(list.Bytes())
	n.exact.Store(&d)
	return d, nil
}

// header is the digest of everything about an entry but its children.
func (x exact) header(p string, n *Node) (string, error) {
	switch {
	case n == x.tree.root && len(n.children) == 0: // nothing was sent: the folder is the builder's own
		return digestText(ExactHeader(Meta{Type: Dir, Mode: 0o755}, tar.TypeDir)), nil
	case n == x.tree.root:
		return digestText(nil), nil
	case n.meta.Type == Dir:
		return digestText(ExactHeader(n.meta, tar.TypeDir)), nil
	case n.meta.Type == File:
	default:
		kinds := map[EntryType]byte{
			Symlink: tar.TypeSymlink, Fifo: tar.TypeFifo, CharDevice: tar.TypeChar, BlockDevice: tar.TypeBlock,
		}
		return digestText(ExactHeader(n.meta, kinds[n.meta.Type])), nil
	}
	if known := n.exact.Load(); known != nil {
		return *known, nil
	}
	id, known := n.Content()
	if !known {
		return "", pathError(p, errOther)
	}
	file, err := x.contents(strings.TrimPrefix(p, "/"), n)
	if err != nil {
		return "", err
	}
	defer file.Close()
	ours, sum := sha1.New(), sha256.New()
	fmt.Fprintf(ours, "blob %d\x00", n.meta.Size)
	sum.Write(ExactHeader(n.meta, tar.TypeReg))
	if _, err := io.Copy(io.MultiWriter(ours, sum), io.LimitReader(file, n.meta.Size+1)); err != nil {
		return "", err
	}
	if ContentID(ours.Sum(nil)) != id {
		return "", pathError(p, errOther)
	}
	d := "sha256:" + hex.EncodeToString(sum.Sum(nil))
	n.exact.Store(&d)
	return d, nil
}

// KnownExact is BuildKit's digest of a file, its properties included, "" if it is not known yet.
func (n *Node) KnownExact() string {
	if known := n.exact.Load(); known != nil {
		return *known
	}
	return ""
}

// SetExact tells what KnownExact is.
func (n *Node) SetExact(digest string) { n.exact.Store(&digest) }

// TakeExact takes over BuildKit's digests of the files that another tree has in the same way, as far as they are known
// there.
func (t *Tree) TakeExact(from *Tree) { t.root.takeExact(from.root) }

func (n *Node) takeExact(from *Node) {
	if n == from || n.meta.Type != from.meta.Type {
		return
	}
	for _, c := range n.children {
		if other := from.Child(c.name); other != nil {
			c.takeExact(other)
		}
	}
	id, known := n.Content()
	if other, ok := from.Content(); n.meta.Type == File && known && ok && id == other &&
		n.meta.Mode == from.meta.Mode && slices.Equal(n.meta.Xattrs, from.meta.Xattrs) {
		n.exact.CompareAndSwap(nil, from.exact.Load())
	}
}

// WithUmask is the tree as a checkout with another umask has it.
func (t *Tree) WithUmask(umask uint32) *Tree {
	return NewTree(t.root.withUmask(umask), t.ignore, t.hasher, t.failure)
}

func (n *Node) withUmask(umask uint32) *Node {
	meta, children := n.meta, make([]*Node, len(n.children))
	switch {
	case meta.Type == Dir || meta.Type == File && meta.Mode&0o100 != 0:
		meta.Mode = meta.Mode&^0o777 | 0o777&^umask
	case meta.Type == File:
		meta.Mode = meta.Mode&^0o777 | 0o666&^umask
	}
	for i, c := range n.children {
		children[i] = c.withUmask(umask)
	}
	out := NewNode(n.name, meta, children)
	if id, known := n.Content(); known {
		out.SetContent(id)
	}
	return out
}

func digestText(text []byte) string {
	sum := sha256.Sum256(text)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// ExactHeader is what BuildKit hashes of an entry before its contents (cache/contenthash/tarsum.go): name and owner are
// left empty. typeflag is that of the archive/tar package.
func ExactHeader(m Meta, typeflag byte) []byte {
	mode, link, size := m.Mode, "", int64(0)
	switch typeflag {
	case tar.TypeReg:
		size = m.Size
	case tar.TypeSymlink:
		mode, link = 0o777, m.Link
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "namemode%duid0gid0size%dtypeflag%clinkname%sunamegnamedevmajor%sdevminor%s", mode, size, typeflag,
		link, strconv.FormatUint(uint64(m.Major), 10), strconv.FormatUint(uint64(m.Minor), 10))
	for _, x := range m.Xattrs {
		b.WriteString(x.Name + x.Value)
	}
	return b.Bytes()
}
