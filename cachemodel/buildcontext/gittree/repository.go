// Package gittree reads a git commit as a build context: what a fresh checkout of it would hold, as far as
// .dockerignore of that commit leaves it. It runs the git program, which finds objects in every kind of repository
// there is; it never runs hooks, filters or any other program that a repository names, takes locks or uses the network.
//
//	r, err := gittree.Open(ctx, dir)
//	if err != nil {
//		return err
//	}
//	defer r.Close()
//	text, err := r.ReadFile(ctx, dockerfile, "HEAD")
//	tree, err := r.Load(ctx, dir, "HEAD", dockerfile, worktree)
//
// It must not know Dockerfile syntax, cache keys or editors.
package gittree

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/layerwise/layerwise/cachemodel/textfile"
)

// Repository is one look at the repository of a working tree: what a revision's name stands for and what the
// configuration holds is found once, so who wants to see a newer commit opens it anew. It keeps a git process and a
// temporary folder until Close. Its methods may be called from several goroutines.
type Repository struct {
	top            string  // the working tree, absolute, links resolved
	gitDir, common string  // absolute
	objectIDs      int     // how long one is, in hexadecimal
	head           string  // what HEAD stands for, "" where it is not known; nobody has looked whether it is there
	asking         program // in the repository itself, see program
	reading        program // of its objects
	temp           string  // see isolate
	maxEntries     int     // of a tree, with all that is below it

	mu        sync.Mutex
	revisions map[string]string // commits by what was asked for
	bases     map[Target]Base   // merge bases by what was asked for
	settings  map[string]string // see config
	remotes   []string          // likewise: their addresses
	texts     map[[2]string]text
	trees     []loadedTree // the last ones
	objects   *objects     // nil where none has been read
}

// Open finds the repository in whose working tree a directory lies. A repository without a working tree (a bare one) is
// none here: everybody can commit a folder that looks like one.
func Open(ctx context.Context, dir string) (*Repository, error) {
	real, err := realDir(dir)
	if err != nil {
		return nil, err
	}
	r := &Repository{
		revisions: map[string]string{}, bases: map[Target]Base{}, texts: map[[2]string]text{}, maxEntries: maxEntries,
	}
	for at := real; ; {
		found, err := r.at(ctx, at)
		if err != nil && !errors.Is(err, ErrNotRepository) {
			return nil, fmt.Errorf("%s: %w", dir, err)
		}
		if found && err == nil {
			break
		}
		if up := filepath.Dir(at); up != at {
			at = up
			continue
		}
		return nil, fmt.Errorf("%s: %w", dir, ErrNotRepository)
	}
	if rel, err := filepath.Rel(r.top, real); err != nil || !local(filepath.ToSlash(rel)) {
		return nil, fmt.Errorf("%s: %w", dir, ErrNotRepository)
	}
	if err := r.isolate(); err != nil {
		r.Close()
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	return r, nil
}

// at looks for a repository whose working tree is a folder.
func (r *Repository) at(ctx context.Context, top string) (bool, error) {
	gitDir, err := gitDirOf(top)
	if gitDir == "" || err != nil {
		return false, err
	}
	common := gitDir
	if text, err := textfile.Read(filepath.Join(gitDir, "commondir")); err == nil {
		common = absolute(gitDir, strings.TrimSuffix(string(text), "\n"))
	} else if !errors.Is(err, fs.ErrNotExist) {
		return false, fmt.Errorf("%w: %w", ErrNotRepository, err)
	}
	env := hostEnvironment()
	settings := newSettingsFiles(top, env)
	for _, dir := range slices.Compact([]string{gitDir, common}) {
		for name, most := range map[string]int64{
			"HEAD": maxFile, "config": maxFile, "config.worktree": maxFile, "shallow": maxFile, "packed-refs": maxList,
		} {
			if err := regularOrAbsent(filepath.Join(dir, name), most); err != nil {
				return false, err
			}
		}
		for _, name := range []string{"config", "config.worktree"} {
			if err := settings.look(ctx, filepath.Join(dir, name)); err != nil {
				return false, err
			}
		}
		if err := references(dir); err != nil {
			return false, err
		}
	}
	objects := stores{seen: map[string]bool{}, left: maxLooked}
	borrowed, err := objects.look(filepath.Join(common, "objects"))
	if err != nil {
		return false, err
	}
	out, err := program{dir: top, env: env, patience: shortPatience}.output(ctx,
		"rev-parse", "--revs-only", "--is-inside-work-tree", "--show-object-format", "--absolute-git-dir",
		"--show-toplevel", "HEAD") // without a word of HEAD where there is no commit
	if err != nil {
		return false, err
	}
	lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
	if n := len(lines); n < 4 || n > 5 || lines[0] != "true" || !sameFile(lines[2], gitDir) ||
		!sameFile(lines[3], top) {
		return false, ErrNotRepository // core.worktree or a repository further up
	}
	if err := objects.follow(borrowed); err != nil {
		return false, err
	}
	r.top, r.gitDir, r.common, r.objectIDs = top, gitDir, common, 40
	if lines[1] == "sha256" {
		r.objectIDs = 64
	}
	if len(lines) == 5 {
		r.head = lines[4]
	}
	r.asking = program{env: append(env, "GIT_DIR="+gitDir), patience: shortPatience}
	return true, nil
}

// gitDirOf gives the git directory of a working tree, "" if the folder is none.
func gitDirOf(top string) (string, error) {
	dot := filepath.Join(top, ".git")
	info, err := os.Stat(dot)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", nil
	case err != nil:
		return "", fmt.Errorf("%w: %w", ErrNotRepository, err)
	case info.IsDir():
		return dot, nil
	}
	text, err := textfile.Read(dot)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrNotRepository, err)
	}
	dir, ok := strings.CutPrefix(strings.TrimRight(string(text), "\r\n"), "gitdir: ")
	if !ok || strings.ContainsAny(dir, "\n\x00") {
		return "", fmt.Errorf("%w: %s does not name a git directory", ErrNotRepository, dot)
	}
	return absolute(top, dir), nil
}

func absolute(base, name string) string {
	if name = filepath.FromSlash(name); filepath.IsAbs(name) {
		return filepath.Clean(name)
	}
	return filepath.Join(base, name)
}

func sameFile(a, b string) bool {
	first, err := os.Stat(filepath.FromSlash(a))
	if err != nil {
		return false
	}
	second, err := os.Stat(b)
	return err == nil && os.SameFile(first, second)
}

// headRef is the branch that is checked out, as in refs/heads/main; "" if there is none or it is not known.
func headRef(gitDir string) string {
	text, err := textfile.Read(filepath.Join(gitDir, "HEAD"))
	ref, ok := strings.CutPrefix(strings.TrimSpace(string(text)), "ref: ")
	if err != nil || !ok || !strings.HasPrefix(ref, "refs/") || !local(ref) {
		return ""
	}
	return ref
}

// isolate makes a git directory that has the repository's objects, and where it is cut off, but none of its
// configuration.
func (r *Repository) isolate() error {
	var err error
	if r.temp, err = os.MkdirTemp("", "layerwise-git-"); err != nil {
		return err
	}
	config := "[core]\n\trepositoryformatversion = 0\n\tbigFileThreshold = 16m\n"
	if r.objectIDs == 64 {
		config = "[core]\n\trepositoryformatversion = 1\n\tbigFileThreshold = 16m\n[extensions]\n\tobjectFormat = " +
			"sha256\n"
	}
	gitDir := filepath.Join(r.temp, "git")
	files := map[string][]byte{"HEAD": []byte("ref: refs/heads/none\n"), "config": []byte(config)}
	if shallow, err := textfile.Read(filepath.Join(r.common, "shallow")); err == nil && len(shallow) > 0 {
		files["shallow"] = shallow
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, dir := range []string{"git/refs", "git/objects", "empty"} {
		if err := os.MkdirAll(filepath.Join(r.temp, filepath.FromSlash(dir)), 0o700); err != nil {
			return err
		}
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(gitDir, name), text, 0o600); err != nil {
			return err
		}
	}
	env := append(hostEnvironment(), "GIT_DIR="+gitDir, "GIT_OBJECT_DIRECTORY="+filepath.Join(r.common, "objects"),
		"GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_SYSTEM="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1")
	r.reading = program{dir: filepath.Join(r.temp, "empty"), patience: patience}
	r.reading.env = append(env, "GIT_WORK_TREE="+r.reading.dir)
	r.asking.dir = r.reading.dir
	return nil
}

// Close ends the git process and removes the temporary folder.
func (r *Repository) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.objects != nil {
		r.objects.close()
		r.objects = nil
	}
	if r.temp == "" {
		return nil
	}
	temp := r.temp
	r.temp = ""
	return os.RemoveAll(temp)
}

// wake makes a repository that was closed fit for use again.
func (r *Repository) wake() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.temp != "" {
		return nil
	}
	return r.isolate()
}

// Holds says whether a path lies in the repository's working tree and in no other repository within it.
func (r *Repository) Holds(path string) bool {
	name, ok := r.Place(path)
	if !ok {
		return false
	}
	at := r.top
	for part := range strings.SplitSeq(name, "/") {
		if at = filepath.Join(at, part); part == "." {
			continue
		}
		if _, err := os.Lstat(filepath.Join(at, ".git")); err == nil {
			return false
		}
	}
	return true
}

// local says whether a slash-separated path stays below where it begins and could be in a working tree.
func local(name string) bool {
	if name == "" || strings.HasPrefix(name, "/") {
		return false
	}
	for part := range strings.SplitSeq(name, "/") {
		switch {
		case part == "" || part == ".." || part == "." && name != ".":
			return false
		case len(part) == 4 && strings.EqualFold(part, ".git"):
			return false
		}
	}
	return true
}

// Place gives a path's place in the working tree, slash-separated, "." for the tree itself; false if it is outside.
// Links below the tree are not followed: another revision may have others.
func (r *Repository) Place(path string) (string, bool) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", false
	}
	for at := abs; ; {
		if sameFile(at, r.top) {
			return inside(at, abs)
		}
		up := filepath.Dir(at)
		if up == at {
			break
		}
		at = up
	}
	// A link outside of the tree leads into it.
	if dir, err := filepath.EvalSymlinks(filepath.Dir(abs)); err == nil {
		if name, ok := inside(r.top, filepath.Join(dir, filepath.Base(abs))); ok {
			return name, true
		}
	}
	return r.realName(abs)
}

// realName is Place with all links followed as they are now.
func (r *Repository) realName(path string) (string, bool) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", false
	}
	if abs, err = filepath.EvalSymlinks(abs); err != nil {
		return "", false
	}
	return inside(r.top, abs)
}

func inside(top, path string) (string, bool) {
	rel, err := filepath.Rel(top, path)
	if err != nil || !local(filepath.ToSlash(rel)) {
		return "", false
	}
	return filepath.ToSlash(rel), true
}

// Head gives the id of the commit that is checked out.
func (r *Repository) Head(ctx context.Context) (string, error) { return r.Resolve(ctx, "HEAD") }

// Resolve gives the id of the commit that a revision names, in git's notation; "A...B" is the merge base of A and B, as
// it is to git diff, where an empty side is HEAD. Errors wrap ErrUnborn, ErrUnknownRevision or ErrShallow.
func (r *Repository) Resolve(ctx context.Context, rev string) (string, error) {
	r.mu.Lock()
	commit, ok := r.revisions[rev]
	r.mu.Unlock()
	if ok {
		return commit, nil
	}
	commit, err := r.resolve(ctx, rev)
	if err == nil {
		r.mu.Lock()
		r.revisions[rev] = commit
		r.mu.Unlock()
	}
	return commit, err
}

func (r *Repository) resolve(ctx context.Context, rev string) (string, error) {
	if a, b, ok := strings.Cut(rev, "..."); ok {
		first, err := r.Resolve(ctx, cmp.Or(a, "HEAD"))
		if err != nil {
			return "", err
		}
		second, err := r.Resolve(ctx, cmp.Or(b, "HEAD"))
		if err != nil || first == second {
			return second, err
		}
		return r.mergeBase(ctx, rev, first, second)
	}
	if rev == "HEAD" && r.head != "" {
		commit := "" // the process that will read it says whether it is one
		name := func(int) string { return r.head + "^{commit}" }
		err := r.each(ctx, 1, name, 0, func(_ int, id string, _ []byte) error {
			commit = id
			return nil
		})
		if err == nil && len(commit) == r.objectIDs {
			return commit, nil
		}
	}
	if rev != "" && !strings.HasPrefix(rev, "-") && !strings.ContainsAny(rev, "\n\x00") {
		out, err := r.asking.output(ctx, "rev-parse", "--verify", "--quiet", rev+"^{commit}")
		commit := strings.TrimSpace(out)
		if err == nil && len(commit) == r.objectIDs {
			return commit, nil
		}
		if ctx.Err() != nil || errors.Is(err, ErrNoAnswer) || errors.Is(err, ErrNoGit) {
			return "", cmp.Or(ctx.Err(), err)
		}
	}
	if rev == "HEAD" || rev == "@" {
		if headRef(r.gitDir) != "" {
			return "", ErrUnborn
		}
	} else if r.shallow() {
		return "", fmt.Errorf("%w %q: %w", ErrUnknownRevision, rev, errShallow)
	}
	return "", fmt.Errorf("%w %q", ErrUnknownRevision, rev)
}

// errShallow is ErrShallow with what to do.
var errShallow = fmt.Errorf("%w: fetch the history (`git fetch --unshallow`; in GitHub Actions `fetch-depth: 0` of "+
	"actions/checkout; in GitLab CI `GIT_DEPTH: 0`)", ErrShallow)

// shallow says whether the history is cut off.
func (r *Repository) shallow() bool {
	_, err := os.Stat(filepath.Join(r.temp, "git", "shallow"))
	return err == nil
}

func (r *Repository) mergeBase(ctx context.Context, rev, first, second string) (string, error) {
	out, err := r.reading.output(ctx, "merge-base", first, second)
	if base := strings.TrimSpace(out); err == nil && len(base) == r.objectIDs {
		return base, nil
	}
	switch {
	case ctx.Err() != nil || errors.Is(err, ErrNoAnswer):
		return "", cmp.Or(ctx.Err(), err)
	case r.shallow():
		return "", fmt.Errorf("%w %q: no commit in common: %w", ErrUnknownRevision, rev, errShallow)
	}
	return "", fmt.Errorf("%w %q: the two have no commit in common", ErrUnknownRevision, rev)
}

// WatchPaths gives the absolute paths of the files, which need not exist, that change when another commit becomes HEAD
// or the index changes.
func (r *Repository) WatchPaths() []string {
	paths := []string{
		filepath.Join(r.gitDir, "HEAD"), filepath.Join(r.gitDir, "index"), filepath.Join(r.common, "packed-refs"),
		filepath.Join(r.gitDir, "reftable", "tables.list"),
	}
	if ref := headRef(r.gitDir); ref != "" {
		paths = append(paths, filepath.Join(r.common, filepath.FromSlash(ref)))
	}
	if r.common != r.gitDir {
		paths = append(paths, filepath.Join(r.common, "reftable", "tables.list"))
	}
	return paths
}

// ReadFile gives the contents that a file, named by its path in the working tree, has in a revision, line endings as a
// checkout has them. Links are followed as that revision has them. The error wraps ErrNotInRevision if it is not there,
// and ErrLinkOutside if what a link names is not known.
func (r *Repository) ReadFile(ctx context.Context, file, rev string) ([]byte, error) {
	name, ok := r.Place(file)
	if !ok {
		return nil, fmt.Errorf("%s: %w: it lies outside of it", file, ErrNotRepository)
	}
	commit, err := r.Resolve(ctx, rev)
	if err != nil {
		return nil, err
	}
	return r.readFile(ctx, commit, name)
}

// text is a file that people write, or why it was not read.
type text struct {
	content []byte
	err     error
}

// readFile reads a file by its path in the repository, once.
func (r *Repository) readFile(ctx context.Context, commit, name string) ([]byte, error) {
	r.mu.Lock()
	known, ok := r.texts[[2]string{commit, name}]
	r.mu.Unlock()
	if !ok {
		known.content, known.err = r.readText(ctx, commit, name)
		if ctx.Err() == nil {
			r.mu.Lock()
			r.texts[[2]string{commit, name}] = known
			r.mu.Unlock()
		}
	}
	return known.content, known.err
}

func (r *Repository) readText(ctx context.Context, commit, name string) ([]byte, error) {
	e, err := r.lookup(ctx, commit, name)
	if err != nil {
		return nil, err
	}
	if e.kind != "blob" {
		return nil, fmt.Errorf("%s: %w %.12s", name, ErrNotInRevision, commit)
	}
	c, err := r.checkout(ctx, commit, "", []*entry{e}, nil)
	if err != nil {
		return nil, err
	}
	defer c.close()
	if e.convert == driver || e.convert == unknown {
		return nil, fmt.Errorf("%s: %w", name, ErrFiltered)
	}
	var text []byte
	found := false
	err = c.read(
		ctx,
		[]*entry{e},
		textfile.Limit,
		func(_ *entry, content []byte) { text, found = bytes.Clone(content), true },
	)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s: %w", name, err)
	case !found:
		return nil, fmt.Errorf("%s: %w", name, e.unread())
	}
	return text, nil
}

// The following do one thing with a repository and close it again.

// Head is Repository.Head of the repository that a directory lies in.
func Head(ctx context.Context, dir string) (string, error) {
	return with(ctx, dir, func(r *Repository) (string, error) { return r.Head(ctx) })
}

func with[T any](ctx context.Context, dir string, do func(*Repository) (T, error)) (T, error) {
	r, err := Open(ctx, dir)
	if err != nil {
		var none T
		return none, err
	}
	defer r.Close()
	return do(r)
}
