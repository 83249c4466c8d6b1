package buildcontext

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"path"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
)

// Digest is the digest of an entry, a directory or a list of entries.
type Digest [sha256.Size]byte

// String gives the digest in hexadecimal.
func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// emptyDigest is that of a selection that selects nothing.
var emptyDigest = Digest(sha256.Sum256(nil))

// list hashes entries as BuildKit does both for a directory and for what a pattern selects
// (cache/contenthash/checksum.go): the relative path with NUL for the slash, then the entry's digest.
type list struct{ text []byte }

func (l *list) add(key string, d Digest) { l.text = append(append(l.text, key...), d[:]...) }

func (l *list) sum() Digest { return sha256.Sum256(l.text) }

// header is the digest of everything about an entry but its children (filehash.go, tarsum.go): type, permissions, link
// target, device numbers, extended attributes, contents. Name, owner (the client sends 0) and times do not count.
func (n *Node) header() (Digest, error) {
	m := &n.meta
	mode := m.Mode
	if m.Type == Symlink {
		mode = 0o777
	}
	buf := []byte{byte(m.Type)}
	for _, v := range []uint32{mode, m.Major, m.Minor} {
		buf = binary.LittleEndian.AppendUint32(buf, v)
	}
	text := func(s string) {
		buf = binary.AppendUvarint(buf, uint64(len(s)))
		buf = append(buf, s...)
	}
	text(m.Link)
	for _, x := range m.Xattrs {
		text(x.Name)
		text(x.Value)
	}
	if m.Type == File {
		id, ok := n.Content()
		if !ok {
			return Digest{}, errUnread
		}
		buf = append(buf, id[:]...)
	}
	return sha256.Sum256(buf), nil
}

var errUnread = errors.New("contents not read")

// rootHeader is the constant that BuildKit puts for the context's own directory, which its client does not send.
var rootHeader = emptyDigest

// deep is the digest of an entry with all that is below it.
func (t *Tree) deep(n *Node) (Digest, error) {
	if n.meta.Type != Dir {
		return n.header()
	}
	if d := n.subtree.Load(); d != nil {
		return *d, nil
	}
	var l list
	head := rootHeader
	if n != t.root {
		var err error
		if head, err = n.header(); err != nil {
			return Digest{}, err
		}
	}
	l.add("\x00", head)
	for _, c := range n.children {
		d, err := t.deep(c)
		if err != nil {
			return Digest{}, err
		}
		l.add("\x00"+c.name, d)
	}
	d := l.sum()
	n.subtree.Store(&d)
	return d, nil
}

// file is a regular file whose contents are to be read.
type file struct {
	path string // absolute
	node *Node
}

// unread calls yield for the files whose contents the digest of n needs and that are not known.
func (n *Node) unread(p string, deep bool, yield func(file)) {
	switch {
	case n.meta.Type == File:
		if _, known := n.Content(); !known {
			yield(file{p, n})
		}
	case n.meta.Type == Dir && deep && n.subtree.Load() == nil:
		for _, c := range n.children {
			if c.meta.Type == Dir || c.meta.Type == File && c.content.Load() == nil {
				c.unread(p+"/"+c.name, true, yield)
			}
		}
	}
}

// problems calls yield for what could not be read at n, and with deep below it, until yield says stop.
func (n *Node) problems(p string, deep bool, yield func(*PathError) bool) bool {
	if n.meta.Err != nil && !yield(pathError(p, n.meta.Err)) {
		return false
	}
	if deep && n.troubled {
		for _, c := range n.children {
			if !c.problems(p+"/"+c.name, true, yield) {
				return false
			}
		}
	}
	return true
}

// read lets the hasher hash files, several at a time, and returns the first error in order of the files.
func (t *Tree) read(ctx context.Context, files []file, progress func(done, total int)) error {
	if len(files) == 0 {
		return nil
	}
	errs := make([]error, len(files))
	var next, done atomic.Int64
	var tell sync.Mutex
	work := func() {
		for ctx.Err() == nil {
			i := int(next.Add(1)) - 1
			if i >= len(files) {
				return
			}
			f := files[i]
			errs[i] = t.readOne(ctx, f)
			if n := int(done.Add(1)); progress != nil && (n%256 == 0 || n == len(files)) {
				tell.Lock()
				progress(n, len(files))
				tell.Unlock()
			}
		}
	}
	var wg sync.WaitGroup
	for range min(len(files), max(2, runtime.GOMAXPROCS(0))) {
		wg.Go(work)
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return ctx.Err()
}

func (t *Tree) readOne(ctx context.Context, f file) error {
	if _, is := t.hasher.(quick); !is {
		f.node.reading.Lock()
	} else if !f.node.reading.TryLock() {
		return pathError(f.path, ErrUnreadYet) // somebody else is about it
	}
	defer f.node.reading.Unlock()
	if _, known := f.node.Content(); known {
		return nil
	}
	if t.hasher == nil {
		return pathError(f.path, errUnread)
	}
	id, err := t.hasher.Hash(ctx, strings.TrimPrefix(f.path, "/"), f.node)
	if err != nil {
		return pathError(f.path, err)
	}
	f.node.SetContent(id)
	return nil
}

// checksum computes the digest of a query as cacheContext.Checksum does (cache/contenthash/checksum.go).
func (t *Tree) checksum(ctx context.Context, q Query) (Digest, error) {
	d, unread, err := t.sum(q)
	if err != nil || len(unread) == 0 {
		return d, err
	}
	if err := t.read(ctx, unread, nil); err != nil {
		return Digest{}, err
	}
	d, _, err = t.sum(q)
	return d, err
}

// sum computes the digest of a query from contents that are known, or lists the files whose contents are to be read.
func (t *Tree) sum(q Query) (d Digest, unread []file, err error) {
	if q.plain() {
		sel, err := t.single(path.Join("/", q.Path), q.FollowLinks)
		if err != nil {
			return Digest{}, nil, err
		}
		return t.sumOf(sel.picks[0])
	}
	s, err := t.selector(q)
	if err != nil {
		return Digest{}, nil, err
	}
	return s.sum()
}

// sumOf is the digest of an entry with all that is below it.
func (t *Tree) sumOf(p pick) (d Digest, unread []file, err error) {
	p.node.problems(p.real, true, func(e *PathError) bool {
		err = e
		return false
	})
	if err != nil {
		return Digest{}, nil, err
	}
	p.node.unread(p.real, true, func(f file) { unread = append(unread, f) })
	if len(unread) > 0 {
		return Digest{}, unread, nil
	}
	d, err = t.deep(p.node)
	return d, nil, err
}
