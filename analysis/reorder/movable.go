package reorder

import (
	"context"
	"slices"
	"sync"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/effects"
)

// Movable returns what reports whether a RUN may stand above a copy of the build context that is above it in the same
// stage, by the facts that Search goes by: perhaps with a COPY of the files that it reads. What it costs does not
// count. It is false where lines of the ignore file are lacking. Where no RUN may, there is nothing to ask: nil.
func (m Model) Movable(file *dockerfile.File, copying *dockerfile.Instruction) func(run *dockerfile.Instruction) bool {
	if broken(file) || m.Context == nil || copying.Stage < 0 {
		return nil
	}
	stage := file.Stages[copying.Stage]
	if len(stage.Instructions) > maxItems || !separate(file, stage) {
		return nil
	}
	planned := sync.OnceValue(func() plan {
		m := m
		m.Changes, m.Seconds = nil, func(*dockerfile.Instruction) float64 { return 1 }
		m.weigh(file)
		all := m.effects(file, stage.Index)
		m.pairs = newPairs(all)
		chosen := splits(stage, all, m.Context, m.target(file, stage.Index))
		return m.plan(context.Background(), file, stage, all, chosen, make([]builds, len(file.Stages)))
	})
	return func(run *dockerfile.Instruction) bool {
		x, r := slices.Index(stage.Instructions, copying), slices.Index(stage.Instructions, run)
		return x >= 0 && x <= r && planned().movable(x, r, m.Context)
	}
}

// movable reports whether instruction r, a RUN, may stand above instruction x, a copy.
func (p plan) movable(x, r int, context effects.Context) bool {
	if p.entries == nil {
		return false
	}
	of := func(index int, copies bool) int {
		return slices.IndexFunc(p.entries, func(e entry) bool { return e.of == index && e.copy == copies })
	}
	moved, rest := of(r, false), of(x, false)
	above := map[int]bool{} // what must stand above the RUN
	var need func(k int)
	need = func(k int) {
		for _, b := range p.items[k].before {
			if !above[b] {
				above[b] = true
				need(b)
			}
		}
	}
	need(moved)
	if above[rest] {
		return false
	}
	for k := range p.items {
		if above[k] || k == moved {
			p.order = append(p.order, k)
		}
	}
	for k := range p.items {
		if !above[k] && k != moved {
			p.order = append(p.order, k)
		}
	}
	return len(p.ignore(context)) == 0
}
