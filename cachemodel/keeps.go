package cachemodel

import (
	"fmt"
	"maps"
	"slices"

	"github.com/layerwise/layerwise/analysis/dockerfile"
)

// Keeps says what a change of b's Dockerfile to after does to the build beyond the instructions that it touches, "" if
// that is nothing; kept are those that it leaves as they are, by their index before and after. Each of these must still
// be carried out as before: none may begin to fail, and none may be run, copied or set with another state, unless a
// changed ENV, ARG, USER, WORKDIR, SHELL or FROM above it accounts for that. If the change is only one of style
// (wholly), the changed instructions must make the same too. All stages count, whatever the target, and in the build of
// the target no more instructions may fail; content of the build context does not count.
func (b Build) Keeps(after *dockerfile.File, kept [][2]int, wholly bool) string {
	b.Context, b.Unknown, b.Contents, b.Costs = nil, UnknownParts{}, nil, nil
	b.Settings.Engine, b.Settings.Target = BuildKit, ""
	b.ContextImages = maps.Clone(b.ContextImages)
	for name, image := range b.ContextImages {
		if image == "" { // made by another build: the same one before and after
			b.ContextImages[name] = "elsewhere.invalid/image"
		}
	}
	before := b
	b.File = after
	several := len(before.File.Stages) > 1 || len(after.Stages) > 1 // else the target is all there is
	if several && failing(newPlan(b, false, false, nil)) > failing(newPlan(before, false, false, nil)) {
		return "more instructions would fail" // as where a stage that nothing used cannot be read
	}
	c := comparison{old: newPlan(before, false, true, nil), now: newPlan(b, false, true, nil), wholly: wholly}
	return c.of(kept)
}

// comparison is of two plans for all of their stages.
type comparison struct {
	old, now *Plan
	wholly   bool
	renamed  map[*dockerfile.Instruction]bool // each FROM that was touched, as it is after the change
	sameForm bool                             // there are as many stages, and no FROM was touched
}

// excuse is what of the state of a stage a change is allowed to change.
type excuse struct{ all, cwd, user, shell bool }

func (e excuse) with(meant string) excuse {
	switch meant {
	case "WORKDIR":
		e.cwd = true
	case "USER":
		e.user = true
	case "SHELL":
		e.shell = true
	case "RUN", "COPY", "ADD", "CMD", "ENTRYPOINT", "LABEL", "EXPOSE", "VOLUME", "STOPSIGNAL", "HEALTHCHECK",
		"MAINTAINER":
	default: // ENV and ARG may be in every value, FROM decides over all, of anything else nobody knows
		e.all = true
	}
	return e
}

func (e excuse) and(o excuse) excuse {
	return excuse{e.all || o.all, e.cwd || o.cwd, e.user || o.user, e.shell || o.shell}
}

func (c *comparison) of(kept [][2]int) string {
	if c.old.err == nil && c.now.err != nil {
		return "the build as a whole fails: " + c.now.err.Error()
	}
	old, now := c.old.build.File, c.now.build.File
	if c.wholly {
		if len(old.Instructions) != len(now.Instructions) {
			return "there would be another number of instructions"
		}
		kept = kept[:0:0]
		for i := range old.Instructions {
			kept = append(kept, [2]int{i, i})
		}
	}
	before := map[int]int{} // by index after
	oldKept := map[int]bool{}
	for _, k := range kept {
		before[k[1]], oldKept[k[0]] = k[0], true
	}
	c.renamed = map[*dockerfile.Instruction]bool{}
	for i, in := range now.Instructions {
		if _, same := before[i]; !same && in.Meant == "FROM" {
			c.renamed[in] = true
		}
	}
	c.sameForm = len(old.Stages) == len(now.Stages)
	for i, in := range old.Instructions {
		c.sameForm = c.sameForm && (oldKept[i] || in.Meant != "FROM")
	}
	if a, b := failing(c.old), failing(c.now); b > a {
		return "more instructions would fail"
	}
	global := excuse{}
	at := make([]excuse, len(now.Stages))
	next := 0 // of the old instructions
	for i, in := range now.Instructions {
		j, isKept := before[i]
		own := &global
		if in.Stage >= 0 {
			own = &at[in.Stage]
			*own = own.and(global)
		}
		if st := c.now.steps[i].stage; st != nil && st.base != nil && st.base.stage != nil {
			*own = own.and(at[st.base.stage.Index])
		}
		*own = own.and(c.removed(&next, j, isKept, oldKept))
		if !isKept {
			*own = own.with(in.Meant)
			continue
		}
		if why := c.step(c.old.steps[j], c.now.steps[i], *own); why != "" {
			return fmt.Sprintf("line %d (%s) would %s", old.Instructions[j].Line, old.Instructions[j].Meant, why)
		}
	}
	return ""
}

// removed is what the touched instructions before the one of index j may have set; next is where they begin.
func (c *comparison) removed(next *int, j int, isKept bool, kept map[int]bool) (e excuse) {
	if !isKept {
		j = *next
		for j < len(c.old.steps) && !kept[j] {
			j++
		}
	}
	for ; *next < j; *next++ {
		if in := c.old.steps[*next].in; !kept[*next] {
			e = e.with(in.Meant)
		}
	}
	if isKept {
		*next = j + 1
	}
	return e
}

func failing(p *Plan) (n int) {
	for _, s := range p.steps {
		if s.kind == failedStep {
			n++
		}
	}
	return n
}

// step says what becomes of an instruction that is as it was, or should be.
func (c *comparison) step(old, now *step, e excuse) string {
	switch {
	case old.kind == failedStep:
		return ""
	case now.kind == failedStep:
		return "fail"
	case e.all:
		return ""
	case old.kind != now.kind || len(old.vertices) != len(now.vertices):
		return "become another step"
	case !e.cwd && old.cwd.strict() != now.cwd.strict():
		return "run in another directory"
	case !e.user && old.user.strict() != now.user.strict():
		return "run as another user"
	case !e.shell && old.shell.strict() != now.shell.strict():
		return "run in another shell"
	case !c.sameSources(old.sources, now.sources):
		return "take its files from elsewhere"
	case e != excuse{}:
		return ""
	}
	for i, v := range old.vertices {
		if !alike(v, now.vertices[i], true) {
			return "become another step"
		}
	}
	return ""
}

// sameSources reports whether an instruction takes files from the same stages and images.
func (c *comparison) sameSources(old, now []*stagePlan) bool {
	return slices.EqualFunc(old, now, func(a, b *stagePlan) bool {
		if a == nil || b == nil {
			return a == b
		}
		if a.stage == nil && b.stage != nil && c.renamed[b.stage.From] { // it was named what was meant
			return true
		}
		if a.stage == nil || b.stage == nil {
			return a.stage == nil && b.stage == nil && a.baseName == b.baseName
		}
		return !c.sameForm || a.stage.Index == b.stage.Index
	})
}

// alike reports whether two vertices are one operation. What stands on them is compared by itself, but for the files
// and images that no step of their own makes.
func alike(a, b *vertex, inputs bool) bool {
	sameKey := a.key.strict == b.key.strict || a.key.loose && b.key.loose && a.key.lax == b.key.lax && a.mayBe(b)
	if a.kind != b.kind || !sameKey || a.ignoreCache != b.ignoreCache || len(a.inputs) != len(b.inputs) {
		return false
	}
	if !inputs {
		return true
	}
	return slices.EqualFunc(a.inputs, b.inputs, func(x, y input) bool {
		if x.selector != y.selector || x.content != y.content || (x.from == nil) != (y.from == nil) {
			return false
		}
		if x.from == nil || x.from.kind != mkfileVertex && y.from.kind != mkfileVertex {
			return true
		}
		return alike(x.from, y.from, false)
	})
}
