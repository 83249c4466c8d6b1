package rules

import (
	"fmt"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
)

// MissingCacheMount finds package managers that download everything again when their step runs again.
var MissingCacheMount = &Rule{
	ID:       "missing-cache-mount",
	Severity: analysis.Information,
	Doc: Doc{
		Summary: "A package manager's downloads are lost when its step runs again",
		What: "Finds package managers and compilers below a copy of files, which makes them run again, in a `RUN` without a cache mount. " +
			"The fix adds one for the directory where root keeps downloads; below another `USER`, or where a variable moves that directory, it is for you to say which. " +
			"For `apt` it also removes Debian's `docker-clean`, which would empty the directory. What steps below need, such as the modules of `go mod download`, is left in the layer.",
		Why:     "The layer cache holds all of a step or nothing. A cache mount keeps the downloads from build to build, so that only what is new is fetched.",
		Example: "FROM alpine\nWORKDIR /app\nCOPY package.json package-lock.json ./\nRUN npm ci\n",
		Instead: "FROM alpine\nWORKDIR /app\nCOPY package.json package-lock.json ./\nRUN --mount=type=cache,target=/root/.npm npm ci\n",
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
	walk(p, state{}, func(s state, in *dockerfile.Instruction) state {
		sources, _ := contextCopy(in)
		s.copied = s.copied || len(sources) > 0
		if in.Meant == "USER" && len(in.Args) > 0 {
			s.user = in.Args[0].Text
		}
		run := p.shellRuns()[in]
		if run == nil || hasCacheMount(in) || p.mounted(in) {
			return s
		}
		downloads := run.downloads()
		for _, d := range downloads {
			if len(d.caches) == 0 {
				s.downloaded += d.name + " "
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
		if len(caches) == 0 {
			return s
		}
		finding := analysis.Finding{
			Span:    found.span(p.File, in, 0, found.last),
			Message: fmt.Sprintf("%s downloads everything again whenever this step runs again: a cache mount keeps it", found.shown()),
		}
		compiles := slices.Contains(compilers, found.manager)
		if compiles {
			finding.Message = fmt.Sprintf("%s starts from nothing whenever this step runs again: a cache mount keeps what is downloaded and compiled", found.shown())
		}
		root := s.user == "" || s.user == "root" || s.user == "0" || s.user == "root:root" || s.user == "0:0"
		if root && !p.movesCaches(in) && !p.copiedFrom(caches) && (!compiles || found.name == "Go" || p.usedOnce(found.manager)) {
			if fix, ok := p.addCacheMounts(in, run, *found, caches); ok {
				finding.Fixes = []analysis.Fix{fix}
			}
		}
		p.report(in, finding)
		if compiles {
			s.downloaded += found.name + " "
		}
		return s
	})
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
func (p *pass) movesCaches(in *dockerfile.Instruction) bool {
	return slices.ContainsFunc(p.variables().Names(in.Stage, in.Span.Start), func(name string) bool {
		return strings.Contains(strings.ToUpper(name), "CACHE") || name == "PNPM_HOME" || name == "HOME" || name == "COMPOSER_HOME" || name == "GEM_HOME" || name == "BUNDLE_PATH"
	})
}

// usedOnce reports whether one RUN only runs the manager's programs: another one may need what is downloaded.
func (p *pass) usedOnce(m *manager) bool {
	n := 0
	for _, run := range p.runsInOrder() {
		if slices.ContainsFunc(run.commands, func(c command) bool { return slices.Contains(m.programs, c.words[0]) }) {
			n++
		}
	}
	return n == 1
}

// copiedFrom reports whether a COPY takes one of the directories from a stage, or one around or in it.
func (p *pass) copiedFrom(dirs []string) bool {
	for _, in := range p.of["COPY"] {
		c, ok := in.Command.(*instructions.CopyCommand)
		if !ok || c.From == "" {
			continue
		}
		for _, src := range c.SourcePaths {
			src = "/" + strings.Trim(src, "/") + "/"
			for _, dir := range dirs {
				if strings.HasPrefix(dir+"/", src) || strings.HasPrefix(src, dir+"/") || src == "//" {
					return true
				}
			}
		}
	}
	return false
}

// addCacheMounts is the fix, if there is a safe one.
func (p *pass) addCacheMounts(in *dockerfile.Instruction, run *shellRun, d download, caches []string) (analysis.Fix, bool) {
	var mounts strings.Builder
	for _, dir := range caches {
		mounts.WriteString("--mount=type=cache,target=" + dir)
		if d.locked {
			mounts.WriteString(",sharing=locked")
		}
		mounts.WriteString(" ")
	}
	start := source.Span{Start: in.ArgsSpan.Start, End: in.ArgsSpan.Start}
	var edits []source.Edit
	for _, c := range run.commands {
		// Whoever empties the directory would empty the mount.
		if c.words[0] == "rm" && slices.ContainsFunc(c.words, func(w string) bool {
			return slices.ContainsFunc(caches, func(dir string) bool { return strings.HasPrefix(w, dir) }) || strings.Contains(w, ".cache") || strings.Contains(w, ".npm")
		}) || slices.Contains(c.words, "clean") && slices.Contains(d.programs, c.words[0]) {
			return analysis.Fix{}, false
		}
		if slices.Contains(c.words, "cache") && slices.Contains(c.words, "clean") || slices.Contains(c.words, "autoclean") {
			return analysis.Fix{}, false
		}
	}
	for _, other := range run.downloads() {
		if other.manager != d.manager || d.noKeep == "" {
			continue
		}
		for i, word := range other.words {
			if word != d.noKeep || i == 0 {
				continue
			}
			span := other.span(p.File, in, i, i+1)
			if p.Text.Slice(span) != word {
				return analysis.Fix{}, false
			}
			if d.name == "apk" { // it keeps nothing in an image unless it is told where
				edits = append(edits, source.Edit{Span: span, NewText: "--update-cache --cache-dir /var/cache/apk"})
			} else {
				if next := p.Text.Slice(source.Span{Start: span.End, End: min(span.End+1, p.Text.Len())}); next == " " {
					span.End++
				}
				edits = append(edits, source.Edit{Span: span})
			}
		}
		if d.name == "apk" && !slices.Contains(other.words, d.noKeep) {
			return analysis.Fix{}, false
		}
	}
	if d.name == "apt" {
		if len(in.Heredocs) > 0 {
			return analysis.Fix{}, false
		}
		mounts.WriteString("rm -f /etc/apt/apt.conf.d/docker-clean && ")
	}
	return analysis.Fix{
		Title: "Add a cache mount for " + strings.Join(caches, " and "),
		Edits: append([]source.Edit{{Span: start, NewText: mounts.String()}}, edits...),
	}, true
}

func hasCacheMount(in *dockerfile.Instruction) bool {
	return slices.ContainsFunc(in.Flags, func(f dockerfile.Flag) bool {
		return f.Name.Text == "mount" && slices.Contains(strings.Split(f.Value.Text, ","), "type=cache")
	})
}
