package rules

import (
	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
)

// InvalidInstruction finds instructions whose arguments or flag values BuildKit rejects.
var InvalidInstruction = &Rule{
	ID:       "invalid-instruction",
	Severity: analysis.Error,
	Doc: Doc{
		Summary: "An instruction's arguments are not valid",
		What:    "Finds instructions that BuildKit refuses because of their arguments or of a flag's value: too few or too many of them, or one of the wrong form.",
		Why:     "The build stops at such an instruction. BuildKit reports only the first one in a file; this rule reports each.",
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
			if in != nil && in.Meant == "SHELL" {
				if _, ok := almostJSON(p.File, in); ok {
					continue // AlmostJSON does
				}
			}
			p.report(nil, fromProblem(p.File, problem))
		}
	},
}
