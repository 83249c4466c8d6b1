// Package rules finds mistakes in a Dockerfile and offers the edits that mend them.
//
// Each rule is one declaration in a file of its own: its documentation, its severity, its check and two examples,
// which the tests execute. The package is pure: it must not know a protocol, the file system or the build cache.
package rules

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/layerwise/layerwise/analysis/spell"
)

// Rule is one sort of mistake.
type Rule struct {
	ID       string
	Severity analysis.Severity
	Doc      Doc
	// Check returns the rule's findings in file; [Check] fills in their Rule and, where it is zero, their Severity.
	Check func(file *dockerfile.File) []analysis.Finding
}

// Doc is a rule's documentation. Its texts are Markdown but for the examples, which are whole Dockerfiles.
type Doc struct {
	Summary string // one line, without a full stop
	What    string // what the rule finds
	Why     string // why that is bad
	Example string // a Dockerfile with the mistake
	Instead string // the Dockerfile as it should be
}

// All is the table of all rules, sorted by id.
var All = []*Rule{
	EmptyContinuation,
	InvalidDirective,
	InvalidInstruction,
	LineTooLong,
	NoStage,
	UnknownFlag,
	UnknownInstruction,
	UnterminatedHeredoc,
}

// ByID returns the rule with the id, or nil.
func ByID(id string) *Rule {
	i, found := slices.BinarySearchFunc(All, id, func(r *Rule, id string) int { return cmp.Compare(r.ID, id) })
	if !found {
		return nil
	}
	return All[i]
}

// URL is the address of the rule's page, for editors and reports.
func (r *Rule) URL() string {
	return "https://github.com/layerwise/layerwise/blob/main/docs/rules/" + r.ID + ".md"
}

// Options says which rules run.
type Options struct {
	Off []string // ids of rules that are not run
}

// Check returns the findings of all rules in file, in order of position.
func Check(file *dockerfile.File, opts Options) []analysis.Finding {
	var findings []analysis.Finding
	for _, rule := range All {
		if slices.Contains(opts.Off, rule.ID) {
			continue
		}
		for _, finding := range rule.Check(file) {
			finding.Rule = rule.ID
			if finding.Severity == 0 {
				finding.Severity = rule.Severity
			}
			findings = append(findings, finding)
		}
	}
	slices.SortStableFunc(findings, func(a, b analysis.Finding) int {
		return cmp.Or(cmp.Compare(a.Span.Start, b.Span.Start), cmp.Compare(a.Span.End, b.Span.End))
	})
	return findings
}

// fromProblems returns a check that reports the file's problems of one kind as they are, with a fix for each suggestion.
func fromProblems(kind dockerfile.ProblemKind) func(*dockerfile.File) []analysis.Finding {
	return func(file *dockerfile.File) []analysis.Finding {
		var findings []analysis.Finding
		for _, p := range file.Problems {
			if p.Kind == kind {
				findings = append(findings, fromProblem(file, p))
			}
		}
		return findings
	}
}

func fromProblem(file *dockerfile.File, p dockerfile.Problem) analysis.Finding {
	finding := analysis.Finding{Span: p.Span, Message: p.Message, Fixes: changeTo(file, p)}
	if p.Warning {
		finding.Severity = analysis.Warning
	}
	if n := len(p.Suggestions); n > 0 {
		likely := make([]string, min(n, 3))
		if finding.Fixes[0].Preferred {
			likely = likely[:1]
		}
		for i := range likely {
			likely[i] = shown(p, p.Suggestions[i])
		}
		finding.Message += fmt.Sprintf(" (did you mean %s?)", strings.Join(likely, " or "))
	}
	return finding
}

// changeTo returns a fix for each of the problem's suggestions. The first is preferred if there is no doubt about it.
func changeTo(file *dockerfile.File, p dockerfile.Problem) []analysis.Fix {
	var fixes []analysis.Fix
	typed := file.Text.Slice(p.Span)
	for i, word := range p.Suggestions {
		fixes = append(fixes, analysis.Fix{
			Title:     "Change to " + shown(p, word),
			Edits:     []source.Edit{{Span: p.Span, NewText: word}},
			Preferred: i == 0 && spell.Meant(typed, p.Suggestions) == word,
		})
	}
	return fixes
}

// shown is a suggestion as people write it: a flag's with its dashes, which are not part of the problem's span.
func shown(p dockerfile.Problem, suggestion string) string {
	if p.Kind == dockerfile.UnknownFlag && !strings.HasPrefix(suggestion, "--") {
		return "--" + suggestion
	}
	return suggestion
}
