package rules

import (
	"fmt"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
)

// UnknownPlatform finds platforms of FROM that do not exist.
var UnknownPlatform = &Rule{
	ID:       "unknown-platform",
	Severity: analysis.Warning,
	Doc: Doc{
		Summary: "A platform is not known",
		What:    "Finds `FROM --platform=` with an operating system or architecture that is close to a known one. Where BuildKit does not take it for a platform at all it is an error.",
		Why:     "No image has it; pulling fails.",
		Example: "FROM --platform=linux/amd46 alpine AS amd46\n",
		Instead: "FROM --platform=linux/amd64 alpine AS amd64\n",
	},
	check: checkUnknownPlatform,
}

func checkUnknownPlatform(p *pass) {
	for _, in := range p.of["FROM"] {
		for _, flag := range in.Flags {
			value := flag.Value.Text
			if in.From == nil || flag.Name.Text != "platform" || value == "" || strings.ContainsAny(value, "$(\"'\\`") || p.Text.Slice(flag.Value.Span) != value {
				continue
			}
			p.checkPlatform(in, flag.Value)
		}
	}
}

func (p *pass) checkPlatform(in *dockerfile.Instruction, value dockerfile.Word) {
	_, _, ok := parsePlatform(value.Text)
	arches := append([]string{}, platformArches...)
	for alias := range archAliases {
		arches = append(arches, alias)
	}
	parts := strings.Split(value.Text, "/")
	at := value.Span.Start
	for i, part := range parts {
		span := source.Span{Start: at, End: at + len(part)}
		at = span.End + 1
		candidates := platformSystems
		switch {
		case len(parts) == 1:
			candidates = append(append([]string{}, platformSystems...), arches...)
		case i == 1:
			candidates = arches
		case i > 1:
			continue
		}
		lower := strings.ToLower(part)
		if slices.Contains(candidates, lower) || lower == "macos" {
			continue
		}
		finding := misspelt(analysis.Finding{Span: span, Message: fmt.Sprintf("unknown operating system or architecture: %s", part)}, part, "", candidates, true)
		if !ok {
			finding.Severity = analysis.Error
		} else if len(finding.Fixes) == 0 {
			continue // BuildKit may know more
		}
		p.report(in, finding)
	}
}
