package gittree

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
)

// Base is where the branch that is checked out left the main branch.
type Base struct {
	Revision string // in git's notation, as in origin/main...HEAD
	Main     string // the main branch, as in origin/main
	Commit   string
	// IsHead says that HEAD has nothing that the main branch lacks: a comparison with the base is one with HEAD itself.
	IsHead bool
}

// mainBranches are where others' work comes together, in the order in which they are looked for, after the branch that
// a remote names as its default.
var mainBranches = []string{"main", "master", "trunk", "develop"}

// Target is what a branch is to be merged into, as far as a CI service tells it.
type Target struct {
	Branch string // "" is the main branch
	// Commit is the one of that branch that the service compares with. It is used where the clone lacks the branch, or
	// the history up to it: services fetch little else than the branch that they build.
	Commit string
}

// targetBranches and targetCommits tell what a build of a pull request is to be merged into.
var (
	targetBranches = []string{
		"GITHUB_BASE_REF", "CI_MERGE_REQUEST_TARGET_BRANCH_NAME", "CHANGE_TARGET", "BITBUCKET_PR_DESTINATION_BRANCH",
		"SYSTEM_PULLREQUEST_TARGETBRANCH", "BUILDKITE_PULL_REQUEST_BASE_BRANCH",
	}
	// of these the first is there only where HEAD is the merge with the newest commit of the branch
	targetCommits = []string{
		"CI_MERGE_REQUEST_TARGET_BRANCH_SHA", "CI_MERGE_REQUEST_DIFF_BASE_SHA", "BITBUCKET_PR_DESTINATION_COMMIT",
	}
)

// TargetOf gives what a pull request is to be merged into, as the environment of a CI service tells it. getenv is
// os.Getenv or the like.
func TargetOf(getenv func(string) string) Target {
	first := func(names []string) string {
		for _, name := range names {
			if value := getenv(name); value != "" {
				return value
			}
		}
		return ""
	}
	return Target{first(targetBranches), first(targetCommits)}
}

// MergeBase finds the commit at which the branch that is checked out left the main branch, which is the target's, else
// the one that a remote names as its default, or one of a usual name. The error wraps ErrUnknownRevision where there is
// none, and ErrShallow where the history is too short to tell.
func (r *Repository) MergeBase(ctx context.Context, target Target) (Base, error) {
	r.mu.Lock()
	base, ok := r.bases[target]
	r.mu.Unlock()
	if ok {
		return base, nil
	}
	base, err := r.mergeBaseWith(ctx, target)
	if err == nil {
		r.mu.Lock()
		r.bases[target] = base
		r.mu.Unlock()
	}
	return base, err
}

func (r *Repository) mergeBaseWith(ctx context.Context, target Target) (Base, error) {
	target.Branch = strings.TrimPrefix(target.Branch, "refs/heads/")
	base, err := r.leaves(ctx, target.Branch)
	if err == nil || target.Commit == "" {
		return base, err
	}
	commit, unknown := r.Resolve(ctx, target.Commit)
	if head, failed := r.Head(ctx); unknown != nil || failed != nil || commit == head {
		return base, err
	}
	return Base{Revision: commit, Main: cmp.Or(target.Branch, target.Commit), Commit: commit}, nil
}

// leaves finds where HEAD left the main branch, or the branch target.
func (r *Repository) leaves(ctx context.Context, target string) (Base, error) {
	main, err := r.mainBranch(ctx, target)
	if err != nil {
		return Base{}, err
	}
	base := Base{Revision: main + "...HEAD", Main: main}
	if base.Commit, err = r.Resolve(ctx, base.Revision); err != nil {
		return Base{}, err
	}
	head, err := r.Head(ctx)
	if err != nil {
		return Base{}, err
	}
	base.IsHead = base.Commit == head
	if base.IsHead && r.shallow() {
		return Base{}, fmt.Errorf("HEAD would be compared with itself: %w", errShallow)
	}
	return base, nil
}

// mainBranch gives the name of the main branch, or of target.
func (r *Repository) mainBranch(ctx context.Context, target string) (string, error) {
	names := mainBranches
	if target != "" {
		names = []string{target}
	}
	var patterns []string
	for _, name := range names {
		patterns = append(patterns, "refs/heads/"+name, "refs/remotes/*/"+name)
	}
	if target == "" {
		patterns = append(patterns, "refs/remotes/*/HEAD")
	}
	var found []branch
	err := r.asking.records(ctx, nil, '\n', func(line []byte, _ bool) error {
		ref, symbolic, _ := strings.Cut(string(line), " ")
		b := branch{name: strings.TrimPrefix(ref, "refs/heads/")}
		if rest, ok := strings.CutPrefix(ref, "refs/remotes/"); ok {
			remote, name, _ := strings.Cut(rest, "/")
			b = branch{name: rest, rank: 1 + slices.Index(names, name)}
			if name == "HEAD" {
				b.rank = 0
				if to, ok := strings.CutPrefix(symbolic, "refs/remotes/"); ok {
					b.name = to
				}
			}
			if b.remote = slices.Index([]string{"upstream", "origin"}, remote) + 1; b.remote == 0 && name != "HEAD" &&
				target == "" {
				return nil // a colleague's fork
			}
		} else {
			b.rank = 100 + slices.Index(names, b.name)
		}
		found = append(found, b)
		return nil
	}, append([]string{"for-each-ref", "--format=%(refname) %(symref)"}, patterns...)...)
	if err != nil {
		return "", err
	}
	if len(found) > 0 {
		return slices.MinFunc(found, branch.compare).name, nil
	}
	err = fmt.Errorf("%w: no main branch is found: set it with `git remote set-head origin --auto`", ErrUnknownRevision)
	if target != "" {
		err = fmt.Errorf(
			"%w: the branch %s is not in this clone: fetch it with `git fetch origin %s`",
			ErrUnknownRevision,
			target,
			target,
		)
	}
	if r.shallow() {
		err = fmt.Errorf("%w; %w", err, errShallow)
	}
	return "", err
}

// branch is one that may be the main one.
type branch struct {
	name   string
	rank   int // less is better
	remote int // more is better
}

func (b branch) compare(other branch) int {
	first := func(b branch) int { // a remote's default comes before all names
		if b.rank == 0 {
			return 0
		}
		return 1
	}
	switch {
	case first(b) != first(other):
		return first(b) - first(other)
	case b.remote != other.remote:
		return other.remote - b.remote
	case b.rank != other.rank:
		return b.rank - other.rank
	}
	return strings.Compare(b.name, other.name)
}

// MergeBase gives the revision of Repository.MergeBase for the repository that a directory lies in.
func MergeBase(ctx context.Context, dir string, target Target) (Base, error) {
	return with(ctx, dir, func(r *Repository) (Base, error) { return r.MergeBase(ctx, target) })
}
