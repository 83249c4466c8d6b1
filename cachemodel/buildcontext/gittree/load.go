package gittree

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/layerwise/layerwise/cachemodel/buildcontext"
)

// entry is one line of git ls-tree.
type entry struct {
	mode, kind, id string
	path           string // relative to the tree listed
	convert        conversion
}

const symlinkMode = "120000"

// list lists a tree of a commit recursively, or only what is at the names.
func (r *repository) list(ctx context.Context, commit, prefix string, names ...string) ([]*entry, error) {
	tree := commit
	if prefix != "" {
		tree += ":" + strings.TrimSuffix(prefix, "/")
	}
	out, err := r.output(ctx, nil, append([]string{"ls-tree", "-r", "-z", "--full-tree", tree, "--"}, names...)...)
	if err != nil {
		if _, missing := r.output(ctx, nil, "rev-parse", "--verify", "--quiet", tree+"^{tree}"); missing != nil && ctx.Err() == nil {
			return nil, fmt.Errorf("%s: %w %.12s", prefix, ErrNotInRevision, commit)
		}
		return nil, err
	}
	var entries []*entry
	for line := range strings.SplitSeq(strings.TrimSuffix(string(out), "\x00"), "\x00") {
		info, name, ok := strings.Cut(line, "\t")
		f := strings.Fields(info)
		if !ok || len(f) != 3 {
			continue
		}
		entries = append(entries, &entry{mode: f[0], kind: f[1], id: f[2], path: name})
	}
	return entries, nil
}

// Load reads the part of a revision that lies at contextDir, a directory in a git working tree, as the build context of
// dockerfile, whose ignore file of that revision counts. Git keeps no permissions but whether a file is executable: the others
// are those of the umask that most files in worktree, which may be nil, seem to have been checked out with. A directory has the
// permissions that it has there. A submodule has the files of the commit that is
// named for it where it is checked out in the working tree, else it is an empty directory, as a checkout leaves it.
// Errors wrap ErrNoGit, ErrNotRepository, ErrUnborn, ErrUnknownRevision or ErrNotInRevision.
//
// No filter driver is run (git-lfs is one): a file of one that is as it was checked out has the contents that it has in
// the working tree; if it was changed since, its contents of then are taken to be others.
func Load(ctx context.Context, contextDir, rev, dockerfile string, worktree *buildcontext.Tree) (*buildcontext.Tree, error) {
	r, err := open(ctx, contextDir)
	if err != nil {
		return nil, err
	}
	commit, err := r.commit(ctx, rev)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", contextDir, err)
	}
	entries, err := r.list(ctx, commit, r.prefix)
	if err != nil {
		return nil, err
	}
	ignore, failure := r.ignore(ctx, commit, contextDir, dockerfile, entries)
	if failure != nil && !errors.Is(failure, buildcontext.ErrIgnoreFile) {
		return nil, failure
	}
	if worktree == nil {
		worktree = buildcontext.NewTree(buildcontext.NewNode("", buildcontext.Meta{Type: buildcontext.Dir}, nil), nil, nil, nil)
	}
	b := newBuilder(r, worktree, ignore, "")
	b.umask = r.umask(entries, worktree)
	if err := b.readContents(ctx, r, commit, entries); err != nil {
		return nil, err
	}
	if err := b.readSubmodules(ctx, contextDir, entries); err != nil {
		return nil, err
	}
	root := b.dir("", buildcontext.IgnoreState{}, buildcontext.Meta{Type: buildcontext.Dir}, entries, 0)
	return buildcontext.NewTree(root, ignore, b.filtered, failure), nil
}

// ignore reads the ignore file that counts.
func (r *repository) ignore(ctx context.Context, commit, contextDir, dockerfile string, entries []*entry) (*buildcontext.Ignore, error) {
	none := &buildcontext.Ignore{}
	parse := func(name string, text []byte) (*buildcontext.Ignore, error) {
		ignore, err := buildcontext.ParseIgnore(name, text)
		if err != nil {
			return none, err
		}
		return ignore, nil
	}
	if dockerfile != "" {
		if name, ok := r.name(dockerfile + ".dockerignore"); ok {
			text, err := r.readFile(ctx, commit, name)
			if err == nil {
				return parse(name, text)
			}
			if !errors.Is(err, ErrNotInRevision) {
				return none, err
			}
		} else if text, err := os.ReadFile(dockerfile + ".dockerignore"); err == nil {
			return parse(filepath.Base(dockerfile)+".dockerignore", text) // outside the repository: as it is
		}
	}
	for _, e := range entries {
		if e.path == ".dockerignore" {
			text, err := r.readFile(ctx, commit, r.prefix+".dockerignore")
			if err != nil {
				return none, err
			}
			return parse(".dockerignore", text)
		}
	}
	return none, nil
}

// name gives a file's path in the repository, slash-separated.
func (r *repository) name(file string) (string, bool) {
	abs, err := filepath.Abs(file)
	if err != nil {
		return "", false
	}
	dir, err := filepath.EvalSymlinks(filepath.Dir(abs))
	if err != nil {
		return "", false
	}
	top, err := filepath.EvalSymlinks(r.top)
	if err != nil {
		return "", false
	}
	rel, err := filepath.Rel(top, filepath.Join(dir, filepath.Base(abs)))
	if err != nil || !filepath.IsLocal(rel) {
		return "", false
	}
	return filepath.ToSlash(rel), true
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

func newBuilder(r *repository, worktree *buildcontext.Tree, ignore *buildcontext.Ignore, base string) *builder {
	return &builder{
		worktree: worktree, ignore: ignore, sha1: r.sha1, umask: 0o022, base: base,
		links: map[*entry]string{}, contents: map[*entry]buildcontext.ContentID{}, submodules: map[*entry]submodule{},
	}
}

// readSubmodules reads the commits that are named for submodules, from the repositories that these have in the working tree.
func (b *builder) readSubmodules(ctx context.Context, contextDir string, entries []*entry) error {
	for _, e := range entries {
		at := b.base + e.path
		if e.kind != "commit" || b.ignore.Ignores(at) {
			continue
		}
		dir := filepath.Join(contextDir, filepath.FromSlash(at))
		if _, err := os.Lstat(filepath.Join(dir, ".git")); err != nil {
			continue
		}
		var found submodule
		if r, err := open(ctx, dir); err == nil && r.prefix == "" {
			if list, err := r.list(ctx, e.id, ""); err == nil {
				inner := newBuilder(r, b.worktree, b.ignore, at+"/")
				inner.umask = b.umask
				if err := inner.readContents(ctx, r, e.id, list); err != nil {
					return err
				}
				if err := inner.readSubmodules(ctx, contextDir, list); err != nil {
					return err
				}
				found = submodule{inner, list}
			}
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		b.submodules[e] = found
	}
	return nil
}

// readContents reads the links' targets and the files whose contents are not the blob's.
func (b *builder) readContents(ctx context.Context, r *repository, commit string, entries []*entry) error {
	var links, files []*entry
	for _, e := range entries {
		switch {
		case e.mode == symlinkMode:
			links = append(links, e)
		case e.kind == "blob" && !b.ignore.Ignores(b.base+e.path):
			files = append(files, e)
		}
	}
	c, err := r.checkout(ctx, commit, r.prefix, files, entries)
	if err != nil {
		return err
	}
	defer c.close()
	if b.base == "" {
		if b.filtered, err = c.filtered(ctx, files, b.worktree); err != nil {
			return err
		}
	}
	return b.convert(ctx, c, links, files)
}

// convert reads the links' targets and the files that a checkout converts by itself.
func (b *builder) convert(ctx context.Context, c *checkout, links, files []*entry) error {
	if err := c.read(ctx, links, func(e *entry, text []byte) { b.links[e] = string(text) }); err != nil {
		return err
	}
	var convert []*entry
	for _, e := range files {
		_, emptied := b.ignore.Emptied(b.base+e.path, 1)
		if e.convert == internal || e.convert == identical && (!b.sha1 || emptied) {
			convert = append(convert, e)
		}
	}
	return c.read(ctx, convert, func(e *entry, text []byte) {
		id, emptied := b.ignore.Emptied(b.base+e.path, int64(len(text)))
		if !emptied {
			id = buildcontext.HashContent(text)
		}
		b.contents[e] = id
	})
}

// dir makes a directory of the entries below it; their paths begin with skip bytes of its own path and slash.
func (b *builder) dir(rel string, state buildcontext.IgnoreState, meta buildcontext.Meta, entries []*entry, skip int) *buildcontext.Node {
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
			if d := b.dir(childRel, inner, b.dirMeta(childRel), group, skip+len(name)+1); !ignored || len(d.Children()) > 0 {
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

// umask is the one that most of the files seem to have been checked out with, git's own among them. What permissions are
// taken away together tells whether execution would be too.
func (r *repository) umask(entries []*entry, worktree *buildcontext.Tree) uint32 {
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
		if n, ok := worktree.Lookup(e.path); ok && e.kind == "blob" && n.Type() == buildcontext.File && (n.Mode()&0o100 != 0) == (e.mode == "100755") {
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
			m.Err = ErrMissingObject
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
	case e.convert == driver && b.base != "":
		m.Err = buildcontext.ErrUnknown
	case e.convert == driver:
		return buildcontext.NewNode(name, m, nil) // the filtered tell when they are asked
	default:
		m.Err = ErrMissingObject
	}
	n := buildcontext.NewNode(name, m, nil)
	if m.Err == nil {
		n.SetContent(id)
	}
	return n
}
