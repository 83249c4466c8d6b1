package rules

import (
	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
)

// EarlyCopy finds copies of the whole build context above steps that need nothing of it.
var EarlyCopy = &Rule{
	ID:       "early-copy",
	Severity: analysis.Information,
	Doc: Doc{
		Summary: "The whole build context is copied above a step that needs nothing of it",
		What: "Finds a `COPY` of the whole build context above a `RUN` that installs packages of the system by " +
			"name, where the build context is known and nothing else keeps the `RUN` below the copy.",
		Why: "A change of any file installs the packages again. Below the installation, the copy would leave it " +
			"in the cache.",
		Example: "FROM alpine\nCOPY . /app\nRUN apk add --no-cache curl\n",
		Instead: "FROM alpine\nRUN apk add --no-cache curl\nCOPY . /app\n",
	},
	check: checkEarlyCopy,
}

func checkEarlyCopy(p *pass) {
	for _, stage := range p.file().Stages { // what a stage is built on cannot be copied below it
		p.checkStageCopies(stage)
	}
}

func (p *pass) checkStageCopies(stage *dockerfile.Stage) {
	var whole *dockerfile.Word
	var copied *dockerfile.Instruction
	for _, in := range stage.Instructions {
		if _, word := contextCopy(in); word != nil && copied == nil {
			copied, whole = in, word
		}
		if copied == nil || p.rest().told[copied] {
			continue // CopyBeforeInstall says to move it already
		}
		for _, d := range p.shellRun(in).downloads() {
			if d.onlyNames() && !p.reordered(in) && p.movable(copied, in) {
				p.found(copied, whole.Span, nil, "%s in line %d runs again whenever any file of the build context changes, "+
					"and needs none of them: copy below it", d.shown(), in.Line)
				return
			}
		}
	}
}
