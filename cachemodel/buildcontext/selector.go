package buildcontext

import (
	"fmt"
	"path"
	"strings"

	"github.com/moby/patternmatcher"
)

// selector walks the tree for a query with patterns as includedPaths does (cache/contenthash/checksum.go).
type selector struct {
	tree             *Tree
	query            Query
	pattern          string // the query's path, "" for the context itself
	elementwise      bool   // no element of the pattern can match a slash
	orig, real       string // the walk's start as the query spells it, and where it is
	start            place
	include, exclude *patternmatcher.PatternMatcher
	key              string // of what nodes remember for this query
}

func (t *Tree) selector(q Query) (*selector, error) {
	p := path.Join("/", q.Path)
	s := &selector{
		tree:        t,
		query:       q,
		pattern:     p,
		elementwise: !strings.ContainsAny(p, `[\`),
		start:       place{path: "/", node: t.root},
	}
	var err error
	if s.include, err = matcher(q.Include, "include"); err != nil {
		return nil, err
	}
	if s.exclude, err = matcher(q.Exclude, "exclude"); err != nil {
		return nil, err
	}
	prefix, follow := p, false
	if q.Wildcard {
		var rest string
		prefix, rest = splitWildcards(p)
		follow = rest != ""
	}
	if prefix != "/" {
		if s.start, err = t.resolve(prefix, follow); err != nil {
			return nil, err
		}
		s.orig = prefix
	}
	if p == "/" {
		s.pattern = ""
	}
	s.real = strings.TrimSuffix(s.start.path, "/")
	// What is in the context itself has no directory above it that was matched first.
	s.key = fmt.Sprintf("%q", []any{q.Include, q.Exclude, s.pattern == ""})
	return s, nil
}

func matcher(patterns []string, kind string) (*patternmatcher.PatternMatcher, error) {
	if len(patterns) == 0 {
		return nil, nil
	}
	m, err := patternmatcher.New(patterns)
	if err != nil {
		return nil, fmt.Errorf("invalid %s patterns %q: %w", kind, patterns, err)
	}
	return m, nil
}

// match is an entry that the walk came to, and what the patterns said of it.
type match struct {
	rel                      string // below the walk's start, with a leading slash
	candidate                string // what the include and exclude patterns are held against
	node                     *Node
	parent                   *match
	includeInfo, excludeInfo patternmatcher.MatchInfo
	picked                   bool
}

// in is an entry of a directory that the walk came to.
func (m *match) in(c *Node) *match {
	candidate := c.name
	if m.candidate != "" {
		candidate = m.candidate + "/" + c.name
	}
	return &match{rel: m.rel + "/" + c.name, candidate: candidate, node: c, parent: m}
}

// tops calls yield for the entries that the query's path selects by themselves: those that the wildcards match, the
// path itself, or what is in the context if that is the path. Links among them are followed.
func (s *selector) tops(yield func(*match) error) error {
	if s.start.node == nil {
		return nil
	}
	return s.visit("", s.start.node, yield)
}

func (s *selector) visit(rel string, n *Node, yield func(*match) error) error {
	p := s.orig + rel
	isDir := n.meta.Type == Dir
	if s.pattern == "" && p == "" && isDir {
		// The context's own directory has no properties that count, and it is no parent to what is in it.
		if n.meta.Err != nil {
			return pathError("/", n.meta.Err)
		}
		for _, c := range n.children {
			if err := yield(&match{rel: "/" + c.name, candidate: c.name, node: c}); err != nil {
				return err
			}
		}
		return nil
	}
	if !s.query.Wildcard || s.pattern == "" {
		return yield(&match{rel: rel, node: n})
	}
	ok, err := matchPath(s.pattern, p)
	if err != nil {
		return err
	}
	if ok {
		return yield(&match{rel: rel, node: n})
	}
	if !isDir || !s.mayHold(p) {
		return nil
	}
	if n.meta.Err != nil {
		return pathError(s.real+rel, n.meta.Err)
	}
	for _, c := range n.children {
		if err := s.visit(rel+"/"+c.name, c, yield); err != nil {
			return err
		}
	}
	return nil
}

// mayHold says whether the pattern can match something below the directory p, so that `COPY *.json` does not look at
// every file of the context.
func (s *selector) mayHold(p string) bool {
	if !s.elementwise {
		return true
	}
	elems := strings.Split(s.pattern, "/")
	depth := strings.Count(p, "/") + 1
	if depth >= len(elems) {
		return false
	}
	ok, _ := path.Match(strings.Join(elems[:depth], "/"), p)
	return ok
}

// matches holds the include and exclude patterns against an entry.
func (s *selector) matches(m *match) (bool, error) {
	if s.include != nil {
		var above patternmatcher.MatchInfo
		if m.parent != nil {
			above = m.parent.includeInfo
		}
		ok, info, err := s.include.MatchesUsingParentResults(m.candidate, above)
		if err != nil {
			return false, fmt.Errorf("invalid include patterns %q: %w", s.query.Include, err)
		}
		m.includeInfo = info
		if !ok {
			return false, nil
		}
	}
	if s.exclude == nil {
		return true, nil
	}
	var above patternmatcher.MatchInfo
	if m.parent != nil {
		above = m.parent.excludeInfo
	}
	excluded, info, err := s.exclude.MatchesUsingParentResults(m.candidate, above)
	if err != nil {
		return false, fmt.Errorf("invalid exclude patterns %q: %w", s.query.Exclude, err)
	}
	m.excludeInfo = info
	return !excluded, nil
}

// follow selects what a link leads to that the query selects by itself.
func (s *selector) follow(m *match) (selection, bool, error) {
	if m.node.meta.Type != Symlink || !s.query.FollowLinks {
		return selection{}, false, nil
	}
	sel, err := s.tree.single(s.orig+m.rel, true)
	return sel, true, err
}

// list lists every entry that the query selects. A directory is among them for its own properties, and if it is not
// selected, then for something in it.
func (s *selector) list() (selection, error) {
	sel := selection{links: s.start.links}
	var expand func(m *match) error
	var take func(m *match)
	take = func(m *match) {
		if m != nil && !m.picked {
			take(m.parent)
			m.picked = true
			sel.picks = append(sel.picks, pick{path: s.orig + m.rel, real: s.real + m.rel, node: m.node})
		}
	}
	expand = func(m *match) error {
		ok, err := s.matches(m)
		if err != nil {
			return err
		}
		if ok {
			take(m)
		}
		if m.node.meta.Err != nil && (ok || m.node.meta.Type == Dir) {
			return pathError(s.real+m.rel, m.node.meta.Err)
		}
		for _, c := range m.node.children {
			if err := expand(m.in(c)); err != nil {
				return err
			}
		}
		return nil
	}
	err := s.tops(func(m *match) error {
		target, ok, err := s.follow(m)
		if !ok {
			return expand(m)
		}
		included, errMatch := s.matches(m)
		if errMatch != nil || !included {
			return errMatch
		}
		if err != nil {
			return err
		}
		sel.picks = append(sel.picks, target.picks...)
		sel.links = append(sel.links, target.links...)
		return nil
	})
	return sel, err
}

// filtered is what a directory remembers of a query with patterns.
type filtered struct {
	key   string
	sum   Digest
	count int // entries that are selected, the directory among them
}

// maxFiltered is how many queries a directory remembers.
const maxFiltered = 4

// sum computes the query's digest. BuildKit hashes one list of all entries; here a directory's share of it has a digest
// of its own, which is the same if and only if the share is, so that unchanged directories need no second look.
func (s *selector) sum() (Digest, []file, error) {
	type top struct {
		path string
		sum  Digest
	}
	var tops []top
	var unread []file
	count := 0
	err := s.tops(func(m *match) error {
		var d Digest
		n := 1
		target, follow, errLink := s.follow(m)
		if follow {
			included, err := s.matches(m)
			if err != nil || !included {
				return err
			}
			if errLink != nil {
				return errLink
			}
			var more []file
			if d, more, err = s.tree.sumOf(target.picks[0]); err != nil {
				return err
			}
			unread = append(unread, more...)
		} else {
			var err error
			if d, n, err = s.share(m, &unread); err != nil || n == 0 {
				return err
			}
		}
		count += n
		tops = append(tops, top{s.orig + m.rel, d})
		return nil
	})
	if err != nil || len(unread) > 0 {
		return Digest{}, unread, err
	}
	if err := s.required(); err != nil {
		return Digest{}, nil, err
	}
	if count == 0 {
		return emptyDigest, nil, nil
	}
	if count == 1 && path.Base("/"+strings.TrimPrefix(s.pattern, "/")) == path.Base(tops[0].path) {
		return tops[0].sum, nil, nil
	}
	var l list
	for _, t := range tops {
		key := strings.ReplaceAll(strings.TrimPrefix(t.path, s.orig), "/", "\x00")
		if key == "" {
			key = "\x00"
		}
		l.add(key, t.sum)
	}
	return l.sum(), nil, nil
}

// required checks that something is selected at every path that the query requires.
func (s *selector) required() error {
	for _, p := range s.query.Required {
		found := false
		var look func(m *match) error
		look = func(m *match) error {
			at := s.orig + m.rel
			switch {
			case found:
				return nil
			case strings.HasPrefix(at, p): // as BuildKit compares, /ab is at /a
				_, n, err := s.share(m, new([]file))
				found = n > 0
				return err
			case !strings.HasPrefix(p, at+"/"):
				return nil
			}
			if _, err := s.matches(m); err != nil {
				return err
			}
			for _, c := range m.node.children {
				if err := look(m.in(c)); err != nil {
					return err
				}
			}
			return nil
		}
		if err := s.tops(look); err != nil {
			return err
		}
		if !found {
			return pathError(p, ErrNotFound)
		}
	}
	return nil
}

// share is the digest of what is selected at and below an entry, and how many entries that are.
func (s *selector) share(m *match, unread *[]file) (Digest, int, error) {
	n := m.node
	if n.meta.Type == Dir {
		if known := n.filtered.Load(); known != nil {
			for _, f := range *known {
				if f.key == s.key+m.candidate {
					return f.sum, f.count, nil
				}
			}
		}
	}
	ok, err := s.matches(m)
	if err != nil {
		return Digest{}, 0, err
	}
	if n.meta.Err != nil && (ok || n.meta.Type == Dir) {
		return Digest{}, 0, pathError(s.real+m.rel, n.meta.Err)
	}
	if n.meta.Type != Dir {
		if !ok {
			return Digest{}, 0, nil
		}
		d, err := n.header()
		if err != nil {
			*unread = append(*unread, file{s.real + m.rel, n})
		}
		return d, 1, nil
	}
	var l list
	count, before := 0, len(*unread)
	for _, c := range n.children {
		d, k, err := s.share(m.in(c), unread)
		if err != nil {
			return Digest{}, 0, err
		}
		if k > 0 {
			l.add("\x00"+c.name, d)
			count += k
		}
	}
	f := filtered{key: s.key + m.candidate}
	if ok || count > 0 {
		head := rootHeader
		if n != s.tree.root {
			if head, err = n.header(); err != nil {
				return Digest{}, 0, err
			}
		}
		f.count = count + 1
		if f.sum = head; count > 0 {
			l.add("", head)
			f.sum = l.sum()
		}
	}
	if len(*unread) == before {
		n.remember(f)
	}
	return f.sum, f.count, nil
}

func (n *Node) remember(f filtered) {
	list := []filtered{f}
	if old := n.filtered.Load(); old != nil {
		list = append(list, (*old)[:min(len(*old), maxFiltered-1)]...)
	}
	n.filtered.Store(&list)
}
