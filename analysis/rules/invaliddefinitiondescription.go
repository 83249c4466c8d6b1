package rules

import (
	"slices"
	"strings"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
)

// InvalidDefinitionDescription finds comments above a stage or ARG that do not begin with its name.
var InvalidDefinitionDescription = &Rule{
	ID:           "InvalidDefinitionDescription",
	Severity:     analysis.Information,
	BuildKit:     buildKitPage + "invalid-definition-description/",
	Experimental: true,
	Doc: Doc{
		Summary: "A comment above a stage or ARG does not begin with its name",
		What: "Finds a named `FROM` or an `ARG` right below a comment that does not begin with the name. It only " +
			"looks if `# check=experimental=InvalidDefinitionDescription` asks for it.",
		Why: "BuildKit shows such comments as descriptions of stages and arguments (`docker build " +
			"--call=outline`).",
		Example: "# check=experimental=InvalidDefinitionDescription\n# version of the base image\nARG TAG=3.20\nFROM " +
			"alpine:$TAG\n",
		Instead: "# check=experimental=InvalidDefinitionDescription\n# TAG is the version of the base image\nARG " +
			"TAG=3.20\nFROM alpine:$TAG\n",
	},
	check: func(p *pass) {
		for _, stage := range p.file().Stages {
			if stage.Name != "" && stage.From.From != nil {
				p.checkDescription(stage.From, stage.NameWord.Span, []string{stage.Name})
			}
		}
		for _, in := range p.of("ARG") {
			if c, ok := in.Command.(*instructions.ArgCommand); ok {
				var names []string
				for _, arg := range c.Args {
					names = append(names, arg.Key)
				}
				p.checkDescription(in, in.Args[0].Span, names)
			}
		}
	},
}

// checkDescription looks at the last comment line above an instruction: validateDefinitionDescription in BuildKit's
// instructions package.
func (p *pass) checkDescription(in *dockerfile.Instruction, span source.Span, names []string) {
	if in.Node == nil || len(in.Node.PrevComment) == 0 || len(names) == 0 {
		return
	}
	comments := in.Node.PrevComment
	first, _, _ := strings.Cut(comments[len(comments)-1], " ")
	if slices.Contains(names, first) {
		return
	}
	name := names[0]
	if len(names) > 1 {
		name = "<arg_key>"
	}
	p.found(in, span, nil, "comment for %s should follow the format: `# %s <description>`", in.Meant, name)
}
