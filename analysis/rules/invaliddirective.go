package rules

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
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
		What: "Finds lines such as `# escape=...` and `# check=...` at the head of the file that are given twice " +
			"or whose value is not allowed.",
		Why: "Directives say how the rest of the file is read; the build stops at a bad one. The escape character is " +
			"either a backslash or a backtick. " +
			"`check` takes `skip`, `experimental` and `error`, separated by semicolons.",
		Example: "# escape=/\nFROM alpine\n",
		Instead: "# escape=`\nFROM alpine\n",
	},
	check: func(p *pass) {
		for _, problem := range p.problems(dockerfile.InvalidDirective) {
			if p.Text.Slice(problem.Span) == "/" && len(problem.Suggestions) > 1 {
				problem.Suggestions = slices.Clone(problem.Suggestions)
				slices.Reverse(problem.Suggestions) // a slash rather is a backslash the wrong way
			}
			p.report(nil, p.fromProblem(problem))
		}
		for _, d := range p.file().Directives {
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
	at := value.Span.Start
	for part := range strings.SplitSeq(value.Text, ";") {
		key, setting, has := strings.Cut(part, "=")
		name := strings.TrimSpace(key)
		start := at + strings.Index(key, name)
		at += len(part) + 1
		finding := analysis.Finding{Span: source.Between(start, start+len(name))}
		switch {
		case !slices.Contains(checkOptions, name):
			finding.Message = "invalid check option " + name
			if option, rest, ok := strings.Cut(name, ":"); ok && !has &&
				slices.Contains(checkOptions, option) { // skip:all
				finding.Fixes = replace(finding.Span, option+"="+strings.TrimSpace(rest), true)
				p.report(nil, finding)
			} else if slices.Contains([]string{"ignore", "disable", "off", "exclude"}, name) {
				finding.Fixes = replace(finding.Span, "skip", true)
				p.report(nil, finding)
			} else {
				p.report(nil, misspeltWord(finding, name, checkOptions))
			}
			return
		case !has:
			finding.Message = "check option " + name + " has no value"
			p.report(nil, finding)
			return
		case name == "error":
			setting = strings.TrimSpace(setting)
			if _, err := strconv.ParseBool(setting); err != nil {
				from := at - 1 - len(part) + strings.LastIndex(part, setting)
				finding.Span = source.Between(from, from+len(setting))
				finding.Message = fmt.Sprintf("check option error is true or false, not %s", setting)
				switch strings.ToLower(setting) {
				case "yes", "on", "y":
					finding.Fixes = replace(finding.Span, "true", true)
				case "no", "off", "n":
					finding.Fixes = replace(finding.Span, "false", true)
				default:
					finding = misspeltWord(finding, setting, []string{"true", "false"})
				}
				p.report(nil, finding)
				return
			}
		}
	}
	p.found(nil, value.Span, nil, "invalid check options: %s", err.Error())
}
