package rules

import (
	"fmt"
	"path"
	"regexp"
	"slices"
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
			"build context, where the files that they read were not copied apart before. " +
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
		for _, d := range p.shellRuns()[in].downloads() {
			if !d.manifest {
				continue
			}
			if s.whole != nil && !strings.Contains(s.installed, d.name+" ") &&
				!(len(d.caches) == 0 && hasCacheMount(in)) &&
				p.sendsMoreThan(d.manager) &&
				!p.reordered(in) {
				if d.name != "pip" && p.workspace() {
					continue // the manifests of all its packages are read, wherever they lie
				}
				if p.told == nil {
					p.told = map[*dockerfile.Instruction]bool{}
				}
				p.told[s.whole], p.told[in] = true, true
				p.report(in, analysis.Finding{
					Span: d.span(p.File, in, 0, d.last),
					Message: fmt.Sprintf(
						"%s runs again whenever any file of the build context changes, because line %d copies the "+
							"whole of it: copy %s apart, install, then copy the rest",
						d.shown(),
						s.whole.Line,
						manifestsOf(d),
					),
				})
			}
			s.installed += d.name + " "
		}
		return s
	})
}

// workspaceSigns are files and folders in a build context of which tools make a workspace of several packages, and
// words in commands that say so.
var (
	workspaceSigns = []string{
		"pnpm-workspace.yaml",
		"lerna.json",
		"turbo.json",
		"nx.json",
		"rush.json",
		"go.work",
		"packages/",
		"apps/",
		"crates/",
		"libs/",
		"workspaces/",
		"plugins/",
	}
	workspaceWords = regexp.MustCompile(
		`(^|\s)(--filter|--workspaces?|workspaces?|-w|-r|--recursive|turbo|nx|lerna|rush)([=\s]|$)`,
	)
)

// workspace reports whether the build context, or a command, looks like a workspace of several packages.
func (p *pass) workspace() bool {
	if p.opts.Context != nil &&
		slices.ContainsFunc(
			workspaceSigns,
			func(name string) bool { return slices.Contains(p.opts.Context.Sent, name) },
		) {
		return true
	}
	for _, run := range p.runsInOrder() {
		for _, c := range run.commands {
			if slices.Contains([]string{"npm", "npx", "yarn", "pnpm", "turbo", "nx", "lerna"}, c.words[0]) &&
				workspaceWords.MatchString(strings.Join(c.words, " ")) {
				return true
			}
		}
	}
	return false
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

// sendsMoreThan reports whether the build context is not known to hold nothing but the manager's manifests, or none of
// them.
func (p *pass) sendsMoreThan(m *manager) bool {
	if p.opts.Context == nil || len(p.opts.Context.Sent) == 0 {
		return true
	}
	manifests, others := 0, 0
	for _, sent := range p.opts.Context.Sent {
		switch {
		case slices.ContainsFunc(m.manifests, func(name string) bool {
			ok, _ := path.Match(name,
				path.Base(sent))
			return ok
		}):
			manifests++
		case !strings.HasSuffix(sent, "/"):
			others++
		}
	}
	return others > 0 && (manifests > 0 || len(m.manifests) == 0)
}
