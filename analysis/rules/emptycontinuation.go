package rules

import (
	"strings"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
)

// EmptyContinuation finds empty lines within an instruction that is continued over several lines.
var EmptyContinuation = &Rule{
	ID:       "empty-continuation",
	Severity: analysis.Warning,
	Doc: Doc{
		Summary: "An empty line lies within a continued instruction",
		What:    "Finds empty lines below a line that ends with the escape character. The fix removes them.",
		Why: "BuildKit skips such lines today and says that they will become an error. It also misleads: " +
			"what stands below the empty line looks like an instruction of its own, but belongs to the one above.",
		Example: "FROM alpine\nRUN apk add curl && \\\n\n    apk add git\n",
		Instead: "FROM alpine\nRUN apk add curl && \\\n    apk add git\n",
	},
	Check: checkEmptyContinuation,
}

func checkEmptyContinuation(file *dockerfile.File) []analysis.Finding {
	var findings []analysis.Finding
	for _, p := range file.Problems {
		if p.Kind != dockerfile.EmptyContinuation {
			continue
		}
		title := "Remove the empty line"
		if strings.Count(file.Text.Slice(p.Span), "\n") > 1 {
			title = "Remove the empty lines"
		}
		findings = append(findings, analysis.Finding{
			Span:    p.Span,
			Message: p.Message,
			Fixes:   []analysis.Fix{{Title: title, Edits: []source.Edit{{Span: p.Span}}, Preferred: true}},
		})
	}
	return findings
}
