package reorder

import (
	"context"
	"slices"

	"github.com/layerwise/layerwise/analysis/dockerfile"
)

// Movable reports whether a RUN may stand above a copy of the build context that is above it in the same stage, by the
// facts that Search goes by: perhaps with a COPY of the files that it reads. What it costs does not count. It is false
// where lines of the ignore file are lacking.
func (m Model) Movable(file *dockerfile.File, copying, run *dockerfile.Instruction) bool {
	if broken(file) || m.Context == nil || copying.Stage != run.Stage || copying.Stage < 0 {
		return false
	}
	stage := file.Stages[run.Stage]
	x, r := slices.Index(stage.Instructions, copying), slices.Index(stage.Instructions, run)
	if x < 0 || r < x || len(stage.Instructions) > maxItems || !separate(file, stage) {
		return false
	}
	m.Changes, m.Seconds = nil, func(*dockerfile.Instruction) float64 { return 1 }
	m.weigh(file)
	all := m.effects(file, run.Stage)
	m.pairs = newPairs(all)
	chosen := splits(stage, all, m.Context, m.target(file, run.Stage))
	p := m.plan(context.Background(), file, stage, all, chosen, make([]builds, len(file.Stages)))
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
	return len(p.ignore(m.Context)) == 0
}
