package gittree

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
)

// The main branch has the name that the remote gives its default branch, or the one that is told, before any usual
// name.
func TestMainBranch(t *testing.T) {
	tests := []struct {
		why    string
		refs   []string // what there is, besides the branch work that is checked out; "a=b" is a symbolic one
		target string
		want   string // "" is none
	}{
		{
			"a remote's default branch of any name",
			[]string{"remotes/origin/main", "remotes/origin/stable", "remotes/origin/HEAD=remotes/origin/stable"},
			"",
			"origin/stable",
		},
		{
			"origin before upstream",
			[]string{
				"remotes/origin/a",
				"remotes/upstream/b",
				"remotes/origin/HEAD=remotes/origin/a",
				"remotes/upstream/HEAD=remotes/upstream/b",
			},
			"",
			"origin/a",
		},
		{
			"a remote of another name",
			[]string{"remotes/company/dev", "remotes/company/HEAD=remotes/company/dev", "heads/main"},
			"",
			"company/dev",
		},
		{
			"without a default the usual names, the remote's first",
			[]string{"remotes/origin/master", "heads/main"},
			"",
			"origin/master",
		},
		{"a local one", []string{"heads/trunk", "heads/other"}, "", "trunk"},
		{"a colleague's fork is not looked at", []string{"remotes/colleague/main"}, "", ""},
		{
			"the target of a pull request",
			[]string{"remotes/origin/main", "remotes/origin/release/2", "remotes/origin/HEAD=remotes/origin/main"},
			"release/2",
			"origin/release/2",
		},
		{"as Azure writes it", []string{"remotes/origin/release"}, "refs/heads/release", "origin/release"},
		{
			"a target that was not fetched is not replaced by another",
			[]string{"remotes/origin/main", "heads/main"},
			"release",
			"",
		},
		{"nothing", nil, "", ""},
	}
	for _, tt := range tests {
		r := newRepo(t)
		r.fill()
		r.git("checkout", "-q", "-b", "work")
		r.git("branch", "-q", "-D", "main")
		for _, ref := range tt.refs {
			if name, to, ok := strings.Cut(ref, "="); ok {
				r.git("symbolic-ref", "refs/"+name, "refs/"+to)
			} else {
				r.git("update-ref", "refs/"+ref, "HEAD")
			}
		}
		base, err := MergeBase(t.Context(), r.dir, tt.target)
		if base.Main != tt.want || (err == nil) != (tt.want != "") ||
			err != nil && !errors.Is(err, ErrUnknownRevision) {
			t.Errorf("%s: %+v, %v; want %q", tt.why, base, err, tt.want)
		}
	}
}

// A shallow clone is never compared with itself: what to do is said.
func TestMergeBaseInShallowClone(t *testing.T) {
	r := newRepo(t)
	r.fill()
	r.git("checkout", "-q", "-b", "feature")
	r.write("src/a.txt", "feature\n", 0o644)
	r.commit()
	r.git("checkout", "-q", "main")
	r.write("other", "", 0o644)
	r.commit()
	tests := []struct {
		why    string
		args   []string
		target string
	}{
		{"only the branch itself", []string{"--depth", "1", "-b", "feature"}, ""},
		{"the target was not fetched", []string{"--depth", "1", "-b", "feature"}, "main"},
		{"the main branch itself, HEAD compared with HEAD", []string{"--depth", "1", "-b", "main"}, ""},
		{
			"both, without the commit at which they parted",
			[]string{"--depth", "1", "-b", "feature", "--no-single-branch"},
			"main",
		},
	}
	for _, tt := range tests {
		dir := filepath.Join(t.TempDir(), "clone")
		r.git(append(append([]string{"clone", "-q"}, tt.args...), "file://"+r.dir, dir)...)
		base, err := MergeBase(t.Context(), dir, tt.target)
		if !errors.Is(err, ErrShallow) || !strings.Contains(err.Error(), "fetch-depth: 0") {
			t.Errorf("%s: %+v, %v", tt.why, base, err)
		}
	}
	deep := filepath.Join(t.TempDir(), "clone")
	r.git("clone", "-q", "-b", "feature", "file://"+r.dir, deep)
	if base, err := MergeBase(t.Context(), deep, "main"); err != nil || base.IsHead || base.Main != "origin/main" {
		t.Errorf("the whole history: %+v, %v", base, err)
	}
}

func TestTargetBranch(t *testing.T) {
	env := func(name string) string {
		return map[string]string{"CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main", "GITHUB_BASE_REF": ""}[name]
	}
	if got := TargetBranch(env); got != "main" {
		t.Errorf("got %q", got)
	}
	if got := TargetBranch(func(string) string { return "" }); got != "" {
		t.Errorf("got %q outside of CI", got)
	}
}
