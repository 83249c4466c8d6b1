package rules

import (
	"strings"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
)

// LineTooLong finds lines that are longer than BuildKit can read.
var LineTooLong = &Rule{
	ID:       "line-too-long",
	Severity: analysis.Error,
	Doc: Doc{
		Summary: "A line is longer than BuildKit can read",
		What:    "Finds lines of 64 KiB or more.",
		Why: "BuildKit's parser reads the file line by line into a buffer of that size and stops at a longer " +
			"line. Move such data to a file in the build context, or break the line.",
		Example: "FROM alpine\nENV DATA=" + strings.Repeat("x", 64<<10) + "\n",
		Instead: "FROM alpine\nCOPY data.txt /data.txt\n",
	},
	check: fromProblems(dockerfile.LineTooLong),
}
