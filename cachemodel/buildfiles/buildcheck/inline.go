package buildcheck

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/rules"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/layerwise/layerwise/cachemodel/buildfiles"
)

// Inline finds what the rules find in the Dockerfiles that stand within a build file, at its place there. What has no
// place of its own, as the value of a variable, is told at the beginning of the Dockerfile, with its line. Fixes are
// kept that are written within a line as they are in a Dockerfile.
func Inline(
	text []byte, sections []buildfiles.Section, entries []buildfiles.Entry, o rules.Options,
) []analysis.Finding {
	var out []analysis.Finding
	for i := range sections {
		of := Of(&sections[i], entries)
		v, ok := sections[i].Value("dockerfile-inline")
		if !ok || len(of) == 0 || of[0].Inline == "" {
			continue
		}
		in, _ := sections[i].Inline(text, of[0].Inline)
		file := dockerfile.Parse(source.Part(of[0].Inline, in.First), nil)
		for _, f := range rules.Check(file, o) {
			span, ok := SpanOf(in, f.Span)
			if !ok {
				span = v.Span
				line := file.Text.LineAt(f.Span.Start) - in.First + 1
				f.Message = fmt.Sprintf("Line %d of the Dockerfile: %s", line, f.Message)
			}
			f.Span = span
			fixes := f.Fixes
			f.Fixes = nil
			for _, fix := range fixes {
				fix.Preferred = false // what is preferred is applied to Dockerfiles only
				if fix.Edits, ok = editsOf(in, file.Text, fix.Edits); ok {
					f.Fixes = append(f.Fixes, fix)
				}
			}
			out = append(out, f)
		}
	}
	return out
}

// SpanOf is the place in the build file of a place in the Dockerfile.
func SpanOf(in buildfiles.Inline, span source.Span) (source.Span, bool) {
	start, ok := in.Offset(span.Start)
	end, found := in.Offset(span.End)
	return source.Span{Start: start, End: max(start, end)}, ok && found
}

// asIs matches what is written in YAML and HCL, whatever the quotes around it, as it is in a Dockerfile.
var asIs = regexp.MustCompile(`^[\w ./=,@+-]*$`)

// editsOf are the edits of the build file that change the Dockerfile as edits do.
func editsOf(in buildfiles.Inline, text *source.Text, edits []source.Edit) ([]source.Edit, bool) {
	edits = slices.Clone(edits)
	for i := range edits {
		span, ok := SpanOf(in, edits[i].Span)
		if !ok || !asIs.MatchString(edits[i].NewText) || strings.Contains(text.Slice(edits[i].Span), "\n") {
			return nil, false
		}
		edits[i].Span = span
	}
	return edits, true
}
