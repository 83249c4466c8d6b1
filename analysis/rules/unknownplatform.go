package rules

import (
	"fmt"
	"maps"
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
		What: "Finds `FROM --platform=` with an operating system or architecture that is close to a known one. " +
			"Where BuildKit does not take it for a platform at all it is an error.",
		Why:     "No image has it; pulling fails.",
		Example: "FROM --platform=linux/amd46 alpine AS linux\n",
		Instead: "FROM --platform=linux/amd64 alpine AS linux\n",
	},
	check: checkUnknownPlatform,
}

func checkUnknownPlatform(p *pass) {
	for _, in := range p.of("FROM") {
		for _, flag := range in.Flags {
			value := flag.Value.Text
			switch {
			case in.From == nil || flag.Name.Text != "platform" || value == "":
			case strings.Contains(value, "(") && !strings.Contains(value, "$"):
			case strings.ContainsAny(value, "$\"'\\`") || p.Text.Slice(flag.Value.Span) != value:
				p.checkExpandedPlatform(in, flag.Value)
			default:
				p.checkPlatform(in, flag.Value)
			}
		}
	}
}

// checkExpandedPlatform looks at a platform with quotes, escapes or variables that no build argument changes.
func (p *pass) checkExpandedPlatform(in *dockerfile.Instruction, value dockerfile.Word) {
	if p.declared(in, value.Span) || p.undeclared(in) {
		return
	}
	platform, known := p.variables().Expand(-1, in.Span.Start, unquoted(value.Text))
	if _, _, ok := parsePlatform(platform); !known || ok {
		return
	}
	finding := analysis.Finding{
		Span:     value.Span,
		Message:  fmt.Sprintf("%s is not a platform", platform),
		Severity: analysis.Error,
	}
	finding.Fixes = p.withVariables(in, value)
	if meant := strings.ReplaceAll(value.Text, `\`, "/"); meant != value.Text {
		if _, _, ok := parsePlatform(meant); ok {
			finding.Fixes = replace(value.Span, meant, true)
		}
	}
	p.report(in, finding)
}

// otherPlatforms are other words for platforms and their parts, and what they are here.
var otherPlatforms = map[string]string{
	"x86": "386", "x64": "amd64", "amd": "amd64", "intel": "amd64", "armv7": "arm/v7", "armv6": "arm/v6",
	"armv8": "arm64", "arm64v8": "arm64/v8", "arm32v7": "arm/v7", "arm7": "arm/v7", "arm6": "arm/v6", "arm8": "arm64",
	"adm64": "amd64", "arm32": "arm", "m1": "arm64", "buildplatform": "$BUILDPLATFORM",
	"targetplatform": "$TARGETPLATFORM", "win": "windows", "osx": "darwin", "mac": "darwin",
}

// knownArches are the names of architectures, the usual ones first.
func knownArches() []string {
	return append(append([]string{}, platformArches...), slices.Sorted(maps.Keys(archAliases))...)
}

// wholePlatform returns the platform that is meant by one with another character between its parts, or in another
// order, or "".
func wholePlatform(value string) string {
	for _, sep := range []string{"-", ":", "_", ",", "."} {
		if os, arch, ok := strings.Cut(value, sep); ok && slices.Contains(platformSystems, strings.ToLower(os)) &&
			slices.Contains(knownArches(), strings.ToLower(strings.ReplaceAll(arch, sep, "/"))) {
			return os + "/" + arch
		}
	}
	if arch, os, ok := strings.Cut(value, "/"); ok && slices.Contains(platformSystems, strings.ToLower(os)) &&
		slices.Contains(knownArches(), strings.ToLower(arch)) {
		return os + "/" + arch
	}
	return ""
}

func (p *pass) checkPlatform(in *dockerfile.Instruction, value dockerfile.Word) {
	_, _, ok := parsePlatform(value.Text)
	if meant := wholePlatform(value.Text); meant != "" {
		finding := analysis.Finding{
			Span:    value.Span,
			Message: fmt.Sprintf("unknown platform: %s (did you mean %s?)", value.Text, meant),
			Fixes:   replace(value.Span, meant, true),
		}
		if !ok {
			finding.Severity = analysis.Error
		}
		p.report(in, finding)
		return
	}
	if fixes := p.withVariables(in, value); fixes != nil && !ok {
		p.report(in, analysis.Finding{
			Severity: analysis.Error, Span: value.Span, Message: value.Text + " is not a platform", Fixes: fixes,
		})
		return
	}
	arches := knownArches()
	parts := strings.Split(value.Text, "/")
	at := value.Span.Start
	for i, part := range parts {
		span := source.Between(at, at+len(part))
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
		finding := analysis.Finding{
			Span:    span,
			Message: fmt.Sprintf("unknown operating system or architecture: %s", part),
		}
		if other := otherPlatforms[lower]; other != "" && (len(parts) == 1 || !strings.Contains(other, "$")) {
			finding.Message += fmt.Sprintf(" (did you mean %s?)", other)
			finding.Fixes = replace(span, other, strings.HasPrefix(other, "$"))
		} else {
			finding = misspeltWord(finding, part, candidates)
		}
		if !ok {
			finding.Severity = analysis.Error
		} else if len(finding.Fixes) == 0 {
			continue // BuildKit may know more
		}
		p.report(in, finding)
	}
}
