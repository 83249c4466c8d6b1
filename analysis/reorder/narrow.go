package reorder

import (
	"bytes"
	"context"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/effects"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
)

// Narrowing is what the build context need not hold: files that only stages get of which no image is made, and that
// nothing there is known to read.
type Narrowing struct {
	Lines       []string // for the ignore file
	Explanation string   // what is gained and what it rests on, a sentence a line
	Grade       Grade
	Only        int // of the builds, those at which nothing else changed of what is copied
	Builds      int
	// Before and After are what all builds of the model cost, in seconds.
	Before, After float64
}

// Names of the context's own folder that seldom reach an image.
var (
	// settingsOfCI are files and directories that services and editors read, and no build.
	settingsOfCI = regexp.MustCompile(
		`^(\.github|\.gitlab|\.gitlab-ci\.yml|\.circleci|\.gitea|\.forgejo|\.woodpecker(\.yml)?|\.travis\.yml|\.vscode|` +
			`\.idea|\.zed|\.devcontainer|\.drone\.yml|azure-pipelines\.yml|Jenkinsfile|codecov\.yml|\.codecov\.yml|` +
			`renovate\.json5?|\.renovaterc(\.json)?|\.mergify\.yml|\.pre-commit-config\.yaml|\.dockerignore|` +
			`(.*\.)?Dockerfile(\..*)?|(docker-)?compose(\..*)?\.ya?ml)$`,
	)
	// prose are files that people read.
	prose = regexp.MustCompile(`(?i)^([A-Za-z_-]+\.(md|rst|adoc)|CODEOWNERS)$`)
	// proseDirectory are directories of such.
	proseDirectory = regexp.MustCompile(`(?i)^(docs?|documentation|screenshots|\.github)$`)
	proseFile      = regexp.MustCompile(`(?i)\.(md|rst|adoc|png|jpe?g|gif|svg|webp|mp4|drawio|pdf)$`)
	// packaged are files of prose that tools for packages take by their names.
	packaged = regexp.MustCompile(`(?i)^(licen[cs]e|copying|notice|authors)`)
	// embedsAll is how Go is told to embed all of a directory.
	embedsAll = regexp.MustCompile(`go:embed (all:)?[*.]`)
	// scansAll is what stands in the context's own folder where Tailwind CSS 4 looks for names of classes in all files
	// that are there, prose and settings too (tailwindcss.com: Detecting classes in source files).
	scansAll = regexp.MustCompile(`@tailwindcss/(vite|postcss|cli|webpack)|@nuxt/ui\b|\btailwindcss\s+-`)
)

// makesPages are programs that make pages of all prose of a directory, whether that is named or not.
const makesPages = `eleventy|honkit|gitbook|hexo|jekyll|docsify|docusaurus|vitepress|vuepress|mkdocs|mdbook|antora|` +
	`typedoc|compodoc|sphinx-build`

// listing finds commands that pack, copy or list a whole directory, or make pages of all prose that is in one.
var listing = regexp.MustCompile(
	`(^|[\s;&|/(])(tar|zip|7z|rsync|find|cpio|git|tree|gem build|vsce|mkdocs|jekyll|eleventy|@11ty/eleventy|hexo|` +
		`honkit|gitbook|mdbook|docsify|sphinx-build|tailwindcss|(npm|yarn|pnpm|bun pm|dotnet|mvn|helm) (pack|package)|` +
		`python3? -m build|hatch|flit|(uv|poetry) build)(\s|$)|` +
		`(^|[\s;&|/(])(ls|du)\s[^;&|\n]*>|` +
		`(^|[\s;&|/(])(cp|mv|ln|scp)(\s[^;&|\n]*)?(\s\.{1,2}/?|\*|\s/[A-Za-z0-9_.-]+/?|\$PWD|\$\(pwd\))\s+[^\s;&|]`,
)

// mostRead is how many files of a context are looked into, and how many bytes, for one that names what is left out.
const (
	mostRead      = 20_000
	mostReadBytes = 64 << 20
)

// Narrow looks for lines of the ignore file by which fewer builds copy the context anew. It finds none without a
// history, and none where a stage that an image is made of gets the context.
func Narrow(ctx context.Context, file *dockerfile.File, model Model) (Narrowing, bool) {
	if broken(file) || model.Seconds == nil || model.Context == nil || model.Changes == nil || model.Builds < 10 {
		return Narrowing{}, false
	}
	model.weigh(file)
	names := model.Context.List(".")
	if slices.Contains(names, ".git/") || // what is missing would be a change to git
		!model.wholeContext(file) || listsContext(file) || model.scansContext(names) {
		return Narrowing{}, false
	}
	var candidates []mention
	for _, name := range names {
		if strings.HasSuffix(name, "@") {
			continue
		}
		if c, ok := model.unneeded(file, name); ok && !model.reaches(file, c.name) {
			candidates = append(candidates, c)
		}
	}
	lines := model.unmentioned(ctx, candidates)
	if len(lines) == 0 || ctx.Err() != nil {
		return Narrowing{}, false
	}
	narrow := model
	narrow.Changes = func(sources, exclude []string) []uint64 {
		if slices.ContainsFunc(sources, isContext) {
			exclude = slices.Concat(exclude, lines)
		}
		return model.Changes(sources, exclude)
	}
	narrow.weigh(file)
	n := Narrowing{Lines: lines, Grade: Likely, Builds: model.builds()}
	all := builds(model.Changes([]string{"."}, nil))
	n.Only = int(all.without(model.Changes([]string{"."}, lines)).and(model.every()).count())
	before, after := model.total(file), narrow.total(file)
	n.Before, n.After = secondsOf(before), secondsOf(after)
	if saved := before - after; saved < leastSaving ||
		saved < before/leastShare && saved < leastPerBuild*int64(model.builds()) {
		return Narrowing{}, false
	}
	if model.heldBack != nil {
		_, then := model.stageBuilds(file, model.heldBack)
		_, now := narrow.stageBuilds(file, model.heldBack)
		if then-now < then/leastShare {
			return Narrowing{}, false
		}
	}
	n.Explanation = fmt.Sprintf(
		"%d of the last %d commits change nothing else of the build context than %s, and no image takes these from a "+
			"stage: about %s s less per build, by estimate.\n"+
			"It is likely, not certain, that the image stays the same: no file of the context names them, but a command "+
			"may list what is there. layerwise reorder --verify builds with and without them.",
		n.Only, n.Builds, few(lines), inSeconds((before-after)/max(1, int64(n.Builds))),
	)
	return n, true
}

// isContext reports whether a source of a COPY is the whole context.
func isContext(src string) bool { return path.Clean("/"+src) == "/" }

// wholeContext reports whether a COPY brings the whole context, none into a stage that an image is made of, and no
// mount does.
func (m *Model) wholeContext(file *dockerfile.File) (found bool) {
	for _, in := range file.Instructions {
		switch c := in.Command.(type) {
		case *instructions.CopyCommand:
			if c.From != "" || !slices.ContainsFunc(c.SourcePaths, isContext) {
				continue
			}
			found = true
		case *instructions.AddCommand:
			if !slices.ContainsFunc(c.SourcePaths, isContext) {
				continue
			}
			found = true
		case *instructions.RunCommand:
			if !in.MountsRead || !slices.ContainsFunc(instructions.GetMounts(c), func(mount *instructions.Mount) bool {
				return mount.Type == instructions.MountTypeBind && mount.From == ""
			}) {
				continue
			}
		default:
			continue
		}
		images := func(j int) bool { return m.target(file, j) }
		if in.Stage < 0 || slices.ContainsFunc(derived(file, in.Stage), images) {
			return false
		}
	}
	return found
}

// mention is what a file has that names another one.
type mention struct {
	name    string
	words   []string // a file that matches has one of them, in whatever case
	pattern *regexp.Regexp
}

// unneeded reports whether a file or directory of the context's own folder is one that builds seldom read, and says
// what another file may have that reads it all the same.
func (m *Model) unneeded(file *dockerfile.File, name string) (mention, bool) {
	plain := strings.TrimSuffix(name, "/")
	names := func(in *dockerfile.Instruction) bool {
		return slices.ContainsFunc(in.Args, func(w dockerfile.Word) bool { return strings.Contains(w.Text, plain) })
	}
	switch {
	case strings.ContainsAny(plain, "*?[\\!#") || slices.ContainsFunc(file.Instructions, names):
		return mention{}, false
	case settingsOfCI.MatchString(plain):
		return settingOf(plain), true
	case packaged.MatchString(plain):
		return mention{}, false
	case strings.HasSuffix(name, "/"):
		return proseOf(plain), proseDirectory.MatchString(plain) && m.onlyProse(plain, 0)
	}
	return proseOf(plain), prose.MatchString(plain)
}

// settingOf is what names a setting of a service: programs have its name in quotes.
func settingOf(name string) mention {
	return mention{
		name:  name,
		words: []string{strings.ToLower(name), "go:embed"},
		pattern: regexp.MustCompile(
			"[\"'`]([^\"'`\\n:]*/)?" + regexp.QuoteMeta(name) + "[\"'`/]|" + embedsAll.String(),
		),
	}
}

// proseOf is what names a file or directory of prose, all files of its kind, or all files.
func proseOf(name string) mention {
	pattern := `(^|[^A-Za-z0-9_./-])(\.{0,2}/)*` + regexp.QuoteMeta(name) + "([/\"'`\\s)]|$)"
	words := append(strings.Split(makesPages, "|"), strings.ToLower(name), "go:embed")
	if ending := path.Ext(name); len(ending) > 1 {
		pattern = regexp.QuoteMeta(name) + `|\*` + regexp.QuoteMeta(ending) + `|\*\.\{[a-z,]*\b` + ending[1:] + `\b`
		words = append(words, "*"+strings.ToLower(ending), "*.{")
	}
	return mention{name, words, regexp.MustCompile(
		`(?im)` + pattern + `|\b(` + makesPages + `)\b|` + embedsAll.String(),
	)}
}

// scansContext reports whether a file of the context's own folder has its build look into all files.
func (m *Model) scansContext(names []string) bool {
	return slices.ContainsFunc(names, func(name string) bool {
		content, ok := m.Context.Read(name)
		return ok && !strings.Contains(name, "lock") && scansAll.Match(content)
	})
}

// onlyProse reports whether all files of a directory are such that people read.
func (m *Model) onlyProse(dir string, depth int) bool {
	return depth < 8 && !slices.ContainsFunc(m.Context.List(dir), func(name string) bool {
		if strings.HasSuffix(name, "/") {
			return !m.onlyProse(path.Join(dir, name), depth+1)
		}
		return !proseFile.MatchString(name)
	})
}

// listsContext reports whether a command of a stage that gets the whole context may take all that is there.
func listsContext(file *dockerfile.File) bool {
	return slices.ContainsFunc(file.Instructions, func(in *dockerfile.Instruction) bool {
		return in.Meant == "RUN" && listing.MatchString(in.Node.Original)
	})
}

// unmentioned gives the names that no file of the context mentions, prose and settings left out; none if there are too
// many files to look into.
func (m *Model) unmentioned(ctx context.Context, list []mention) (names []string) {
	files, size := mostRead, mostReadBytes
	var look func(dir string)
	look = func(dir string) {
		for _, child := range m.Context.List(dir) {
			at := path.Join(dir, child)
			switch {
			case len(list) == 0:
				return
			case strings.HasSuffix(child, "@") || child == "node_modules/" || proseFile.MatchString(child),
				dir == "." && settingsOfCI.MatchString(strings.TrimSuffix(child, "/")):
				continue
			case strings.HasSuffix(child, "/"):
				look(at)
				continue
			}
			content, ok := m.Context.Read(at)
			if files, size = files-1, size-len(content); files < 0 || size < 0 || ctx.Err() != nil {
				list = nil
				return
			}
			lower := bytes.ToLower(content)
			list = slices.DeleteFunc(list, func(c mention) bool {
				has := func(word string) bool { return bytes.Contains(lower, []byte(word)) }
				return ok && slices.ContainsFunc(c.words, has) && c.pattern.Match(content)
			})
		}
	}
	look(".")
	for _, c := range list {
		names = append(names, c.name)
	}
	return names
}

// reaches reports whether something takes a file of the context from a stage that gets the whole of it.
func (m *Model) reaches(file *dockerfile.File, name string) bool {
	for _, stage := range file.Stages {
		for _, e := range effects.Stage(file, stage, bases(file, stage.Index), m.Context) {
			if to, whole := e.Trees["."]; whole {
				if takes(file, derived(file, stage.Index), path.Join(to, name)) {
					return true
				}
			}
		}
		// Of what is not known to be copied whole it is not known where it goes.
		for _, in := range stage.Instructions {
			if c, ok := in.Command.(*instructions.CopyCommand); ok && c.From == "" &&
				slices.ContainsFunc(c.SourcePaths, isContext) && (len(c.SourcePaths) > 1 || c.Link || c.Parents) {
				return true
			}
		}
	}
	return false
}

// takes reports whether a file or directory of one of these stages is copied or mounted somewhere, with a directory
// above it, or a part of it.
func takes(file *dockerfile.File, stages []int, place string) bool {
	return slices.ContainsFunc(origins(file), func(o origin) bool {
		if !strings.Contains(o.from, "$") && !slices.Contains(stages, stageNamed(file, o.from, o.stage.Index)) {
			return false
		}
		return slices.ContainsFunc(o.places, func(p string) bool {
			if strings.ContainsAny(p, "$\"'\\[") {
				return true
			}
			p = path.Clean("/" + p)
			for at := place; at != "/"; at = path.Dir(at) {
				if is, err := path.Match(p, at); is || err != nil {
					return true
				}
			}
			return p == "/" || strings.HasPrefix(p, place+"/")
		})
	})
}
