// Package replay runs the cache model over the commits of a repository: what each build of a Dockerfile would have
// reused and what it would have run, because of what, and at which cost. So it says what a Dockerfile costs over time,
// and what another order of its instructions would have cost on the same history.
//
// It reads git objects by way of gittree, and nothing else. It must not know how results are shown, nor which orders
// there are.
package replay

import (
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/effects"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/layerwise/layerwise/cachemodel"
	"github.com/layerwise/layerwise/cachemodel/buildcontext"
	"github.com/layerwise/layerwise/cachemodel/buildcontext/gittree"
)

// Request says which history is wanted.
type Request struct {
	Dockerfile string        // a file in a git working tree, where it is now
	ContextDir string        // in the same working tree; "" is the Dockerfile's folder
	Rev        string        // where the history ends; "" is HEAD
	Commits    int           // how many builds are replayed: the last commits that touch the context or the Dockerfile
	Look       *gittree.Look // which git is read with; nil opens the repository anew
}

// History is what a Dockerfile and its build context were at some commits.
type History struct {
	// Commits, oldest first. The first is what the builder has built already: build i is of Commits[i], and there is
	// none of Commits[0].
	Commits []Commit
	Notes   []string // for people: what is missing, and why
}

// Commit is one of them.
type Commit struct {
	ID      string
	Subject string
	Time    time.Time
	Path    string             // of the Dockerfile in the repository; "" where there was none
	File    *dockerfile.File   // nil where there was none
	Context *buildcontext.Tree // nil where the context was not there
}

// Builds is how many builds are replayed.
func (h *History) Builds() int { return max(0, len(h.Commits)-1) }

// Load reads a history from git objects; nothing is checked out. progress, which may be nil, is told how many commits
// have been read. Errors wrap those of gittree.Repository.History.
func Load(ctx context.Context, r Request, progress func(done, total int)) (*History, error) {
	if r.Commits < 1 {
		return nil, fmt.Errorf("%d commits: there must be one or more to replay", r.Commits)
	}
	if r.ContextDir == "" {
		r.ContextDir = filepath.Dir(r.Dockerfile)
	}
	look := r.Look
	if look == nil {
		look = &gittree.Look{}
		defer look.Close()
	}
	repository, err := look.At(ctx, r.ContextDir)
	if err != nil {
		return nil, err
	}
	loaded, err := repository.History(ctx, gittree.HistoryRequest{
		ContextDir: r.ContextDir, Dockerfile: r.Dockerfile, Rev: r.Rev, Limit: r.Commits + 1,
	}, progress)
	if err != nil {
		return nil, err
	}
	h := &History{Notes: loaded.Notes}
	var last *dockerfile.File
	for _, rev := range loaded.Revisions {
		c := Commit{ID: rev.ID, Subject: rev.Subject, Time: rev.Time, Path: rev.Dockerfile, Context: rev.Context}
		if rev.Dockerfile != "" {
			if text := string(rev.Text); last == nil || last.Text.String() != text {
				last = dockerfile.Parse(source.New(text), last)
			}
			c.File = last
		}
		h.Commits = append(h.Commits, c)
	}
	if missing := h.count(func(c *Commit) bool { return c.File == nil }); missing > 0 {
		h.Notes = append(h.Notes, fmt.Sprintf("%s without the Dockerfile", commits(missing)))
	}
	return h, nil
}

func (h *History) count(is func(*Commit) bool) (n int) {
	for i := range h.Commits {
		if is(&h.Commits[i]) {
			n++
		}
	}
	return n
}

func commits(n int) string {
	if n == 1 {
		return "1 commit"
	}
	return fmt.Sprintf("%d commits", n)
}

// enoughBuilds is how many builds must be left for Buildable to leave others out.
const enoughBuilds = 20

// Buildable is the history for a file that is replayed at all of its commits, though at some it could not have been
// built:
//   - Where only some of what an instruction copies is not there yet, it is judged by the rest: an empty file stands in.
//   - Where nothing of it is there, the commit is left out. If little of the history would be left, it is kept, and the
//     instruction counts as changed at each of those commits.
//   - What is not there at the newest commit either is made outside of git, and counts as changed at each commit.
func (h *History) Buildable(file *dockerfile.File, s cachemodel.Settings) *History {
	out := &History{Notes: slices.Clip(h.Notes)}
	made, standIns := map[int]bool{}, map[string]int{}
	var all []Commit // with stand-ins
	left, why := 0, ""
	for i := range slices.Backward(h.Commits) {
		c := h.Commits[i]
		if c.Context == nil {
			continue
		}
		fails := ""
		for k, op := range operations(file, c.Context, s) {
			at := fmt.Sprintf("line %d: %v", file.Instructions[k].Line, op.Err)
			switch {
			case op.Err == nil:
			case len(all) == 0:
				made[k] = true
				out.Notes = append(out.Notes, at+" in git: it counts as changed at each commit")
			case made[k]:
			case len(op.Missing) > 0:
				for _, name := range op.Missing {
					c.Context = c.Context.WithContent(name, nil)
					standIns[name]++
				}
			default:
				fails = at
			}
		}
		all = append(all, c)
		if fails == "" {
			out.Commits = append(out.Commits, c)
		} else {
			left, why = left+1, cmp.Or(why, fails)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(standIns)) {
		out.Notes = append(
			out.Notes,
			fmt.Sprintf(
				"%s is not there at %s: what copies it is judged by its other sources",
				name,
				commits(standIns[name]),
			),
		)
	}
	switch {
	case left == 0:
	case out.Builds() < max(1, min(enoughBuilds, h.Builds()/2)):
		out.Commits = all
		out.Notes = append(
			out.Notes,
			fmt.Sprintf(
				"at %s the file as it is now could not be built (%s): what is missing counts as changed",
				commits(left),
				why,
			),
		)
	default:
		out.Notes = append(
			out.Notes,
			fmt.Sprintf("%s left out for the file as it is now: it could not be built then (%s)", commits(left), why),
		)
	}
	slices.Reverse(out.Commits)
	return out
}

func operations(file *dockerfile.File, tree *buildcontext.Tree, s cachemodel.Settings) []cachemodel.Operation {
	return cachemodel.NewPlan(cachemodel.Build{File: file, Context: tree, Settings: s}).Operations()
}

// Changes gives the builds at which the files change that a COPY of these sources from the build context reads. That
// none of them is there counts as a change. "**/" in a source stands for any directory.
func (h *History) Changes(sources, exclude []string) Bits {
	out := make(Bits, h.Builds()/64+1)
	last := ""
	for i, c := range h.Commits {
		var digests []string
		there := false
		for _, src := range sources {
			q := query(src)
			q.Exclude = exclude
			digest := ""
			if c.Context != nil {
				digest, _ = c.Context.Digest(q)
			}
			there = there || digest != ""
			digests = append(digests, digest)
		}
		key := strings.Join(digests, " ")
		if i > 0 && (!there || key != last) {
			out.Set(i)
		}
		last = key
	}
	return out
}

// query is what a COPY of a source reads.
func query(src string) buildcontext.Query {
	if strings.Contains(src, "**/") {
		return buildcontext.Query{Path: "/", Include: []string{strings.TrimPrefix(src, "/")}}
	}
	name := path.Join("/", src)
	return buildcontext.Query{Path: name, Wildcard: strings.ContainsAny(name, `*?[`), FollowLinks: true}
}

// derived gives, by their first lines, what identifies the files that COPYs take from stages, where that is known: see
// effects.Derived. The text of the stages that they are from belongs to it.
func derived(file *dockerfile.File, tree *buildcontext.Tree) (contents map[int]string) {
	for _, in := range file.Instructions {
		sources, ok := effects.Derived(file, in)
		if !ok {
			continue
		}
		parts := []string{file.Text.Slice(source.Span{End: in.Span.End})}
		for _, src := range sources {
			digest, _ := tree.Digest(query(src))
			parts = append(parts, digest)
		}
		if contents == nil {
			contents = map[int]string{}
		}
		contents[in.Line] = fmt.Sprintf("%x", sha256.Sum256([]byte(strings.Join(parts, "\x00"))))
	}
	return contents
}

// Bits is a set of builds by their numbers.
type Bits []uint64

// Set adds build i, for which there must be room.
func (b Bits) Set(i int) { b[i/64] |= 1 << (i % 64) }
