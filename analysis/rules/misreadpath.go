package rules

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/images"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/layerwise/layerwise/analysis/tools"
)

// MisreadPath finds paths that mean something else to BuildKit than to people.
var MisreadPath = &Rule{
	ID:       "misread-path",
	Hadolint: []string{"DL3021"},
	Severity: analysis.Warning,
	Doc: Doc{
		Summary: "A path is not read as it is written",
		What: "Finds sources of `COPY` and `ADD` that lead out of the build context (`../x`), `~` in the paths of " +
			"`COPY`, `ADD`, `WORKDIR`, `VOLUME`, mounts and variables such as `HOME`, addresses that `ADD` does not fetch, " +
			"an arrow between source and destination, several files copied to one name that may be no directory, " +
			"manifests without a destination, and " +
			"Windows paths with backslashes where the backslash is the escape character.",
		Why: "BuildKit reads `../x` as `x`, takes `~` for a directory of that name, and drops an escape character: " +
			"`WORKDIR C:\\app` is `C:app`. " +
			"The build stops because a file is not there, or goes on with another one.",
		Example: "FROM alpine\nCOPY ../app /app/\n",
		Instead: "FROM alpine\nCOPY app /app/\n",
	},
	of:   []string{"RUN", "ADD", "COPY", "ENV", "VOLUME", "WORKDIR"},
	each: checkMisreadPath,
}

// escapedPath is a relative path, or one from the root, with the backslashes of Windows.
var escapedPath = regexp.MustCompile(`^[A-Za-z0-9_./-]*(\\[A-Za-z0-9_.-]+)+\\?$`)

var drivePath = regexp.MustCompile(`^[A-Za-z]:(\\[A-Za-z0-9_.$ {}-]+)+\\?$`)

func checkMisreadPath(p *pass, in *dockerfile.Instruction) {
	if in.Meant == "RUN" {
		p.checkMountPaths(in)
		return
	}
	if in.Command == nil {
		return
	}
	if _, ok := p.innerInstruction(in); ok {
		return // InnerInstruction says what is wrong
	}
	if in.Meant == "ENV" {
		p.checkHomeIn(in)
		return
	}
	if p.checkForgotten(in) {
		return
	}
	p.checkDestination(in)
	if p.checkEscapedPath(in) {
		return
	}
	args := in.Args
	if in.Meant == "WORKDIR" { // one path, whatever is in it
		args = []dockerfile.Word{{Span: in.ArgsSpan, Text: strings.TrimSpace(p.Text.Slice(in.ArgsSpan))}}
	}
	for i, word := range args {
		isSource := (in.Meant == "ADD" || in.Meant == "COPY") && i < len(in.Args)-1
		p.checkPath(in, word, isSource)
	}
}

// checkEscapedPath looks for a blank in a path behind a backslash, as a shell reads it.
func (p *pass) checkEscapedPath(in *dockerfile.Instruction) bool {
	text := p.Text.Slice(in.ArgsSpan)
	m := escapedBlank.FindStringSubmatch(text)
	if m == nil || p.Escape != '\\' || in.Meant != "COPY" && in.Meant != "ADD" || in.JSON {
		return false
	}
	p.found(in, in.ArgsSpan,
		replace(in.ArgsSpan, fmt.Sprintf("[%q, %q]", strings.ReplaceAll(m[1], `\ `, " "), m[2]), true),
		"a path with a blank needs an array: %s divides the words at blanks", in.Meant)
	return true
}

var escapedBlank = regexp.MustCompile(`^([^\s"'$\\]+(?:\\ [^\s"'$\\]+)+) ([^\s"'$\\]+)$`)

func (p *pass) checkPath(in *dockerfile.Instruction, word dockerfile.Word, isSource bool) {
	text := unquoted(word.Text)
	finding := analysis.Finding{Span: word.Span}
	exact := p.Text.Slice(word.Span) == word.Text
	switch {
	case arrows[text] && isSource && !in.JSON && word.Span != in.Args[0].Span:
		finding.Severity = analysis.Error
		finding.Message = fmt.Sprintf(
			"%s is taken for a file: sources and destination are separated by a space only",
			text,
		)
		finding.Fixes = change("Remove "+text, source.Between(word.Span.Start, p.behind(in, word.Span.End)), "", true)
	case p.checkVolume(in, word, text) || isSource && p.checkHostPath(in, word, text):
		return
	case isSource && (strings.HasPrefix(text, "../") || text == "..") && hasContextSource(in):
		read := strings.TrimPrefix(path.Clean("/"+text), "/")
		if read == "" {
			read = "."
		}
		finding.Message = fmt.Sprintf(
			"%s is outside of the build context: BuildKit reads %s of the build context instead",
			text,
			read,
		)
		if exact && !strings.ContainsAny(text, "$*?[\\") && !in.JSON {
			finding.Fixes = replace(word.Span, read, false)
		}
	case text == "~" || strings.HasPrefix(text, "~/"):
		finding.Message = "~ is not replaced: it is taken for a directory of that name"
		if home := p.home(in); !isSource && home != "" && exact && !in.JSON {
			finding.Fixes = replace(word.Span, strings.Replace(word.Text, "~", home, 1), false)
		}
	case exact && p.escapes(in, word.Text, isSource):
		finding.Message = fmt.Sprintf(
			`%s is read as %s: \ is the escape character`,
			text,
			strings.ReplaceAll(text, `\`, ""),
		)
		finding.Fixes = replace(word.Span, strings.ReplaceAll(word.Text, `\`, "/"), false)
		if in.Meant != "WORKDIR" {
			for i, other := range in.Args {
				if other.Span == word.Span || !p.escapes(in, other.Text, i < len(in.Args)-1) {
					continue
				}
				if other.Span.Start < word.Span.Start {
					return // the fix of the first is for all
				}
				edit := source.Edit{Span: other.Span, NewText: strings.ReplaceAll(other.Text, `\`, "/")}
				finding.Fixes[0].Edits = append(finding.Fixes[0].Edits, edit)
			}
		}
	default:
		return
	}
	p.report(in, finding)
}

// homeIn matches variables that hold paths, with a ~ that a shell would replace.
var homeIn = regexp.MustCompile(`(?:^HOME|[A-Z0-9_](?:PATH|HOME|DIR))=["']?(?:[^"'\s]*:)?(~)(?:[/:"']|$)`)

// checkHomeIn looks for a ~ in the value of a variable, which no shell replaces.
func (p *pass) checkHomeIn(in *dockerfile.Instruction) {
	for _, word := range in.Args {
		m := homeIn.FindStringSubmatchIndex(word.Text)
		if m == nil || p.Text.Slice(word.Span) != word.Text {
			continue
		}
		finding := analysis.Finding{Span: word.Span.Part(m[2], m[3])}
		finding.Message = "~ is not replaced: it is taken for a directory of that name"
		if home := p.home(in); home != "" {
			finding.Fixes = replace(finding.Span, home, false)
		}
		p.report(in, finding)
	}
}

// escapes reports whether a path has backslashes that are read as escape characters.
func (p *pass) escapes(in *dockerfile.Instruction, path string, isSource bool) bool {
	if p.Escape != '\\' || in.JSON {
		return false
	}
	return in.Meant != "VOLUME" && escapedPath.MatchString(path) ||
		drivePath.MatchString(path) && (!isSource || in.Meant == "WORKDIR")
}

// usualDirs are directories of every image, with what lies in them.
var usualDirs = []string{
	"/bin", "/boot", "/dev", "/etc", "/home", "/lib", "/mnt", "/opt", "/root", "/run", "/sbin", "/srv", "/tmp", "/usr",
	"/var",
}

// checkDestination looks for several files that are copied to one name: unless a directory has it, each replaces the
// one before.
func (p *pass) checkDestination(in *dockerfile.Instruction) {
	if in.Meant == "VOLUME" || in.Meant == "WORKDIR" || in.JSON || len(in.Args) < 3 || len(in.Heredocs) > 0 ||
		in.Stage < 0 {
		return
	}
	dest := in.Args[len(in.Args)-1]
	for _, word := range in.Args[:len(in.Args)-1] {
		if ext := path.Ext(word.Text); len(ext) < 2 || strings.ContainsAny(word.Text, "$\"'") || word.Text == "->" {
			return // it may be a directory, whose content is copied
		}
	}
	if !strings.HasPrefix(dest.Text, "/") || strings.ContainsAny(dest.Text, "$\"'\\") ||
		strings.HasSuffix(dest.Text, "/") ||
		p.Text.Slice(dest.Span) != dest.Text {
		return
	}
	for _, dir := range usualDirs {
		if dest.Text == dir || strings.HasPrefix(dest.Text, dir+"/") && strings.Count(dest.Text, "/") < 4 {
			return
		}
	}
	if p.tired() || strings.Contains(p.Text.String()[:in.Span.Start], dest.Text) {
		return // something above may make it, here or in what the stage is built on
	}
	p.report(in, analysis.Finding{
		Severity: analysis.Information,
		Span:     dest.Span,
		Message: fmt.Sprintf(
			"unless %[1]s is a directory already, each file is written to %[1]s and replaces the one before: end it "+
				"with a slash",
			dest.Text,
		),
		Fixes: change("Change to "+dest.Text+"/", source.At(dest.Span.End), "/", false),
	})
}

// checkForgotten looks for a COPY of manifests whose destination is missing: the last of them is taken for it.
func (p *pass) checkForgotten(in *dockerfile.Instruction) bool {
	if in.Meant != "COPY" || in.JSON || len(in.Args) < 2 || !hasContextSource(in) {
		return false
	}
	last := in.Args[len(in.Args)-1]
	tool := tools.ManifestOf(last.Text)
	if tool == nil || p.Text.Slice(last.Span) != last.Text || strings.HasPrefix(last.Text, ".") {
		return false
	}
	for _, verb := range tool.Verbs {
		files := slices.Concat(verb.Manifests, verb.Config, verb.Locks)
		if !slices.Contains(files, last.Text) || last.Text == in.Args[0].Text {
			continue
		}
		for _, word := range in.Args[:len(in.Args)-1] {
			base := path.Base(word.Text)
			if base != last.Text && slices.ContainsFunc(files, func(manifest string) bool {
				fits, _ := path.Match(base, manifest)
				return fits
			}) {
				p.found(in, last.Span, change("Add the destination ./", source.At(last.Span.End), " ./", false),
					"%s is taken for the destination: none is named", last.Text)
				return true
			}
		}
	}
	return false
}

// behind returns the offset behind the blanks at an offset of an instruction.
func (p *pass) behind(in *dockerfile.Instruction, at int) int {
	text := p.Text.Slice(source.Between(at, in.Span.End))
	return at + len(text) - len(strings.TrimLeft(text, " \t"))
}

// home is the home directory of the user that counts at in, "" if it is not known.
func (p *pass) home(in *dockerfile.Instruction) string {
	for _, user := range p.of("USER") {
		if user.Stage == in.Stage && user.Span.Start < in.Span.Start {
			return ""
		}
	}
	if image, known := p.imageOf(in); known && !images.Windows(image) {
		return "/root"
	}
	return ""
}

// arrows are what people write between source and destination.
var arrows = map[string]bool{"->": true, "=>": true, ":": true, ">": true, "=": true, "to": true, "into": true}

var (
	hostVolume = regexp.MustCompile(`^[A-Za-z0-9_./~-]{2,}:(/[^:]*)(:r[ow])?$`)
	stagePath  = regexp.MustCompile(`^([A-Za-z][A-Za-z0-9_.-]+):(/.*)$`)
	hostPath   = regexp.MustCompile(`^(/home/|/Users/|file:///|[A-Za-z]:[\\/])`)
)

// checkVolume looks for a volume of "docker run": VOLUME takes only the path in the container.
func (p *pass) checkVolume(in *dockerfile.Instruction, word dockerfile.Word, text string) bool {
	if in.Meant != "VOLUME" {
		return false
	}
	finding := analysis.Finding{Span: word.Span}
	if m := hostVolume.FindStringSubmatch(text); m != nil {
		finding.Message = "VOLUME takes only the path in the container: all of " + text + " is one path"
		if !in.JSON && p.Text.Slice(word.Span) == text {
			finding.Fixes = replace(word.Span, m[1], false)
		}
	} else if text == "-v" || text == "--volume" {
		finding.Message = text + " is taken for a path: it belongs to docker run"
		finding.Fixes = p.removed(source.Between(word.Span.Start, p.behind(in, word.Span.End)))
	} else if strings.Trim(text, "abcdefghijklmnopqrstuvwxyz") == "" && text != "" {
		finding.Message = "the container does not start: the path of a volume must be absolute"
		if !in.JSON && p.Text.Slice(word.Span) == text {
			finding.Fixes = replace(word.Span, "/"+text, false)
		}
	} else {
		return false
	}
	p.report(in, finding)
	return true
}

// checkHostPath looks for sources that are written as for "docker cp", or as paths of the machine.
func (p *pass) checkHostPath(in *dockerfile.Instruction, word dockerfile.Word, text string) bool {
	if in.JSON || !hasContextSource(in) && (in.Meant != "ADD" || dockerfile.IsFetched(text)) {
		return false
	}
	finding := analysis.Finding{Span: word.Span}
	if m := stagePath.FindStringSubmatch(text); m != nil && !strings.HasPrefix(m[2], "//") &&
		(in.Meant != "ADD" || !strings.HasPrefix(m[1], "http")) {
		finding.Message = text + " is taken for a file of the build context: files of a stage need --from"
		if slices.Contains(p.stageNames(), strings.ToLower(m[1])) && len(in.Flags) == 0 && len(in.Args) == 2 {
			finding.Fixes = replace(word.Span, "--from="+m[1]+" "+m[2], false)
		}
	} else if foreignScheme.MatchString(text) {
		finding.Message = text + " is taken for a file of the build context: ADD fetches http, https and Git only"
	} else if hostPath.MatchString(text) {
		finding.Message = text + " is looked for in the build context, not on this machine"
	} else {
		return false
	}
	p.report(in, finding)
	return true
}

// checkMountPaths looks for ~ in the paths of mounts.
func (p *pass) checkMountPaths(in *dockerfile.Instruction) {
	for _, mount := range in.Mounts() {
		for _, field := range mount.Fields {
			name, value := field.Name(), field.Value
			if name != "target" && name != "source" || value.Text != "~" && !strings.HasPrefix(value.Text, "~/") {
				continue
			}
			finding := analysis.Finding{
				Span: value.Span, Message: "~ is not replaced: it is taken for a directory of that name",
			}
			if home := p.home(in); name == "target" && home != "" && p.Text.Slice(value.Span) == value.Text {
				finding.Fixes = replace(value.Span, strings.Replace(value.Text, "~", home, 1), false)
			}
			p.report(in, finding)
		}
	}
}
