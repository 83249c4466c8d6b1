package rules

import (
	"path"
	"strings"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
)

// CopyBeforeInstall finds dependencies that are installed below a copy of the whole build context.
var CopyBeforeInstall = &Rule{
	ID:       "copy-before-install",
	Severity: analysis.Information,
	Doc: Doc{
		Summary: "Dependencies are installed anew after every change of a file",
		What: "Finds commands such as `npm ci`, `pip install -r` or `go mod download` below a `COPY` of the whole " +
			"build context, where the files that they read were not copied apart before, and nothing else keeps " +
			"them below it, as far as the build context tells. " +
			"The rewrite that splits the copy is among the refactorings.",
		Why: "A step is taken from the cache only if the copies above it are. A change of any file thus installs " +
			"all dependencies again, though only the manifest matters for them.",
		Example: "FROM alpine\nWORKDIR /app\nCOPY . .\nRUN --mount=type=cache,target=/root/.npm npm ci\n",
		Instead: "FROM alpine\nWORKDIR /app\nCOPY package.json package-lock.json ./\nRUN " +
			"--mount=type=cache,target=/root/.npm npm ci\nCOPY . .\n",
	},
	check: checkCopyBeforeInstall,
}

func checkCopyBeforeInstall(p *pass) {
	type state struct {
		whole     *dockerfile.Instruction
		installed string // names of managers
	}
	walk(p, state{}, func(s state, in *dockerfile.Instruction) state {
		if _, whole := contextCopy(in); whole != nil && s.whole == nil {
			s.whole = in
		}
		for _, d := range p.shellRun(in).downloads() {
			if !d.manifest {
				continue
			}
			if s.whole != nil && !strings.Contains(s.installed, d.name+" ") &&
				!(len(d.caches) == 0 && hasCacheMount(in)) &&
				!p.reordered(in) &&
				p.movable(s.whole, in) {
				if p.rest().told == nil {
					p.rest().told = map[*dockerfile.Instruction]bool{}
				}
				p.rest().told[s.whole], p.rest().told[in] = true, true
				p.found(in, d.span(p, in, 0, d.last), nil, "%s runs again whenever any file of the build context changes, "+
					"because line %d copies the whole of it: copy %s apart, install, then copy the rest",
					d.shown(), s.whole.Line, manifestsOf(d))
			}
			s.installed = withName(s.installed, d.name)
		}
		return s
	})
}

func manifestsOf(d download) string {
	if d.name != "pip" {
		return strings.Join(d.manifests, " and ")
	}
	for i, word := range d.words {
		if word == "-r" && i+1 < len(d.words) {
			return path.Base(d.words[i+1])
		}
	}
	return "the requirements"
}
