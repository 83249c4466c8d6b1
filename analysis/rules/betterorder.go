package rules

import (
	"slices"
	"strings"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
)

const betterOrder = "better-order"

// BetterOrder hands on the order of instructions that would have rebuilt less.
var BetterOrder = &Rule{
	ID:       betterOrder,
	Severity: analysis.Information,
	Doc: Doc{
		Summary: "Another order of the instructions rebuilds less",
		What: "On the command line only: searches for an order that `layerwise reorder` would offer, by what has " +
			"changed in the last commits. Editors have it among the refactorings. " +
			"The fix is preferred, so that `layerwise check --fix` applies it, only if the image is known to stay " +
			"the same (grade *proved* or *verified*).",
		Why: "A step is taken from the cache only if all steps above it are: what changes rarely belongs at the front.",
		Example: "FROM node:22\nWORKDIR /app\nCOPY src ./src\nCOPY package.json package-lock.json ./\nRUN " +
			"--mount=type=cache,target=/root/.npm npm ci\n",
		Instead: "FROM node:22\nWORKDIR /app\nCOPY package.json package-lock.json ./\nRUN " +
			"--mount=type=cache,target=/root/.npm npm ci\nCOPY src ./src\n",
	},
	check: func(p *pass) {
		for _, o := range p.betterOrders() {
			p.report(p.file().Stages[o.Stage].Instructions[0], analysis.Finding{
				Span:    p.file().Stages[o.Stage].Instructions[0].Keyword.Span,
				Message: o.Message,
				Fixes:   []analysis.Fix{{Title: o.Title, Edits: o.Edits, Preferred: o.Proved}},
			})
		}
	},
}

// betterOrders are the orders that are reported.
func (p *pass) betterOrders() []Order {
	_, skipped := p.rest().lint.SkippedRules[betterOrder]
	if p.rest().orders == nil && p.opts().Orders != nil && !skipped && !slices.Contains(p.opts().Off, betterOrder) {
		p.rest().orders = append([]Order{}, p.opts().Orders(p.file())...)
	}
	return p.rest().orders
}

// reordered reports whether the instruction is among those that a better order has in other places, so that nothing
// else need be said of where it is.
func (p *pass) reordered(in *dockerfile.Instruction) bool {
	return slices.ContainsFunc(p.betterOrders(), func(o Order) bool {
		from, to := p.Text.Len(), 0
		for _, e := range o.Edits {
			from, to = min(from, e.Span.Start), max(to, e.Span.End)
		}
		return from <= in.Span.Start && in.Span.End <= to
	})
}

// movable reports whether a RUN may stand above a copy of the build context, perhaps below a COPY of what it reads.
func (p *pass) movable(copying, run *dockerfile.Instruction) bool {
	w := p.rest()
	if w.opts.Movable == nil {
		return false
	}
	movable, known := w.moves[copying]
	if !known {
		if w.moves == nil {
			w.moves = map[*dockerfile.Instruction]func(*dockerfile.Instruction) bool{}
		}
		movable = w.opts.Movable(w.file, copying)
		w.moves[copying] = movable
	}
	return movable != nil && movable(run)
}

// mounted reports whether a better order gives the instruction a mount.
func (p *pass) mounted(in *dockerfile.Instruction) bool {
	return slices.ContainsFunc(p.betterOrders(), func(o Order) bool {
		return slices.ContainsFunc(o.Edits, func(e source.Edit) bool {
			return e.Span.Start == in.Keyword.Span.End && strings.HasPrefix(e.NewText, " --mount=")
		})
	})
}

// Order is a better order of a stage's instructions.
type Order struct {
	Stage   int
	Title   string
	Message string // what is gained
	Edits   []source.Edit
	Proved  bool // the image is known to stay the same
}

// Orders finds better orders for a file.
type Orders func(*dockerfile.File) []Order
