package rules

import (
	"fmt"
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
		What: fmt.Sprintf("Finds files of more than %d instructions or %d KiB. Nothing else is said about the file, "+
			"nothing in it is fixed, and what the cache has of it is not known.",
			dockerfile.MostInstructions, dockerfile.MostBytes>>10),
		Why: "Mistakes and the cache are worked out at each key that is typed, which takes too long in such a file. " +
			"Move data and scripts to files in the build context, or make several Dockerfiles of it.",
		Example: "FROM alpine\n" + strings.Repeat("RUN make\n", dockerfile.MostInstructions),
		Instead: "FROM alpine\nCOPY build.sh .\nRUN ./build.sh\n",
	},
	check: func(p *pass) {
		file := p.file()
		if !file.TooLarge() {
			return
		}
		what := fmt.Sprintf("more than %d instructions", dockerfile.MostInstructions)
		if size := file.Text.Len(); size > dockerfile.MostBytes {
			what = fmt.Sprintf("%d KiB", size>>10)
		}
		p.report(nil, analysis.Finding{Message: "This file has " + what + ". It is too large to be checked"})
	},
}
