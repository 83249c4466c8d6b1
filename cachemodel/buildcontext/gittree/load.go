package gittree

import (
	"bytes"
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/cachemodel/buildcontext"
	"github.com/layerwise/layerwise/cachemodel/textfile"
)

// entry is one line of git ls-tree.
type entry struct {
	mode, kind, id string
	path           string // relative to the tree listed
	convert        conversion
	absent         error // why it was not read, nil if it was or nobody wanted it
}

// unread says why there are no contents.
func (e *entry) unread() error { return cmp.Or(e.absent, ErrMissingObject) }

const symlinkMode = "120000"

// Bounds on a revision's files, far above those of any real one: trees that name one another can stand for billions of
// paths.
const (
	maxEntries   = 4_000_000
	maxPathBytes = 1 << 30
	maxPath      = 16 << 10
)

// tally counts what is read of trees.
type tally struct{ entries, bytes, maxEntries int }

func (t *tally) add(name string) error {
	t.entries++
	t.bytes += len(name)
	if t.entries > t.maxEntries || t.bytes > maxPathBytes || len(name) > maxPath {
		return fmt.Errorf("the tree of files %w", ErrTooLarge)
	}
	return nil
}

// list lists a tree recursively, by its id.
func (r *Repository) list(ctx context.Context, tree string) ([]*entry, error) {
	var entries []*entry
	count := tally{maxEntries: r.maxEntries}
	err := r.reading.records(ctx, nil, 0, func(line []byte, cut bool) error {
		info, path, ok := bytes.Cut(line, []byte{'\t'})
		name := string(path)
		if err := count.add(name); err != nil || cut {
			return cmp.Or(err, ErrTooLarge)
		}
		if f := strings.Fields(string(info)); ok && len(f) == 3 && local(name) {
			entries = append(entries, &entry{mode: f[0], kind: f[1], id: f[2], path: name})
		}
		return nil
	}, "ls-tree", "-r", "-z", "--full-tree", tree)
	return entries, err
}

// Load reads the part of a revision that lies at contextDir, a directory in the working tree, as the build context of
// dockerfile, whose ignore file of that revision counts. Git keeps no permissions but whether a file is executable: the
// others are those of the umask that most files in worktree, which may be nil, seem to have been checked out with. A
// directory has the permissions that it has there. A submodule has the files of the commit that is named for it where
// it is checked out in the working tree, else it is an empty directory, as a checkout leaves it. Errors wrap
// ErrNotRepository, ErrUnborn, ErrUnknownRevision, ErrNotInRevision, ErrLinkOutside or ErrTooLarge.
//
// No filter driver is run (git-lfs is one): a file of one that is as it was checked out has the contents that it has in
// the working tree, and of a pointer of git-lfs it is known whether the file has its contents. Of others it is not
// known what they held (buildcontext.ErrUnknown).
func (r *Repository) Load(
	ctx context.Context, contextDir, rev, dockerfile string, worktree *buildcontext.Tree,
) (*buildcontext.Tree, error) {
	name, ok := r.Place(contextDir)
	if !ok || !r.Holds(contextDir) {
		return nil, fmt.Errorf("%s: %w: it lies outside of it", contextDir, ErrNotRepository)
	}
	commit, err := r.Resolve(ctx, rev)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", contextDir, err)
	}
	at, err := r.lookup(ctx, commit, name)
	if err == nil && at.kind != "tree" {
		err = fmt.Errorf("%s: %w %.12s", name, ErrNotInRevision, commit)
	}
	if err != nil {
		return nil, err
	}
	ignore, failure := r.ignore(ctx, commit, at.path, dockerfile)
	if failure != nil && !errors.Is(failure, buildcontext.ErrIgnoreFile) &&
		!errors.Is(failure, buildcontext.ErrUnknown) {
		return nil, failure
	}
	load := loadedTree{commit: commit, dir: at.path, ignoreOf: dockerfile, worktree: worktree}
	if failure == nil && (ignore.Name() == "" || ignore.Name() == ignoreFile) {
		load.ignoreOf = ""
	}
	if tree := r.loaded(load); tree != nil {
		return tree, nil
	}
	entries, err := r.list(ctx, at.id)
	if err != nil {
		return nil, err
	}
	if worktree == nil {
		worktree = buildcontext.NewTree(
			buildcontext.NewNode("", buildcontext.Meta{Type: buildcontext.Dir}, nil),
			nil,
			nil,
			nil,
		)
	}
	b := newBuilder(r, worktree, ignore, "")
	b.umask = r.umask(entries, worktree)
	if err := b.readContents(ctx, r, commit, prefixOf(at.path), contextDir, entries); err != nil {
		return nil, err
	}
	if err := b.readSubmodules(ctx, contextDir, entries, 0); err != nil {
		return nil, err
	}
	root := b.dir("", buildcontext.IgnoreState{}, buildcontext.Meta{Type: buildcontext.Dir}, entries, 0)
	load.tree = buildcontext.NewTree(root, ignore, b.filtered, failure)
	r.keep(load)
	return load.tree, nil
}

// loadedTree is what Load gave: ignoreOf is the Dockerfile whose ignore file counts, "" for the context's own.
type loadedTree struct {
	commit, dir, ignoreOf string
	worktree, tree        *buildcontext.Tree
}

// mostTrees are as many as builds that look at one another mostly have contexts.
const mostTrees = 4

// loaded gives what was loaded before, nil if that is not kept.
func (r *Repository) loaded(asked loadedTree) *buildcontext.Tree {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, l := range r.trees {
		if asked.tree = l.tree; asked == l {
			return l.tree
		}
	}
	return nil
}

// keep keeps what was loaded, of which the oldest goes.
func (r *Repository) keep(l loadedTree) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.trees = append(slices.Delete(r.trees, 0, max(0, len(r.trees)+1-mostTrees)), l)
}

// ignoreFile is the ignore file of a context.
const ignoreFile = ".dockerignore"

// prefixOf is what leads to the files of a directory of the repository.
func prefixOf(dir string) string {
	if dir == "." {
		return ""
	}
	return dir + "/"
}

// ignore reads the ignore file that counts; dir is the context's place in the repository.
func (r *Repository) ignore(ctx context.Context, commit, dir, dockerfile string) (*buildcontext.Ignore, error) {
	none := &buildcontext.Ignore{}
	parse := func(name string, text []byte) (*buildcontext.Ignore, error) {
		ignore, err := buildcontext.ParseIgnore(name, text)
		if err != nil {
			return none, err
		}
		return ignore, nil
	}
	// It is there, but what it holds is not known, nor so what was sent.
	hidden := func(err error) bool {
		return errors.Is(err, ErrTooLarge) || errors.Is(err, ErrLinkOutside) || errors.Is(err, ErrFiltered)
	}
	general, noGeneral := r.readFile(ctx, commit, prefixOf(dir)+ignoreFile)
	if dockerfile != "" {
		own := filepath.Base(dockerfile) + ".dockerignore"
		parse := func(name string, text []byte) (*buildcontext.Ignore, error) {
			if len(text) == 0 && !errors.Is(noGeneral, ErrNotInRevision) {
				return none, buildcontext.EmptyIgnoreFile(name)
			}
			return parse(name, text)
		}
		if name, ok := r.Place(dockerfile + ".dockerignore"); ok {
			text, err := r.readFile(ctx, commit, name)
			switch {
			case err == nil:
				return parse(own, text)
			case hidden(err):
				return none, buildcontext.ErrUnknown
			case !errors.Is(err, ErrNotInRevision):
				return none, err
			}
		} else if text, err := textfile.Read(dockerfile + ".dockerignore"); err == nil {
			return parse(own, text) // outside the repository: as it is
		} else if !errors.Is(err, fs.ErrNotExist) {
			return none, buildcontext.ErrUnknown
		}
	}
	switch {
	case noGeneral == nil:
		return parse(ignoreFile, general)
	case errors.Is(noGeneral, ErrNotInRevision):
		return none, nil
	case hidden(noGeneral):
		return none, buildcontext.ErrUnknown
	}
	return none, noGeneral
}

// builder makes nodes of entries.
type builder struct {
	worktree *buildcontext.Tree
	ignore   *buildcontext.Ignore
	sha1     bool
	umask    uint32
	links    map[*entry]string
	contents map[*entry]buildcontext.ContentID // of those that differ from the blob
	filtered *filtered
	sizes    map[string]int64 // of blobs, by id, where they are wanted
	// A submodule has a builder of its own, whose entries have their paths in the submodule; base leads to these.
	base       string
	submodules map[*entry]submodule
}

// submodule is one that is checked out in the working tree. Without a builder its commit is not known.
type submodule struct {
	builder *builder
	entries []*entry
}

func newBuilder(r *Repository, worktree *buildcontext.Tree, ignore *buildcontext.Ignore, base string) *builder {
	return &builder{
		worktree: worktree, ignore: ignore, sha1: r.objectIDs == 40, umask: 0o022, base: base,
		links: map[*entry]string{}, contents: map[*entry]buildcontext.ContentID{}, submodules: map[*entry]submodule{},
	}
}

// maxNesting is how deep submodules are read: one can name the repository that it lies in.
const maxNesting = 16

// readSubmodules reads the commits that are named for submodules, from the repositories that these have in the working
// tree.
func (b *builder) readSubmodules(ctx context.Context, contextDir string, entries []*entry, depth int) error {
	for _, e := range entries {
		at := b.base + e.path
		if e.kind != "commit" || b.ignore.Ignores(at) {
			continue
		}
		dir := filepath.Join(contextDir, filepath.FromSlash(at))
		if _, err := os.Lstat(filepath.Join(dir, ".git")); err != nil {
			continue
		}
		found, err := b.readSubmodule(ctx, contextDir, dir, e, depth)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			found = submodule{} // not known
		}
		b.submodules[e] = found
	}
	return nil
}

func (b *builder) readSubmodule(ctx context.Context, contextDir, dir string, e *entry, depth int) (submodule, error) {
	if depth >= maxNesting {
		return submodule{}, ErrTooLarge
	}
	r, err := Open(ctx, dir)
	if err != nil {
		return submodule{}, err
	}
	defer r.Close()
	if name, ok := r.realName(dir); !ok || name != "." {
		return submodule{}, ErrNotRepository
	}
	_, tree, err := r.tree(ctx, e.id)
	if err != nil {
		return submodule{}, err
	}
	list, err := r.list(ctx, tree)
	if err != nil {
		return submodule{}, err
	}
	inner := newBuilder(r, b.worktree, b.ignore, b.base+e.path+"/")
	inner.umask = b.umask
	if err := inner.readContents(ctx, r, e.id, "", dir, list); err != nil {
		return submodule{}, err
	}
	return submodule{inner, list}, inner.readSubmodules(ctx, contextDir, list, depth+1)
}

// readContents reads the links' targets and the files whose contents are not the blob's. The entries lie at prefix in
// the repository and at dir in the working tree.
func (b *builder) readContents(ctx context.Context, r *Repository, commit, prefix, dir string, entries []*entry) error {
	var links, files []*entry
	ignores := b.ignore.Judge()
	for _, e := range entries {
		switch {
		case e.mode == symlinkMode:
			links = append(links, e)
		case e.kind == "blob" && !ignores(b.base+e.path):
			files = append(files, e)
		}
	}
	c, err := r.checkout(ctx, commit, prefix, files, attributesAmong(entries))
	if err != nil {
		return err
	}
	defer c.close()
	if b.base == "" {
		if b.filtered, err = c.filtered(ctx, dir, files, b.worktree); err != nil {
			return err
		}
	}
	return b.convert(ctx, c, links, files)
}

// convert reads the links' targets and the files that a checkout converts by itself.
func (b *builder) convert(ctx context.Context, c *checkout, links, files []*entry) error {
	if err := c.repo.blobs(ctx, links, maxLink, func(e *entry, text []byte) { b.links[e] = string(text) }); err != nil {
		return err
	}
	var convert []*entry
	for _, e := range files {
		_, emptied := b.ignore.Emptied(b.base+e.path, 1)
		if e.convert == internal || e.convert == identical && (!b.sha1 || emptied) {
			convert = append(convert, e)
		}
	}
	return c.read(ctx, convert, maxConverted, func(e *entry, text []byte) {
		id, emptied := b.ignore.Emptied(b.base+e.path, int64(len(text)))
		if !emptied {
			id = buildcontext.HashContent(text)
		}
		b.contents[e] = id
	})
}

// dir makes a directory of the entries below it; their paths begin with skip bytes of its own path and slash.
func (b *builder) dir(
	rel string,
	state buildcontext.IgnoreState,
	meta buildcontext.Meta,
	entries []*entry,
	skip int,
) *buildcontext.Node {
	var children []*buildcontext.Node
	for len(entries) > 0 {
		e := entries[0]
		name, _, isDir := strings.Cut(e.path[skip:], "/")
		n := 1
		if isDir {
			for n < len(entries) && strings.HasPrefix(entries[n].path, e.path[:skip+len(name)+1]) {
				n++
			}
		}
		group := entries[:n]
		entries = entries[n:]
		childRel := b.base + e.path[:skip+len(name)]
		ignored, enter, inner := b.ignore.Match(childRel, state)
		switch {
		case e.kind == "commit" && !isDir:
			if d := b.submodule(name, e, inner); d != nil && (!ignored || enter && len(d.Children()) > 0) {
				children = append(children, d)
			}
		case ignored && (!isDir || !enter):
		case isDir:
			if d := b.dir(childRel, inner, b.dirMeta(childRel), group, skip+len(name)+1); !ignored ||
				len(d.Children()) > 0 {
				children = append(children, d)
			}
		default:
			children = append(children, b.leaf(name, e))
		}
	}
	return buildcontext.NewNode(path.Base(rel), meta, children)
}

// permissions are those that a checkout asks for.
func (e *entry) permissions() uint32 {
	if e.mode == "100755" {
		return 0o777
	}
	return 0o666
}

// umask is the one that most of the files seem to have been checked out with, git's own among them. What permissions
// are taken away together tells whether execution would be too.
func (r *Repository) umask(entries []*entry, worktree *buildcontext.Tree) uint32 {
	const enough = 1000
	votes := map[uint32]int{}
	vote := func(wanted, mode uint32) {
		mask := (wanted &^ mode) & 0o066
		if mask&0o060 == 0o060 {
			mask |= 0o010
		}
		if mask&0o006 == 0o006 {
			mask |= 0o001
		}
		votes[mask]++
	}
	if info, err := os.Stat(filepath.Join(r.gitDir, "HEAD")); err == nil {
		vote(0o666, uint32(info.Mode().Perm()))
	}
	for _, e := range entries[:min(enough, len(entries))] {
		if n, ok := worktree.Lookup(e.path); ok && e.kind == "blob" && n.Type() == buildcontext.File &&
			(n.Mode()&0o100 != 0) == (e.mode == "100755") {
			vote(e.permissions(), n.Mode())
		}
	}
	best := uint32(0o022)
	for mask, n := range votes {
		if n > votes[best] || n == votes[best] && best != 0o022 && mask < best {
			best = mask
		}
	}
	return best
}

func (b *builder) dirMeta(rel string) buildcontext.Meta {
	m := buildcontext.Meta{Type: buildcontext.Dir, Mode: 0o755}
	if n, ok := b.worktree.Lookup(rel); ok && n.Type() == buildcontext.Dir {
		m.Mode, m.Xattrs = n.Mode(), n.Meta().Xattrs
	}
	return m
}

// submodule makes the directory of a submodule.
func (b *builder) submodule(name string, e *entry, inner buildcontext.IgnoreState) *buildcontext.Node {
	meta := b.dirMeta(b.base + e.path)
	found, checkedOut := b.submodules[e]
	switch {
	case !checkedOut:
		return buildcontext.NewNode(name, meta, nil)
	case found.builder == nil:
		meta.Err = buildcontext.ErrUnknown
		return buildcontext.NewNode(name, meta, nil)
	}
	return found.builder.dir(b.base+e.path, inner, meta, found.entries, 0)
}

func (b *builder) leaf(name string, e *entry) *buildcontext.Node {
	if e.mode == symlinkMode {
		m := buildcontext.Meta{Type: buildcontext.Symlink, Mode: 0o777}
		link, ok := b.links[e]
		if m.Link = link; !ok {
			m.Err = e.unread()
		}
		return buildcontext.NewNode(name, m, nil)
	}
	m := buildcontext.Meta{Type: buildcontext.File, Mode: e.permissions() &^ b.umask, Size: b.sizes[e.id]}
	if n, ok := b.worktree.Lookup(b.base + e.path); ok && n.Type() == buildcontext.File {
		m.Xattrs = n.Meta().Xattrs
	}
	id, ok := b.contents[e]
	switch {
	case ok:
	case e.convert == identical && b.sha1:
		hex.Decode(id[:], []byte(e.id))
	case e.convert == unknown, e.convert == driver && b.base != "":
		m.Err = buildcontext.ErrUnknown
	case e.convert == driver:
		return buildcontext.NewNode(name, m, nil) // the filtered tell when they are asked
	case errors.Is(e.absent, ErrTooLarge):
		m.Err = buildcontext.ErrUnknown
	default:
		m.Err = e.unread()
	}
	n := buildcontext.NewNode(name, m, nil)
	if m.Err == nil {
		n.SetContent(id)
	}
	return n
}
