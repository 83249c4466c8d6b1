package reorder

import (
	"context"
	"fmt"
	"strings"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/effects"
)

// Reason says why a RUN stays where it is.
type Reason struct {
	Stage   int     // index into File.Stages
	Line    int     // 1-based
	Step    string  // what it runs, in short
	Seconds float64 // that it takes, by what is recorded or by weight
	Reruns  int     // of the builds, those that run it
	Builds  int
	Below   int    // the line of the COPY or ADD that it stays below, 0 if it stays below none
	Why     string // a sentence
}

// leastExplained is what a RUN takes at least, in milliseconds, for it to be worth a word.
const leastExplained = 5000

// Explain says of each RUN that takes some time why no order has it run less often: what would have to be known, or
// otherwise.
func Explain(file *dockerfile.File, model Model) (reasons []Reason) {
	if broken(file) || model.Seconds == nil {
		return nil
	}
	model.weigh(file)
	stages, _ := model.stageBuilds(file, nil)
	for i, stage := range file.Stages {
		if len(stage.Instructions) > maxItems {
			continue
		}
		all := model.effects(file, i)
		now := model.inPlaceAlone(file, stage, all, stages)
		runs := now.executions(model.every())
		for r, in := range stage.Instructions {
			if in.Meant != "RUN" || now.items[r].cost < leastExplained {
				continue
			}
			reason := Reason{
				Stage:   i,
				Line:    in.Line,
				Step:    command(in),
				Seconds: float64(now.items[r].cost) / 1000,
				Reruns:  int(runs[r]),
				Builds:  model.builds(),
			}
			reason.Below, reason.Why = model.stays(file, stage, all, r)
			if reason.Below == 0 && reason.Why == "" {
				reason.Why = "it stands above all copies of the build context already, or needs none of them"
				if reason.Reruns > 0 {
					reason.Why += ": what makes it run again is an ARG, its base or a stage"
				}
				reason.Why += "."
			}
			reasons = append(reasons, reason)
		}
	}
	return reasons
}

// inPlaceAlone is a stage in its order, whatever may be moved in it.
func (m *Model) inPlaceAlone(
	file *dockerfile.File,
	stage *dockerfile.Stage,
	all []effects.Effects,
	stages []builds,
) plan {
	m.pairs = newPairs(all)
	return m.inPlace(context.Background(), file, stage, all, stages)
}

// stays says below which COPY of the context a RUN stays, and why; nothing if it stays below none.
func (m *Model) stays(
	file *dockerfile.File,
	stage *dockerfile.Stage,
	all []effects.Effects,
	r int,
) (line int, why string) {
	for _, in := range stage.Instructions[:r] {
		if !copies(in) {
			continue
		}
		if movable := m.Movable(file, in); movable != nil && movable(stage.Instructions[r]) {
			return 0, fmt.Sprintf(
				"it may stand above line %d: an order says so where that saves 5 %% of what the file's builds take, "+
					"or 5 seconds a build.",
				in.Line,
			)
		}
	}
	for x := r - 1; x > 0; x-- {
		in := stage.Instructions[x]
		if !copies(in) {
			continue
		}
		if all[r].Opaque {
			why := all[r].Why
			if why == "" {
				why = "its script does more than is followed here"
			}
			return in.Line, why + ". So it may read anything that is copied."
		}
		if _, ok := effects.Independent(&all[x], &all[r]); ok {
			continue
		}
		if m.Context != nil {
			for _, w := range all[r].Writes {
				within, ok := strings.CutPrefix(w, all[r].Directory+"/") // what it makes in the project's directory
				if !ok || all[r].Directory == "" || within == "" || !strings.HasSuffix(w, "/") {
					continue
				}
				if shared, ok := all[x].Sources(m.Context, w); ok && len(shared) > 0 {
					return in.Line, fmt.Sprintf(
						"%s is in the build context, and it writes there. Add it to .dockerignore.",
						strings.TrimSuffix(shared[0], "/"),
					)
				}
			}
		}
		if shared := effects.Shared(&all[x], &all[r]); shared != "" {
			return in.Line, fmt.Sprintf(
				"it needs or changes %s, which is copied there.",
				strings.TrimPrefix(strings.TrimSuffix(shared, "/"), "env:"),
			)
		}
		return in.Line, "it makes or names a directory that is copied into there."
	}
	return 0, ""
}
