package cachemodel

import (
	"slices"
	"strings"
)

// cache is what a builder's cache holds after the builds of the baseline: a record for each vertex that ran
// (solver.CacheManager, reduced to what decides hits).
type cache struct {
	records []record
	strict  map[digest][]int // records by opKey.strict
	lax     map[digest][]int
	images  []int
}

type record struct {
	vertex *vertex
	inputs [][]int // for each input, the records that its vertex stands for
}

// belief says how a lookup treats what only a build can tell.
type belief int

const (
	// pessimist takes as different whatever may differ: what it finds is certainly in the cache.
	pessimist belief = iota
	// optimist takes as equal whatever may be equal: what it misses is certainly not in the cache.
	optimist
)

func newCache(plans []*Plan) *cache {
	c := &cache{strict: map[digest][]int{}, lax: map[digest][]int{}}
	for _, p := range plans {
		found := lookup{cache: c, belief: pessimist, ids: map[*vertex][]int{}}
		for _, v := range p.vertices {
			ids := found.find(v)
			if len(ids) == 0 {
				ids = []int{c.add(v, found.ids)}
			}
			found.ids[v] = ids
		}
	}
	return c
}

func (c *cache) add(v *vertex, ids map[*vertex][]int) int {
	r := record{vertex: v, inputs: make([][]int, len(v.inputs))}
	for i, in := range v.inputs {
		if in.from != nil {
			r.inputs[i] = ids[in.from]
		}
	}
	id := len(c.records)
	c.records = append(c.records, r)
	c.strict[v.key.strict] = append(c.strict[v.key.strict], id)
	c.lax[v.key.lax] = append(c.lax[v.key.lax], id)
	if v.kind == imageVertex {
		c.images = append(c.images, id)
	}
	return id
}

// lookup is one pass over a plan: which records each vertex is found as.
type lookup struct {
	cache  *cache
	belief belief
	ids    map[*vertex][]int
}

func (c *cache) lookup(p *Plan, b belief) lookup {
	l := lookup{cache: c, belief: b, ids: make(map[*vertex][]int, len(p.vertices))}
	for _, v := range p.vertices {
		if ids := l.find(v); len(ids) > 0 {
			l.ids[v] = ids
		}
	}
	return l
}

// hit reports whether the vertex is taken from the cache. One that is forced to run is not, nor is what stands directly
// upon it; but what they give is stored under the keys that they have anyway, so that what follows is looked up as
// usual.
func (l *lookup) hit(v *vertex) bool {
	return len(l.ids[v]) > 0 && !v.ignoreCache &&
		!slices.ContainsFunc(v.inputs, func(in input) bool { return in.from != nil && in.from.ignoreCache })
}

// find returns the records that v is found as (solver edge.probeCache: the operation's own key, and for every input
// of one and the same record either its definition or its content).
func (l *lookup) find(v *vertex) []int {
	if v.kind == localVertex {
		return nil
	}
	var candidates []int
	switch {
	case l.belief == pessimist:
		candidates = l.cache.strict[v.key.strict]
	case v.kind == imageVertex:
		candidates = l.cache.images
	default:
		candidates = l.cache.lax[v.key.lax]
	}
	var ids []int
	for _, id := range candidates {
		if l.matches(v, l.cache.records[id]) {
			ids = append(ids, id)
		}
	}
	return ids
}

func (l *lookup) matches(v *vertex, r record) bool {
	switch v.kind {
	case imageVertex:
		return v.key == r.vertex.key || l.belief == optimist && sameImagePossible(v.image, r.vertex.image)
	case remoteVertex:
		return l.belief == optimist
	}
	if len(v.inputs) != len(r.inputs) {
		return false
	}
	for i := range v.inputs {
		if !l.inputMatches(&v.inputs[i], &r.vertex.inputs[i], r.inputs[i]) {
			return false
		}
	}
	return true
}

func (l *lookup) inputMatches(in, old *input, ids []int) bool {
	if in.from != nil && in.selector == old.selector && intersects(l.ids[in.from], ids) {
		return true
	}
	if !in.content || !old.content {
		return false
	}
	if in.digest != "" && in.digest == old.digest {
		return true
	}
	if decisive(in.digest) && decisive(old.digest) {
		return false
	}
	// What a stage, an image or a remote source holds is not known. Of a directory that cannot be read nothing can be
	// copied.
	return l.belief == optimist && in.err == nil && old.err == nil
}

// decisive reports whether a content digest differs wherever the content does. That of a git repository does not: two
// commits may have the same files.
func decisive(digest string) bool {
	sort, _, known := strings.Cut(digest, ":")
	return known && sort != "git"
}

// sameImagePossible reports whether two references may name the same manifest.
func sameImagePossible(a, b *imageRef) bool {
	return a.platform == b.platform && (a.digest == "" || b.digest == "" || a.digest == b.digest)
}

func intersects(a, b []int) bool {
	return slices.ContainsFunc(a, func(x int) bool { return slices.Contains(b, x) })
}
