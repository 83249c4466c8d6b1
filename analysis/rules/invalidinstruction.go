package rules

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
)

// InvalidInstruction finds instructions whose arguments or flag values BuildKit rejects.
var InvalidInstruction = &Rule{
	ID:       "invalid-instruction",
	Severity: analysis.Error,
	Doc: Doc{
		Summary: "An instruction's arguments are not valid",
		What: "Finds instructions that BuildKit refuses because of their arguments or of a flag's value: too few " +
			"or too many of them, or one of the wrong form.",
		Why: "The build stops at such an instruction. BuildKit reports only the first one in a file; this rule " +
			"reports each.",
		Example: "FROM alpine\nCOPY app.sh\nENV GREETING\n",
		Instead: "FROM alpine\nCOPY app.sh /usr/local/bin/\nENV GREETING=hello\n",
	},
	check: func(p *pass) {
		for _, problem := range p.problems[dockerfile.InvalidInstruction] {
			in := p.InstructionAt(problem.Span.Start)
			if in != nil && !in.JSON && in.ArgsSpan.Contains(problem.Span.Start) && isMisplacedFlag(p.File, in) {
				continue // MisplacedFlag says what is wrong
			}
			if in != nil && trailingComment(in) >= 0 {
				continue // TrailingComment does
			}
			if in != nil && (p.spoilt(in) || in.Trigger != nil && p.spoilt(in.Trigger)) {
				continue // LookalikeCharacter does
			}
			if in != nil {
				if line, ok := p.swallows(in); ok && problem.Span.End > p.Text.LineStart(line) {
					continue // SwallowedInstruction does
				}
			}
			if in != nil && in.Meant == "SHELL" {
				if _, ok := almostJSON(p.File, in); ok {
					continue // AlmostJSON does
				}
			}
			finding := fromProblem(p.File, problem)
			if in != nil && len(finding.Fixes) == 0 {
				finding.Fixes = p.respaced(in)
			}
			if in != nil && len(in.Args) == 0 && (in.Meant == "HEALTHCHECK" || in.Meant == "ONBUILD") {
				p.joinBelow(&finding, in)
			}
			p.report(nil, finding)
		}
	},
}

// equalsApart matches an equals sign with blanks around it between two words.
var equalsApart = regexp.MustCompile(`^([A-Za-z_][A-Za-z0-9_.-]*)([ \t]*=[ \t]*)([^\s="'\\` + "`" + `]+)$`)

// respaced returns what makes an instruction right that has blanks around its equals sign, or a SHELL that is no array.
func (p *pass) respaced(in *dockerfile.Instruction) []analysis.Fix {
	text := p.Text.Slice(in.ArgsSpan)
	switch in.Meant {
	case "ARG", "ENV", "LABEL":
		if m := equalsApart.FindStringSubmatchIndex(strings.TrimRight(text, " \t")); m != nil && m[5]-m[4] > 1 {
			at := source.Span{Start: in.ArgsSpan.Start + m[4], End: in.ArgsSpan.Start + m[5]}
			return []analysis.Fix{
				{Title: "Remove the spaces around =", Edits: []source.Edit{{Span: at, NewText: "="}}, Preferred: true},
			}
		}
	case "SHELL":
		words := strings.Fields(text)
		if len(words) == 0 || strings.ContainsAny(text, "\"'[],\n$") {
			return nil
		}
		if len(words) == 1 && slices.Contains(unixShells, path.Base(words[0])) {
			words = append(words, "-c")
		}
		return []analysis.Fix{replace(in.ArgsSpan, `["`+strings.Join(words, `", "`)+`"]`, true)}
	}
	return nil
}

// joinBelow adds the fix that makes the next line part of an instruction which has no arguments, if it is meant to be.
func (p *pass) joinBelow(finding *analysis.Finding, in *dockerfile.Instruction) {
	line := p.Text.LineAt(in.Span.End)
	i := slices.Index(p.Instructions, in) + 1
	if i == 0 || i == len(p.Instructions) || p.Text.LineAt(p.Instructions[i].Span.Start) != line+1 ||
		p.indent(p.Instructions[i]) <= p.indent(in) {
		return
	}
	if below := p.Instructions[i].Meant; in.Meant == "HEALTHCHECK" && below != "CMD" || below == "FROM" ||
		below == "ONBUILD" {
		return
	}
	end := in.Span.Start + len(strings.TrimRight(p.Text.Slice(in.Span), " \t"))
	finding.Message += fmt.Sprintf(": missing %s at the end of line %d?", p.escapeName(), line+1)
	finding.Fixes = []analysis.Fix{{
		Title:     fmt.Sprintf("Add the missing %s at the end of line %d", p.escapeName(), line+1),
		Edits:     []source.Edit{{Span: source.Span{Start: end, End: in.Span.End}, NewText: " " + string(p.Escape)}},
		Preferred: true,
	}}
}
