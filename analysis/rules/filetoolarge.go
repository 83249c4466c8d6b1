package rules

import (
	"slices"
	"strings"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
)

// FileTooLarge finds files that are larger than anybody writes.
var FileTooLarge = &Rule{
	ID:       "file-too-large",
	Severity: analysis.Warning,
	FileOnly: true,
	Doc: Doc{
		Summary: "The file is too large to be checked",
		What: "Finds files of more than " + dockerfile.Largest + ". Nothing else is said about the file, nothing in " +
			"it is fixed, and what the cache has of it is not known.",
		Why: "Mistakes and the cache are worked out at each key that is typed, which takes too long in such a file. " +
			"Move data and scripts to files in the build context, or make several Dockerfiles of it.",
		Example: "FROM alpine\n" + strings.Repeat("RUN make\n", dockerfile.MostInstructions),
		Instead: "FROM alpine\nCOPY build.sh .\nRUN ./build.sh\n",
	},
	check: func(p *pass) {
		file := p.file()
		stopped := slices.ContainsFunc(file.Problems, func(found dockerfile.Problem) bool {
			return found.Kind == dockerfile.LineTooLong // which says more
		})
		if file.TooLarge() && !stopped {
			p.report(nil, analysis.Finding{Message: "This file has " + file.Excess + ". It is too large to be checked"})
		}
	},
}
