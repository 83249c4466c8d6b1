// Package buildcheck finds mistakes in the build sections of Compose and bake files, and renames in them what a
// Dockerfile names. Findings are plain data, like those of Dockerfile rules.
//
//	findings := buildcheck.Check(sections, entries, buildcheck.Files{Read: read})
//
// It must not know a protocol, a baseline or cache keys.
package buildcheck

import (
	"fmt"
	"strings"

	"github.com/layerwise/layerwise/analysis"
)

// Rule is one sort of mistake in a build section.
type Rule struct {
	ID       string
	Severity analysis.Severity
	Summary  string // one line, without a full stop
	What     string // what the rule finds
	Why      string // why that is bad
	Example  string // a Compose file with the mistake
	Instead  string // the file as it should be
}

// The rules.
var (
	UnknownTarget = &Rule{
		ID: "UnknownBuildTarget", Severity: analysis.Error,
		Summary: "The target is not a stage of the Dockerfile",
		What: "A `target` that names no stage of the Dockerfile. " +
			"A stage is named by its name only: its number works in `COPY --from`, but not here.",
		Why:     "The build fails: `target stage \"prdo\" could not be found`.",
		Example: "services:\n  web:\n    build:\n      context: .\n      target: prdo\n",
		Instead: "services:\n  web:\n    build:\n      context: .\n      target: prod\n",
	}
	UndeclaredArg = &Rule{
		ID: "UndeclaredBuildArg", Severity: analysis.Warning,
		Summary: "The Dockerfile does not declare the build argument",
		What:    "An argument below `args` for which the Dockerfile has no `ARG`.",
		Why:     "The argument has no effect. Most often its name is misspelt, and the `ARG` keeps its default.",
		Example: "services:\n  web:\n    build:\n      context: .\n      args:\n        VERSOIN: \"1.2\"\n",
		Instead: "services:\n  web:\n    build:\n      context: .\n      args:\n        VERSION: \"1.2\"\n",
	}
	MissingDockerfile = &Rule{
		ID: "MissingDockerfile", Severity: analysis.Error,
		Summary: "The Dockerfile does not exist",
		What: "A `dockerfile` that is not there. Its path is relative to the build context, not to the file that " +
			"names it.",
		Why:     "The build fails: `failed to read dockerfile`.",
		Example: "services:\n  web:\n    build:\n      context: .\n      dockerfile: Dockerfil\n",
		Instead: "services:\n  web:\n    build:\n      context: .\n      dockerfile: Dockerfile\n",
	}
	MissingContext = &Rule{
		ID: "MissingBuildContext", Severity: analysis.Error,
		Summary: "The build context is not a directory",
		What:    "A `context` that does not exist or is a file.",
		Why:     "The build fails before it begins.",
		Example: "services:\n  web:\n    build: ./nowhere\n",
		Instead: "services:\n  web:\n    build: ./app\n",
	}
)

// All is the table of all rules, sorted by id.
var All = []*Rule{
	EmptyCacheMount, MinModeCache, MissingContext, MissingDockerfile, NoCacheFrom, SharedCache, UndeclaredArg,
	UnknownTarget, VaryingBuildArg,
}

// URL is the address of a rule's page.
func (r *Rule) URL() string {
	return "https://github.com/layerwise/layerwise/blob/main/docs/build-rules/" + r.ID + ".md"
}

// Find is the rule with an ID, nil if there is none.
func Find(id string) *Rule {
	for _, r := range All {
		if r.ID == id {
			return r
		}
	}
	return nil
}

// Markdown returns the rule's page.
func (r *Rule) Markdown() string {
	head := fmt.Sprintf("# %s\n\n%s. Severity: %s.\n\n", r.ID, r.Summary, r.Severity)
	reasons := fmt.Sprintf("## What it does\n\n%s\n\n## Why this is bad\n\n%s\n\n", r.What, r.Why)
	return head + reasons + fmt.Sprintf(
		"## Example\n\n%s\nUse instead:\n\n%s",
		codeBlock(r.Example),
		codeBlock(r.Instead),
	)
}

func codeBlock(text string) string { return "```yaml\n" + strings.TrimSuffix(text, "\n") + "\n```\n" }
