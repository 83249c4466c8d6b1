package rules

import (
	"errors"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
)

// InvalidDirective finds parser directives that are repeated or have a bad value.
var InvalidDirective = &Rule{
	ID:       "invalid-directive",
	Severity: analysis.Error,
	Doc: Doc{
		Summary: "A parser directive is repeated or has a bad value",
		What:    "Finds lines such as `# escape=...` and `# check=...` at the head of the file that are given twice or whose value is not allowed.",
		Why: "Directives say how the rest of the file is read; the build stops at a bad one. The escape character is either a backslash or a backtick. " +
			"`check` takes `skip`, `experimental` and `error`, separated by semicolons.",
		Example: "# escape=/\nFROM alpine\n",
		Instead: "# escape=`\nFROM alpine\n",
	},
	check: func(p *pass) {
		for _, problem := range p.problems[dockerfile.InvalidDirective] {
			p.report(nil, fromProblem(p.File, problem))
		}
		for _, d := range p.Directives {
			if d.Name.Text == "check" {
				p.checkOptions(d.Value)
				break // BuildKit does not read a second one
			}
		}
	},
}

// checkOptions reports what BuildKit does not understand in the value of a "check" directive: see ParseLintOptions.
func (p *pass) checkOptions(value dockerfile.Word) {
	_, err := linter.ParseLintOptions(value.Text)
	if err == nil {
		return
	}
	if cause := errors.Unwrap(err); cause != nil {
		err = cause
	}
	options := []string{"skip", "experimental", "error"}
	at := value.Span.Start
	for part := range strings.SplitSeq(value.Text, ";") {
		key, _, has := strings.Cut(part, "=")
		name := strings.TrimSpace(key)
		start := at + strings.Index(key, name)
		at += len(part) + 1
		finding := analysis.Finding{Span: source.Span{Start: start, End: start + len(name)}}
		switch {
		case !slices.Contains(options, name):
			finding.Message = "invalid check option " + name
			p.report(nil, misspelt(finding, name, "", options, true))
			return
		case !has:
			finding.Message = "check option " + name + " has no value"
			p.report(nil, finding)
			return
		}
	}
	p.report(nil, analysis.Finding{Span: value.Span, Message: "invalid check options: " + err.Error()})
}
