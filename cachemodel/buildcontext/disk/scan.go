package disk

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/layerwise/layerwise/cachemodel/buildcontext"
)

// scanner walks a directory, or parts of it, and makes nodes. It takes over nodes of an older tree that are unchanged.
type scanner struct {
	ctx      context.Context
	stop     context.CancelCauseFunc
	most     int64 // entries
	root     string
	ignore   *buildcontext.Ignore
	known    map[string]record // by path: content ids of an earlier run
	progress func(int)
	dated    bool // see Options
	entries  atomic.Int64
	extra    chan struct{} // as many more directories as may be read at the same time
}

func newScanner(ctx context.Context, d *Dir, ignore *buildcontext.Ignore) *scanner {
	s := &scanner{root: d.root, ignore: ignore, progress: d.opts.Progress, dated: d.opts.Dated, most: d.maxEntries,
		extra: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)-1))}
	s.ctx, s.stop = context.WithCancelCause(ctx)
	return s
}

// context scans everything.
func (s *scanner) context(old *buildcontext.Node) *buildcontext.Node {
	meta := buildcontext.Meta{Type: buildcontext.Dir}
	if info, err := os.Lstat(s.root); err == nil && s.dated {
		meta.Stamp = stampOf(info)
	}
	return s.dir("", "", meta, buildcontext.IgnoreState{}, old)
}

// entry scans one entry, with what is below it; nil if it is not there or ignored.
func (s *scanner) entry(
	rel, name string,
	above buildcontext.IgnoreState,
	old *buildcontext.Node,
	isDir func() bool,
) *buildcontext.Node {
	if s.ctx.Err() != nil {
		return nil
	}
	ignored, enter, state := s.ignore.Match(rel, above)
	if ignored && (!enter || isDir != nil && !isDir()) {
		return nil
	}
	abs := filepath.Join(s.root, filepath.FromSlash(rel))
	info, err := os.Lstat(abs)
	if errors.Is(err, fs.ErrNotExist) || ignored && (err != nil || !info.IsDir()) {
		return nil
	}
	s.count()
	var meta buildcontext.Meta
	if err != nil {
		meta.Err = reason(err)
	} else {
		meta = metaOf(abs, info)
		if s.dated && meta.Type == buildcontext.Dir {
			meta.Stamp = stampOf(info)
		}
	}
	if old != nil && old.Type() != meta.Type {
		old = nil
	}
	earlier, isKnown := s.known[rel]
	isKnown = isKnown && earlier.matches(meta)
	if err == nil {
		meta.Xattrs, meta.Err = xattrs(abs, meta, old, isKnown)
	}
	if meta.Type == buildcontext.Dir {
		n := s.dir(rel, name, meta, state, old)
		if ignored && len(n.Children()) == 0 {
			return nil
		}
		return n
	}
	n, isNew := s.leaf(rel, name, meta, old)
	if isNew && info != nil && info.Mode()&os.ModeSocket != 0 {
		n.SetContent(buildcontext.HashContent(nil))
	}
	if isNew && isKnown {
		n.SetContent(earlier.id)
		if earlier.exact != "" {
			n.SetExact(earlier.exact)
		}
	}
	return n
}

// xattrs gives the extended attributes of an entry. isKnown says that there were none in an earlier run.
func xattrs(abs string, meta buildcontext.Meta, old *buildcontext.Node, isKnown bool) ([]buildcontext.Xattr, error) {
	switch {
	case meta.Stamp.ChangeTime == 0: // a new attribute would have changed that time
	case isKnown:
		return nil, meta.Err
	case old != nil && !old.Doubted() && old.Meta().Stamp == meta.Stamp:
		return old.Meta().Xattrs, meta.Err
	}
	return readXattrs(abs, meta.Err)
}

// count notes one more entry.
func (s *scanner) count() {
	seen := s.entries.Add(1)
	if s.progress != nil && seen%1024 == 0 {
		s.progress(int(seen))
	}
	if seen > s.most {
		s.stop(ErrTooManyFiles)
	}
}

// leaf is an entry that is not a directory: the old one, if it is the same.
func (s *scanner) leaf(
	rel, name string,
	meta buildcontext.Meta,
	old *buildcontext.Node,
) (n *buildcontext.Node, isNew bool) {
	emptied, isEmptied := s.ignore.Emptied(rel, meta.Size)
	if old != nil && old.SameAs(meta) && !old.Doubted() && !isEmptied {
		return old, false
	}
	n = buildcontext.NewNode(name, meta, nil)
	if isEmptied {
		n.SetContent(emptied)
		n.Doubt() // of no use once the ignore file changes
	}
	return n, true
}

// dir scans what is in a directory.
func (s *scanner) dir(
	rel, name string,
	meta buildcontext.Meta,
	state buildcontext.IgnoreState,
	old *buildcontext.Node,
) *buildcontext.Node {
	list, err := os.ReadDir(filepath.Join(s.root, filepath.FromSlash(rel)))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		meta.Err = reason(err)
	}
	found := make([]*buildcontext.Node, len(list))
	var wg sync.WaitGroup
	for i, e := range list {
		childRel := e.Name()
		if rel != "" {
			childRel = rel + "/" + childRel
		}
		scan := func() {
			var was *buildcontext.Node
			if old != nil {
				was = old.Child(e.Name())
			}
			found[i] = s.entry(childRel, e.Name(), state, was, e.IsDir)
		}
		if !e.IsDir() {
			scan()
			continue
		}
		select {
		case s.extra <- struct{}{}:
			wg.Go(func() {
				scan()
				<-s.extra
			})
		default:
			scan()
		}
	}
	wg.Wait()
	children := slices.DeleteFunc(found, func(n *buildcontext.Node) bool { return n == nil })
	return reuse(old, name, meta, slices.Clip(children))
}

// reuse gives the old directory if it is the same.
func reuse(
	old *buildcontext.Node,
	name string,
	meta buildcontext.Meta,
	children []*buildcontext.Node,
) *buildcontext.Node {
	if old != nil && old.SameAs(meta) && slices.Equal(old.Children(), children) {
		return old
	}
	return buildcontext.NewNode(name, meta, children)
}

// changes are the paths to look at again, as a tree.
type changes struct {
	self  bool // this very entry, with all that is below it
	below map[string]*changes
}

func (c *changes) add(rel string) {
	for rel != "" {
		var name string
		name, rel, _ = strings.Cut(rel, "/")
		if c.below == nil {
			c.below = map[string]*changes{}
		}
		next := c.below[name]
		if next == nil {
			next = &changes{}
			c.below[name] = next
		}
		c = next
	}
	c.self = true
}

// update looks again at the entries named by todo.
func (s *scanner) update(root *buildcontext.Node, todo *changes) *buildcontext.Node {
	if todo.self {
		return s.context(root)
	}
	return s.updateDir("", root, buildcontext.IgnoreState{}, todo)
}

func (s *scanner) updateDir(
	rel string,
	n *buildcontext.Node,
	state buildcontext.IgnoreState,
	todo *changes,
) *buildcontext.Node {
	children := slices.Clone(n.Children())
	for name, sub := range todo.below {
		childRel := strings.TrimPrefix(rel+"/"+name, "/")
		was := n.Child(name)
		var is *buildcontext.Node
		if sub.self || was == nil || was.Type() != buildcontext.Dir || was.Meta().Err != nil {
			is = s.entry(childRel, name, state, was, nil)
		} else {
			ignored, _, inner := s.ignore.Match(childRel, state)
			is = s.updateDir(childRel, was, inner, sub)
			if ignored && len(is.Children()) == 0 {
				is = nil
			}
		}
		if is == was {
			continue
		}
		i, found := slices.BinarySearchFunc(
			children,
			name,
			func(c *buildcontext.Node, name string) int { return strings.Compare(c.Name(), name) },
		)
		switch {
		case is == nil:
			children = slices.Delete(children, i, i+1)
		case found:
			children[i] = is
		default:
			children = slices.Insert(children, i, is)
		}
	}
	return reuse(n, n.Name(), n.Meta(), children)
}

// metaOf gives the properties of an entry, but for extended attributes, as BuildKit's client sends them
// (fsutil/stat.go).
func metaOf(abs string, info fs.FileInfo) buildcontext.Meta {
	mode := info.Mode()
	m := buildcontext.Meta{Mode: uint32(mode.Perm())}
	for _, bit := range []struct {
		goBit fs.FileMode
		unix  uint32
	}{{fs.ModeSetuid, 0o4000}, {fs.ModeSetgid, 0o2000}, {fs.ModeSticky, 0o1000}} {
		if mode&bit.goBit != 0 {
			m.Mode |= bit.unix
		}
	}
	if runtime.GOOS == "windows" {
		m.Mode = (m.Mode | 0o111) & 0o755
	}
	switch {
	case mode.IsDir():
		m.Type = buildcontext.Dir
	case mode&fs.ModeSymlink != 0:
		m.Type, m.Mode = buildcontext.Symlink, 0o777
		link, err := os.Readlink(abs)
		m.Link = filepath.ToSlash(link)
		if err != nil {
			m.Err = reason(err)
		}
	case mode&fs.ModeNamedPipe != 0:
		m.Type = buildcontext.Fifo
	case mode&fs.ModeCharDevice != 0:
		m.Type = buildcontext.CharDevice
	case mode&fs.ModeDevice != 0:
		m.Type = buildcontext.BlockDevice
	default:
		m.Size = info.Size()
		m.Stamp = stampOf(info)
	}
	if m.Type == buildcontext.CharDevice || m.Type == buildcontext.BlockDevice {
		m.Major, m.Minor = deviceOf(info)
	}
	return m
}

// readXattrs reads the extended attributes that count; was is what is wrong with the entry already.
func readXattrs(abs string, was error) ([]buildcontext.Xattr, error) {
	all, err := xattrsOf(abs)
	if err != nil && was == nil && !errors.Is(err, fs.ErrNotExist) {
		was = reason(err)
	}
	return buildcontext.Xattrs(all), was
}

// reason is an error without the path, which is told relative to the context.
func reason(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}
