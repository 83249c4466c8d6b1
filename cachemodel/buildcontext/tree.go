// Package buildcontext is the build context as BuildKit sees it: an immutable tree of the files that .dockerignore
// leaves, and the content digest of whatever a COPY, ADD or bind mount selects of it.
//
// The package is pure: file contents come in through the Hasher. It must not know Dockerfile syntax, cache keys or
// where the files live; its subpackages read them from a directory (disk) or a git commit (gittree).
package buildcontext

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// Query names what one source of a COPY, ADD or bind mount reads, in the terms of BuildKit's content hash
// (solver/llbsolver/ops/opsutils.Selector).
type Query struct {
	Path        string // absolute within the context, slash-separated and clean: "/" is the whole context
	Wildcard    bool   // Path may hold a pattern
	FollowLinks bool   // a symlink that Path itself names is followed
	Include     []string
	Exclude     []string
	Required    []string // absolute; something selected must be at or below each
}

// ErrNotFound is what Digest's error is when the query names something that the context does not hold.
var ErrNotFound = errors.New("not found")

// ErrTooManyLinks is what Digest's error is when symlinks run in a circle.
var ErrTooManyLinks = errors.New("too many symlinks")

// ErrIgnoreFile is what every Digest's error is when the ignore file cannot be used: BuildKit refuses such a build.
var ErrIgnoreFile = errors.New("invalid ignore file")

// ErrUnknown is what Digest's error is when it includes something of which it is not known what it held: a file that
// changed during the build that the tree is a record of, say. The digest may be any.
var ErrUnknown = errors.New("it is not known what it held")

// Unknown is a tree of which nothing is known.
func Unknown() *Tree { return NewTree(NewNode("", Meta{Type: Dir}, nil), nil, nil, ErrUnknown) }

// PathError is an error about one entry of the context.
type PathError struct {
	Path string // relative to the context, slash-separated; "." is the context itself
	Err  error
}

// Error names the entry and says what is wrong with it.
func (e *PathError) Error() string { return fmt.Sprintf("%s: %v", e.Path, e.Err) }

// Unwrap gives the reason.
func (e *PathError) Unwrap() error { return e.Err }

func pathError(absolute string, err error) *PathError {
	rel := strings.TrimPrefix(absolute, "/")
	if rel == "" {
		rel = "."
	}
	return &PathError{Path: rel, Err: err}
}

// Hasher gives the id of a file's contents. It is called by several goroutines at once, for regular files only.
type Hasher interface {
	Hash(ctx context.Context, path string, n *Node) (ContentID, error)
}

// Tree is an immutable snapshot of a build context. Its digests are computed when they are first asked for and kept,
// those of a directory with the directory's node, so that trees that share nodes share the work.
type Tree struct {
	root    *Node
	ignore  *Ignore
	hasher  Hasher
	failure error // why there can be no digest at all

	memo sync.Map // query key -> func() (Digest, error)
}

// NewTree makes a tree. The root's own mode never counts: BuildKit does not send it. Nodes without a content id get one
// from hasher, which may be nil if there are none. A failure is returned by every Digest.
func NewTree(root *Node, ignore *Ignore, hasher Hasher, failure error) *Tree {
	if ignore == nil {
		ignore = &Ignore{}
	}
	return &Tree{root: root, ignore: ignore, hasher: hasher, failure: failure}
}

// Root is the directory of the context itself.
func (t *Tree) Root() *Node { return t.root }

// Ignore is the ignore file's rules that the tree was made with; it is never nil.
func (t *Tree) Ignore() *Ignore { return t.ignore }

// Problems lists what could not be read, in order of path; such an entry spoils only the digests that include it. That
// the contents of a file cannot be read shows only when a digest needs them.
func (t *Tree) Problems() []*PathError {
	var out []*PathError
	t.root.problems("", true, func(e *PathError) bool {
		out = append(out, e)
		return true
	})
	return out
}

// Lookup finds an entry by its path relative to the context, without following links.
func (t *Tree) Lookup(name string) (*Node, bool) {
	n := t.get(path.Join("/", name))
	return n, n != nil
}

// get finds an entry by its clean absolute path. As in BuildKit's record of a context no link is followed.
func (t *Tree) get(p string) *Node {
	n := t.root
	for rest := strings.TrimPrefix(p, "/"); rest != "" && n != nil; {
		var name string
		name, rest, _ = strings.Cut(rest, "/")
		n = n.Child(name)
	}
	return n
}

// Digest returns the content digest of what q selects: two trees give the same digest if and only if BuildKit's
// content hash is the same. It is computed once per tree and query. The error says what cannot be read or is not there.
func (t *Tree) Digest(q Query) (string, error) {
	d, err := t.digest(q)
	if err != nil {
		return "", err
	}
	return d.String(), nil
}

// plainQuery is a query without patterns, as most are.
type plainQuery struct {
	path              string
	wildcard, follows bool
}

func (t *Tree) digest(q Query) (Digest, error) {
	if t.failure != nil {
		return Digest{}, t.failure
	}
	var key any = plainQuery{q.Path, q.Wildcard, q.FollowLinks}
	if len(q.Include)+len(q.Exclude)+len(q.Required) > 0 {
		key = fmt.Sprintf("%q", []any{q.Path, q.Wildcard, q.FollowLinks, q.Include, q.Exclude, q.Required})
	}
	once, ok := t.memo.Load(key)
	if !ok {
		once, _ = t.memo.LoadOrStore(key, sync.OnceValues(func() (Digest, error) {
			return t.checksum(context.Background(), q)
		}))
	}
	return once.(func() (Digest, error))()
}

// Prepare reads the files that the queries' digests need, in parallel, so that Digest need not; progress, which may be
// nil, is told how many of them are done. The error is ctx's; files that cannot be read are left to Digest to report.
func (t *Tree) Prepare(ctx context.Context, queries []Query, progress func(done, total int)) error {
	if t.failure != nil {
		return ctx.Err()
	}
	var files []file
	seen := map[*Node]bool{}
	for _, q := range queries {
		_, unread, _ := t.sum(q)
		for _, f := range unread {
			if !seen[f.node] {
				seen[f.node] = true
				files = append(files, f)
			}
		}
	}
	// The small ones first: most steps wait for these only.
	slices.SortStableFunc(files, func(a, b file) int { return cmp.Compare(a.node.meta.Size, b.node.meta.Size) })
	t.read(ctx, files, progress)
	return ctx.Err()
}

// Quick is the tree for as long as it is not read: its digests read no more than budget bytes of files together, and
// are ErrUnreadYet where they need more. What is read is known to t too. So marks need not wait for a file of many
// gigabytes:
//
//	show(marks(tree.Quick(64 << 20)))
//	show(marks(tree)) // when it is read
func (t *Tree) Quick(budget int64) *Tree {
	if t.hasher == nil {
		return t
	}
	left := &atomic.Int64{}
	left.Store(budget)
	return NewTree(t.root, t.ignore, quick{t.hasher, left}, t.failure)
}

// Unread is how many bytes of files have contents that are not known yet.
func (t *Tree) Unread() (bytes int64) {
	t.root.unread("", true, func(f file) { bytes += f.node.meta.Size })
	return bytes
}

// ErrUnreadYet wraps ErrUnknown: the file's contents have not been read yet.
var ErrUnreadYet = fmt.Errorf("its contents have not been read yet: %w", ErrUnknown)

type quick struct {
	hasher Hasher
	left   *atomic.Int64
}

// Hash implements Hasher.
func (q quick) Hash(ctx context.Context, path string, n *Node) (ContentID, error) {
	if size := n.meta.Size; q.left.Add(-size) < 0 {
		q.left.Add(size)
		return ContentID{}, ErrUnreadYet
	}
	return q.hasher.Hash(ctx, path, n)
}

// ContentOf gives the id of a regular file's contents, reading them if they are not known; no link is followed.
func (t *Tree) ContentOf(name string) (ContentID, error) {
	p := path.Join("/", name)
	n := t.get(p)
	if n == nil || n.meta.Type != File {
		return ContentID{}, pathError(p, ErrNotFound)
	}
	if err := t.read(context.Background(), readable(p, n), nil); err != nil {
		return ContentID{}, err
	}
	id, _ := n.Content()
	return id, nil
}

// WithContent returns the tree that would be there if the named file held content: the unsaved text of an editor, say.
// It follows links, keeps the file's permissions, and gives a new one 0644. A path that is ignored, a directory or
// outside of the context changes nothing. The ignore file's own text does not change what is ignored.
func (t *Tree) WithContent(name string, content []byte) *Tree {
	abs := path.Join("/", name)
	if abs == "/" {
		return t
	}
	if at, err := t.resolve(abs, true); err == nil {
		abs = at.path
		if at.node != nil && at.node.Type() != File {
			return t
		}
	} else {
		return t
	}
	meta := Meta{Type: File, Mode: 0o644}
	if old := t.get(abs); old != nil {
		meta.Mode, meta.Xattrs = old.Mode(), old.meta.Xattrs
		if id, ok := old.Content(); ok && id == HashContent(content) {
			return t
		}
	} else if t.ignore.Ignores(abs[1:]) {
		return t
	}
	meta.Size = int64(len(content))
	leaf := NewNode(path.Base(abs), meta, nil)
	if id, ok := t.ignore.Emptied(abs[1:], meta.Size); ok {
		leaf.SetContent(id)
	}
	leaf.SetContent(HashContent(content))
	root := t.root.with(strings.Split(abs[1:], "/"), leaf)
	if root == nil {
		return t
	}
	return NewTree(root, t.ignore, t.hasher, t.failure)
}
