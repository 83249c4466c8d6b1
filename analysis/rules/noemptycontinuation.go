package rules

import (
	"strings"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
)

// NoEmptyContinuation finds empty lines within an instruction that is continued over several lines.
var NoEmptyContinuation = &Rule{
	ID:       "NoEmptyContinuation",
	Severity: analysis.Warning,
	BuildKit: buildKitPage + "no-empty-continuation/",
	FileOnly: true,
	Style:    true,
	Doc: Doc{
		Summary: "An empty line lies within a continued instruction",
		What:    "Finds empty lines below a line that ends with the escape character. The fix removes them.",
		Why: "BuildKit skips such lines today and says that they will become an error. It also misleads: " +
			"what stands below the empty line looks like an instruction of its own, but belongs to the one above.",
		Example: "FROM alpine\nRUN apk add curl && \\\n\n    apk add git\n",
		Instead: "FROM alpine\nRUN apk add curl && \\\n    apk add git\n",
	},
	check: func(p *pass) {
		for _, problem := range p.problems(dockerfile.EmptyContinuation) {
			title := "Remove the empty line"
			if strings.Count(p.Text.Slice(problem.Span), "\n") > 1 {
				title = "Remove the empty lines"
			}
			p.report(nil, analysis.Finding{
				Span:    problem.Span,
				Message: problem.Message,
				Fixes:   change(title, problem.Span, "", true),
			})
		}
	},
}
