package cachemodel

import (
	"errors"
	"fmt"
	"slices"

	"github.com/layerwise/layerwise/cachemodel/buildcontext"
	"github.com/layerwise/layerwise/cachemodel/remotecache"
)

// Import is a cache that was read, which a fresh builder imports.
type Import struct {
	Cache *remotecache.Config
	// Contents gives the files of the build contexts, of the next build and of the pasts.
	Contents buildcontext.Contents
}

// imported is what a fresh builder has that imports a cache.
type imported struct {
	Import
	// matched are the kinds of operations of which the cache has one that the pasts or the next build have: there
	// BuildKit computes the keys as Plan.Exact does.
	matched map[vertexKind]bool
	foreign bool     // another frontend reads the next build's file than the pasts'
	records []record // those of the cache, and behind them one that stands for any
	linked  map[int]bool
}

// ErrNotMatched is why nothing is known of an imported cache: it has no operation of the builds that are compared.
var ErrNotMatched = errors.New("it has no step of the builds that are compared")

// Importing is what a fresh builder has that imports a cache which was read. The pasts of h are the builds that are
// taken to have made it: by them it is found whether keys are computed as in that cache, and they explain what differs.
// It fails with ErrNotMatched.
func (h *Held) Importing(i Import, next *Plan) (*Held, error) {
	im := &imported{Import: i, matched: map[vertexKind]bool{}, records: make([]record, i.Cache.Len()+1),
		linked: i.Cache.Linked()}
	for id := range i.Cache.Len() {
		if !i.Cache.HasResult(id) {
			im.records[id].result = Result{KeyOnly, "the cache knows this step, but does not have its layers"}
		}
	}
	im.records[i.Cache.Len()].result = Result{Presence: Perhaps}
	plans := []*Plan{next}
	for n := range h.pasts {
		plans = append(plans, h.pasts[n].Plan)
		im.foreign = im.foreign || sameFrontend(h.pasts[n].Plan.build.dialect()) != sameFrontend(next.build.dialect())
	}
	for _, p := range plans {
		for n, v := range p.Exact(i.Contents) {
			if v.Digest != "" && i.Cache.Has(v.Digest) {
				im.matched[p.vertices[n].kind] = true
			}
		}
	}
	if !im.matched[execVertex] && !im.matched[copyVertex] && !im.matched[mkdirVertex] {
		return nil, ErrNotMatched
	}
	with := *h
	with.imported = im
	return &with, nil
}

// lookups finds as which records of the cache the vertices of a plan certainly and perhaps are found.
func (im *imported) lookups(p *Plan) (exact []remotecache.Vertex, sure, hope *lookup) {
	exact = p.Exact(im.Contents)
	c := &cache{records: slices.Clone(im.records), linked: im.linked}
	sure, hope = newLookup(c, pessimist, p), newLookup(c, optimist, p)
	may := im.Cache.MayMatch(exact, func(i int) bool { return im.foreign || !im.matched[p.vertices[i].kind] })
	for i, m := range im.Cache.Match(exact) {
		if p.vertices[i].kind == localVertex { // its key is that of one client's session
			continue
		}
		if !im.foreign || p.vertices[i].kind == imageVertex {
			sure.ids[i] = m.Records
		}
		for _, id := range may[i] {
			if id == remotecache.Anything {
				id = im.Cache.Len()
			}
			hope.ids[i] = append(hope.ids[i], id)
		}
		switch p.vertices[i].kind {
		case imageVertex, remoteVertex, mkfileVertex: // these are asked for each time
			for _, id := range m.Records {
				c.records[id].result = Result{}
			}
		}
	}
	return exact, sure, hope
}

// importCause says why a step is not found in an imported cache that the builds which are taken to have made it have in
// the same way.
func (e *explainer) importCause(v *vertex) (Cause, bool) {
	if e.imported == nil || e.base != nil && len(e.rule.ids[v.index]) == 0 || len(e.sure.ids[v.index]) > 0 {
		return Cause{}, false
	}
	for i := range v.inputs {
		in := &v.inputs[i]
		if in.from != nil && (!in.content || e.exact[v.index].Inputs[i].Content == "") &&
			in.from.kind != localVertex && len(e.sure.ids[in.from.index]) == 0 {
			return Cause{}, false // that says why
		}
	}
	c := Cause{Kind: NotInCache}
	switch x := e.exact[v.index]; {
	case v.kind == imageVertex && x.Digest == "":
		c.Kind, c.Detail = BaseChanged, notKnown+"which image is behind "+familiar(v.image.name)
	case v.kind == imageVertex:
		c.Kind = BaseChanged
		c.Detail = familiar(v.image.name) + " is not the image that the cache was made with, or is for another platform"
	case x.Digest == "":
		c.Detail = notKnown + "which key BuildKit gives this step"
		if image := v.unknownBase(); image != nil {
			c.Detail += ": the configuration of " + familiar(image.name) + " is not known"
		}
	case !e.imported.Cache.Has(x.Digest):
		c.Detail = "the cache has no such step: its command, its destination or its environment is another one there"
	default:
		c = e.nearestContent(v, x)
	}
	return c, true
}

// aloneCause explains a step whose operation an imported cache has, where no build is known that may have made it.
func (e *explainer) aloneCause(s *step, v *vertex) Cause {
	if c, ok := e.inputCause(s, v, v); ok {
		return c
	}
	return Cause{Kind: NotInCache, Detail: "the cache has this step only after other steps, or with other files"}
}

// nearestContent says what differs where the cache has the operation of v.
func (e *explainer) nearestContent(v *vertex, x remotecache.Vertex) Cause {
	c := Cause{Kind: NotInCache, Detail: "the cache has this step only after other steps, or with other files"}
	for i, in := range x.Inputs {
		if !in.Reads || in.Content == "" || e.imported.Cache.HasContent(in.Content) {
			continue
		}
		dir := v.inputs[i].dir
		if dir == nil || dir.tree == nil {
			continue
		}
		c = Cause{Kind: ContextChanged, Detail: "the cache has this step only with other files"}
		for _, umask := range []uint32{0o022, 0o002, 0o077, 0o027} {
			other := *dir
			other.tree = dir.tree.WithUmask(umask)
			if content := exactContent(&other, e.imported.Contents); content == "" || !e.imported.Cache.HasContent(content) {
				continue
			}
			for _, change := range buildcontext.Diff(other.tree, dir.tree, dir.queries) {
				c.Paths = append(c.Paths, change.Path)
			}
			c.Detail = fmt.Sprintf("the cache has these files with the permissions of umask %03o; here they are others",
				umask)
			if len(c.Paths) > 0 {
				was, _ := other.tree.Lookup(c.Paths[0])
				now, _ := dir.tree.Lookup(c.Paths[0])
				if was != nil && now != nil {
					c.Detail = fmt.Sprintf("the cache has %s with mode %04o; here it is %04o (umask)", c.Paths[0], was.Mode(),
						now.Mode())
				}
			}
			return c
		}
	}
	return c
}

// unknownBase is the image of unknown configuration that a vertex stands on, nil if there is none.
func (v *vertex) unknownBase() *imageRef {
	for v != nil {
		if v.kind == imageVertex {
			if v.image.configured {
				return nil
			}
			return v.image
		}
		if len(v.inputs) == 0 {
			return nil
		}
		v = v.inputs[0].from
	}
	return nil
}
