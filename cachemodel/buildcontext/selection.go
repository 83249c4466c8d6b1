package buildcontext

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/moby/patternmatcher"
)

// pick is one entry that a query selects.
type pick struct {
	path string // absolute, as the query spells it: before links in the query's own path are followed
	real string // where the entry is
	node *Node
	deep bool // with all that is below it, else a directory counts with its own properties only
}

// selection is what a query selects. If it is not flat there is exactly one pick.
type selection struct {
	path   string // the query's path, clean
	prefix string // what is cut from the picks' paths
	flat   bool
	picks  []pick
	links  []string // the symlinks that were followed, by path
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

// selection finds the entries that a query selects, in the order of BuildKit's hash.
func (t *Tree) selection(q Query) (selection, error) {
	p := path.Join("/", q.Path)
	if !q.Wildcard && len(q.Include) == 0 && len(q.Exclude) == 0 {
		return t.single(p, q.FollowLinks)
	}
	s := selector{query: q, pattern: p, tree: t}
	s.prunable = !strings.ContainsAny(p, `[\`)
	var err error
	if s.include, err = matcher(q.Include, "include"); err != nil {
		return selection{}, err
	}
	if s.exclude, err = matcher(q.Exclude, "exclude"); err != nil {
		return selection{}, err
	}
	sel := selection{path: p, flat: true}
	start := place{path: "/", node: t.root}
	prefix, follow := p, false
	if q.Wildcard {
		var rest string
		prefix, rest = splitWildcards(p)
		follow = rest != ""
	}
	if prefix != "/" {
		if start, err = t.resolve(prefix, follow); err != nil {
			return selection{}, err
		}
		sel.prefix, sel.links = prefix, start.links
	}
	s.orig = sel.prefix
	s.real = strings.TrimSuffix(start.path, "/")
	if start.node != nil {
		if err := s.visit("", start.node, nil); err != nil {
			return selection{}, err
		}
	}
	for _, required := range q.Required {
		if !slices.ContainsFunc(s.picks, func(m *match) bool { return strings.HasPrefix(m.path, required) }) {
			return selection{}, pathError(required, ErrNotFound)
		}
	}
	for _, m := range s.picks {
		if !m.followLinks || m.node.meta.Type != Symlink {
			sel.picks = append(sel.picks, m.pick)
			continue
		}
		target, err := t.single(m.path, q.FollowLinks)
		if err != nil {
			return selection{}, err
		}
		followed := target.picks[0]
		followed.path = m.path
		sel.picks = append(sel.picks, followed)
		sel.links = append(sel.links, target.links...)
	}
	return sel, nil
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
	return selection{path: p, picks: []pick{{path: p, real: strings.TrimSuffix(at.path, "/"), node: at.node, deep: true}}, links: at.links}, nil
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

// match is an entry that the walk of a selector came to; a directory may be picked later, for what is in it.
type match struct {
	pick
	picked                   bool
	followLinks              bool
	includeInfo, excludeInfo patternmatcher.MatchInfo
	parent                   *match
}

// selector walks the tree for a query with patterns: includedPaths of checksum.go.
type selector struct {
	tree             *Tree
	query            Query
	pattern          string // the query's path
	prunable         bool   // pattern matches element by element
	orig, real       string // the walk's start as the query spells it, and where it is
	include, exclude *patternmatcher.PatternMatcher
	lastMatched      string
	picks            []*match
}

// visit comes to the entry at rel below the walk's start.
func (s *selector) visit(rel string, n *Node, parent *match) error {
	p := s.orig + rel
	isDir := n.meta.Type == Dir
	base := s.pattern
	if s.pattern == "/" {
		base = ""
	}
	if s.query.Wildcard && base != "" {
		if s.lastMatched == "" || !strings.HasPrefix(p, s.lastMatched+"/") {
			ok, err := path.Match(base, p)
			if err != nil {
				return fmt.Errorf("%s: %w", base, err)
			}
			if !ok {
				if isDir && s.mayHold(p) {
					return s.descend(rel, n, parent)
				}
				return nil
			}
			s.lastMatched = p
		}
		base = s.lastMatched
	}
	m := &match{pick: pick{path: p, real: s.real + rel, node: n}, parent: parent}
	if p == "" && isDir {
		// The context's own directory has no properties that count, and it is no parent to what is in it.
		return s.descend(rel, n, nil)
	}
	m.followLinks = parent == nil && s.query.FollowLinks
	candidate := strings.TrimSuffix(strings.TrimPrefix(p+"/", base+"/"), "/")
	ok, err := s.matches(candidate, m)
	if err != nil {
		return err
	}
	if ok {
		m.take(&s.picks)
	}
	if isDir {
		return s.descend(rel, n, m)
	}
	return nil
}

func (s *selector) descend(rel string, n *Node, parent *match) error {
	if n.meta.Err != nil {
		return pathError(s.real+rel, n.meta.Err)
	}
	for _, c := range n.children {
		if err := s.visit(rel+"/"+c.name, c, parent); err != nil {
			return err
		}
	}
	return nil
}

// mayHold says whether the pattern can match something below the directory p, so that `COPY *.json` does not look at
// every file of the context.
func (s *selector) mayHold(p string) bool {
	if !s.prunable {
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

// take picks the entry, and the directories above it that are not picked yet.
func (m *match) take(picks *[]*match) {
	if m == nil || m.picked {
		return
	}
	m.parent.take(picks)
	m.picked = true
	*picks = append(*picks, m)
}

func (s *selector) matches(candidate string, m *match) (bool, error) {
	if s.include != nil {
		var above patternmatcher.MatchInfo
		if m.parent != nil {
			above = m.parent.includeInfo
		}
		ok, info, err := s.include.MatchesUsingParentResults(candidate, above)
		if err != nil {
			return false, errors.New("invalid include patterns: " + err.Error())
		}
		m.includeInfo = info
		if !ok {
			return false, nil
		}
	}
	if s.exclude != nil {
		var above patternmatcher.MatchInfo
		if m.parent != nil {
			above = m.parent.excludeInfo
		}
		excluded, info, err := s.exclude.MatchesUsingParentResults(candidate, above)
		if err != nil {
			return false, errors.New("invalid exclude patterns: " + err.Error())
		}
		m.excludeInfo = info
		return !excluded, nil
	}
	return true, nil
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
