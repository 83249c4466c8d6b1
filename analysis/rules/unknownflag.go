package rules

import (
	"github.com/layerwise/layerwise/analysis"
)

// UnknownFlag finds flags that their instruction does not have.
var UnknownFlag = &Rule{
	ID:       "unknown-flag",
	Severity: analysis.Error,
	Doc: Doc{
		Summary: "A flag is not one of the instruction's flags",
		What: "Finds flags, such as `--chwon`, that the instruction does not know. Where one is likely meant, a " +
			"fix changes the flag to it.",
		Why:     "The build stops at an unknown flag.",
		Example: "FROM alpine\nCOPY --chwon=1000 app.sh /app.sh\n",
		Instead: "FROM alpine\nCOPY --chown=1000 app.sh /app.sh\n",
	},
	check: checkUnknownFlag,
}
