package cachemodel

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"
)

// Past is a build that a builder has made, as far as it is known what of it is in that builder's cache now.
type Past struct {
	Plan *Plan
	// FailedAt is the 1-based line of the instruction at which the build failed, 0 if it did not fail. What the
	// instruction stands on was built; what stands on it was not; other branches perhaps.
	FailedAt int
	// Results says of instructions, by their first line, whether their results are in the cache now. It says more than
	// FailedAt. What it does not mention is there, as far as the build got.
	Results map[int]Result
	// Perhaps, unless it is "", is the reason, a sentence, why nothing of this build is certainly in the cache, such as
	// that nobody knows which of its steps the builder has pruned. What Results mentions is as it says.
	Perhaps string
	// Moved are the references to images, as BuildKit normalises them, that stood for another image in a newer build of
	// the builder, or perhaps did: what stands on these images is perhaps of no use to the next build.
	Moved []string
	// Exported, unless it is "", says that a fresh builder builds next, which has nothing but what it imports of this
	// build's cache.
	Exported CacheMode
}

// Result is what is known of one instruction's result in the cache.
type Result struct {
	Presence Presence
	Reason   string // a sentence, unless it is There
}

// Presence is whether a result is in the cache.
type Presence int

// The presences. The zero value is There.
const (
	There   Presence = iota // it certainly is
	Perhaps                 // nobody knows
	KeyOnly                 // it is not, but the builder knows its key: it runs only if something else needs its files
	Gone                    // it certainly is not
)

// Held is what a builder's cache holds after some builds, as far as that is known. It is immutable; its methods may be
// called from several goroutines.
type Held struct {
	cache  *cache
	pasts  []Past
	found  []*lookup // which records each past's vertices are
	unseen Unseen

	imported *imported // what a fresh builder imports; nil if it has what it built
}

// Unseen are the results that a builder's cache may hold beside what is left of the builds that are known: builds that
// nobody remembers left them. The zero value says that there are none.
type Unseen struct {
	Reason      string   // a sentence
	Anything    bool     // nobody knows what results there are
	Commands    []string // of RUN there are those that run these commands, with or without the shell in front
	Files       []string // there are some of COPY or ADD with these destinations, as they are written
	Directories []string // there are some of WORKDIR with these directories
	Other       bool     // there are some of other steps that make files or directories
}

// WithUnseen is a cache that may hold more results.
func (h *Held) WithUnseen(u Unseen) *Held {
	with := *h
	with.unseen = u
	return &with
}

// mayHold reports whether a vertex's result may be among them.
func (u *Unseen) mayHold(v *vertex) bool {
	switch v.kind {
	case localVertex, brokenVertex:
		return false
	case execVertex:
		return u.Anything || slices.ContainsFunc(u.Commands, func(c string) bool { return strings.HasSuffix(c, v.gist) })
	case copyVertex:
		return u.Anything || v.isAt(u.Files)
	case mkdirVertex:
		return u.Anything || u.Other || v.isAt(u.Directories)
	case mergeVertex: // a merge is made when somebody needs it
		return u.Anything || u.Other || len(u.Files) > 0
	case mkfileVertex:
		return u.Anything || u.Other
	}
	return u.Anything
}

// isAt reports whether one of the paths, as they are written in an instruction, may be where the vertex puts something.
func (v *vertex) isAt(paths []string) bool {
	return slices.ContainsFunc(paths, func(written string) bool {
		clean := path.Clean(written)
		switch {
		case v.gist == "" || strings.ContainsAny(written, "$\"'[]<>:") || clean == "." || strings.HasPrefix(clean, ".."):
			return true
		case path.IsAbs(clean):
			return clean == path.Clean(v.gist)
		}
		return strings.HasSuffix(path.Clean(v.gist), "/"+clean)
	})
}

// Hold works out what is left of the pasts, the oldest first.
func Hold(pasts []Past) *Held {
	size := 0
	for i := range pasts {
		size += len(pasts[i].Plan.vertices)
	}
	h := &Held{cache: newCache(size), pasts: pasts, found: make([]*lookup, len(pasts))}
	for i := range pasts {
		h.found[i] = h.cache.build(&pasts[i])
	}
	return h
}

// held is what is left of one build of this plan.
func (p *Plan) held() *Held {
	p.once.Do(func() { p.own = Hold(Pasts(p)) })
	return p.own
}

// left is what is left of one vertex of a past.
type left struct {
	Result
	unbuilt bool // the build did not get there
	guessed bool // it is not known whether the build got there
}

type lefts []left // by vertex.index

// fromFailure reports whether nothing is known of a vertex but that the build failed, so that what an earlier build
// left is there still.
func (l lefts) fromFailure(i int) bool { return l != nil && l[i].guessed }

// plain reports whether all of the build was made and is there.
func (past *Past) plain() bool {
	return past.FailedAt == 0 && len(past.Results) == 0 && past.Perhaps == "" && len(past.Moved) == 0 &&
		past.Plan.unsure == "" && past.Plan.rejected() == nil &&
		(past.Exported == "" || past.Exported == MaxCache && past.Plan.failure() == nil)
}

// failure is the first step at which the build fails, nil if it does not.
func (p *Plan) failure() *step {
	i := slices.IndexFunc(p.steps, func(s *step) bool { _, fails := s.failure(); return fails })
	if i < 0 {
		return nil
	}
	return p.steps[i]
}

// rejected is the first instruction that BuildKit rejects, nil if it takes all. Of such a file nothing is built.
func (p *Plan) rejected() *step {
	i := slices.IndexFunc(p.steps, func(s *step) bool { return s.kind == failedStep })
	if i < 0 {
		return nil
	}
	return p.steps[i]
}

// results are what is left of each vertex, nil if all is.
func (past *Past) results() lefts {
	if past.plain() {
		return nil
	}
	out := make(lefts, len(past.Plan.vertices))
	reason := cmp.Or(past.Perhaps, past.Plan.unsure)
	if s := past.Plan.rejected(); s != nil && reason == "" {
		const text = "line %d of the build that is compared with cannot be read, so perhaps nothing of it was built"
		reason = fmt.Sprintf(text, s.in.Line)
	} else if s := past.Plan.failure(); s != nil && past.Exported != "" && past.Exported != NoCacheImport && reason == "" {
		reason = fmt.Sprintf("the build that is compared with fails at line %d, so it has exported nothing", s.in.Line)
	}
	for i := range out {
		if reason != "" {
			out[i].Result = Result{Perhaps, reason}
		}
		if at := past.Plan.failing[i]; at != nil && at.kind == failedStep {
			out[i].unbuilt = true
		}
	}
	if past.FailedAt != 0 {
		past.failure(out)
	}
	if past.Exported != "" && reason == "" {
		past.exported(out)
	}
	told := make([]bool, len(out))
	for _, s := range past.Plan.steps {
		result, ok := past.Results[s.in.Line]
		if !ok {
			continue
		}
		for _, v := range s.vertices {
			if l := &out[v.index]; !told[v.index] || result.Presence > l.Presence { // of several steps the worst
				*l, told[v.index] = left{Result: result}, true
			}
		}
	}
	past.moved(out)
	for i, v := range past.Plan.vertices {
		switch v.kind {
		case imageVertex, remoteVertex, localVertex, mkfileVertex: // these are asked for each time
			out[i] = left{}
		}
	}
	return out
}

// moved says of what stands on an image whose reference has moved that it is perhaps not of use.
func (past *Past) moved(out lefts) {
	if len(past.Moved) == 0 {
		return
	}
	on := make([]*imageRef, len(out))
	for i, v := range past.Plan.vertices {
		if v.kind == imageVertex && v.image.digest == "" && slices.Contains(past.Moved, v.image.name) {
			on[i] = v.image
		}
		for _, in := range v.inputs {
			if in.from != nil {
				on[i] = cmp.Or(on[i], on[in.from.index])
			}
		}
		if on[i] != nil && out[i].Presence == There {
			out[i].Result = Result{Perhaps, fmt.Sprintf("%s was another image in a newer build: the next may use that one",
				familiar(on[i].name))}
		}
	}
}

// failure says what is left of a build that failed: all that the failed step stands on, perhaps other branches.
func (past *Past) failure(out lefts) {
	const ( // what a vertex is to the failed step
		beside = iota
		below
		above
	)
	at := make([]int, len(out))
	var failed []*vertex
	for _, s := range past.Plan.steps {
		if s.in.Line <= past.FailedAt && past.FailedAt <= s.in.EndLine {
			failed = s.vertices
			if s.kind == failedStep { // BuildKit rejected the file as a whole
				failed = nil
			}
		}
	}
	for _, v := range failed {
		at[v.index] = above
	}
	for i, v := range past.Plan.vertices {
		for _, in := range v.inputs {
			if in.from != nil && at[in.from.index] == above {
				at[i] = above
			}
		}
	}
	for _, v := range slices.Backward(past.Plan.vertices) {
		if !slices.Contains(failed, v) && at[v.index] != below {
			continue
		}
		for _, in := range v.inputs {
			if in.from != nil && !slices.Contains(failed, in.from) {
				at[in.from.index] = below
			}
		}
	}
	reason := fmt.Sprintf("the build failed at line %d; whether it had got this far is not known", past.FailedAt)
	for i := range out {
		switch {
		case len(failed) == 0 || at[i] == above:
			out[i].unbuilt = true
		case at[i] == beside && out[i].Presence == There:
			out[i] = left{Result: Result{Perhaps, reason}, guessed: true}
		}
	}
}

// Pasts are builds that were made as they are planned, of which all is in the cache.
func Pasts(plans ...*Plan) []Past {
	pasts := make([]Past, len(plans))
	for i, p := range plans {
		pasts[i].Plan = p
	}
	return pasts
}

// mostSimilar is the past of which next can use most, of several the one with the most instructions in common, of these
// the newest; nil if there is none.
func (h *Held) mostSimilar(next *Plan, sure *lookup) *Past {
	if len(h.pasts) <= 1 {
		if len(h.pasts) == 1 {
			return &h.pasts[0]
		}
		return nil
	}
	best, most := 0, [2]int{-1, -1}
	for i := range h.pasts {
		has := make([]bool, len(h.cache.records))
		for _, ids := range h.found[i].ids {
			for _, id := range ids {
				has[id] = true
			}
		}
		var score [2]int
		for _, ids := range sure.ids {
			if slices.ContainsFunc(ids, func(id int) bool { return has[id] }) {
				score[0]++
			}
		}
		for _, s := range next.steps {
			if h.pasts[i].Plan.has(s) {
				score[1]++
			}
		}
		if slices.Compare(score[:], most[:]) >= 0 {
			best, most = i, score
		}
	}
	return &h.pasts[best]
}
