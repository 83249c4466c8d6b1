package rules

import (
	"strings"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
)

// Template finds files from which another program makes Dockerfiles.
var Template = &Rule{
	ID:       "template",
	Severity: analysis.Information,
	FileOnly: true,
	Doc: Doc{
		Summary: "The file is a template of a Dockerfile, so it is not checked",
		What: "Finds lines that begin with `{%`, `{{` or `<%`, as in Jinja, Go templates, Handlebars and ERB, and " +
			"such placeholders in `FROM`, and the `${templateOption:x}` of dev containers. Nothing else is said about the file, and nothing in it is fixed.",
		Why: "What Docker gets is the text that the template engine makes of it. Check that instead: `layerwise " +
			"check -` reads it from the standard input.",
		Example: "FROM alpine\n{% if debug %}\nRUN apk add gdb\n{% endif %}\n",
		Instead: "FROM alpine\nRUN apk add gdb\n",
	},
	check: func(p *pass) {
		if line, ok := p.file().Template(); ok {
			p.found(nil, line, nil, "This file is a template: %s is replaced before Docker reads it. It is not checked",
				strings.TrimSpace(p.Text.Slice(line)))
		}
	},
}

// UnknownFrontend finds files that another program than Docker's reads.
var UnknownFrontend = &Rule{
	ID:       "unknown-frontend",
	Severity: analysis.Information,
	FileOnly: true,
	Doc: Doc{
		Summary: "The file is read by another program than Docker's, so it is not checked",
		What: "Finds a `# syntax=` that names another image than `docker/dockerfile`. Nothing else is said about " +
			"the file, and nothing in it is fixed.",
		Why: "The image that `# syntax=` names reads the file, and decides what an instruction is and what it " +
			"does.",
		Example: "# syntax=devthefuture/dockerfile-x\nINCLUDE ./base.dockerfile\nRUN make\n",
		Instead: "# syntax=docker/dockerfile:1\nFROM alpine\nRUN make\n",
	},
	check: func(p *pass) {
		if d := p.file().Dialect(); d.Foreign && !nearlyDocker(d.Reference) {
			p.found(nil, d.Span, nil, "This file is read by %s, whose language is not known here. It is not checked",
				d.Reference)
		}
	},
}

// Opaque reports whether nothing is to be said about what a file's lines mean: another program than Docker's reads it,
// or makes the Dockerfile of it.
func Opaque(file *dockerfile.File) bool { return opaque(file) != nil }

// opaque is the rule that says why nothing else is to be said about a file, nil if all rules apply.
func opaque(file *dockerfile.File) *Rule {
	if d := file.Dialect(); d.Foreign && !nearlyDocker(d.Reference) {
		return UnknownFrontend
	}
	if _, ok := file.Template(); ok {
		return Template
	}
	return nil
}
