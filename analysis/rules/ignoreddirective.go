package rules

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
)

// IgnoredDirective finds comments that are meant to be parser directives.
var IgnoredDirective = &Rule{
	ID:       "ignored-directive",
	Severity: analysis.Warning,
	FileOnly: true,
	Doc: Doc{
		Summary: "A comment looks like a parser directive, but is not read as one",
		What:    "Finds misspelt directives at the head of the file (`# sytnax=...`), `# syntax=` and `# escape=` further down, `# syntax=` with an image that is close to `docker/dockerfile`, and misspelt names of rules in `# check=`.",
		Why:     "Directives count only in the first lines, before any other comment, empty line or instruction. Elsewhere, or misspelt, they are comments, and without effect.",
		Example: "# sytnax=docker/dockerfile:1\nFROM alpine\n",
		Instead: "# syntax=docker/dockerfile:1\nFROM alpine\n",
	},
	check: checkIgnoredDirective,
}

var likeDirective = regexp.MustCompile(`^#\s*([A-Za-z]+)\s*=\s*(\S+)\s*$`)

func checkIgnoredDirective(p *pass) {
	for _, d := range p.Directives {
		switch d.Name.Text {
		case "syntax":
			p.checkSyntaxImage(d.Value)
		case "check":
			p.checkNames(d.Value)
		}
	}
	first := p.Text.Len()
	if len(p.Instructions) > 0 {
		first = p.Instructions[0].Span.Start
	}
	names := []string{"syntax", "escape", "check"}
	for _, comment := range p.Comments {
		if comment.Span.Start > first {
			break
		}
		m := likeDirective.FindStringSubmatchIndex(p.Text.Slice(comment.Span))
		if m == nil {
			continue
		}
		span := source.Span{Start: comment.Span.Start + m[2], End: comment.Span.Start + m[3]}
		name, value := strings.ToLower(p.Text.Slice(span)), p.Text.Slice(comment.Span)[m[4]:m[5]]
		line := p.Text.LineAt(comment.Span.Start)
		if name == "syntax" && strings.HasPrefix(p.Text.String(), "#!") {
			continue // BuildKit looks for the frontend behind such a line, too
		}
		switch {
		case line == len(p.Directives) && !slices.Contains(names, name) && clearly(name, names):
			p.report(nil, misspelt(analysis.Finding{Span: span, Message: fmt.Sprintf("unknown parser directive: %s", name)}, name, "", names, true))
		case line > len(p.Directives) && (name == "syntax" && strings.Contains(value, "/") || name == "escape" && len(value) == 1):
			p.report(nil, analysis.Finding{
				Span:    span,
				Message: fmt.Sprintf("%s is not read as a parser directive: only other directives may stand above it", name),
			})
		}
	}
}

// checkSyntaxImage looks at the image of a frontend, which the build would pull.
func (p *pass) checkSyntaxImage(value dockerfile.Word) {
	name := strings.TrimPrefix(value.Text, "docker.io/")
	if at := strings.IndexAny(name, ":@"); at >= 0 {
		name = name[:at]
	}
	frontends := []string{"docker/dockerfile", "docker/dockerfile-upstream"}
	if slices.Contains(frontends, name) || !clearly(name, frontends) {
		return
	}
	start := value.Span.Start + strings.Index(value.Text, name)
	finding := analysis.Finding{Span: source.Span{Start: start, End: start + len(name)}, Message: fmt.Sprintf("unknown frontend image: %s", name)}
	p.report(nil, misspelt(finding, name, "", frontends, true))
}

// checkNames looks at the names of rules in the value of a "check" directive. BuildKit does not mind unknown ones.
func (p *pass) checkNames(value dockerfile.Word) {
	var ids []string
	for _, r := range p.rules {
		ids = append(ids, r.ID)
	}
	at := value.Span.Start
	for option := range strings.SplitSeq(value.Text, ";") {
		_, list, _ := strings.Cut(option, "=")
		start := at + len(option) - len(list)
		at += len(option) + 1
		for word := range strings.SplitSeq(list, ",") {
			name := strings.TrimSpace(word)
			span := source.Span{Start: start + strings.Index(word, name), End: start + strings.Index(word, name) + len(name)}
			start += len(word) + 1
			if !slices.Contains(ids, name) && clearly(name, ids) {
				p.report(nil, misspelt(analysis.Finding{Span: span, Message: fmt.Sprintf("there is no rule %s", name)}, name, "", ids, true))
			}
		}
	}
}
