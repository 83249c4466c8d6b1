package workspace

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/layerwise/layerwise/cachemodel"
	"github.com/layerwise/layerwise/cachemodel/baseline"
	"github.com/layerwise/layerwise/cachemodel/buildcontext"
	"github.com/layerwise/layerwise/cachemodel/buildcontext/gittree"
	"github.com/layerwise/layerwise/cachemodel/buildfiles"
	"github.com/layerwise/layerwise/cachemodel/invocation"
	"github.com/layerwise/layerwise/cachemodel/record"
)

// Compared is what the next build is compared with.
type Compared struct {
	Baseline cachemodel.Baseline
	Label    string             // the baseline for people: "git HEAD"
	Context  *buildcontext.Tree // of the last build; nil if there is none
	Problem  error              // the baseline that is asked for is not there

	named       map[string]*buildcontext.Tree // the named contexts that it sent
	was         *cachemodel.Build             // the build that is described, where it is not on record
	notes       []string
	recordNotes []string
	head        string
	look        *gittree.Look               // what git was read with, see Workspace.look; nil if it was not
	rest        func()                      // to be called when look was used again
	held        *cachemodel.Held            // what the builder has; nil is nothing
	withMax     *cachemodel.Held            // what it would have if the cache were exported with mode=max; nil if that is no less
	stoodOn     bool                        // see cachemodel.Plan.StandsOnContext
	made        []*baseline.Contents        // the builds that the builder has made as far as they are known, the newest first
	bases       map[string]cachemodel.Image // the configurations of base images as these builds read them
	imports     *imports                    // what a fresh builder imports that was read; nil if none was
}

// compare finds what the next build is compared with. Where what is asked for by name is not there, that is a problem,
// and it is compared with the next best.
func (r *Reader) compare(
	ctx context.Context, request baseline.Request, next *Build, q Question, ambient invocation.Ambient,
) {
	recordNotes := r.compared.recordNotes
	look, rest := r.w.look()
	defer rest()
	if r.path != "" && !r.w.Untrusted {
		dir := filepath.Dir(r.path)
		// Watch first, so that nothing happens unseen after it was read.
		r.git, r.head = nil, ""
		repository, err := look.At(ctx, dir)
		if err == nil {
			r.git = repository.WatchPaths()
		}
		if r.dir != nil {
			r.watch(q)
		}
		if err == nil {
			r.head, _ = repository.Head(ctx)
		}
	}
	request.Look = look
	r.compared = Compared{recordNotes: recordNotes, head: r.head, look: look, rest: rest}
	request, then := r.asThen(ctx, request, next.Entry, q.Choices)
	found, err := baseline.Find(ctx, request)
	if err != nil {
		if q.CacheFrom != nil && next.Asked == string(baseline.Auto) { // the cache tells by itself
			next.Notes = append(next.Notes, fmt.Sprintf("not compared with git: %v", err))
		} else if ctx.Err() == nil {
			r.compared.Problem = fmt.Errorf("baseline %s: %w", next.Asked, err)
		}
		request.Spec = baseline.Spec{Kind: baseline.Opened, Cache: request.Spec.Cache}
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
		r.compared.named = sentBefore(found.Contents, next)
	}
	r.compared.made = found.Builds
	r.compared.Baseline.Assumed += builtUpTo(found, q.Choices)
	mode := request.Spec.Cache
	if mode != "" || q.Choices.CacheUnknown != "" {
		found.Builds = nil // a fresh builder has made none
		r.compared.Baseline = exported(found.Baseline, mode, found.Label)
		if q.CacheFrom != nil {
			r.compared.Baseline.Assumed = "a fresh builder imports " + q.CacheFrom.Label
			if found.Kind == string(baseline.None) {
				r.compared.Label = "this cache alone"
			}
		}
		if mode == "" {
			r.compared.Baseline.Assumed = "a fresh builder builds: " + q.Choices.CacheUnknown
		}
		if next.Settings.Engine == cachemodel.Classic {
			r.compared.Problem = errors.New("the classic builder exports no cache")
		}
	}
	if mode == "" && q.CacheFrom == nil {
		found.Here = imagesHere(ctx, next, q)
		r.compared.bases = found.Configs(next.Settings.Platform, next.Images)
		next.bases = r.compared.bases
	}
	r.basesAs = basesSpec(found, request.Spec)
	r.loadBases(ctx, next, q, r.basesAs)
	pasts := found.Pasts(next.Next(nil, nil), r.w.Store, func(c *baseline.Contents, earlier *cachemodel.Build) {
		if c.Record == nil {
			r.earlierSettings(found, then, next, q.Choices, earlier)
			ambientThen(ambient, next, q.Choices, earlier)
			next.basesThen(then, earlier)
		}
		if args := q.Choices.BaselineArgs; args != nil {
			earlier.Settings.Args, earlier.Unknown.Args, earlier.Unknown.AllArgs = args, q.Choices.UnknownArgs, ""
		} else if request.Spec.Kind == baseline.Dir && next.Entry == nil {
			earlier.Settings.Args = nil
		}
		if target := q.Choices.BaselineTarget; target != nil {
			earlier.Settings.Target = *target
		}
		if q.CacheFrom != nil {
			earlier.Images, _ = imageOf(q.CacheFrom.Image).all(ctx, *earlier)
		}
		if c.Record == nil && err == nil {
			r.compared.was = earlier
		}
	})
	r.compared.stoodOn = slices.ContainsFunc(pasts, func(p cachemodel.Past) bool { return p.Plan.StandsOnContext() })
	r.compared.imports = r.importing(ctx, request.Spec, q, next, pasts, look)
	r.hold(pasts, mode, found.Unseen, q)
}

// imageStore is a Builder that keeps the images that it builds upon, and takes those that it has.
type imageStore interface {
	// BaseImage is the image that it would take, for a platform such as "linux/amd64".
	BaseImage(ctx context.Context, reference, platform string) (cachemodel.Image, error)
}

// imagesHere are the base images that the builder has now; nil if it keeps none.
func imagesHere(ctx context.Context, next *Build, q Question) map[string]cachemodel.Image {
	store, ok := q.Builder.(imageStore)
	if !ok || q.Quick {
		return nil
	}
	here, _ := imageOf(store.BaseImage).all(ctx, next.Next(q.File, nil))
	return here
}

// builtUpTo says of an assumed baseline how far it is taken to be built, if a target is chosen: nothing tells.
func builtUpTo(found baseline.Baseline, c Choices) string {
	target := c.Target
	if c.BaselineTarget != nil {
		target = *c.BaselineTarget
	}
	if found.Assumed == "" || target == "" || found.Contents == nil || found.Contents.Record != nil {
		return ""
	}
	return ", up to stage " + target
}

// hold works out what the builder has of the pasts. mode is how their cache was exported that it imports, "" if it has
// made these builds itself.
func (r *Reader) hold(pasts []cachemodel.Past, mode cachemodel.CacheMode, unseen cachemodel.Unseen, q Question) {
	reason := q.Choices.CacheUnknown
	if q.CacheFrom != nil { // and nothing in it is matched, else it is not asked what is held
		reason = "what the cache has of this build is not known"
	}
	switch {
	case reason != "":
		unseen = cachemodel.Unseen{Anything: true, Reason: reason} // it may hold the results of any build
		for i := range pasts {
			pasts[i].Perhaps = reason
		}
	case mode == "":
	default:
		unseen = cachemodel.Unseen{}
		for i := range pasts {
			pasts[i].Exported = cachemodel.MaxCache
		}
		if mode != cachemodel.MaxCache {
			r.compared.withMax = cachemodel.Hold(slices.Clone(pasts))
		}
		for i := range pasts {
			pasts[i].Exported = mode
		}
	}
	r.compared.held = cachemodel.Hold(pasts).WithUnseen(unseen)
}

// sentBefore are the named contexts as a build sent them. A folder that takes the place of another one is sent anew.
func sentBefore(c *baseline.Contents, next *Build) map[string]*buildcontext.Tree {
	if c.Record == nil {
		return c.Contexts
	}
	trees := map[string]*buildcontext.Tree{}
	for name, named := range c.Record.Contexts {
		if named.Dir == next.Contexts[name].Dir {
			trees[name] = named.Tree
		}
	}
	return trees
}

// exported says of a baseline what is assumed where a fresh builder imports its cache.
func exported(b cachemodel.Baseline, mode cachemodel.CacheMode, label string) cachemodel.Baseline {
	b.Cache, b.Builder = mode, ""
	switch {
	case mode == cachemodel.NoCacheImport:
		b.Assumed = "a fresh builder builds, which imports no cache"
	case b.Kind == string(baseline.None):
		b.Assumed = "a fresh builder builds"
	default:
		b.Assumed = fmt.Sprintf("a fresh builder imports the cache that the build of %s exported (%s)", label,
			mode.Text())
	}
	return b
}

// asThen finds how the build files of a git revision describe the entry's build, nil if the baseline is no revision,
// and asks for the Dockerfile and the contexts that they name.
func (r *Reader) asThen(
	ctx context.Context, request baseline.Request, e *buildfiles.Entry, c Choices,
) (baseline.Request, *buildfiles.Definition) {
	spec := request.Spec
	if e == nil || r.w.Untrusted || spec.Kind != baseline.Git && (spec.Kind != baseline.Auto || request.Record != nil) {
		return request, nil
	}
	repository, err := request.Look.At(ctx, e.Dir)
	if err != nil {
		return request, nil // and finding the baseline says why
	}
	rev := "HEAD"
	if spec.Kind == baseline.Git && spec.Arg != "" {
		rev = spec.Arg
	}
	if _, err := repository.Resolve(ctx, rev); rev == baseline.MergeBase && errors.Is(err, gittree.ErrUnknownRevision) {
		base, err := repository.MergeBase(ctx, request.Target)
		if err != nil {
			return request, nil
		}
		rev = base.Revision
	}
	d := e.At(ctx, buildfiles.GitRevision(ctx, repository, rev), r.w.buildFileOptions())
	then, _ := d.Fill(c.Options)
	if d.Entry.Dockerfile != "" {
		request.Dockerfile = d.Entry.Dockerfile
	}
	if then.ContextDir != request.ContextDir {
		request.ContextDir, request.Context = then.ContextDir, nil
	}
	now := request.Contexts
	request.Contexts = map[string]record.NamedContext{}
	for name, dir := range then.Contexts {
		request.Contexts[name] = record.NamedContext{Dir: dir}
		if now[name].Dir == dir {
			request.Contexts[name] = now[name]
		}
	}
	return request, &d
}

// earlierSettings gives a build that is not on record the settings that its build files had then.
func (r *Reader) earlierSettings(
	found baseline.Baseline, then *buildfiles.Definition, next *Build, c Choices, earlier *cachemodel.Build,
) {
	e := next.Entry
	if e == nil || earlier.Settings.Engine == cachemodel.Classic {
		return
	}
	switch {
	case found.Kind == string(baseline.Git) && then != nil:
	case found.Kind == string(baseline.Opened) && r.atOpen.entry != nil && r.atOpen.entry.ID == e.ID:
		then = &buildfiles.Definition{Entry: *r.atOpen.entry}
	default:
		then = &buildfiles.Definition{Entry: *e}
		if e.Inline != "" {
			then.Unknown.Dockerfile = "the build files of " + found.Label + " are not read"
		}
	}
	if then.Entry.Inline != "" {
		earlier.File = dockerfile.Parse(source.New(then.Entry.Inline), nil)
	}
	options, unknown := then.Fill(c.Options)
	engine := earlier.Settings.Engine
	earlier.Settings, earlier.ContextImages, earlier.Unknown = options.Settings(), options.Images, unknown
	earlier.Settings.Engine, earlier.Settings.NoCache, earlier.Settings.NoCacheFilter = engine, false, nil
}
