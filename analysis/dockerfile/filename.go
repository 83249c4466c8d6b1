package dockerfile

import (
	"path"
	"regexp"
	"strings"

	"github.com/layerwise/layerwise/analysis/source"
)

// Names says in messages which names a search takes.
const Names = "Dockerfile, Dockerfile.*, *.Dockerfile, Dockerfile-*, *-Dockerfile, and the same with Containerfile"

// FileRegexp matches the paths of which [IsName] says that they are a Dockerfile's, NotFileRegexp those among them of
// which it says that they are not, for programs that can hold only regular expressions. Both are without letter case.
var (
	FileRegexp    = `(^|/)([^/]*[._-])?(docker|container)file([._-][^/]*)?$`
	NotFileRegexp = `\.(` + strings.Join(
		append(append([]string{}, otherSuffixes...), templateSuffixes...),
		"|",
	) + `|[^/]*~)$`
)

// otherSuffixes are those of source code, data, documents, images, archives and copies that editors and merges leave: a
// file with one of them is not a Dockerfile, whatever the rest of its name is.
var otherSuffixes = strings.Fields(`
	asm bash bat c cc cfg clj cljs cmake cmd conf cpp cs css csv cxx d dart diff dockerignore env erl ex exs fish fs gitignore
	go gradle groovy h hcl hpp hrl hs htm html ini ipynb java jl js json json5 jsonc jsonl jsx key kt kts less lisp lock log
	lua m md mdx mjs cjs ml mm nim nix patch pdf pem php pl pm proto ps1 psd1 psm1 py pyc pyi r rb rst rs s sass scala scss sh
	sha256 snap sol sql sum svelte svg swift tf toml ts tsv tsx txt vim vue xml yaml yml zig zsh
	adoc avi bz2 class doc docx dll exe gif gz ico jar jpeg jpg mov mp3 mp4 o odt png so tar tgz webp xls xlsx xz zip zst
	backup bak old orig rej save swo swp tmp
`)

// templateSuffixes are those of files from which a program makes Dockerfiles.
var templateSuffixes = strings.Fields(`
	ejs erb gotmpl gotpl handlebars hbs in j2 jinja jinja2 liquid m4 mako mustache njk template templ tera tmpl tpl twig
`)

var (
	fileName    = regexp.MustCompile("(?i)" + FileRegexp)
	notFileName = regexp.MustCompile("(?i)" + NotFileRegexp)
)

// IsName reports whether a file of that name, without folders, is taken for a Dockerfile where nobody has said what it
// is: Dockerfile or Containerfile, in any letter case, by itself or as the first or last part of a name, as in
// Dockerfile.dev, Dockerfile_prod and api-Dockerfile; but not with the suffix of source code, data, a template or a
// copy.
//
// A name is not enough where the file is to be changed: see [File.IsDockerfile].
func IsName(name string) bool { return fileName.MatchString(name) && !notFileName.MatchString(name) }

// IsOtherName reports whether the name is that of something else than a Dockerfile: source code, data, a template or a
// copy.
func IsOtherName(name string) bool { return notFileName.MatchString(name) }

// IsPlainName reports whether nothing else than a Dockerfile has such a name: Dockerfile, Containerfile or these as a
// suffix.
func IsPlainName(name string) bool {
	name = strings.ToLower(name)
	switch strings.TrimPrefix(path.Ext(name), ".") {
	case "dockerfile", "containerfile":
		return true
	}
	return name == "dockerfile" || name == "containerfile"
}

// IsDockerfile reports whether the text looks like a Dockerfile, whatever the file's name is: its first instruction is
// FROM or ARG, perhaps misspelt, and most lines that begin an instruction do begin with one.
func (f *File) IsDockerfile() bool {
	if len(f.Instructions) == 0 {
		return false
	}
	first := f.Instructions[0].Meant
	return (first == "FROM" || first == "ARG") && f.readable()
}

// MayBeDockerfile is the weaker question whether the text is worth checking: it may lack its FROM.
func (f *File) MayBeDockerfile() bool { return len(f.Instructions) > 0 && f.readable() }

// readable reports whether most instructions are such. A short file may well have some misspelt ones.
func (f *File) readable() bool {
	known, meant := 0, 0
	for _, in := range f.Instructions {
		if keyword(in.Keyword.Text) != "" {
			known++
		}
		if in.Meant != "" {
			meant++
		}
	}
	const few = 5
	return 2*known >= len(f.Instructions) || len(f.Instructions) <= few && 2*meant >= len(f.Instructions)
}

// templateLine matches what a template engine replaces or runs, at the start of a line: Jinja, Go, Handlebars, ERB.
var templateLine = regexp.MustCompile(`^[ \t]*(\{[{%#]|<%)`)

// Template returns the first line that a template engine has to work on before BuildKit can read the file; not ok if
// there is none. In a heredoc's body such lines are somebody else's, and so they are in a comment.
func (f *File) Template() (line source.Span, ok bool) {
	if !strings.Contains(f.Text.String(), "{{") && !strings.Contains(f.Text.String(), "{%") &&
		!strings.Contains(f.Text.String(), "<%") && !strings.Contains(f.Text.String(), templateOption) {
		return source.Span{}, false
	}
	for _, in := range f.Instructions {
		args := in.ArgsSpan
		if text := f.Text.Slice(args); in.Meant == "FROM" && templatePart.MatchString(text) ||
			strings.Contains(text, templateOption) {
			return args, true
		}
		for n, end := f.Text.LineAt(in.Span.Start), f.Text.LineAt(max(in.Keyword.Span.End, args.End)); n <= end; n++ {
			if line := f.Text.Line(n); templateLine.MatchString(f.Text.Slice(line)) {
				return line, true
			}
		}
	}
	return source.Span{}, false
}

// templateOption begins what a template of a dev container is filled with.
const templateOption = "${templateOption:"

// templatePart matches a placeholder within a line, such as the tag in a FROM.
var templatePart = regexp.MustCompile(`\{\{.*\}\}|\{%.*%\}|<%.*%>`)

// generated matches what programs write at the head of a file that they make.
var generated = regexp.MustCompile(
	`(?i)\bdo(n't| not) (edit|modify|change)\b|\bauto(matically)?[- ]?generated\b|\bfile (is|was|has been) generated\b`,
)

// Generated returns the comment above the first instruction that says that a program makes this file, so that what
// people change is lost; not ok if there is none.
func (f *File) Generated() (comment source.Span, ok bool) {
	for _, c := range f.Comments {
		if len(f.Instructions) > 0 && c.Span.Start > f.Instructions[0].Span.Start {
			break
		}
		if generated.MatchString(f.Text.Slice(c.Span)) {
			return c.Span, true
		}
	}
	return source.Span{}, false
}
