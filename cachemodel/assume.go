package cachemodel

import "slices"

// findAssumptions finds what each vertex rests on that nobody can know, a sentence each, itself and all that it stands
// on.
func (p *Plan) findAssumptions() {
	p.assuming = make([][]string, len(p.vertices))
	var frontend []string
	if d := p.build.dialect(); p.build.Settings.Engine != Classic && moves(d) {
		frontend = []string{movingFrontend(d)}
	}
	for i, v := range p.vertices {
		var all []string
		switch v.kind {
		case imageVertex:
			all = v.image.assuming(true)
		case execVertex, copyVertex, mergeVertex, mkdirVertex:
			all = frontend
		}
		if v.devices {
			all = union(all, []string{"the builder still has the same devices"})
		}
		for _, in := range v.inputs {
			switch {
			case in.from == nil:
			case in.content && in.from.kind == imageVertex: // only its files count
				all = union(all, in.from.image.assuming(false))
			default:
				all = union(all, p.assuming[in.from.index])
			}
		}
		p.assuming[i] = all
	}
}

// assuming is what a step rests on that takes an image: the whole of it as a base, or only files.
func (r *imageRef) assuming(asBase bool) []string {
	var out []string
	if r.digest == "" {
		out = append(out, familiar(r.name)+" is still the same image")
	}
	if asBase && !r.configured {
		out = append(out, familiar(r.name)+" has no ONBUILD instructions")
	}
	return out
}

// union adds to a list what it lacks of another, and shares memory where it can.
func union(a, b []string) []string {
	if len(a) == 0 {
		return b
	}
	var more []string
	for _, s := range b {
		if !slices.Contains(a, s) {
			more = append(more, s)
		}
	}
	if len(more) == 0 {
		return a
	}
	return slices.Concat(a, more)
}

// assumptions are what a step rests on.
func (e *explainer) assumptions(s *step) []string {
	var all []string
	runs := false
	for _, v := range s.vertices {
		all = union(all, e.next.assuming[v.index])
		runs = runs || v.kind != imageVertex && v.kind != localVertex
	}
	if runs {
		all = union(all, e.frontends)
	}
	return slices.Clone(all)
}

// frontends are what each step rests on that a frontend of a past read whose tag may move, and that is gone now.
func (h *Held) frontends(next *Plan) []string {
	if next.build.Settings.Engine == Classic || moves(next.build.dialect()) {
		return nil
	}
	var all []string
	for i := range h.pasts {
		if d := h.pasts[i].Plan.build.dialect(); moves(d) && sameFrontend(d) == sameFrontend(next.build.dialect()) {
			all = union(all, []string{movingFrontend(d)})
		}
	}
	return all
}
