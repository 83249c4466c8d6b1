package server

import (
	"context"
	"fmt"
	"strings"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/reorder"
	"github.com/layerwise/layerwise/analysis/rules"
	"github.com/layerwise/layerwise/cachemodel"
	"github.com/layerwise/layerwise/cachemodel/record"
	"github.com/layerwise/layerwise/cachemodel/workspace"
)

// This file is all that the server knows of how findings, rewrites and verdicts are made.

// findingsOf are the findings in file for build b, which is nil while it is being looked for.
func findingsOf(file *dockerfile.File, b *build, options rules.Options) []analysis.Finding {
	return rules.Check(file, optionsIn(file, b, options))
}

// safeFixes are those that are applied together, with what is left out.
type safeFixes = rules.Fixed

// safeFixesOf are all fixes that are safe without asking: what layerwise check --fix would do.
func safeFixesOf(file *dockerfile.File, b *build, options rules.Options) safeFixes {
	return rules.FixAll(file, optionsIn(file, b, options))
}

// whyNotFixed says why no fix is safe although there are some, "" if that is not so.
func whyNotFixed(fixed safeFixes) string {
	if fixed.Refused != "" {
		return "Nothing is fixed: " + fixed.Refused + "."
	}
	for _, left := range fixed.Left {
		return fmt.Sprintf("Line %d: \"%s\" is left out: %s.", left.Line, left.Title, left.Why)
	}
	return ""
}

// fixable reports whether there may be safe edits, as far as findings tell.
func fixable(file *dockerfile.File, findings []analysis.Finding) bool {
	return rules.Fixable(file, findings)
}

// optionsIn are the options with what is known of the build context.
func optionsIn(file *dockerfile.File, b *build, options rules.Options) rules.Options {
	if b != nil {
		return b.RuleOptions(options, file)
	}
	return (&workspace.Build{}).RuleOptions(options, file)
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
) reorder.Offers {
	if engine == cachemodel.Classic {
		return reorder.Offers{Rewrites: reorder.Suggest(file, reorder.Classic)}
	}
	if b == nil {
		return reorder.Offers{}
	}
	offers := b.Orders(ctx, file)
	b.Recall(store, file, offers.Rewrites)
	return offers
}

// whyNoRewrite says why rewritesOf has nothing to offer, and what would be possible with more lines in the ignore file.
func whyNoRewrite(file *dockerfile.File, engine cachemodel.Engine, ignoring []reorder.Rewrite) string {
	for _, r := range ignoring {
		return r.Title + ": possible once .dockerignore has " + strings.Join(r.Ignore, ", ") + "."
	}
	return reorder.NothingGained(file, reorder.Engine(engine))
}
