package rules

import (
	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
)

// InvalidDirective finds parser directives that are repeated or have a bad value.
var InvalidDirective = &Rule{
	ID:       "invalid-directive",
	Severity: analysis.Error,
	Doc: Doc{
		Summary: "A parser directive is repeated or has a bad value",
		What:    "Finds lines such as `# escape=...` at the head of the file that are given twice or whose value is not allowed.",
		Why:     "Directives say how the rest of the file is read; the build stops at a bad one. The escape character is either a backslash or a backtick.",
		Example: "# escape=/\nFROM alpine\n",
		Instead: "# escape=`\nFROM alpine\n",
	},
	check: fromProblems(dockerfile.InvalidDirective),
}
