package rules

import (
	"iter"
	"path"
	"strings"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
)

// CopyIgnoredFile finds COPY and ADD of what the ignore file leaves out.
var CopyIgnoredFile = &Rule{
	ID:       "CopyIgnoredFile",
	Severity: analysis.Warning,
	BuildKit: buildKitPage + "copy-ignored-file/",
	Doc: Doc{
		Summary: "COPY or ADD wants a file that .dockerignore leaves out",
		What: "Finds sources in the build context that the ignore file excludes. Ignore files with exceptions " +
			"(`!x`) are not judged.",
		Why:     "The file is not in the build context, so the build stops: not found.",
		Example: "FROM alpine\nCOPY tmp/a /a\n",
		Instead: "FROM alpine\nCOPY src/a /a\n",
	},
	check: checkCopyIgnoredFile,
}

func checkCopyIgnoredFile(p *pass) {
	if p.opts().Ignore == nil {
		return
	}
	all := false // some pattern leaves everything out
	for _, pattern := range p.opts().Ignore.Patterns() {
		if strings.HasPrefix(pattern, "!") {
			return // an exception may be about something below
		}
		all = all || pattern == "*" || pattern == "**" || pattern == "**/*"
	}
	for _, name := range []string{"ADD", "COPY"} {
		for _, in := range p.of(name) {
			for word := range contextSources(in) {
				src, known := word.Text, true
				if in.JSON {
					src = strings.Trim(src, `"`)
				}
				if strings.Contains(src, "$") {
					src, known = p.variables().Expand(in.Stage, in.Span.Start, src)
				}
				clean := path.Clean(src)
				root := clean == "." || clean == "/"
				if !known || root && !all || !root && !p.opts().Ignore.Ignores(strings.TrimPrefix(clean, "/")) {
					continue
				}
				p.found(in, word.Span, nil, "attempting to %s file %q that is excluded by .dockerignore",
					strings.ToLower(name), src)
			}
		}
	}
}

// contextSources are the sources that an ADD or COPY takes from the build context.
func contextSources(in *dockerfile.Instruction) iter.Seq[dockerfile.Word] {
	return func(yield func(dockerfile.Word) bool) {
		if !readsContext(in) {
			return
		}
		for _, word := range in.Args[:len(in.Args)-1] {
			fetched := in.Meant == "ADD" && (strings.Contains(word.Text, "://") || dockerfile.IsFetched(word.Text))
			if !fetched && !strings.HasPrefix(word.Text, "<<") && !yield(word) {
				return
			}
		}
	}
}

// hasContextSource reports whether there is one.
func hasContextSource(in *dockerfile.Instruction) bool {
	for range contextSources(in) {
		return true
	}
	return false
}

// readsContext reports whether the sources of an instruction are files of the build context, or addresses.
func readsContext(in *dockerfile.Instruction) bool {
	if in.Stage < 0 || len(in.Args) < 2 {
		return false
	}
	switch c := in.Command.(type) {
	case *instructions.CopyCommand:
		return c.From == ""
	case *instructions.AddCommand:
		return true
	}
	return false
}
