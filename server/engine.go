package server

import (
	"context"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/reorder"
	"github.com/layerwise/layerwise/analysis/rules"
	"github.com/layerwise/layerwise/cachemodel"
)

// This file is all that the server knows of how findings, rewrites and verdicts are made.

func findingsOf(file *dockerfile.File) []analysis.Finding { return rules.Check(file, rules.Options{}) }

func rewritesOf(file *dockerfile.File, engine cachemodel.Engine) []reorder.Rewrite {
	return reorder.Suggest(file, reorder.Engine(engine))
}

// plan plans the build of file in this world, with what is unsaved in the editor.
func (w *world) plan(file *dockerfile.File, overlays []overlay) *cachemodel.Plan {
	context := w.context
	if context != nil {
		for _, o := range overlays {
			context = context.WithContent(o.path, []byte(o.text))
		}
	}
	return cachemodel.NewPlan(cachemodel.Build{File: file, Context: context, Settings: w.build})
}

// judge gives the verdicts on file's instructions.
func (w *world) judge(file *dockerfile.File, overlays []overlay) []cachemodel.Step {
	return cachemodel.Compare(w.plans, w.plan(file, overlays))
}

// resolveBaseline finds what to compare with.
func resolveBaseline(_ context.Context, r baselineRequest) base {
	plan := cachemodel.NewPlan(cachemodel.Build{File: r.opened, Context: r.openedContext, Settings: r.build})
	return base{plans: []*cachemodel.Plan{plan}, baseline: cachemodel.Baseline{Kind: "opened"}, label: "the file as it was opened"}
}
