package rules

import (
	"slices"
	"strings"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
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

// flagsElsewhere are flags of commands that do the same as an instruction, which needs none for it.
var flagsElsewhere = map[string][]string{
	"COPY":   strings.Fields("recursive verbose force archive preserve quiet"),
	"ADD":    strings.Fields("recursive verbose force archive preserve quiet extract untar"),
	"EXPOSE": strings.Fields("port publish tcp"), "ENV": strings.Fields("env"), "LABEL": strings.Fields("label"),
	"RUN":     strings.Fields("rm interactive tty detach init quiet"),
	"WORKDIR": strings.Fields("workdir path"), "USER": strings.Fields("user uid"), "VOLUME": strings.Fields("volume"),
}

func checkUnknownFlag(p *pass) {
	for _, problem := range p.problems(dockerfile.UnknownFlag) {
		finding := p.fromProblem(problem)
		if in := p.file().InstructionAt(problem.Span.Start); in != nil {
			if pairs := in.Meant == "ARG" || in.Meant == "ENV" || in.Meant == "LABEL"; pairs && len(in.Args) == 0 {
				continue // InvalidInstruction says that nothing else is there
			}
			for _, flag := range in.Flags {
				if flag.Name.Span == problem.Span && in.Meant == "ADD" && flag.Name.Text == "from" {
					finding.Message += " (COPY has it)"
					finding.Fixes = replace(in.Keyword.Span, matching("COPY", in.Keyword.Text), true)
				}
				if flag.Name.Span == problem.Span && slices.Contains(flagsElsewhere[in.Meant], flag.Name.Text) {
					finding.Fixes = p.removed(source.Between(flag.Span.Start, p.behind(in, flag.Span.End)))
				}
			}
		}
		p.report(nil, finding)
	}
}
