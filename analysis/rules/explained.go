package rules

import (
	"slices"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
)

// explained are the rules whose finding follows from what another rule finds in the same instruction. One mistake is
// one finding: the first yields to the second if that is as severe.
var explained = map[string][]*Rule{
	InvalidDefaultArgInFrom.ID: {InvalidImage, UndefinedArgInFrom},
	InvalidInstruction.ID:      {InvalidImage},
	JSONArgsRecommended.ID:     {BackgroundInstall, NoShell, WrongArguments},
	LegacyKeyValueFormat.ID:    {LostPath, StrayCharacter},
	LostEffect.ID:              {WrongArguments},
	MisreadPath.ID:             {TrailingComment},
	MissingOperator.ID:         {SwallowedInstruction},
	MissingYes.ID:              {SwallowedInstruction},
	NoEmptyContinuation.ID:     {SwallowedInstruction},
	NoShell.ID:                 {InvalidImage},
	ShellSyntax.ID:             {AlmostJSON},
	UndefinedVar.ID:            {InvalidPort},
	WorkdirRelativePath.ID:     {MisreadPath, StrayCharacter},
}

// withoutExplained leaves out the findings that follow from others.
func withoutExplained(file *dockerfile.File, findings []analysis.Finding) []analysis.Finding {
	type saying struct {
		in   *dockerfile.Instruction
		rule string
	}
	worst := map[saying]analysis.Severity{}
	for _, f := range findings {
		said := saying{file.InstructionAt(f.Span.Start), f.Rule}
		if severity, ok := worst[said]; !ok || f.Severity < severity {
			worst[said] = f.Severity
		}
	}
	return slices.DeleteFunc(findings, func(f analysis.Finding) bool {
		if explained[f.Rule] == nil {
			return false
		}
		in := file.InstructionAt(f.Span.Start)
		return in != nil && slices.ContainsFunc(explained[f.Rule], func(rule *Rule) bool {
			severity, ok := worst[saying{in, rule.ID}]
			return ok && severity <= f.Severity
		})
	})
}
