package cachemodel

import (
	"slices"
	"strings"
)

// cache is what a builder's cache holds after the builds of the baseline: a record for each vertex that ran
// (solver.CacheManager, reduced to what decides hits).
type cache struct {
	records []record
	strict  map[place]int // the last record of each place by opKey.strict, and so on by record.strict
	lax     map[place]int
	images  []int
	loose   []int        // whose keys hang on what nobody knows
	results []int        // that builds of named contexts gave
	linked  map[int]bool // whether a merge lays the record's layer upon a base

	sameRemotes bool // see Builder
}

type record struct {
	vertex      *vertex
	of          *lookup // which records the vertex's inputs are
	strict, lax int     // the record before it at the same place, -1 if there is none
	result      Result  // whether what the operation gave is there: its key is known in any case
	twin        bool    // see cache.markTwins
}

// place is where a record is looked for: by the operation's key and the record that it stands on, if there is just one
// and nothing but that can match. Else many a step that stands in a file a thousand times would be compared with a
// thousand.
type place struct {
	key string
	on  int // anywhere, or the id of a record
}

const anywhere = -1

// standsOn returns the records of which one must be found for a vertex's first input; none if its content may do
// instead.
func (l *lookup) standsOn(v *vertex) []int {
	if len(v.inputs) == 0 || v.inputs[0].from == nil || v.inputs[0].content {
		return nil
	}
	return l.ids[v.inputs[0].from.index]
}

// belief says how a lookup treats what only a build can tell.
type belief int

const (
	// pessimist takes as different whatever may differ: what it finds is certainly in the cache.
	pessimist belief = iota
	// optimist takes as equal whatever may be equal: what it misses is certainly not in the cache.
	optimist
)

func newCache(size int) *cache {
	return &cache{records: make([]record, 0, size), strict: make(map[place]int, size), lax: make(map[place]int, size),
		linked: map[int]bool{}}
}

// build adds what is left of a build, and returns as which records.
func (c *cache) build(past *Past) *lookup {
	found := newLookup(c, pessimist, past.Plan)
	results := past.results()
	var hope *lookup
	if past.Exported == MinCache || past.Exported == InlineCache {
		hope = newLookup(c, optimist, past.Plan)
	}
	for i, v := range past.Plan.vertices {
		var result Result
		known := true
		if results != nil {
			result, known = results[i].Result, !results[i].unbuilt
		}
		found.ids[i] = found.find(v)
		switch {
		case !known: // what an earlier build left is there still
		case len(found.ids[i]) == 0:
			id := c.add(v, found)
			c.records[id].result = result
			found.ids[i] = found.one(id)
		default: // this build's word is the newer one, but what is there for another build is there for all
			for _, id := range found.ids[i] {
				if r := &c.records[id]; r.result.Presence != There && !results.fromFailure(i) {
					r.result = result
				}
			}
		}
		if v.result {
			c.results = append(c.results, found.ids[i]...)
		}
		if hope != nil {
			hope.ids[i] = hope.find(v)
			c.markTwins(hope.ids[i], v)
		}
	}
	return found
}

// markTwins marks the records that a vertex of the build that made them may be found as, if they are several. BuildKit
// then finds all but one by the content that they read, and exports that link only, none to what the content came from:
// a builder that has no layers of that has to make it anew.
func (c *cache) markTwins(ids []int, v *vertex) {
	if len(ids) < 2 || !slices.ContainsFunc(v.inputs, func(in input) bool { return in.content }) {
		return
	}
	for _, id := range ids {
		c.records[id].twin = true
	}
}

func (c *cache) add(v *vertex, of *lookup) int {
	id := len(c.records)
	on := anywhere
	if below := of.standsOn(v); len(below) == 1 {
		on = below[0]
	}
	c.records = append(
		c.records,
		record{
			vertex: v,
			of:     of,
			strict: chain(c.strict, place{v.key.strict, on}, id),
			lax:    chain(c.lax, place{v.key.lax, on}, id),
		},
	)
	switch v.kind {
	case imageVertex:
		c.images = append(c.images, id)
	case mergeVertex:
		for _, layer := range of.ids[v.inputs[1].from.index] {
			c.linked[layer] = true
		}
	}
	if v.key.loose {
		c.loose = append(c.loose, id)
	}
	return id
}

// chain makes id the last record of a place, and returns the one before it.
func chain(last map[place]int, at place, id int) int {
	before, ok := last[at]
	last[at] = id
	if !ok {
		return -1
	}
	return before
}

// lookup is one pass over a plan: which records each vertex is found as.
type lookup struct {
	cache  *cache
	belief belief
	ids    [][]int // by vertex.index
	room   []int   // what the ids are slices of
}

func newLookup(c *cache, b belief, p *Plan) *lookup {
	return &lookup{cache: c, belief: b, ids: make([][]int, len(p.vertices)), room: make([]int, 0, len(p.vertices))}
}

func (c *cache) lookup(p *Plan, b belief) *lookup {
	l := newLookup(c, b, p)
	for i, v := range p.vertices {
		l.ids[i] = l.find(v)
	}
	return l
}

// hit reports whether the vertex is taken from the cache. One that is forced to run is not, nor is what stands directly
// upon it, unless what is read of it is what it was (solver edge.processDepSlowCacheReq); but what they give is stored
// under the keys that they have anyway, so that what follows is looked up as usual.
func (l *lookup) hit(v *vertex) bool {
	if v.ignoreCache || !slices.ContainsFunc(l.ids[v.index], l.there) {
		return false
	}
	for i := range v.inputs {
		if l.forced(v.inputs[i].from) && !(l.belief == optimist && v.inputs[i].content) {
			return false
		}
	}
	return true
}

// there reports whether the result of a record is in the cache.
func (l *lookup) there(id int) bool {
	presence := l.cache.records[id].result.Presence
	return presence == There || presence == Perhaps && l.belief == optimist
}

// runs finds which vertices of the plan a build certainly executes, if this is the optimist's lookup: those of which
// the cache has no key, and those whose result is gone as far as another one that runs, or the image, needs it. What
// may be among the unseen results is not certain to run.
func (l *lookup) runs(p *Plan, unseen *Unseen) []bool {
	runs, read, needed := make([]bool, len(p.vertices)), make([]bool, len(p.vertices)), make([]bool, len(p.vertices))
	for i, v := range slices.Backward(p.vertices) {
		absent := len(l.ids[i]) > 0 && !v.ignoreCache && !slices.ContainsFunc(l.ids[i], l.there)
		runs[i] = !l.hit(v) && (!absent || needed[i] || !read[i]) && (v.ignoreCache || !unseen.mayHold(v))
		for _, in := range v.inputs {
			if in.from != nil {
				read[in.from.index] = true
				needed[in.from.index] = needed[in.from.index] || runs[i]
			}
		}
	}
	return runs
}

// spared finds which vertices of the plan a build certainly does not execute though the builder has no result of them,
// if this is the pessimist's lookup: it knows their keys, and whatever reads them is there or is spared itself. hope is
// the optimist's lookup.
//
// One that is there still has what it reads made if it reads that by its content alone, as a COPY upon scratch or with
// --link does, and another one that is not there stands on it: that asks for all keys which it may be found by, the
// one by its content with them. An input that counts by its definition ends the question (solver
// edge.recalcCurrentState and desiredStateDep).
func (l *lookup) spared(p *Plan, hope *lookup) []bool {
	spared, needed := make([]bool, len(p.vertices)), make([]bool, len(p.vertices))
	asked := make([]bool, len(p.vertices)) // for all its keys, perhaps
	for _, v := range p.images {
		needed[v.index] = true
	}
	for i, v := range slices.Backward(p.vertices) {
		known := slices.ContainsFunc(l.ids[i], func(id int) bool {
			return l.cache.records[id].result.Presence == KeyOnly
		})
		spared[i] = known && !needed[i] && !l.forced(v) &&
			!slices.ContainsFunc(v.inputs, func(in input) bool { return l.forced(in.from) })
		makes := asked[i] && !slices.ContainsFunc(v.inputs, func(in input) bool { return !in.content })
		if spared[i] || l.hit(v) && !makes {
			continue
		}
		for n, in := range v.inputs {
			if in.from != nil {
				needed[in.from.index] = true
				asked[in.from.index] = asked[in.from.index] || n == 0 || !l.linksAnew(v, hope)
			}
		}
	}
	return spared
}

// linksAnew reports whether v lays a layer that a merge in the cache has upon a base of which it has no key: that tells
// at once that v is not there, and the layer is loaded.
func (l *lookup) linksAnew(v *vertex, hope *lookup) bool {
	return v.kind == mergeVertex && len(hope.ids[v.inputs[0].from.index]) == 0 && !l.forced(v.inputs[0].from) &&
		slices.ContainsFunc(l.ids[v.inputs[1].from.index], func(id int) bool { return l.cache.linked[id] })
}

// forced reports whether v runs in any case; a step that may not be there hands that on.
func (l *lookup) forced(v *vertex) bool {
	return v != nil && (v.ignoreCache || v.doubtful && l.belief == pessimist && l.forced(v.inputs[0].from))
}

// find returns the records that v is found as (solver edge.probeCache: the operation's own key, and for every input
// of one and the same record either its definition or its content).
func (l *lookup) find(v *vertex) []int {
	from := len(l.room)
	switch {
	case v.kind == localVertex:
	case v.kind == imageVertex && l.belief == optimist:
		for _, id := range l.cache.images {
			l.try(v, id)
		}
	default:
		l.tryAt(v, anywhere)
		if len(v.inputs) > 0 && v.inputs[0].from != nil {
			for _, on := range l.ids[v.inputs[0].from.index] {
				l.tryAt(v, on)
			}
		}
	}
	if l.belief == optimist {
		l.tryLoose(v)
		l.tryElsewhere(v)
	}
	found := l.room[from:len(l.room):len(l.room)]
	slices.SortFunc(found, func(a, b int) int { return b - a }) // the last first
	return found
}

// tryAt tries the records at one place.
func (l *lookup) tryAt(v *vertex, on int) {
	if l.belief == optimist {
		for id, ok := l.cache.lax[place{v.key.lax, on}]; ok && id >= 0; id = l.cache.records[id].lax {
			l.try(v, id)
		}
		return
	}
	for id, ok := l.cache.strict[place{v.key.strict, on}]; ok && id >= 0; id = l.cache.records[id].strict {
		l.try(v, id)
	}
}

// tryLoose tries the records that may be equal because nobody knows what v or they are.
func (l *lookup) tryLoose(v *vertex) {
	try := func(id int) {
		r := l.cache.records[id].vertex
		if r.kind == v.kind && (r.gist == "" || v.gist == "" || r.gist == v.gist) {
			l.try(v, id)
		}
	}
	if v.key.loose {
		for id := range l.cache.records {
			try(id)
		}
		return
	}
	for _, id := range l.cache.loose {
		try(id)
	}
}

func (l *lookup) try(v *vertex, id int) {
	if l.matches(v, &l.cache.records[id]) {
		l.room = append(l.room, id)
	}
}

func (l *lookup) one(id int) []int {
	l.room = append(l.room, id)
	return l.room[len(l.room)-1 : len(l.room) : len(l.room)]
}

func (l *lookup) matches(v *vertex, r *record) bool {
	switch v.kind {
	case imageVertex:
		return v.key.is(r.vertex.key) || l.belief == optimist && sameImagePossible(v.image, r.vertex.image)
	case remoteVertex:
		return l.belief == optimist || l.cache.sameRemotes && v.key.is(r.vertex.key)
	}
	if len(v.inputs) != len(r.vertex.inputs) || l.belief == pessimist && v.dialect != r.vertex.dialect ||
		l.belief == optimist && !v.mayBe(r.vertex) {
		return false
	}
	for i := range v.inputs {
		defined := l.belief == optimist || !r.twin || !r.vertex.inputs[i].content
		if !l.inputMatches(&v.inputs[i], &r.vertex.inputs[i], r.of, defined) {
			return false
		}
	}
	return true
}

// inputMatches reports whether an input is what an input of a record is: by its definition, unless the record has none
// of it, or by its content.
func (l *lookup) inputMatches(in, old *input, of *lookup, defined bool) bool {
	if defined && in.from != nil && old.from != nil && in.selector == old.selector &&
		intersects(l.ids[in.from.index], of.ids[old.from.index]) {
		return true
	}
	if !in.content || !old.content {
		return false
	}
	if in.digest != "" && in.digest == old.digest {
		return true
	}
	if decisive(in.digest) && decisive(old.digest) || in.made.differs(old.made) || in.dir.differs(old.dir) {
		return false
	}
	// What a stage, an image or a remote source holds is not known, nor what a directory held that lacks what a build
	// copied from it. Of one that lacks it now nothing can be copied.
	return l.belief == optimist && in.failed() == nil
}

// decisive reports whether a content digest differs wherever the content does. That of a git repository does not: two
// commits may have the same files; nor does that of all files where nobody knows which are read, nor that of how files
// were made.
func decisive(digest string) bool {
	sort, _, known := strings.Cut(digest, ":")
	return known && sort != "git" && sort+":" != anyFile && sort+":" != madeDigest
}

// sameImagePossible reports whether two references may name the same manifest.
func sameImagePossible(a, b *imageRef) bool {
	return a.loose || b.loose || a.platform == b.platform && (a.digest == "" || b.digest == "" || a.digest == b.digest)
}

func intersects(a, b []int) bool {
	return slices.ContainsFunc(a, func(x int) bool { return slices.Contains(b, x) })
}
