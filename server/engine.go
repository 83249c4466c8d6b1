package server

import (
	"context"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/reorder"
	"github.com/layerwise/layerwise/analysis/rules"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/layerwise/layerwise/cachemodel"
	"github.com/layerwise/layerwise/cachemodel/record"
)

// This file is all that the server knows of how findings, rewrites and verdicts are made.

// findingsOf are the findings in file for build b, which is nil while it is being looked for.
func findingsOf(file *dockerfile.File, b *build, options rules.Options) []analysis.Finding {
	return rules.Check(file, optionsIn(file, b, options))
}

// safeEditsOf are the edits of all fixes that are safe without asking: what layerwise check --fix would do.
func safeEditsOf(file *dockerfile.File, b *build, options rules.Options) []source.Edit {
	return rules.FixAll(file, optionsIn(file, b, options)).Edits
}

// optionsIn are the options with what is known of the build context.
func optionsIn(file *dockerfile.File, b *build, options rules.Options) rules.Options {
	if b != nil {
		return b.RuleOptions(options, file)
	}
	return options
}

// suppressions are the changes that keep a finding from being reported.
func suppressions(file *dockerfile.File, finding analysis.Finding) []analysis.Fix {
	return rules.Suppress(file, finding)
}

// rewritesOf are the rewrites of file for the engine in build b, which is nil while it is being looked for.
// store remembers which were verified.
func rewritesOf(
	ctx context.Context,
	file *dockerfile.File,
	engine cachemodel.Engine,
	b *build,
	store *record.Store,
) []reorder.Rewrite {
	if engine == cachemodel.Classic {
		return reorder.Suggest(file, reorder.Classic)
	}
	if b == nil {
		return nil
	}
	rewrites := b.Orders(ctx, file)
	b.Recall(store, file, rewrites)
	return rewrites
}

// whyNoRewrite says why rewritesOf has nothing to offer.
func whyNoRewrite(file *dockerfile.File, engine cachemodel.Engine) string {
	return reorder.NothingGained(file, reorder.Engine(engine))
}
