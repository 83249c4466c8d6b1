package buildcontext

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"
)

// pick is one entry that a query selects.
type pick struct {
	path string // absolute, as the query spells it: before links in the query's own path are followed
	real string // where the entry is
	node *Node
	deep bool // with all that is below it, else a directory counts with its own properties only
}

// selection is what a query selects, in the order of a walk.
type selection struct {
	picks []pick
	links []string // the symlinks that were followed, by path
}

// plain says whether the query is for one entry with all that is below it.
func (q Query) plain() bool { return !q.Wildcard && len(q.Include) == 0 && len(q.Exclude) == 0 }

// selection lists what a query selects.
func (t *Tree) selection(q Query) (selection, error) {
	if q.plain() {
		return t.single(path.Join("/", q.Path), q.FollowLinks)
	}
	s, err := t.selector(q)
	if err != nil {
		return selection{}, err
	}
	return s.list()
}

// single selects one entry with all that is below it.
func (t *Tree) single(p string, follow bool) (selection, error) {
	at, err := t.resolve(p, follow)
	if err != nil {
		return selection{}, err
	}
	if at.node == nil {
		if err := t.hidden(at.path); err != nil {
			return selection{}, err
		}
		return selection{}, pathError(p, ErrNotFound)
	}
	return selection{
		picks: []pick{{path: p, real: strings.TrimSuffix(at.path, "/"), node: at.node, deep: true}},
		links: at.links,
	}, nil
}

// hidden says whether a path is not there only because a directory above it cannot be read.
func (t *Tree) hidden(p string) error {
	for dir := path.Dir(p); ; dir = path.Dir(dir) {
		if n := t.get(dir); n != nil {
			if n.meta.Err != nil {
				return pathError(dir, n.meta.Err)
			}
			return nil
		}
		if dir == "/" {
			return nil
		}
	}
}

// place is where a path leads.
type place struct {
	path  string   // clean and absolute, without links
	node  *Node    // nil if nothing is there
	links []string // the symlinks on the way
}

// maxLinks is how many links BuildKit follows in one path (cache/contenthash/path.go).
const maxLinks = 255

// resolve follows the links in a path, within the context, as getFollowLinksCallback does (checksum.go): an element
// that does not exist is taken as it is, and .. is resolved after links.
func (t *Tree) resolve(p string, followLast bool) (place, error) {
	if n := t.get(p); n != nil && (!followLast || n.meta.Type != Symlink) {
		return place{path: p, node: n}, nil
	}
	at := place{path: "/", node: t.root}
	rest := p
	for rest != "" {
		var elem string
		elem, rest, _ = strings.Cut(rest, "/")
		next := path.Join("/", at.path, elem)
		at.node = t.get(next)
		if at.node == nil || at.node.meta.Type != Symlink || !followLast && rest == "" {
			at.path = next
			continue
		}
		at.links = append(at.links, next)
		if len(at.links) > maxLinks {
			return place{}, pathError(p, ErrTooManyLinks)
		}
		rest = at.node.meta.Link + "/" + rest
		if path.IsAbs(at.node.meta.Link) {
			at.path = "/"
		}
	}
	return at, nil
}

// splitWildcards splits a path before its first element with a wildcard.
func splitWildcards(p string) (prefix, rest string) {
	elems := strings.Split(strings.TrimPrefix(p, "/"), "/")
	i := slices.IndexFunc(elems, hasWildcard)
	if i < 0 {
		return p, ""
	}
	return "/" + path.Join(elems[:i]...), path.Join(elems[i:]...)
}

func hasWildcard(elem string) bool {
	for i := 0; i < len(elem); i++ {
		switch elem[i] {
		case '*', '?', '[':
			return true
		case '\\':
			i++
		}
	}
	return false
}

// matchPath matches a path with a query's pattern.
func matchPath(pattern, p string) (bool, error) {
	ok, err := path.Match(pattern, p)
	if err != nil {
		return false, fmt.Errorf("%s: %w", pattern, err)
	}
	return ok, nil
}

// Bytes is the size of the files that the queries select, each counted once per path that selects it, as far as sizes
// are known.
func (t *Tree) Bytes(queries []Query) (n int64) {
	for _, q := range queries {
		selected, _ := t.selection(q)
		for _, p := range selected.picks {
			if p.node != nil && (p.deep || p.node.meta.Type != Dir) {
				n += p.node.bytes()
			}
		}
	}
	return n
}

// bytes is the size of the files at and below n.
func (n *Node) bytes() (sum int64) {
	if n.meta.Type != Dir {
		return n.meta.Size
	}
	if known := n.size.Load(); known > 0 {
		return known - 1
	}
	for _, c := range n.children {
		sum += c.bytes()
	}
	n.size.Store(sum + 1)
	return sum
}

// Files lists what the queries select, but for directories, by path relative to the context.
func (t *Tree) Files(queries []Query) map[string]*Node {
	files := map[string]*Node{}
	var add func(p string, n *Node, deep bool)
	add = func(p string, n *Node, deep bool) {
		switch {
		case n == nil:
		case n.meta.Type != Dir:
			files[strings.TrimPrefix(p, "/")] = n
		case deep:
			for _, c := range n.children {
				add(p+"/"+c.name, c, true)
			}
		}
	}
	for _, q := range queries {
		selected, _ := t.selection(q)
		for _, p := range selected.picks {
			add(p.real, p.node, p.deep)
		}
	}
	return files
}

// linksOf is the key of Tree.memo for whether queries select a link.
type linksOf string

// HasLinks says whether the queries select a symlink.
func (t *Tree) HasLinks(queries []Query) bool {
	known, _ := t.memo.LoadOrStore(linksOf(fmt.Sprintf("%#v", queries)), sync.OnceValue(func() bool {
		for _, n := range t.Files(queries) {
			if n.meta.Type == Symlink {
				return true
			}
		}
		return false
	}))
	return known.(func() bool)()
}
