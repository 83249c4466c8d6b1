package complete

import (
	slashpath "path"
	"regexp"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/analysis/describe"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
)

// copy offers sources and destinations of COPY and ADD.
func (c *cursor) copy() {
	typed, stop := c.word, ""
	first := len(c.args) == 0
	json := strings.HasPrefix(c.text, "[")
	if json {
		// The string that the cursor is in begins at an odd quote.
		last := strings.LastIndexByte(c.text, '"')
		if strings.Count(c.text, `"`)%2 == 0 {
			return
		}
		typed, stop, first = c.text[last+1:], `"`, strings.Count(c.text, `"`) == 1
	}
	if !first {
		c.destinations(typed, stop)
	}
	stage, from := c.flag("from")
	switch {
	case !first && strings.HasPrefix(typed, "/"): // a destination
	case from:
		c.stagePaths(stage, typed, stop)
	case c.world.Context != nil && !strings.Contains(typed, "://"):
		c.contextPaths(typed, stop, json)
	}
}

// contextPaths offers what lies in the build context, directories first, for a path's last part. Names with blanks
// are offered only where they can be written as they are.
func (c *cursor) contextPaths(typed, stop string, blanks bool) {
	if c.world.Context == nil {
		return
	}
	dir, name := "", typed
	if i := strings.LastIndexByte(typed, '/'); i >= 0 {
		dir, name = typed[:i], typed[i+1:]
	}
	if dir = slashpath.Clean("/" + dir)[1:]; strings.ContainsAny(dir, "$") {
		return
	}
	var items []Item
	seen := map[string]bool{}
	for _, d := range c.matching(dir) {
		for _, e := range c.world.Context(d) {
			text := e.Name
			if seen[text] || strings.ContainsAny(text, "*?$\\\"'\n") || !blanks && strings.ContainsAny(text, blank) ||
				blanks && stop != `"` && strings.ContainsAny(text, blank+",") {
				continue
			}
			seen[text] = true
			text = strings.ReplaceAll(text, "[", "[[]") // a pattern that matches it alone
			it := Item{Kind: File, Label: text, Detail: describe.Size(e.Size)}
			if e.Dir {
				it = Item{Kind: Folder, Label: text + "/", More: true}
			}
			items = append(items, it)
		}
	}
	if dir == "" && name == typed {
		items = append(items, Item{Kind: Folder, Label: ".", Detail: "all of the build context"})
	}
	copies := c.copies()
	rank := func(it Item) int { return likelyPath(it, name, copies) }
	slices.SortStableFunc(items, func(a, b Item) int { return rank(a) - rank(b) })
	before := len(c.list.Items)
	c.offer(name, stop+"/", true, items)
	// A directory's slash that stands already is not written twice.
	for i := range c.list.Items[before:] {
		if it := &c.list.Items[before+i]; it.Kind == Folder && c.following(it.Span.End) == "/" {
			it.Span.End++
			it.Whole = true
		}
	}
}

// manifests are the files that are copied first, before what they describe is installed.
var manifests = []string{
	"package.json", "package-lock.json", "npm-shrinkwrap.json", "yarn.lock", "pnpm-lock.yaml", "pnpm-workspace.yaml",
	"bun.lock", "bun.lockb",
	"go.mod", "go.sum", "requirements.txt", "pyproject.toml", "poetry.lock", "uv.lock", "Pipfile", "Pipfile.lock",
	"setup.py",
	"Cargo.toml", "Cargo.lock", "pom.xml", "build.gradle", "build.gradle.kts", "settings.gradle", "settings.gradle.kts",
	"gradlew",
	"Gemfile", "Gemfile.lock", "composer.json", "composer.lock", "mix.exs", "mix.lock", "pubspec.yaml", "pubspec.lock",
	"global.json",
}

// copies reports whether something of the build context is copied above in the stage.
func (c *cursor) copies() bool {
	for in := range c.above() {
		if command, ok := in.Command.(*instructions.CopyCommand); ok && command.From == "" {
			return true
		}
	}
	return false
}

// aboutProject names what is about a project, not of it.
var aboutProject = regexp.MustCompile(`(?i)^(readme|licen[cs]e|security|changelog|contributing|code_of_conduct|` +
	`makefile|dockerfile|containerfile|compose|docker-compose)\b`)

// likelyPath ranks what is copied: manifests, folders, other files; what is about the project and what is hidden last.
// All of the context comes first where some of it was copied already. Names in the case that is typed are in front.
func likelyPath(it Item, typed string, copies bool) int {
	rank := 3
	switch {
	case it.Label == "." && copies:
		rank = 0
	case it.Label == "." || slices.Contains(manifests, it.Label):
		rank = 1
	case strings.HasPrefix(it.Label, "."):
		rank = 5
	case it.Kind == Folder:
		rank = 2
	case aboutProject.MatchString(it.Label):
		rank = 4
	}
	if !strings.HasPrefix(it.Label, typed) {
		rank += 10
	}
	return rank
}

// matching returns the directories of the context that a path with wildcards stands for.
func (c *cursor) matching(dir string) []string {
	const enough = 50
	dirs := []string{""}
	if dir == "" {
		return dirs
	}
	for part := range strings.SplitSeq(dir, "/") {
		var next []string
		for _, d := range dirs {
			if !strings.ContainsAny(part, "*?[\\") {
				next = append(next, slashpath.Join(d, part))
				continue
			}
			for _, e := range c.world.Context(d) {
				if ok, _ := slashpath.Match(part, e.Name); ok && e.Dir && len(next) < enough {
					next = append(next, slashpath.Join(d, e.Name))
				}
			}
		}
		dirs = next
	}
	return dirs
}
