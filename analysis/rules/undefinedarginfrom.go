package rules

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/scope"
	"github.com/layerwise/layerwise/analysis/source"
)

// UndefinedArgInFrom finds variables in FROM that no ARG above declares.
var UndefinedArgInFrom = &Rule{
	ID:       "UndefinedArgInFrom",
	Severity: analysis.Warning,
	BuildKit: buildKitPage + "undefined-arg-in-from/",
	Doc: Doc{
		Summary: "FROM uses an ARG that is not declared",
		What: "Finds variables in `FROM` that no `ARG` above the first `FROM` declares. Where a declared one is " +
			"likely meant, a fix changes the name.",
		Why: "An ARG that is declared within a stage does not count for `FROM`. The variable is empty, and " +
			"`--build-arg` cannot set it.",
		Example: "ARG VARIANT=-slim\nFROM python:3.12$VARAINT\n",
		Instead: "ARG VARIANT=-slim\nFROM python:3.12$VARIANT\n",
	},
	check: func(p *pass) {
		for _, in := range p.of("FROM") {
			if in.From == nil || strings.IndexByte(p.Text.Slice(in.Span), '$') < 0 {
				continue
			}
			broken := sync.OnceValue(func() bool { return p.brokenImage(in) != nil })
			for _, use := range dockerfile.Variables(in) {
				name := use.Name.Text
				if use.By != dockerfile.Frontend || len(p.variables().Global[name]) > 0 || predefined(name) {
					continue
				}
				known := slices.Concat(
					p.nearestVariables(name, -1, in.Span.Start), slices.Sorted(maps.Keys(scope.PlatformDefaults)),
				)
				finding := analysis.Finding{
					Span:    use.Name.Span,
					Message: fmt.Sprintf("FROM argument '%s' is not declared", name),
				}
				if p.breaks(in, use.Span, broken) {
					finding.Severity = analysis.Error
					finding.Message += ", and without it the build stops"
				}
				p.report(in, misspelt(finding, name, "", known, true))
			}
		}
	},
}

// breaks reports whether the image or platform of a FROM that holds span is not valid since a variable in it is empty.
// broken tells that of the image.
func (p *pass) breaks(in *dockerfile.Instruction, span source.Span, broken func() bool) bool {
	if base := p.file().Stages[in.Stage].Base; base.Span.Start <= span.Start && span.End <= base.Span.End {
		return broken()
	}
	for _, flag := range in.Flags {
		if flag.Span.Start <= span.Start && span.End <= flag.Span.End && flag.Name.Text == "platform" &&
			!p.declared(in, flag.Span) {
			value, known := p.variables().Expand(-1, in.Span.Start, unquoted(flag.Value.Text))
			_, _, ok := parsePlatform(value)
			return known && !ok
		}
	}
	return false
}
