package server

import (
	"context"
	"path/filepath"
	"strings"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/reorder"
	"github.com/layerwise/layerwise/analysis/rules"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/layerwise/layerwise/cachemodel"
	"github.com/layerwise/layerwise/cachemodel/baseline"
	"github.com/layerwise/layerwise/cachemodel/buildcontext"
	"github.com/layerwise/layerwise/cachemodel/buildfiles"
	"github.com/layerwise/layerwise/cachemodel/record"
	"github.com/layerwise/layerwise/cachemodel/replay"
	"github.com/layerwise/layerwise/server/project"
	"github.com/layerwise/layerwise/server/proposals"
)

// This file is all that the server knows of how findings, rewrites and verdicts are made.

// findingsOf are the findings in file in world w, which is nil while it is being loaded.
func findingsOf(file *dockerfile.File, w *world, options rules.Options) []analysis.Finding {
	return rules.Check(file, optionsIn(w, options))
}

// safeEditsOf are the edits of all fixes that are safe without asking: what layerwise check --fix would do.
func safeEditsOf(file *dockerfile.File, w *world, options rules.Options) []source.Edit {
	return rules.FixAll(file, optionsIn(w, options)).Edits
}

// optionsIn are the options with what is known of the build context.
func optionsIn(w *world, options rules.Options) rules.Options {
	if w != nil && w.context != nil {
		options.Ignore, options.Context = w.context.Ignore(), w.sent()
	}
	return options
}

// sent is what rules want to know of a build context.
func sent(context *buildcontext.Tree, dockerfile string) *rules.Context {
	return &rules.Context{Dockerfile: dockerfile, Sent: project.Sent(func(dir string) []string {
		folder, ok := context.Root(), true
		if dir != "" {
			if folder, ok = context.Lookup(strings.TrimSuffix(dir, "/")); !ok {
				return nil
			}
		}
		var names []string
		for _, n := range folder.Children() {
			name := n.Name()
			if n.Type() == buildcontext.Dir {
				name += "/"
			}
			names = append(names, name)
		}
		return names
	})}
}

// suppressions are the changes that keep a finding from being reported.
func suppressions(file *dockerfile.File, finding analysis.Finding) []analysis.Fix {
	return rules.Suppress(file, finding)
}

// rewritesOf are the rewrites of file for the engine in world w, which is nil while it is being loaded.
func rewritesOf(ctx context.Context, file *dockerfile.File, engine cachemodel.Engine, w *world) []reorder.Rewrite {
	if engine == cachemodel.Classic {
		return reorder.Suggest(file, reorder.Classic)
	}
	if w == nil {
		return nil
	}
	model := proposals.Model(w.context, w.dir, file, w.commits, w.build, buildfiles.Targets(w.choices), replay.Costs{})
	return reorder.Search(ctx, file, model).Rewrites
}

// whyNoRewrite says why rewritesOf has nothing to offer.
func whyNoRewrite(file *dockerfile.File, engine cachemodel.Engine) string {
	return reorder.NothingGained(file, reorder.Engine(engine))
}

// judge gives the verdicts on file's instructions in this world, with what is unsaved in the editor. The error says why
// the build as a whole cannot be planned; there are verdicts nevertheless.
func (w *world) judge(file *dockerfile.File, overlays []overlay) ([]cachemodel.Step, *cachemodel.Plan, error) {
	plan := cachemodel.NewPlan(cachemodel.Build{File: file, Context: w.overlaid(overlays), Settings: w.build, Contexts: w.contexts, ContextImages: w.contextImages})
	return cachemodel.Compare(cachemodel.Pasts(w.plans...), plan), plan, plan.Err()
}

// overlaid is the build context with what is unsaved in the editor. Of one that was not read nothing is known, and so nothing
// is promised.
func (w *world) overlaid(overlays []overlay) *buildcontext.Tree {
	if w.context == nil {
		return buildcontext.Unknown()
	}
	context := w.context
	for _, o := range overlays {
		context = context.WithContent(o.path, []byte(o.text))
	}
	return context
}

// base is what the next build is compared with.
type base struct {
	plans    []*cachemodel.Plan
	context  *buildcontext.Tree // nil if there is none
	baseline cachemodel.Baseline
	label    string   // the baseline for people: "git HEAD"
	notes    []string // for people: what is amiss or assumed, a sentence each
}

// baseSpec reads the name of a baseline, as the setting layerwise.baseline has it, for a document of a workspace folder.
func baseSpec(choice, root, path string) (baseline.Spec, error) {
	spec, err := baseline.ParseSpec(choice)
	if spec.Kind == baseline.Dir && !filepath.IsAbs(spec.Arg) {
		spec.Arg = filepath.Join(root, spec.Arg)
	}
	if spec.Kind == baseline.Auto && path == "" {
		spec.Kind = baseline.Opened // a text that is in no file has no history to look for
	}
	return spec, err
}

// findBase finds what next is compared with. What the user asked for by name and is not there is the error; the base is
// then the next best. before gives a build that is not on record the settings of its time.
func findBase(ctx context.Context, r baseline.Request, next cachemodel.Build, store *record.Store, before func(baseline.Baseline, *cachemodel.Build)) (base, error) {
	found, err := baseline.Find(ctx, r)
	if err != nil {
		r.Spec = baseline.Spec{Kind: baseline.Opened}
		if found, _ = baseline.Find(ctx, r); found.Contents == nil {
			return base{}, err
		}
	}
	b := base{baseline: found.Baseline, label: found.Label}
	for _, note := range found.Notes {
		b.notes = append(b.notes, sentence(strings.TrimSuffix(note, ".")))
	}
	if c := found.Contents; c != nil {
		b.context = c.Context
		earlier := c.Build(next, store)
		if c.Record == nil {
			before(found, &earlier) // its settings
		}
		b.plans = []*cachemodel.Plan{cachemodel.NewPlan(earlier)}
	}
	return b, err
}
