package rules

import (
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
		finding := fromProblem(file, p)
		first, last := file.Text.LineAt(p.Span.Start), file.Text.LineAt(p.Span.End)
		title := "Remove the empty line"
		if first < last {
			title = "Remove the empty lines"
		}
		finding.Fixes = []analysis.Fix{{
			Title:     title,
			Edits:     []source.Edit{{Span: source.Span{Start: file.Text.LineStart(first), End: file.Text.LineStart(last + 1)}}},
			Preferred: true,
		}}
		findings = append(findings, finding)
	}
	return findings
}
