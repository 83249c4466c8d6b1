// Package buildcheck finds mistakes in the build sections of Compose and bake files, and renames in them what a
// Dockerfile names. Findings are plain data, like those of Dockerfile rules.
//
//	findings := buildcheck.Check(sections, entries, buildcheck.Files{Read: read})
//
// It must not know a protocol, a baseline or cache keys.
package buildcheck

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/rules"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/layerwise/layerwise/analysis/spell"
	"github.com/layerwise/layerwise/cachemodel/buildfiles"
	"github.com/layerwise/layerwise/cachemodel/textfile"
)

// Files are what is around the build files.
type Files struct {
	// Read parses a Dockerfile; nil reads it from disk. An editor gives unsaved texts.
	Read func(path string) (*dockerfile.File, error)
}

// Dockerfile is the Dockerfile that an entry builds, also if its text is in the build file.
func (f Files) Dockerfile(e *buildfiles.Entry) (*dockerfile.File, error) {
	if e.Inline != "" {
		return dockerfile.Parse(source.New(e.Inline), nil), nil
	}
	if f.Read != nil {
		return f.Read(e.Dockerfile)
	}
	text, err := textfile.Read(e.Dockerfile)
	if err != nil {
		return nil, err
	}
	return dockerfile.Parse(source.New(string(text)), nil), nil
}

// Check finds what is wrong with the build sections of a text. The entries are those of its project.
func Check(sections []buildfiles.Section, entries []buildfiles.Entry, files Files) []analysis.Finding {
	out := []analysis.Finding{}
	for i := range sections {
		of := Of(&sections[i], entries)
		if len(of) == 0 || of[0].Remote && of[0].Inline == "" {
			continue
		}
		c := checking{section: &sections[i], entries: of, files: files}
		c.check()
		out = append(out, c.found...)
	}
	return out
}

// Of are the entries that a section makes.
func Of(section *buildfiles.Section, entries []buildfiles.Entry) []*buildfiles.Entry {
	var out []*buildfiles.Entry
	for i := range entries {
		if e := &entries[i]; e.Label == section.Name && e.Kind == section.Kind {
			out = append(out, e)
		}
	}
	return out
}

type checking struct {
	section *buildfiles.Section
	entries []*buildfiles.Entry
	files   Files
	found   []analysis.Finding
}

func (c *checking) add(rule *rules.Rule, span source.Span, message string, fixes ...analysis.Fix) {
	c.found = append(c.found, analysis.Finding{
		Rule: rule.ID, Severity: rule.Severity, Span: span, Message: message, Fixes: fixes,
	})
}

// absent adds what is not there. Of a file that has to be named by --file, often beside others, it is only information:
// the first one of them, or --project-directory, says what paths are relative to.
func (c *checking) absent(rule *rules.Rule, span source.Span, message string, fixes ...analysis.Fix) {
	c.add(rule, span, message, fixes...)
	if e := c.entries[0]; !slices.ContainsFunc(e.Files, buildfiles.ReadByItself) {
		f := &c.found[len(c.found)-1]
		f.Severity = analysis.Information
		f.Message = strings.TrimSuffix(message, ".") + ", if the project directory is " + e.Dir + "."
	}
}

// at is where a key's value is, else the section's name.
func (c *checking) at(key string) source.Span {
	if v, ok := c.section.Value(key); ok {
		return v.Span
	}
	return c.section.NameSpan
}

func (c *checking) check() {
	_, own := c.section.Value("dockerfile")
	_, ownContext := c.section.Value("context")
	e := c.entries[0]
	if e.Inherited && !own && !ownContext {
		return // others say what it builds
	}
	if !e.Remote && len(c.entries) == 1 {
		if info, err := os.Stat(e.Context); err != nil || !info.IsDir() {
			message := fmt.Sprintf("The build context %s is not a directory.", e.Context)
			c.absent(rules.MissingContext, c.at("context"), message)
			return
		}
	}
	var files []*dockerfile.File
	for _, e := range c.entries {
		file, err := c.files.Dockerfile(e)
		if err == nil {
			files = append(files, file)
		} else if e.Dockerfile != "" && len(c.entries) == 1 {
			c.missing(e, err)
		}
	}
	if len(files) != len(c.entries) || len(files) == 0 || slices.ContainsFunc(files, (*dockerfile.File).TooLarge) {
		return
	}
	for _, v := range c.section.Values {
		if name, isArg := strings.CutPrefix(v.Key, "args."); isArg {
			c.argument(v, name, files)
		} else if v.Key == "target" && v.Literal && v.Text != "" && len(c.entries) == 1 {
			c.target(v, files[0])
		}
	}
}

func (c *checking) missing(e *buildfiles.Entry, err error) {
	if !os.IsNotExist(err) {
		c.add(
			rules.MissingDockerfile,
			c.at("dockerfile"),
			fmt.Sprintf("The Dockerfile %s cannot be read: %v.", e.Dockerfile, err),
		)
		return
	}
	var fixes []analysis.Fix
	if v, ok := c.section.Value("dockerfile"); ok && v.Literal {
		for _, name := range spell.Suggest(filepath.Base(v.Text), neighbours(filepath.Dir(e.Dockerfile))) {
			path := filepath.ToSlash(filepath.Join(filepath.Dir(v.Text), name))
			fixes = append(fixes, change(v.Span, path))
		}
	}
	message := fmt.Sprintf("There is no Dockerfile %s.", e.Dockerfile)
	c.absent(rules.MissingDockerfile, c.at("dockerfile"), message, fixes...)
}

func (c *checking) target(v buildfiles.Value, file *dockerfile.File) {
	if file.Stage(v.Text, dockerfile.ByTarget, 0) >= 0 {
		return
	}
	var names []string
	for i, stage := range file.Stages {
		if stage.Name != "" {
			names = append(names, stage.Name)
		}
		if fmt.Sprint(i) != v.Text {
			continue
		}
		message := fmt.Sprintf("A target is the name of a stage: BuildKit knows none by the number %s.", v.Text)
		if stage.Name == "" {
			c.add(rules.UnknownTarget, v.Span, message)
			return
		}
		fix := change(v.Span, stage.Name)
		fix.Preferred = true
		c.add(rules.UnknownTarget, v.Span, message+fmt.Sprintf(" Did you mean %q?", stage.Name), fix)
		return
	}
	if len(file.Stages) == 0 {
		return // broken so far that the stage may be missing
	}
	message, fixes := didYouMean(
		fmt.Sprintf("%s has no stage %q.", nameOf(c.entries[0]), v.Text),
		v.Text,
		v.Span,
		names,
	)
	c.add(rules.UnknownTarget, v.Span, message, fixes...)
}

func (c *checking) argument(v buildfiles.Value, name string, files []*dockerfile.File) {
	declared := func(f *dockerfile.File) bool { return builtin(name) || slices.Contains(Args(f), name) }
	if c.entries[0].Inherited || slices.ContainsFunc(files, declared) {
		return
	}
	message := fmt.Sprintf("%s does not declare the argument %s, so it has no effect.", nameOf(c.entries[0]), name)
	message, fixes := didYouMean(message, name, v.KeySpan, Args(files[0]))
	c.add(rules.UndeclaredArg, v.KeySpan, message, fixes...)
}

func change(span source.Span, text string) analysis.Fix {
	return analysis.Fix{Title: fmt.Sprintf("Change to %q", text), Edits: []source.Edit{{Span: span, NewText: text}}}
}

func didYouMean(message, word string, span source.Span, candidates []string) (string, []analysis.Fix) {
	var fixes []analysis.Fix
	for _, c := range spell.Suggest(word, candidates) {
		fixes = append(fixes, change(span, c))
	}
	if len(fixes) > 0 {
		fixes[0].Preferred = true
		message += fmt.Sprintf(" Did you mean %q?", fixes[0].Edits[0].NewText)
	}
	return message, fixes
}

// nameOf names an entry's Dockerfile to people.
func nameOf(e *buildfiles.Entry) string {
	if e.Dockerfile == "" {
		return "The Dockerfile within this file"
	}
	return filepath.Base(e.Dockerfile)
}

// neighbours are the Dockerfiles of a directory.
func neighbours(dir string) (names []string) {
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if !e.IsDir() && dockerfile.IsName(e.Name()) {
			names = append(names, e.Name())
		}
	}
	return names
}

// builtin says whether an argument has an effect without being declared.
func builtin(name string) bool {
	return dockerfile.IsProxyArg(name) || name == "SOURCE_DATE_EPOCH" || strings.HasPrefix(name, "BUILDKIT_")
}

// Args are the arguments that a Dockerfile declares.
func Args(f *dockerfile.File) (names []string) {
	for _, w := range argWords(f) {
		if name, _, _ := strings.Cut(w.Text, "="); name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

func argWords(f *dockerfile.File) (words []dockerfile.Word) {
	for _, in := range f.Instructions {
		args, keyword := in.Args, strings.ToUpper(in.Keyword.Text)
		if keyword == "ONBUILD" && len(args) > 0 {
			keyword, args = strings.ToUpper(args[0].Text), args[1:]
		}
		if keyword == "ARG" {
			words = append(words, args...)
		}
	}
	return words
}

// Declaration finds where an argument is declared first; a zero span if it is not.
func Declaration(f *dockerfile.File, name string) source.Span {
	for _, w := range argWords(f) {
		if declared, _, _ := strings.Cut(w.Text, "="); declared == name {
			return w.Span
		}
	}
	return source.Span{}
}

// Renamed are the edits in a build file's sections for a stage or, with arg, a build argument of a Dockerfile that gets
// another name.
func Renamed(
	sections []buildfiles.Section, entries []buildfiles.Entry, dockerfile, name, to string, arg bool,
) (edits []source.Edit) {
	for i := range sections {
		if !slices.ContainsFunc(
			Of(&sections[i], entries),
			func(e *buildfiles.Entry) bool { return e.Builds(dockerfile) },
		) {
			continue
		}
		for _, v := range sections[i].Values {
			switch {
			case arg && v.Key == "args."+name:
				edits = append(edits, source.Edit{Span: v.KeySpan, NewText: to})
			case !arg && v.Key == "target" && v.Literal && strings.EqualFold(v.Text, name):
				edits = append(edits, source.Edit{Span: v.Span, NewText: to})
			}
		}
	}
	return edits
}
