// Package gittree reads a git commit as a build context: what a fresh checkout of it would hold, as far as .dockerignore
// of that commit leaves it. It runs the git program, which finds objects in every kind of repository there is; it never
// runs hooks or filters, takes locks or uses the network.
//
// It must not know Dockerfile syntax, cache keys or editors.
package gittree

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// What may be wrong with a repository or revision; errors of this package wrap one of these where it fits.
var (
	ErrNoGit           = errors.New("the git program was not found")
	ErrNotRepository   = errors.New("not in the working tree of a git repository")
	ErrUnborn          = errors.New("the git repository has no commit yet")
	ErrUnknownRevision = errors.New("unknown git revision")
	ErrNotInRevision   = errors.New("not in the git revision")
	ErrMissingObject   = errors.New("the object is not in this partial clone")
)

// git runs the program in dir. Its settings keep it from running the repository's hooks and monitors, from waiting for
// input and from fetching what a partial clone lacks.
type git struct {
	dir string
	env []string // besides the usual
	cfg []string // -c arguments
}

func (g git) command(ctx context.Context, args ...string) *exec.Cmd {
	all := []string{"--no-optional-locks", "--no-pager", "--literal-pathspecs", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=" + os.DevNull}
	all = append(append(all, g.cfg...), args...)
	cmd := exec.CommandContext(ctx, "git", all...)
	cmd.Dir = g.dir
	cmd.Env = append(environment(os.Environ()), g.env...)
	return cmd
}

// environment drops what would point git at another repository, and adds what keeps it quiet.
func environment(env []string) []string {
	keep := []string{"GIT_EXEC_PATH", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM", "GIT_CEILING_DIRECTORIES"}
	env = slices.DeleteFunc(slices.Clone(env), func(kv string) bool {
		name, _, _ := strings.Cut(kv, "=")
		return strings.HasPrefix(name, "GIT_") && !slices.Contains(keep, name)
	})
	// GIT_ALLOW_PROTOCOL: versions before 2.45 do not know GIT_NO_LAZY_FETCH.
	return append(env, "LC_ALL=C", "GIT_OPTIONAL_LOCKS=0", "GIT_TERMINAL_PROMPT=0", "GIT_NO_LAZY_FETCH=1", "GIT_ALLOW_PROTOCOL=none")
}

// output runs git to its end.
func (g git) output(ctx context.Context, stdin io.Reader, args ...string) ([]byte, error) {
	cmd := g.command(ctx, args...)
	var out, msg bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, &out, &msg
	if err := cmd.Run(); err != nil {
		return nil, explain(ctx, err, msg.String(), args[0])
	}
	return out.Bytes(), nil
}

// explain finds the kind of an error of the git program.
func explain(ctx context.Context, err error, message, command string) error {
	first, _, _ := strings.Cut(strings.TrimSpace(message), "\n")
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, exec.ErrNotFound):
		return ErrNoGit
	case strings.Contains(message, "not a git repository"):
		return ErrNotRepository
	case first != "":
		return fmt.Errorf("git %s: %s: %w", command, first, err)
	}
	return fmt.Errorf("git %s: %w", command, err)
}

// repository is where a directory's repository is.
type repository struct {
	git
	top, prefix    string // absolute path of the working tree; the directory's place in it with a final slash, or ""
	gitDir, common string // absolute
	sha1           bool   // its object ids are ContentIDs
}

func open(ctx context.Context, dir string) (*repository, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if info, err := os.Stat(abs); err != nil {
		return nil, err
	} else if !info.IsDir() {
		return nil, &fs.PathError{Op: "open", Path: dir, Err: errors.New("not a directory")}
	}
	r := &repository{git: git{dir: abs}}
	out, err := r.output(ctx, nil, "rev-parse", "--path-format=absolute", "--is-inside-work-tree", "--show-object-format", "--git-dir", "--git-common-dir")
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	lines := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
	if len(lines) != 4 || lines[0] != "true" {
		return nil, fmt.Errorf("%s: %w", dir, ErrNotRepository)
	}
	r.sha1, r.gitDir, r.common = lines[1] == "sha1", filepath.FromSlash(lines[2]), filepath.FromSlash(lines[3])
	for arg, to := range map[string]*string{"--show-toplevel": &r.top, "--show-prefix": &r.prefix} {
		out, err := r.output(ctx, nil, "rev-parse", arg)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", dir, err)
		}
		*to = strings.TrimSuffix(string(out), "\n")
	}
	r.top = filepath.FromSlash(r.top)
	return r, nil
}

// commit resolves a revision; "A...B" is the merge base of A and B, as it is to git diff, where an empty side is HEAD.
func (r *repository) commit(ctx context.Context, rev string) (string, error) {
	if a, b, ok := strings.Cut(rev, "..."); ok {
		var sides [2]string
		for i, side := range []string{a, b} {
			commit, err := r.commit(ctx, cmp.Or(side, "HEAD"))
			if err != nil {
				return "", err
			}
			sides[i] = commit
		}
		out, err := r.output(ctx, nil, "merge-base", sides[0], sides[1])
		if err != nil {
			return "", cmp.Or(ctx.Err(), fmt.Errorf("%w %q: the two have no commit in common (a shallow clone may lack it: git fetch --unshallow)", ErrUnknownRevision, rev))
		}
		return strings.TrimSpace(string(out)), nil
	}
	if !strings.HasPrefix(rev, "-") {
		out, err := r.output(ctx, nil, "rev-parse", "--verify", "--quiet", rev+"^{commit}")
		if err == nil {
			return strings.TrimSpace(string(out)), nil
		}
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
	}
	if rev == "HEAD" || rev == "@" {
		if _, err := r.output(ctx, nil, "symbolic-ref", "--quiet", "HEAD"); err == nil {
			return "", ErrUnborn
		}
	}
	return "", fmt.Errorf("%w %q", ErrUnknownRevision, rev)
}

// mainBranches are where others' work comes together, in the order in which they are looked for.
var mainBranches = []string{"origin/HEAD", "upstream/HEAD", "origin/main", "origin/master", "main", "master", "trunk"}

// MergeBase gives the revision, in git's notation, at which the branch that is checked out left the main branch. The error
// wraps ErrUnknownRevision where no main branch is found.
func MergeBase(ctx context.Context, dir string) (string, error) {
	r, err := open(ctx, dir)
	if err != nil {
		return "", err
	}
	for _, main := range mainBranches {
		if _, err := r.commit(ctx, main); err == nil {
			// origin/HEAD is a name for another branch.
			if out, err := r.output(ctx, nil, "rev-parse", "--abbrev-ref", main); err == nil && len(bytes.TrimSpace(out)) > 0 {
				main = strings.TrimSpace(string(out))
			}
			return main + "...HEAD", nil
		}
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
	}
	return "", fmt.Errorf("%w: none of %s is there to find the merge base with", ErrUnknownRevision, strings.Join(mainBranches, ", "))
}

// Head gives the id of the commit that is checked out in the working tree that dir is in.
func Head(ctx context.Context, dir string) (string, error) {
	r, err := open(ctx, dir)
	if err != nil {
		return "", err
	}
	return r.commit(ctx, "HEAD")
}

// WatchPaths gives the absolute paths of the files, which need not exist, that change when another commit becomes HEAD
// or the index changes.
func WatchPaths(ctx context.Context, dir string) ([]string, error) {
	r, err := open(ctx, dir)
	if err != nil {
		return nil, err
	}
	names := []string{"HEAD", "index", "packed-refs", "reftable/tables.list"}
	if ref, err := r.output(ctx, nil, "symbolic-ref", "--quiet", "HEAD"); err == nil {
		names = append(names, strings.TrimSpace(string(ref)))
	}
	args := []string{"rev-parse", "--path-format=absolute"}
	for _, name := range names {
		args = append(args, "--git-path", name)
	}
	out, err := r.output(ctx, nil, args...)
	if err != nil {
		return nil, err
	}
	var paths []string
	for line := range strings.SplitSeq(strings.TrimSpace(string(out)), "\n") {
		paths = append(paths, filepath.FromSlash(line))
	}
	return paths, nil
}

// ReadFile gives the contents that a file, named by its path in the working tree, has in a revision, line endings as a
// checkout has them. The error wraps ErrNotInRevision if it is not there.
func ReadFile(ctx context.Context, file, rev string) ([]byte, error) {
	r, err := open(ctx, filepath.Dir(file))
	if err != nil {
		return nil, err
	}
	commit, err := r.commit(ctx, rev)
	if err != nil {
		return nil, err
	}
	return r.readFile(ctx, commit, r.prefix+filepath.Base(file))
}

// readFile reads a file by its path in the repository.
func (r *repository) readFile(ctx context.Context, commit, name string) ([]byte, error) {
	entries, err := r.list(ctx, commit, "", name)
	if err != nil {
		return nil, err
	}
	if len(entries) != 1 || entries[0].kind != "blob" {
		return nil, fmt.Errorf("%s: %w %.12s", name, ErrNotInRevision, commit)
	}
	c, err := r.checkout(ctx, commit, "", entries, entries)
	if err != nil {
		return nil, err
	}
	defer c.close()
	var text []byte
	err = c.read(ctx, entries, func(_ *entry, content []byte) { text = bytes.Clone(content) })
	if err == nil && text == nil {
		err = fmt.Errorf("%s: %w", name, ErrMissingObject)
	}
	return text, err
}
