package gittree

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/layerwise/layerwise/cachemodel/buildcontext"
	"github.com/layerwise/layerwise/cachemodel/buildcontext/disk"
)

// repo is a git repository for a test, away from the user's settings.
type repo struct {
	testing.TB
	dir string
}

func newRepo(t testing.TB) repo {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("THE GIT PROGRAM IS MISSING: nothing of gittree is tested")
	}
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("XDG_CONFIG_HOME", filepath.Join(home, "xdg"))
	t.Setenv("GIT_CONFIG_NOSYSTEM", "1")
	t.Setenv("GIT_CONFIG_GLOBAL", filepath.Join(home, "gitconfig"))
	r := repo{t, t.TempDir()}
	r.git("init", "-q", "-b", "main")
	r.git("config", "user.email", "a@example.com")
	r.git("config", "user.name", "A")
	return r
}

func (r repo) git(args ...string) string {
	r.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = r.dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		r.Fatalf("git %s: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func (r repo) write(name, text string, mode os.FileMode) {
	r.Helper()
	p := filepath.Join(r.dir, name)
	if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
		r.Fatal(err)
	}
	os.Remove(p)
	if err := os.WriteFile(p, []byte(text), mode); err != nil {
		r.Fatal(err)
	}
	if err := os.Chmod(p, mode); err != nil {
		r.Fatal(err)
	}
}

func (r repo) commit() {
	r.Helper()
	r.git("add", "-A")
	r.git("commit", "-qm", "x")
}

// archive extracts what git archive makes of a revision.
func (r repo) archive(rev string) string {
	r.Helper()
	to := r.TempDir()
	cmd := exec.Command("sh", "-c", "git -c tar.umask=0022 archive "+rev+" | tar -x -C "+to)
	cmd.Dir = r.dir
	if out, err := cmd.CombinedOutput(); err != nil {
		r.Fatalf("git archive: %v\n%s", err, out)
	}
	return to
}

func scan(t testing.TB, dir string) *buildcontext.Tree {
	t.Helper()
	tree, err := disk.Scan(t.Context(), dir, filepath.Join(dir, "Dockerfile"), disk.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

func (r repo) load(rev string) *buildcontext.Tree {
	r.Helper()
	tree, err := Load(r.Context(), r.dir, rev, filepath.Join(r.dir, "Dockerfile"), scan(r, r.dir))
	if err != nil {
		r.Fatal(err)
	}
	return tree
}

var everything = []buildcontext.Query{{Path: "/", FollowLinks: true}}

func diff(base, next *buildcontext.Tree) []buildcontext.Change {
	return buildcontext.Diff(base, next, everything)
}

func sum(t testing.TB, tree *buildcontext.Tree) string {
	t.Helper()
	d, err := tree.Digest(everything[0])
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// fill makes a commit with one of everything that git knows.
func (r repo) fill() {
	r.write("Dockerfile", "FROM scratch\nCOPY . .\n", 0o644)
	r.write("run.sh", "#!/bin/sh\n", 0o755)
	r.write("src/a.txt", "a\n", 0o644)
	r.write("src/deep/b.txt", "b\n", 0o644)
	r.write("src.txt", "sorts between src and src/\n", 0o644)
	r.write("with space\tand tab", "x", 0o644)
	r.write("empty", "", 0o644)
	r.write("ignored/log", "x", 0o644)
	r.write("ignored/keep", "x", 0o644)
	r.write(".dockerignore", ".git\nignored\n!ignored/keep\n", 0o644)
	if err := os.Symlink("src/a.txt", filepath.Join(r.dir, "link")); err != nil {
		r.Fatal(err)
	}
	r.commit()
}

// The tree of a commit is the tree of what git archive writes, and of the clean working tree.
func TestLoadIsArchive(t *testing.T) {
	r := newRepo(t)
	r.fill()
	got := r.load("HEAD")
	if d := diff(scan(t, r.archive("HEAD")), got); len(d) != 0 {
		t.Errorf("differs from git archive: %v", d)
	}
	if d := diff(got, scan(t, r.dir)); len(d) != 0 {
		t.Errorf("differs from the working tree: %v", d)
	}
	if sum(t, got) != sum(t, scan(t, r.dir)) {
		t.Error("no difference, but another digest")
	}
}

// An edited, a new, a removed and a chmod-ed file are exactly the differences to HEAD.
func TestLoadEdits(t *testing.T) {
	r := newRepo(t)
	r.fill()
	r.write("src/a.txt", "changed\n", 0o644)
	r.write("new/file", "", 0o644)
	r.write("src.txt", "sorts between src and src/\n", 0o755)
	os.Remove(filepath.Join(r.dir, "empty"))
	want := []buildcontext.Change{
		{Path: "empty", Kind: buildcontext.Removed},
		{Path: "new/file", Kind: buildcontext.Added},
		{Path: "src/a.txt", Kind: buildcontext.Modified},
		{Path: "src.txt", Kind: buildcontext.Mode},
	}
	if d := cmp.Diff(want, diff(r.load("HEAD"), scan(t, r.dir))); d != "" {
		t.Error(d)
	}
}

// The umask of the working tree changes nothing, and what has other permissions than that leaves is told.
func TestLoadUmask(t *testing.T) {
	for _, umask := range []os.FileMode{0o022, 0o002, 0o077, 0o027, 0} {
		r := newRepo(t)
		r.fill()
		err := filepath.WalkDir(r.dir, func(name string, e fs.DirEntry, err error) error {
			if err != nil || e.Type()&fs.ModeSymlink != 0 {
				return err
			}
			mode := os.FileMode(0o666)
			if info, err := e.Info(); err != nil || info.Mode()&0o100 != 0 {
				mode = 0o777
			}
			return os.Chmod(name, mode&^umask)
		})
		if err != nil {
			t.Fatal(err)
		}
		if d := diff(r.load("HEAD"), scan(t, r.dir)); len(d) != 0 {
			t.Errorf("umask %o: differs: %v", umask, d)
		}
		if err := os.Chmod(filepath.Join(r.dir, "src.txt"), 0o640&^umask|0o400); err != nil {
			t.Fatal(err)
		}
		want := []buildcontext.Change{{Path: "src.txt", Kind: buildcontext.Mode}}
		if umask&0o027 == 0o027 {
			want = nil // it is what the umask leaves
		}
		if d := cmp.Diff(want, diff(r.load("HEAD"), scan(t, r.dir))); d != "" {
			t.Errorf("umask %o: %s", umask, d)
		}
	}
}

// The ignore file of the revision counts for the revision, and a Dockerfile's own one before it.
func TestLoadIgnoreOfRevision(t *testing.T) {
	r := newRepo(t)
	r.fill()
	r.write(".dockerignore", ".git\n", 0o644)
	r.commit()
	if _, ok := r.load("HEAD~").Lookup("ignored/log"); ok {
		t.Error("HEAD~ holds what its .dockerignore leaves out")
	}
	if _, ok := r.load("HEAD~").Lookup("ignored/keep"); !ok {
		t.Error("HEAD~ lacks the exception")
	}
	if _, ok := r.load("HEAD").Lookup("ignored/log"); !ok {
		t.Error("HEAD lacks what its .dockerignore does not leave out")
	}
	r.write("Dockerfile.dockerignore", "src\n", 0o644)
	r.commit()
	if _, ok := r.load("HEAD").Lookup("src"); ok {
		t.Error("Dockerfile.dockerignore does not count")
	}
}

// A context below the top of the repository, in a linked working tree, with GIT_DIR pointing elsewhere.
func TestLoadSubdirectoryOfWorktree(t *testing.T) {
	r := newRepo(t)
	r.fill()
	linked := filepath.Join(t.TempDir(), "linked")
	r.git("worktree", "add", "-q", linked)
	t.Setenv("GIT_DIR", t.TempDir())
	t.Setenv("GIT_INDEX_FILE", "nowhere")
	src := filepath.Join(linked, "src")
	tree, err := Load(t.Context(), src, "HEAD", filepath.Join(linked, "Dockerfile"), scan(t, src))
	if err != nil {
		t.Fatal(err)
	}
	if d := diff(tree, scan(t, src)); len(d) != 0 {
		t.Errorf("differs: %v", d)
	}
	if head, err := Head(t.Context(), src); err != nil || len(head) != 40 {
		t.Errorf("Head = %q, %v", head, err)
	}
	paths, err := WatchPaths(t.Context(), src)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		filepath.Join(r.dir, ".git/worktrees/linked/HEAD"), filepath.Join(r.dir, ".git/worktrees/linked/index"),
		filepath.Join(r.dir, ".git/refs/heads/linked"), filepath.Join(r.dir, ".git/packed-refs"),
	} {
		if !slices.Contains(paths, want) {
			t.Errorf("WatchPaths lacks %s: %q", want, paths)
		}
	}
}

// What a checkout writes counts: line endings, $Id$, encodings, and the attributes of the revision, not of now.
func TestLoadConversions(t *testing.T) {
	tests := []struct{ name, attributes, autocrlf string }{
		{"nothing", "", ""},
		{"eol=crlf", "*.txt text eol=crlf\n", ""},
		{"text=auto", "* text=auto\n", ""},
		{"autocrlf", "", "true"},
		{"autocrlf with exceptions", "*.bin -text\n*.lf eol=lf\n", "true"},
		{"ident", "*.txt ident\n", ""},
		{"encoding", "*.txt text working-tree-encoding=UTF-16LE\n", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRepo(t)
			for _, name := range []string{"a.txt", "b.bin", "c.lf", "d/e.txt", "d/f"} {
				r.write(name, "one\n$Id$\ntwo\n", 0o644)
			}
			r.write("last.txt", "", 0o644)
			r.write("crlf", "one\r\ntwo\r\n", 0o644)
			r.commit()
			if tt.attributes != "" {
				r.write(".gitattributes", tt.attributes, 0o644)
			}
			if tt.autocrlf != "" {
				r.git("config", "core.autocrlf", tt.autocrlf)
			}
			if tt.attributes != "" {
				r.git("add", ".gitattributes")
			}
			r.git("commit", "-q", "--allow-empty", "-m", "x")
			for _, rev := range []string{"HEAD", "HEAD~"} {
				if d := diff(scan(t, r.archive(rev)), r.load(rev)); len(d) != 0 {
					t.Errorf("%s differs from git archive: %v", rev, d)
				}
			}
		})
	}
}

// A filter driver is not run: clean files have the working tree's contents, and an LFS pointer is compared by its sum.
func TestLoadFilterDriver(t *testing.T) {
	r := newRepo(t)
	r.git("config", "filter.up.smudge", "tr a-z A-Z")
	r.git("config", "filter.up.clean", "tr A-Z a-z")
	r.git("config", "filter.up.required", "true")
	r.write(".gitattributes", "*.up filter=up\n", 0o644)
	r.write("x.up", "ABC\n", 0o644)
	r.write("y.up", "DEF\n", 0o644)
	for _, name := range []string{"x.up", "y.up"} { // git would compare the contents of files as young as its index
		if err := os.Chtimes(filepath.Join(r.dir, name), time.Time{}, time.Unix(1e9, 0)); err != nil {
			t.Fatal(err)
		}
	}
	r.commit()
	ran := filepath.Join(t.TempDir(), "ran")
	r.git("config", "filter.up.smudge", "touch "+ran)
	r.git("config", "filter.up.clean", "touch "+ran)
	r.write("y.up", "OTHER\n", 0o644)
	want := []buildcontext.Change{{Path: "y.up", Kind: buildcontext.Unsure}} // only the filter could tell
	before, after := r.load("HEAD"), scan(t, r.dir)
	q := []buildcontext.Query{{Path: "/*.up", Wildcard: true}}
	if d := cmp.Diff(want, buildcontext.Diff(before, after, q)); d != "" {
		t.Error(d)
	}
	if _, err := os.Stat(ran); err == nil {
		t.Error("a filter was run")
	}
}

// A submodule that is not checked out is an empty directory, as in an archive.
func TestLoadSubmodule(t *testing.T) {
	r := newRepo(t)
	r.fill()
	r.git("update-index", "--add", "--cacheinfo", "160000,"+r.git("rev-parse", "HEAD")+",mod")
	r.git("commit", "-qm", "mod")
	if n, ok := r.load("HEAD").Lookup("mod"); !ok || n.Type() != buildcontext.Dir || len(n.Children()) != 0 {
		t.Error("mod is no empty directory")
	}
}

// Submodules that are checked out, one within the other, have what the commits hold that are named for them: not what
// the working tree has made of them since, nor their own newer commits. Their attributes and the ignore file count.
func TestLoadSubmoduleCheckedOut(t *testing.T) {
	inner := newRepo(t)
	inner.write("deep.txt", "one\n", 0o644)
	inner.commit()
	module := newRepo(t)
	module.write(".gitattributes", "*.txt text eol=crlf\n", 0o644)
	module.write("lib/a.txt", "line\n", 0o644)
	module.write("lib/skip/b", "ignored\n", 0o644)
	if err := os.Symlink("lib/a.txt", filepath.Join(module.dir, "link")); err != nil {
		t.Fatal(err)
	}
	module.commit()
	allow := []string{"-c", "protocol.file.allow=always", "submodule", "--quiet"}
	module.git(append(allow, "add", inner.dir, "inner")...)
	module.commit()

	r := newRepo(t)
	r.fill()
	r.write(".dockerignore", "**/.git\n**/skip\nignored\n!ignored/keep\n", 0o644)
	r.git(append(allow, "add", module.dir, "mod")...)
	r.commit()
	r.git(append(allow, "update", "--init", "--recursive")...)
	want := scan(t, r.dir) // as it was checked out
	sum(t, want)           // reads the files, before they are changed
	if _, ok := want.Lookup("mod/inner/deep.txt"); !ok {
		t.Fatal("the submodules are not checked out")
	}

	r.write("mod/lib/a.txt", "changed\n", 0o644)
	r.write("mod/new", "", 0o644)
	if d := diff(want, r.load("HEAD")); len(d) != 0 {
		t.Errorf("differs from the checkout: %v", d)
	}
	mod := repo{t, filepath.Join(r.dir, "mod")}
	mod.git("config", "user.email", "a@example.com")
	mod.git("config", "user.name", "A")
	mod.commit()
	if d := diff(want, r.load("HEAD")); len(d) != 0 {
		t.Errorf("differs from the checkout after a commit in the submodule: %v", d)
	}
	r.git("add", "mod")
	r.git("commit", "-qm", "the newer one")
	changes := []buildcontext.Change{
		{Path: "mod/lib/a.txt", Kind: buildcontext.Modified},
		{Path: "mod/new", Kind: buildcontext.Added},
	}
	if d := cmp.Diff(changes, diff(want, r.load("HEAD"))); d != "" {
		t.Error(d)
	}

	// A commit that the submodule's repository lacks is not known, and equals nothing.
	r.git("update-index", "--cacheinfo", "160000,"+strings.Repeat("12", 20)+",mod")
	r.git("commit", "-qm", "a commit that is nowhere")
	if _, err := r.load("HEAD").Digest(everything[0]); !errors.Is(err, buildcontext.ErrUnknown) {
		t.Errorf("the digest of an unknown submodule: %v", err)
	}
}

// The merge base is where a branch left the main branch, whatever either has done since.
func TestMergeBase(t *testing.T) {
	r := newRepo(t)
	r.fill()
	fork := r.git("rev-parse", "HEAD")
	if base, err := MergeBase(t.Context(), r.dir, Target{}); err != nil || base.Revision != "main...HEAD" ||
		!base.IsHead {
		t.Errorf("on main: %+v, %v", base, err)
	}
	r.git("checkout", "-qb", "feature")
	r.write("src/a.txt", "feature\n", 0o644)
	r.commit()
	r.git("checkout", "-q", "main")
	r.write("src/deep/b.txt", "main\n", 0o644)
	r.commit()
	r.git("checkout", "-q", "feature")
	base, err := MergeBase(t.Context(), filepath.Join(r.dir, "src"), Target{})
	rev := base.Revision
	if err != nil || rev != "main...HEAD" || base.Commit != fork || base.IsHead {
		t.Fatalf("MergeBase = %+v, %v", base, err)
	}
	for _, same := range []string{rev, "main...", "...main", "main...feature", fork} {
		if d := diff(r.load(fork), r.load(same)); len(d) != 0 {
			t.Errorf("%s: %v", same, d)
		}
	}
	changes := []buildcontext.Change{{Path: "src/a.txt", Kind: buildcontext.Modified}}
	if d := cmp.Diff(changes, diff(r.load(rev), scan(t, r.dir))); d != "" {
		t.Error(d)
	}

	clone := repo{t, filepath.Join(t.TempDir(), "clone")}
	r.git("clone", "-q", r.dir, clone.dir)
	if base, err := MergeBase(t.Context(), clone.dir, Target{}); err != nil ||
		base.Revision != "origin/feature...HEAD" { // what origin/HEAD names
		t.Errorf("in a clone: %+v, %v", base, err)
	}

	r.git("checkout", "-q", "--orphan", "alone")
	r.commit()
	if _, err := Load(t.Context(), r.dir, "main...HEAD", "", nil); !errors.Is(err, ErrUnknownRevision) {
		t.Errorf("no commit in common: %v", err)
	}
	r.git("branch", "-m", "main", "other")
	if _, err := MergeBase(t.Context(), r.dir, Target{}); !errors.Is(err, ErrUnknownRevision) {
		t.Errorf("no main branch: %v", err)
	}
}

func TestReadFile(t *testing.T) {
	r := newRepo(t)
	r.fill()
	r.write("src/a.txt", "changed", 0o644)
	text, err := ReadFile(t.Context(), filepath.Join(r.dir, "src/a.txt"), "HEAD")
	if err != nil || string(text) != "a\n" {
		t.Errorf("ReadFile = %q, %v", text, err)
	}
	if _, err := ReadFile(t.Context(), filepath.Join(r.dir, "src/none"), "HEAD"); !errors.Is(err, ErrNotInRevision) {
		t.Errorf("a file that is not there: %v", err)
	}
	if text, err := ReadFile(t.Context(), filepath.Join(r.dir, "empty"), "HEAD"); err != nil || len(text) != 0 {
		t.Errorf("an empty file: %q, %v", text, err)
	}
}

func TestErrors(t *testing.T) {
	r := newRepo(t)
	load := func(dir, rev string) error {
		_, err := Load(t.Context(), dir, rev, "", nil)
		return err
	}
	check := func(what string, err, want error) {
		t.Helper()
		if !errors.Is(err, want) {
			t.Errorf("%s: error %v, want %v", what, err, want)
		}
	}
	check("no commit yet", load(r.dir, "HEAD"), ErrUnborn)
	r.fill()
	check("unknown revision", load(r.dir, "nope"), ErrUnknownRevision)
	check("a revision that looks like an option", load(r.dir, "--all"), ErrUnknownRevision)
	check("no repository", load(t.TempDir(), "HEAD"), ErrNotRepository)
	check("inside .git", load(filepath.Join(r.dir, ".git"), "HEAD"), ErrNotRepository)
	check("no such directory", load(filepath.Join(r.dir, "none"), "HEAD"), os.ErrNotExist)
	r.write("untracked/x", "", 0o644)
	check("a directory that is not in the commit", load(filepath.Join(r.dir, "untracked"), "HEAD"), ErrNotInRevision)
	_, err := Head(t.Context(), t.TempDir())
	check("Head without repository", err, ErrNotRepository)
	t.Setenv("PATH", t.TempDir())
	check("no git", load(r.dir, "HEAD"), ErrNoGit)
}
