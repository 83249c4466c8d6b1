package rules

import (
	"fmt"
	"path"
	"strings"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
)

// MissingSource finds sources that are not in the build context.
var MissingSource = &Rule{
	ID:       "missing-source",
	Severity: analysis.Error,
	Doc: Doc{
		Summary: "A source is not in the build context",
		What: "Finds sources of COPY, ADD and bind mounts that do not exist in the build context, where the context " +
			"is " +
			"known. If the context is guessed, every folder from the Dockerfile's up to the root of the repository " +
			"is " +
			"tried, and a Dockerfile of which no source is found is not judged. Sources with wildcards or variables, " +
			"URLs and heredocs are not judged. What .dockerignore leaves out is reported by CopyIgnoredFile.\n\n" +
			"It is an error where another name is meant: one that is spelled alike, or the same path in another folder. " +
			"Else it is information, because a script may create the source before the build, such as dist/.",
		Why:     "The build stops there: not found.",
		Example: "FROM alpine\nCOPY pakage.json ./\n",
		Instead: "FROM alpine\nCOPY package.json ./\n",
		Context: &Context{
			Sent:   []string{"package.json"},
			Absent: map[string]Absent{"pakage.json": {Context: "context .", Similar: []string{"package.json"}}},
		},
	},
	check: checkMissingSource,
}

func checkMissingSource(p *pass) {
	if p.opts().Context == nil || len(p.opts().Context.Absent) == 0 {
		return
	}
	for _, name := range []string{"ADD", "COPY"} {
		for _, in := range p.of(name) {
			for word := range contextSources(in) {
				p.missing(in, word)
			}
		}
	}
	for _, in := range p.of("RUN") {
		for _, m := range in.Mounts() {
			if m.Parsed == nil || m.Parsed.Type != instructions.MountTypeBind || m.Parsed.From != "" {
				continue
			}
			for i := range m.Fields {
				if f := &m.Fields[i]; f.Name() == "source" {
					p.missing(in, f.Value)
				}
			}
		}
	}
}

// missing reports a source that is not in the build context.
func (p *pass) missing(in *dockerfile.Instruction, word dockerfile.Word) {
	span, text := word.Span, p.file().Text.Slice(word.Span)
	if in.JSON || strings.HasPrefix(text, `"`) {
		text = strings.Trim(text, `"`)
		span.Start += strings.Index(p.file().Text.Slice(span), text)
		span.End = span.Start + len(text)
	}
	clean := path.Clean("/" + text)[1:]
	absent, ok := p.opts().Context.Absent[clean]
	if !ok || p.opts().Ignore != nil && p.opts().Ignore.Ignores(clean) {
		return
	}
	finding := analysis.Finding{Span: word.Span, Message: fmt.Sprintf("%s not found in %s", clean, absent.Context)}
	meant := absent.In != ""
	if meant {
		finding.Message += fmt.Sprintf(". It exists in %s - try --context %[1]s", absent.In)
	}
	start := strings.Index(text, clean)
	for _, similar := range absent.Similar {
		if p.opts().Ignore != nil && p.opts().Ignore.Ignores(similar) {
			continue
		}
		meant = true
		if start < 0 {
			continue
		}
		at := span.Part(start, start+len(clean))
		finding.Fixes = append(finding.Fixes, analysis.Fix{
			Title: "Change to " + similar, Edits: []source.Edit{{Span: at, NewText: similar}},
		})
	}
	if !meant {
		finding.Severity = analysis.Information // a clean clone lacks what a script creates before the build
		finding.Message += ". The build fails here unless it is created before"
	}
	p.report(in, finding)
}
