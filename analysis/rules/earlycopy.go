package rules

import (
	"fmt"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
)

// EarlyCopy finds copies of the whole build context above steps that need nothing of it.
var EarlyCopy = &Rule{
	ID:       "early-copy",
	Severity: analysis.Information,
	Doc: Doc{
		Summary: "The whole build context is copied above a step that needs nothing of it",
		What:    "Finds a `COPY` of the whole build context above a `RUN` that installs packages of the system by name.",
		Why:     "A change of any file installs the packages again. Below the installation, the copy would leave it in the cache.",
		Example: "FROM opensuse/leap\nCOPY . /app\nRUN zypper install -y curl\n",
		Instead: "FROM opensuse/leap\nRUN zypper install -y curl\nCOPY . /app\n",
	},
	check: checkEarlyCopy,
}

func checkEarlyCopy(p *pass) {
	type state struct {
		in    *dockerfile.Instruction
		whole *dockerfile.Word
	}
	told := map[*dockerfile.Instruction]bool{}
	walk(p, state{}, func(s state, in *dockerfile.Instruction) state {
		if _, whole := contextCopy(in); whole != nil && s.in == nil {
			s = state{in, whole}
		}
		if s.in == nil || told[s.in] {
			return s
		}
		for _, d := range p.shellRuns()[in].downloads() {
			if d.onlyNames() && !p.reordered(in) {
				told[s.in] = true
				p.report(s.in, analysis.Finding{
					Span:    s.whole.Span,
					Message: fmt.Sprintf("%s in line %d runs again whenever any file of the build context changes, and needs none: copy below it", d.shown(), in.Line),
				})
				break
			}
		}
		return s
	})
}
