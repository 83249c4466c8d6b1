package replay

import (
	"context"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/cachemodel"
)

// Profile says of each instruction of a file when it changes by itself, so that the cost of another order is a matter
// of unions of sets.
type Profile struct {
	Builds int
	Steps  []ProfileStep // one per instruction, in file order
}

// ProfileStep is one instruction.
type ProfileStep struct {
	Runs    bool    // it makes something that the cache can hold; the others cost nothing and are never rebuilt
	Link    bool    // COPY --link: it is rebuilt only by its own changes
	Changed Bits    // the builds at which what it does or the files that it reads differ from the build before
	Seconds float64 // of one execution
	On      []int   // the instructions, by index, that it stands on or copies from
}

// NewProfile makes the profile of a file over the contexts of a history. A file that is not there counts as changed.
// The error is ctx's.
func NewProfile(
	ctx context.Context,
	h *History,
	file *dockerfile.File,
	s cachemodel.Settings,
	costs Costs,
) (*Profile, error) {
	p := &Profile{Builds: h.Builds(), Steps: make([]ProfileStep, len(file.Instructions))}
	for k := range p.Steps {
		p.Steps[k].Changed = make(Bits, p.Builds/64+1)
	}
	last := make([]string, len(p.Steps))
	for i, c := range h.Commits {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		for k, op := range operations(file, c.Context, s) {
			step := &p.Steps[k]
			if i > 0 && op.Runs && (op.Err != nil || op.Key != last[k]) {
				step.Changed.Set(i)
			}
			last[k] = op.Key
			if i == len(h.Commits)-1 {
				step.Runs, step.Link, step.On = op.Runs, op.Link, op.On
				if op.Runs {
					step.Seconds, _ = costs.of(file.Instructions[k], op)
				}
			}
		}
	}
	return p, nil
}

// Rebuilt gives for each instruction the builds that execute it: those at which it changes or one that it stands on
// does. A build that brings back what an earlier one had counts too, though its steps are in the cache.
func (p *Profile) Rebuilt() []Bits {
	out := make([]Bits, len(p.Steps))
	keys := make([]Bits, len(p.Steps)) // COPY --link hands its base's changes on
	for k, s := range p.Steps {
		all := s.Changed
		for _, on := range s.On {
			if on < k {
				all = all.Or(keys[on])
			}
		}
		keys[k], out[k] = all, all
		if s.Link {
			out[k] = s.Changed
		}
	}
	return out
}

// Seconds is what all builds cost.
func (p *Profile) Seconds() (sum float64) {
	for k, rebuilt := range p.Rebuilt() {
		sum += p.Steps[k].Seconds * float64(rebuilt.Count())
	}
	return sum
}
