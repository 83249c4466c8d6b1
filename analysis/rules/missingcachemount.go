package rules

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/effects"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
)

// MissingCacheMount finds package managers that download everything again when their step runs again.
var MissingCacheMount = &Rule{
	ID:       "missing-cache-mount",
	Severity: analysis.Information,
	Doc: Doc{
		Summary: "A package manager's downloads are lost when its step runs again",
		What: "Finds package managers and compilers below a copy of files, which makes them run again, in a `RUN` " +
			"without a cache mount. " +
			"The fix adds one for the directory where root keeps downloads; below another `USER`, or where a " +
			"variable moves that directory, it is for you to say which. " +
			"There is a fix only where no image changes by the mount; elsewhere it is said what may differ. Where " +
			"another step takes the directory, or needs what is in it, such as the modules of `go mod download`, " +
			"nothing is said.",
		Why: "The layer cache holds all of a step or nothing. A cache mount keeps the downloads from build to " +
			"build, so that only what is new is fetched.",
		Example: "FROM alpine\nWORKDIR /app\nCOPY package.json package-lock.json ./\nRUN npm ci\n",
		Instead: "FROM alpine\nWORKDIR /app\nCOPY package.json package-lock.json ./\nRUN " +
			"--mount=type=cache,target=/root/.npm npm ci\n",
	},
	check: checkMissingCacheMount,
}

func checkMissingCacheMount(p *pass) {
	if p.lacks("RUN", "mount") {
		return // it has no mounts
	}
	type state struct {
		copied     bool
		user       string
		downloaded string // names of managers whose downloads are in the layers above
	}
	uses := sync.OnceValue(p.cacheUses)
	walk(p, state{}, func(s state, in *dockerfile.Instruction) state {
		sources, _ := contextCopy(in)
		s.copied = s.copied || len(sources) > 0
		if in.Meant == "USER" && len(in.Args) > 0 {
			s.user = in.Args[0].Text
		}
		run := p.shellRun(in)
		if run == nil || hasCacheMount(in) || p.mounted(in) || p.rest().told[in] || run.tidy {
			return s
		}
		downloads := run.downloads()
		for _, d := range downloads {
			if len(d.caches) == 0 {
				s.downloaded = withName(s.downloaded, d.name)
			}
		}
		var found *download
		for _, d := range slices.Concat(downloads, run.compiles) {
			if found == nil && len(d.caches) > 0 {
				found = &d
			}
		}
		if found == nil || !s.copied {
			return s
		}
		caches := found.cachesIn(p, in, s.downloaded)
		if len(caches) == 0 || uses().copied(caches) {
			return s // a step below takes what would be in the mount
		}
		finding := analysis.Finding{
			Span: found.span(p, in, 0, found.last),
			Message: fmt.Sprintf(
				"%s downloads everything again whenever this step runs again: a cache mount keeps it",
				found.shown(),
			),
		}
		compiles := found.compiles
		if compiles {
			finding.Message = fmt.Sprintf(
				"%s starts from nothing whenever this step runs again: a cache mount keeps what is downloaded and "+
					"compiled",
				found.shown(),
			)
		}
		if (s.user == "" || isRoot(s.user)) && !uses().movesCaches(in) {
			finding.Fixes = p.addCacheMount(in, *found, caches)
		}
		if len(finding.Fixes) == 0 {
			finding.Message += found.mayDiffer(caches)
		}
		p.report(in, finding)
		if compiles {
			s.downloaded = withName(s.downloaded, found.name)
		}
		return s
	})
}

// mayDiffer says what a cache mount changes in the image.
func (d download) mayDiffer(caches []string) string {
	verb := "is"
	if len(caches) > 1 {
		verb = "are"
	}
	text := fmt.Sprintf(". The image may differ: %s %s not in the layer then", strings.Join(caches, " and "), verb)
	if !safeCaches[d.name] {
		text += ", and what an older build left there may be used"
	}
	return text
}

// safeCaches are the managers whose caches make no difference to what they install, so that a mount can be offered:
// docs/reorderings.md says why others' do.
var safeCaches = map[string]bool{"npm": true, "yarn": true, "Go": true}

// keepsNothing reports whether a script takes care that no download stays: whoever does that has thought of it.
func (r *shellRun) keepsNothing() bool {
	for _, c := range r.commands {
		line := " " + strings.Join(c.words, " ") + " "
		switch {
		case strings.Contains(line, " cache clean") || strings.Contains(line, " clean all") || strings.Contains(line,
			" clear-cache ") || strings.Contains(line, " store prune "):
			return true
		case slices.Contains([]string{"apt-get", "apt", "yum", "dnf", "microdnf"}, c.words[0]) && strings.Contains(line,
			" clean "):
			return true
		case c.words[0] == "rm" && (strings.Contains(line, "/var/lib/apt/lists") || strings.Contains(line,
			"/var/cache/") || strings.Contains(line, ".cache") || strings.Contains(line, ".npm")):
			return true
		case strings.Contains(line, " --no-cache-dir ") || strings.Contains(line, " --no-cache "):
			return true
		}
	}
	return false
}

// cachesIn are the directories that a cache mount may cover, where the names of managers are given that have filled
// theirs above: what lies there is needed.
func (d download) cachesIn(p *pass, in *dockerfile.Instruction, downloaded string) []string {
	filled := strings.Contains(downloaded, d.name+" ")
	switch {
	case d.name == "Go" && filled:
		return d.caches[:1] // what is compiled, beside the modules
	case filled:
		return nil
	case d.name == "yarn" && slices.Contains(d.words, "--immutable"): // Yarn 2 and newer
		return []string{"/root/.yarn/berry/cache"}
	case d.name == "Composer" && strings.HasPrefix(p.variables().Image(in.Stage), "composer"):
		return []string{"/tmp/cache"}
	}
	return d.caches
}

// movesCaches reports whether a variable that the step sees may say where downloads are kept.
func (c *cacheUses) movesCaches(in *dockerfile.Instruction) bool {
	return c.moved[in.Stage] <= in.Span.Start
}

// cacheUses is what a file does with the directories where downloads are kept.
type cacheUses struct {
	moved []int // by stage, the offset from which on a variable may say where they are; behind the file if none does
	// taken are the paths that COPYs and mounts take from stages, each once.
	taken []string
	kept  map[string]bool // whether one of them is around or in a directory, by that
}

func (p *pass) cacheUses() *cacheUses {
	c := &cacheUses{moved: make([]int, len(p.file().Stages)), kept: map[string]bool{}}
	for stage, defined := range p.variables().Stages {
		c.moved[stage] = p.Text.Len() + 1
		if base := p.variables().Bases[stage]; base >= 0 {
			c.moved[stage] = c.moved[base]
		}
		for name, definitions := range defined {
			if saysWhere(name) {
				c.moved[stage] = min(c.moved[stage], definitions[0].From)
			}
		}
	}
	seen := map[string]bool{}
	take := func(path string) {
		if !seen[path] {
			seen[path] = true
			c.taken = append(c.taken, path)
		}
	}
	for _, in := range p.file().Instructions {
		if copied, ok := in.Command.(*instructions.CopyCommand); ok && copied.From != "" {
			for _, path := range copied.SourcePaths {
				take(path)
			}
		}
		for _, m := range in.Mounts() {
			if _, ok := m.Get("from"); ok {
				source, _ := m.Get("source") // without one it is the whole stage
				take(source.Text)
			}
		}
	}
	return c
}

// saysWhere reports whether a variable may say where downloads are kept.
func saysWhere(name string) bool {
	switch name {
	case "PNPM_HOME", "HOME", "COMPOSER_HOME", "GEM_HOME", "BUNDLE_PATH":
		return true
	}
	return strings.Contains(strings.ToUpper(name), "CACHE")
}

// copied reports whether a COPY or a mount takes one of the directories from a stage, or one around or in it.
func (c *cacheUses) copied(dirs []string) bool {
	return slices.ContainsFunc(dirs, func(dir string) bool {
		kept, known := c.kept[dir]
		if !known {
			kept = slices.ContainsFunc(c.taken, func(path string) bool { return effects.Nested(path, dir) })
			c.kept[dir] = kept
		}
		return kept
	})
}

// withName adds a name to a list of names, each with a space behind it, if it is not in it.
func withName(list, name string) string {
	if strings.Contains(list, name+" ") {
		return list
	}
	return list + name + " "
}

// addCacheMount is the fix that mounts a cache, where that makes no difference to the image: see docs/reorderings.md.
func (p *pass) addCacheMount(in *dockerfile.Instruction, d download, caches []string) []analysis.Fix {
	dir := caches[0]
	switch {
	case !safeCaches[d.name] || in.Stage == len(p.file().Stages)-1: // the mount's directory would be part of the image
		return nil
	case d.name == "npm":
		if dir += "/_cacache"; d.words[d.last-1] != "ci" { // what npx runs lies beside it
			return nil
		}
	case d.name == "yarn" && !slices.Contains(d.words, "--frozen-lockfile"):
		return nil
	case d.name == "Go" && !p.withoutC(in):
		return nil
	}
	mount := "--mount=type=cache,target=" + dir
	if d.name == "yarn" {
		mount += ",sharing=locked"
	}
	return change("Add a cache mount for "+dir, source.At(in.ArgsSpan.Start), mount+" ", false)
}

// withoutC reports whether Go surely compiles no C: what compilers and libraries there are is not in the keys of its
// cache.
func (p *pass) withoutC(in *dockerfile.Instruction) bool {
	value, known := p.variables().Expand(in.Stage, in.Span.Start, "$CGO_ENABLED")
	return known && value == "0" || strings.HasPrefix(strings.TrimSpace(p.Text.Slice(in.ArgsSpan)), "CGO_ENABLED=0 ")
}

func hasCacheMount(in *dockerfile.Instruction) bool {
	return slices.ContainsFunc(in.Flags, func(f dockerfile.Flag) bool {
		return f.Name.Text == "mount" && slices.Contains(strings.Split(f.Value.Text, ","), "type=cache")
	})
}
