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
		base, err := MergeBase(t.Context(), r.dir, Target{Branch: tt.target})
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
		base, err := MergeBase(t.Context(), dir, Target{Branch: tt.target})
		if !errors.Is(err, ErrShallow) || !strings.Contains(err.Error(), "fetch-depth: 0") {
			t.Errorf("%s: %+v, %v", tt.why, base, err)
		}
	}
	deep := filepath.Join(t.TempDir(), "clone")
	r.git("clone", "-q", "-b", "feature", "file://"+r.dir, deep)
	base, err := MergeBase(t.Context(), deep, Target{Branch: "main"})
	if err != nil || base.IsHead || base.Main != "origin/main" {
		t.Errorf("the whole history: %+v, %v", base, err)
	}
}

// A job's clone often has nothing but the branch that is built: the commit that the service names will do.
func TestMergeBaseByCommit(t *testing.T) {
	r := newRepo(t)
	r.fill()
	base := r.git("rev-parse", "HEAD")
	r.git("checkout", "-q", "-b", "feature")
	r.write("src/a.txt", "feature\n", 0o644)
	r.commit()
	clone := func(depth string) string {
		dir := filepath.Join(t.TempDir(), "clone")
		r.git("clone", "-q", "--single-branch", "--depth", depth, "-b", "feature", "file://"+r.dir, dir)
		return dir
	}
	deep := clone("2")
	want := Base{Revision: base, Main: "main", Commit: base}
	if got, err := MergeBase(t.Context(), deep, Target{"main", base}); err != nil || got != want {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
	head := r.git("rev-parse", "feature")
	for why, test := range map[string]struct {
		dir    string
		target Target
	}{
		"the clone does not reach it":           {clone("1"), Target{"main", base}},
		"it is HEAD, compared with itself":      {deep, Target{"main", head}},
		"no commit is named":                    {deep, Target{Branch: "main"}},
		"what is named is no commit but a flag": {deep, Target{"main", "--all"}},
	} {
		if got, err := MergeBase(t.Context(), test.dir, test.target); !errors.Is(err, ErrShallow) {
			t.Errorf("%s: %+v, %v", why, got, err)
		}
	}
}

func TestTargetOf(t *testing.T) {
	for _, test := range []struct {
		env  map[string]string
		want Target
	}{
		{nil, Target{}},
		{map[string]string{"CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main", "GITHUB_BASE_REF": ""},
			Target{Branch: "main"}},
		{map[string]string{"CI_MERGE_REQUEST_TARGET_BRANCH_SHA": "", "CI_MERGE_REQUEST_DIFF_BASE_SHA": "c0ffee"},
			Target{Commit: "c0ffee"}},
		{map[string]string{"CI_MERGE_REQUEST_TARGET_BRANCH_SHA": "beef", "CI_MERGE_REQUEST_DIFF_BASE_SHA": "c0ffee"},
			Target{Commit: "beef"}},
	} {
		if got := TargetOf(func(name string) string { return test.env[name] }); got != test.want {
			t.Errorf("%v: got %+v, want %+v", test.env, got, test.want)
		}
	}
}
