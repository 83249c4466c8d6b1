package workspace

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/layerwise/layerwise/cachemodel"
	"github.com/layerwise/layerwise/cachemodel/baseline"
	"github.com/layerwise/layerwise/cachemodel/buildcontext"
	"github.com/layerwise/layerwise/cachemodel/buildcontext/gittree"
)

// Compared is what the next build is compared with.
type Compared struct {
	Baseline cachemodel.Baseline
	Label    string             // the baseline for people: "git HEAD"
	Context  *buildcontext.Tree // of the last build; nil if there is none
	Problem  error              // the baseline that is asked for is not there

	notes       []string
	recordNotes []string
	head        string
	held        *cachemodel.Held // what the builder has; nil is nothing
}

// compare finds what the next build is compared with. Where what is asked for by name is not there, that is a problem, and it
// is compared with the next best.
func (r *Reader) compare(ctx context.Context, request baseline.Request, next *Build, q Question) {
	recordNotes := r.compared.recordNotes
	if r.path != "" && !r.w.Untrusted {
		dir := filepath.Dir(r.path)
		// Watch first, so that nothing happens unseen after it was read.
		r.git, _ = gittree.WatchPaths(ctx, dir) // no repository, no head
		if r.dir != nil {
			r.watch(q)
		}
		r.head, _ = gittree.Head(ctx, dir)
	}
	r.compared = Compared{recordNotes: recordNotes, head: r.head}
	found, err := baseline.Find(ctx, request)
	if err != nil {
		if ctx.Err() == nil {
			r.compared.Problem = fmt.Errorf("baseline %s: %w", next.Asked, err)
		}
		request.Spec = baseline.Spec{Kind: baseline.Opened}
		if found, _ = baseline.Find(ctx, request); found.Contents == nil {
			found, _ = baseline.Find(ctx, baseline.Request{Spec: baseline.Spec{Kind: baseline.None}})
		}
	}
	r.compared.Baseline, r.compared.Label = found.Baseline, found.Label
	if request.Spec.Kind == baseline.Dir {
		r.compared.Label = "dir " + found.Label
	}
	r.compared.notes = found.Notes
	if found.Contents != nil {
		r.compared.Context = found.Contents.Context
	}
	pasts := found.Pasts(next.Next(nil, nil), r.w.Store, func(c *baseline.Contents, earlier *cachemodel.Build) {
		if c.Record == nil {
			r.earlierSettings(ctx, found, next, q.Choices, earlier)
		}
		if args := q.Choices.BaselineArgs; args != nil {
			earlier.Settings.Args = args
		} else if request.Spec.Kind == baseline.Dir && next.Entry == nil {
			earlier.Settings.Args = nil
		}
	})
	r.compared.held = cachemodel.Hold(pasts)
}

// earlierSettings gives a build that is not on record the settings that its build files had then.
func (r *Reader) earlierSettings(ctx context.Context, found baseline.Baseline, next *Build, c Choices, earlier *cachemodel.Build) {
	e, rev := next.Entry, ""
	switch {
	case e == nil || earlier.Settings.Engine == cachemodel.Classic:
		return
	case found.Kind == string(baseline.Git):
		rev = found.Ref
	case found.Kind == string(baseline.Opened) && r.atOpen.entry != nil && r.atOpen.entry.ID == e.ID:
		e = r.atOpen.entry
	}
	engine := earlier.Settings.Engine
	earlier.Settings, earlier.ContextImages = e.Before(ctx, rev, r.w.buildFileOptions(), c.Options)
	earlier.Settings.Engine = engine
}
