package rules

import (
	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
)

// UnterminatedHeredoc finds a here-document whose closing delimiter is missing.
var UnterminatedHeredoc = &Rule{
	ID:       "unterminated-heredoc",
	Severity: analysis.Error,
	Doc: Doc{
		Summary: "A here-document is not closed",
		What:    "Finds a here-document (`<<EOF`) whose closing delimiter never comes on a line of its own.",
		Why: "Everything up to the end of the file becomes part of the here-document: the instructions below are not " +
			"instructions any more, and the build fails. With `<<EOF` the delimiter must stand at the very start of its " +
			"line; only `<<-EOF` allows tabs before it, and neither allows spaces.",
		Example: "FROM alpine\nRUN <<EOF\napk add curl\nCMD [\"curl\", \"--version\"]\n",
		Instead: "FROM alpine\nRUN <<EOF\napk add curl\nEOF\nCMD [\"curl\", \"--version\"]\n",
	},
	check: fromProblems(dockerfile.UnterminatedHeredoc),
}
