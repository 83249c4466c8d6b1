package gittree

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/layerwise/layerwise/cachemodel/buildcontext"
	"github.com/layerwise/layerwise/cachemodel/textfile"
)

// HistoryRequest says which history is wanted.
type HistoryRequest struct {
	ContextDir string // a directory in a git working tree
	Dockerfile string // in the same repository
	Rev        string // where the history ends; "" is HEAD
	Limit      int    // at most so many commits
}

// History is the commits of a branch that touch a build context or its Dockerfile.
type History struct {
	Revisions []Revision // oldest first
	Notes     []string   // for people: what the history lacks, and why
}

// Revision is one commit.
type Revision struct {
	ID      string
	Subject string
	Time    time.Time // of the commit
	// Dockerfile is the file's path in the repository, which renames change, "" where the commit has no such file.
	Dockerfile string
	Text       []byte             // of the Dockerfile
	Context    *buildcontext.Tree // nil where the commit has no such directory
}

// ErrNoCommits says that no commit touches the context or the Dockerfile.
var ErrNoCommits = errors.New("no commit has touched the build context or the Dockerfile")

// History reads the last commits on the first-parent line of a revision that touch the context or the Dockerfile,
// following renames of the Dockerfile. Nothing is checked out, and of the files only those are read that a checkout
// would convert: git's id of a file stands for its contents. Commits share what they have in common, so that a
// directory is read once. The ignore file and the attributes of each commit count; files have the permissions of umask
// 022. A submodule is a directory that changes with the commit that it names, a file of a filter driver (git-lfs is
// one) changes with its pointer. A Dockerfile that is a link has the text of the file that it names.
//
// Errors wrap those of Load, or ErrNoCommits. progress, which may be nil, is told how many commits have been read.
func (r *Repository) History(
	ctx context.Context,
	req HistoryRequest,
	progress func(done, total int),
) (*History, error) {
	if progress == nil {
		progress = func(int, int) {}
	}
	l := &historian{
		repo: r, count: tally{maxEntries: r.maxEntries},
		trees: map[string][]*entry{}, blobs: map[string][]byte{}, attributes: map[string][]*entry{},
		ignores: map[string]*ignoring{}, groups: map[groupKey]*group{}, submodules: map[string]bool{},
	}
	l.finder = finder{
		tree: func(id string) ([]*entry, error) { return l.tree(ctx, id) },
		link: func(e *entry) (string, error) {
			text, err := l.blob(ctx, e.id)
			return string(text), err
		},
	}
	dir, ok := r.realName(req.ContextDir)
	if !ok || !r.Holds(req.ContextDir) {
		return nil, fmt.Errorf("%s: %w: it lies outside of it", req.ContextDir, ErrNotRepository)
	}
	l.dir, l.prefix = dir, prefixOf(dir)
	if l.dockerfile, ok = r.Place(req.Dockerfile); !ok {
		return nil, fmt.Errorf("%s: %w: it lies outside of it", req.Dockerfile, ErrNotRepository)
	}
	if err := l.commits(ctx, cmp.Or(req.Rev, "HEAD"), req.Limit); err != nil {
		return nil, err
	}
	for i := range l.revisions {
		if err := l.survey(ctx, i); err != nil {
			return nil, cmp.Or(ctx.Err(), err)
		}
		progress(i+1, len(l.revisions))
	}
	if err := l.build(ctx); err != nil {
		return nil, cmp.Or(ctx.Err(), err)
	}
	h := &History{Notes: l.notes()}
	for _, rev := range slices.Backward(l.revisions) {
		h.Revisions = append(h.Revisions, rev.Revision)
	}
	return h, nil
}

// historian reads a history, newest commit first.
type historian struct {
	repo       *Repository
	finder     finder
	dir        string // the context's place in the repository, "." if it is all of it
	prefix     string // of its files
	dockerfile string // its path in the repository at the commit that is read
	count      tally
	revisions  []*revision
	trees      map[string][]*entry // by id; paths are names
	blobs      map[string][]byte   // by id
	attributes map[string][]*entry // see attributesIn
	ignores    map[string]*ignoring
	groups     map[groupKey]*group

	shallow, short bool // fewer commits than were asked for
	submodules     map[string]bool
	filtered       bool
	unreadable     int // commits of which an object is missing
	oversized      int // commits with a file that is too large to be read
}

// revision is one commit with where its context is.
type revision struct {
	Revision
	context string // the tree's id
	group   *group
}

// ignoring is an ignore file.
type ignoring struct {
	rules   *buildcontext.Ignore
	failure error
}

// groupKey is what decides about the files of a directory besides git's id of it.
type groupKey struct {
	ignore     *ignoring
	attributes string // all attribute files with their ids
}

// group is the revisions with the same key: they can share directories.
type group struct {
	ignore     *ignoring
	commit     string // one of them
	attributes []*entry
	dirs       map[dirKey]*groupDir
	entries    map[entry]*entry
	builder    *builder
}

// dirKey is a directory of the context and what it holds. Two directories with the same contents are two, since rules
// speak of paths.
type dirKey struct{ path, id string }

type groupDir struct {
	ignored bool // it is there only for the sake of what is in it
	files   []*entry
	dirs    []dirKey
	node    *buildcontext.Node
}

// commits lists the commits.
func (l *historian) commits(ctx context.Context, rev string, limit int) error {
	r := l.repo
	head, err := r.Resolve(ctx, rev)
	if err != nil {
		return fmt.Errorf("%s: %w", r.top, err)
	}
	args := []string{
		"rev-list", "--first-parent", "--format=tformat:%ct %s", "-n", strconv.Itoa(limit), head, "--",
		l.dir, l.dockerfile, l.dockerfile + ".dockerignore",
	}
	if at, err := r.lookup(ctx, head, l.dockerfile); err == nil && at.path != l.dockerfile {
		args = append(args, at.path) // what a link names changes by itself
	}
	id := ""
	err = r.reading.records(ctx, nil, '\n', func(line []byte, _ bool) error {
		text := string(line)
		if commit, ok := strings.CutPrefix(text, "commit "); ok && id == "" {
			id = commit
			return nil
		}
		at, subject, _ := strings.Cut(text, " ")
		seconds, err := strconv.ParseInt(at, 10, 64)
		if err != nil || len(id) != r.objectIDs {
			return fmt.Errorf("git rev-list: unexpected output %.80q", text)
		}
		found := Revision{ID: id, Time: time.Unix(seconds, 0).UTC(), Subject: subject}
		l.revisions, id = append(l.revisions, &revision{Revision: found}), ""
		return nil
	}, args...)
	if err != nil {
		return err
	}
	if len(l.revisions) == 0 {
		return fmt.Errorf("%s: %w", r.top, ErrNoCommits)
	}
	l.short = len(l.revisions) < limit
	l.shallow = l.short && r.shallow()
	return nil
}

// survey finds what a commit holds.
func (l *historian) survey(ctx context.Context, i int) error {
	rev := l.revisions[i]
	err := l.surveyTree(ctx, i)
	switch {
	case errors.Is(err, ErrMissingObject): // of a partial clone
		l.unreadable++
	case errors.Is(err, ErrTooLarge):
		l.oversized++
	default:
		return err
	}
	rev.Dockerfile, rev.Text, rev.group = "", nil, nil
	return nil
}

func (l *historian) surveyTree(ctx context.Context, i int) error {
	rev := l.revisions[i]
	_, root, err := l.repo.tree(ctx, rev.ID)
	if err != nil {
		return err
	}
	file, err := l.find(root, l.dockerfile)
	if err != nil {
		return err
	}
	if file == nil && i > 0 && l.revisions[i-1].Dockerfile != "" {
		old, err := l.renamed(ctx, rev.ID, l.revisions[i-1].ID)
		if err != nil {
			return err
		}
		if old != "" {
			l.dockerfile = old
			if file, err = l.find(root, old); err != nil {
				return err
			}
		}
	}
	if file != nil && file.kind == "blob" {
		if rev.Text, err = l.blob(ctx, file.id); err != nil {
			return err
		}
		rev.Dockerfile = l.dockerfile
	}
	dir, err := l.find(root, l.dir)
	if err != nil || dir == nil || dir.kind != "tree" {
		return err
	}
	rev.context = dir.id
	key := groupKey{}
	if key.ignore, err = l.ignoring(ctx, root, rev.context); err != nil {
		return err
	}
	attributes, all, err := l.allAttributes(ctx, root, rev.context)
	if err != nil {
		return err
	}
	key.attributes = all
	g := l.groups[key]
	if g == nil {
		g = &group{
			ignore:     key.ignore,
			commit:     rev.ID,
			attributes: attributes,
			dirs:       map[dirKey]*groupDir{},
			entries:    map[entry]*entry{},
		}
		l.groups[key] = g
	}
	if err := l.surveyDir(ctx, g, dirKey{"", rev.context}, buildcontext.IgnoreState{}, false); err != nil {
		return err
	}
	rev.group = g
	return nil
}

// renamed gives the path that the Dockerfile had before a commit renamed it, "" if it is new there.
func (l *historian) renamed(ctx context.Context, older, newer string) (string, error) {
	out, err := l.repo.reading.output(
		ctx,
		"diff-tree",
		"-r",
		"-z",
		"-M",
		"--name-status",
		"--diff-filter=R",
		older,
		newer,
		"--",
	)
	if err != nil {
		return "", err
	}
	fields := strings.Split(out, "\x00")
	for ; len(fields) >= 3; fields = fields[3:] {
		if fields[2] == l.dockerfile {
			return fields[1], nil
		}
	}
	return "", nil
}

// tree reads a directory.
func (l *historian) tree(ctx context.Context, id string) ([]*entry, error) {
	if entries, ok := l.trees[id]; ok {
		return entries, nil
	}
	entries, _, err := l.repo.tree(ctx, id)
	if err == nil {
		l.trees[id] = entries
	}
	return entries, err
}

// blob reads a file that people write.
func (l *historian) blob(ctx context.Context, id string) ([]byte, error) {
	if data, ok := l.blobs[id]; ok {
		return data, nil
	}
	_, data, err := l.repo.object(ctx, id, textfile.Limit)
	if err == nil {
		l.blobs[id] = data
	}
	return data, err
}

// find finds a path below a tree, links followed; it is nil if there is nothing, or nothing that git knows.
func (l *historian) find(tree, name string) (*entry, error) {
	e, err := l.finder.find(tree, name)
	if errors.Is(err, ErrLinkOutside) {
		return nil, nil
	}
	return e, err
}

// ignoring reads the ignore file that counts.
func (l *historian) ignoring(ctx context.Context, root, context string) (*ignoring, error) {
	name := l.dockerfile + ".dockerignore"
	file, err := l.find(root, name)
	if err != nil {
		return nil, err
	}
	if file == nil {
		name = ".dockerignore"
		if file, err = l.find(context, name); err != nil {
			return nil, err
		}
	}
	key, text := "", []byte(nil)
	if file != nil && file.kind == "blob" {
		if text, err = l.blob(ctx, file.id); err != nil {
			return nil, err
		}
		key = file.id
	}
	if l.ignores[key] == nil {
		l.ignores[key] = &ignoring{rules: &buildcontext.Ignore{}}
		if key != "" {
			if rules, err := buildcontext.ParseIgnore(path.Base(name), text); err != nil {
				l.ignores[key].failure = err
			} else {
				l.ignores[key].rules = rules
			}
		}
	}
	return l.ignores[key], nil
}

// allAttributes lists the attribute files in the context, and identifies those and the ones above it: they speak of the
// context's files.
func (l *historian) allAttributes(ctx context.Context, root, context string) (in []*entry, all string, err error) {
	var key strings.Builder
	for at, rest := root, l.prefix; rest != ""; {
		entries, err := l.tree(ctx, at)
		if err != nil {
			return nil, "", err
		}
		name, below, _ := strings.Cut(rest, "/")
		at = ""
		for _, e := range entries {
			if e.isAttributes() {
				fmt.Fprintf(&key, "above %s %s\n", rest, e.id)
			}
			if e.path == name && e.kind == "tree" {
				at = e.id
			}
		}
		if at == "" { // the context is reached by a link
			break
		}
		rest = below
	}
	in, err = l.attributesIn(ctx, context)
	for _, e := range in {
		fmt.Fprintf(&key, "%q %s\n", e.path, e.id)
	}
	return in, key.String(), err
}

// attributesIn lists the attribute files in a directory and below it, by their paths in it.
func (l *historian) attributesIn(ctx context.Context, tree string) ([]*entry, error) {
	if known, ok := l.attributes[tree]; ok {
		return known, nil
	}
	entries, err := l.tree(ctx, tree)
	if err != nil {
		return nil, err
	}
	var found []*entry
	for _, e := range entries {
		switch {
		case e.isAttributes():
			found = append(found, e)
		case e.kind == "tree":
			below, err := l.attributesIn(ctx, e.id)
			if err != nil {
				return nil, err
			}
			for _, b := range below {
				at := e.path + "/" + b.path
				if err := l.count.add(at); err != nil {
					return nil, err
				}
				found = append(found, &entry{mode: b.mode, kind: b.kind, id: b.id, path: at})
			}
		}
	}
	l.attributes[tree] = found
	return found, nil
}

// surveyDir lists what of a directory is not ignored, unless that is known already.
func (l *historian) surveyDir(
	ctx context.Context,
	g *group,
	key dirKey,
	state buildcontext.IgnoreState,
	ignored bool,
) error {
	if g.dirs[key] != nil {
		return nil
	}
	entries, err := l.tree(ctx, key.id)
	if err != nil {
		return err
	}
	d := &groupDir{ignored: ignored}
	for _, e := range entries {
		at := path.Join(key.path, e.path)
		if err := l.count.add(at); err != nil {
			return err
		}
		ignored, enter, inner := g.ignore.rules.Match(at, state)
		switch {
		case ignored && (e.kind == "blob" || !enter):
		case e.kind == "tree":
			below := dirKey{at, e.id}
			if err := l.surveyDir(ctx, g, below, inner, ignored); err != nil {
				return err
			}
			d.dirs = append(d.dirs, below)
		default:
			if e.kind == "commit" {
				l.submodules[l.prefix+at] = true
			}
			named := entry{mode: e.mode, kind: e.kind, id: e.id, path: at}
			if g.entries[named] == nil {
				g.entries[named] = &named
			}
			d.files = append(d.files, g.entries[named])
		}
	}
	g.dirs[key] = d
	return nil
}

// build makes the trees.
func (l *historian) build(ctx context.Context) error {
	nothing := buildcontext.NewTree(
		buildcontext.NewNode("", buildcontext.Meta{Type: buildcontext.Dir}, nil),
		nil,
		nil,
		nil,
	)
	for _, g := range l.groups {
		g.builder = newBuilder(l.repo, nothing, g.ignore.rules, "")
		entries := slices.SortedFunc(maps.Values(g.entries), func(a, b *entry) int {
			return cmp.Or(cmp.Compare(a.path, b.path), cmp.Compare(a.id, b.id), cmp.Compare(a.mode, b.mode))
		})
		if err := g.builder.readVersions(ctx, l.repo, l.prefix, g, entries); err != nil {
			return err
		}
		l.filtered = l.filtered || slices.ContainsFunc(entries, func(e *entry) bool { return e.convert == driver })
	}
	for _, rev := range l.revisions {
		if rev.group != nil {
			root := rev.group.node(dirKey{"", rev.context})
			rev.Context = buildcontext.NewTree(root, rev.group.ignore.rules, nil, rev.group.ignore.failure)
		}
	}
	return nil
}

// readVersions is readContents for files of several commits: a path may come several times.
func (b *builder) readVersions(ctx context.Context, r *Repository, prefix string, g *group, entries []*entry) error {
	var links, files []*entry
	for _, e := range entries {
		if e.mode == symlinkMode {
			links = append(links, e)
		} else if e.kind == "blob" {
			files = append(files, e)
		}
	}
	c, err := r.checkout(ctx, g.commit, prefix, files, g.attributes)
	if err != nil {
		return err
	}
	defer c.close()
	for _, e := range files {
		if e.convert == driver {
			b.contents[e] = e.filteredContents()
		}
	}
	if b.sizes, err = r.sizes(ctx, files); err != nil {
		return err
	}
	return b.convert(ctx, c, links, files)
}

// node makes a directory.
func (g *group) node(key dirKey) *buildcontext.Node {
	d := g.dirs[key]
	if d.node != nil {
		return d.node
	}
	var children []*buildcontext.Node
	for _, e := range d.files {
		name := path.Base(e.path)
		if e.kind != "commit" {
			children = append(children, g.builder.leaf(name, e))
			continue
		}
		// What a checkout of a submodule has besides its files stands for all of them.
		pin := buildcontext.NewNode(".git", buildcontext.Meta{Type: buildcontext.File, Mode: 0o644}, nil)
		pin.SetContent(buildcontext.HashContent([]byte("the files of commit " + e.id)))
		children = append(children, buildcontext.NewNode(name, g.builder.dirMeta(e.path), []*buildcontext.Node{pin}))
	}
	for _, below := range d.dirs {
		if n := g.node(below); !g.dirs[below].ignored || len(n.Children()) > 0 {
			children = append(children, n)
		}
	}
	name, meta := path.Base(key.path), g.builder.dirMeta(key.path)
	if key.path == "" {
		name, meta = "", buildcontext.Meta{Type: buildcontext.Dir}
	}
	d.node = buildcontext.NewNode(name, meta, children)
	return d.node
}

func (l *historian) notes() (notes []string) {
	oldest := l.revisions[len(l.revisions)-1]
	if l.shallow {
		notes = append(
			notes,
			fmt.Sprintf(
				"this is a shallow clone: its history begins at commit %.7s (git fetch --unshallow gets the rest)",
				oldest.ID,
			),
		)
	}
	if l.unreadable > 0 {
		notes = append(
			notes,
			fmt.Sprintf(
				"left out %d commits: their objects are not in this partial clone (git fetch --refetch gets them)",
				l.unreadable,
			),
		)
	}
	if l.oversized > 0 {
		notes = append(notes, fmt.Sprintf("left out %d commits: a file of theirs is too large to be read", l.oversized))
	}
	for _, name := range slices.Sorted(maps.Keys(l.submodules)) {
		notes = append(
			notes,
			fmt.Sprintf(
				"%s is a submodule: its files are not part of the history, and count as changed whenever it names "+
					"another commit",
				name,
			),
		)
	}
	if l.filtered {
		notes = append(notes, "files of a filter such as git-lfs count as changed when their pointers do")
	}
	return notes
}
