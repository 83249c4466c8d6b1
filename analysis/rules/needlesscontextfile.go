package rules

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/spell"
)

// NeedlessContextFile finds files that a copy of the whole build context takes along, and that make it differ for
// nothing.
var NeedlessContextFile = &Rule{
	ID:       "needless-context-file",
	Severity: analysis.Information,
	Doc: Doc{
		Summary: "A copy of the whole build context takes along what the image does not need",
		What: "Finds `.git`, the Dockerfile itself, installed dependencies and other products of tools among the " +
			"files that a `COPY` of the whole build context takes, and patterns of the ignore file that are misspelt " +
			"or miss folders further down. " +
			"It looks at the real build context, two folders deep, and says nothing where that is not known.",
		Why: "Every commit changes `.git`, and every edit the Dockerfile: the copy and all below it are built " +
			"again though nothing that counts has changed. Much of it is large, too.",
		Example: "FROM alpine\nWORKDIR /app\nCOPY . .\n",
		Instead: "FROM alpine\nWORKDIR /app\nCOPY src ./src\n",
		Context: &Context{Sent: []string{".git/", ".git/HEAD", "src/", "src/main.c"}},
	},
	check: checkNeedlessContextFile,
}

// products are files and folders that tools make. Names of what people make too, such as build or vendor, are not among
// them.
var products = []string{
	"node_modules", "__pycache__", ".venv", ".tox", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".gradle",
	".terraform", ".DS_Store", ".next", ".nuxt", ".turbo", ".parcel-cache", ".nyc_output",
}

func checkNeedlessContextFile(p *pass) {
	if p.opts().Context == nil {
		return
	}
	told := false // one copy is enough: the ignore file fixes all
	for _, name := range []string{"COPY", "ADD"} {
		for _, in := range p.of(name) {
			_, whole := contextCopy(in)
			if whole == nil || told || !p.contextIsRight() ||
				slices.ContainsFunc(in.Flags, func(f dockerfile.Flag) bool { return f.Name.Text == "exclude" }) {
				continue
			}
			told = true
			for _, message := range p.needless() {
				p.report(in, analysis.Finding{Span: whole.Span, Message: message})
			}
		}
	}
}

// contextIsRight reports whether what other instructions copy is there: else another folder is the build context.
func (p *pass) contextIsRight() bool {
	for _, name := range []string{"COPY", "ADD"} {
		for _, in := range p.of(name) {
			for word := range contextSources(in) {
				src := strings.TrimPrefix(path.Clean(strings.Trim(word.Text, `"`)), "/")
				first, _, _ := strings.Cut(src, "/")
				if first != "." && first != "" && !strings.ContainsAny(first, "*?[$\\") &&
					!slices.Contains(p.opts().Context.Sent, first) &&
					!slices.Contains(p.opts().Context.Sent, first+"/") {
					return false
				}
			}
		}
	}
	return true
}

// needless says what of the build context should not be sent.
func (p *pass) needless() []string {
	c := p.opts().Context
	var messages []string
	if slices.Contains(c.Sent, ".git/") && !p.usesGit() {
		messages = append(messages, "this copies .git, which every commit changes: add .git to .dockerignore")
	}
	if c.Dockerfile != "" && slices.Contains(c.Sent, c.Dockerfile) {
		messages = append(
			messages,
			fmt.Sprintf(
				"this copies %[1]s itself, so every edit of it runs this step again: add %[1]s to .dockerignore",
				c.Dockerfile,
			),
		)
	}
	told := map[string]bool{}
	for _, sent := range c.Sent {
		base := path.Base(sent)
		if !slices.Contains(products, base) || told[base] {
			continue
		}
		told[base] = true
		pattern, why := base, ""
		if strings.Contains(strings.TrimSuffix(sent, "/"), "/") {
			pattern = "**/" + base
			if p.opts().Ignore != nil && slices.Contains(p.opts().Ignore.Patterns(), base) {
				why = fmt.Sprintf(" (the pattern %s there is only for the context's own folder)", base)
			}
		}
		messages = append(
			messages,
			fmt.Sprintf(
				"this copies %s, which the image should make itself: add %s to .dockerignore%s",
				strings.TrimSuffix(sent, "/"),
				pattern,
				why,
			),
		)
	}
	if p.opts().Ignore != nil {
		wanted := append([]string{".git"}, products...)
		for _, pattern := range p.opts().Ignore.Patterns() {
			if meant := spell.Meant(pattern, wanted); meant != "" && !slices.Contains(wanted, pattern) &&
				!plural(pattern, meant) &&
				(slices.Contains(c.Sent, meant) || slices.Contains(c.Sent, meant+"/")) {
				messages = append(
					messages,
					fmt.Sprintf("the pattern %s in .dockerignore leaves out nothing: %s is meant?", pattern, meant),
				)
			}
		}
	}
	return messages
}

// usesGit reports whether a step asks git for something.
func (p *pass) usesGit() bool {
	for _, run := range p.runsInOrder() {
		if slices.ContainsFunc(run.commands, func(c command) bool {
			return c.words[0] == "git" || strings.Contains(strings.Join(c.words, " "), "$(git ")
		}) {
			return true
		}
	}
	return false
}

func (p *pass) runsInOrder() []*shellRun {
	var list []*shellRun
	for _, in := range p.of("RUN") {
		if run := p.shellRun(in); run != nil {
			list = append(list, run)
		}
	}
	return list
}
