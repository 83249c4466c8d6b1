package rules

import (
	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
)

// NoStage finds instructions above the first FROM, and files without one.
var NoStage = &Rule{
	ID:       "no-stage",
	Severity: analysis.Error,
	Hadolint: []string{"DL3061"},
	Doc: Doc{
		Summary: "An instruction stands above the first FROM, or there is no FROM",
		What:    "Finds instructions other than `ARG` above the first `FROM`, and Dockerfiles with no `FROM` at all.",
		Why: "Every instruction but `ARG` belongs to a build stage, which begins with `FROM`. The build stops " +
			"without one.",
		Example: "ENV LANG=C.UTF-8\nFROM alpine\n",
		Instead: "FROM alpine\nENV LANG=C.UTF-8\n",
	},
	check: fromProblems(dockerfile.NoStage),
}
