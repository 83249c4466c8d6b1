package rules

import (
	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
)

// RedundantTargetPlatform finds FROM --platform=$TARGETPLATFORM.
var RedundantTargetPlatform = &Rule{
	ID:       "RedundantTargetPlatform",
	Severity: analysis.Information,
	BuildKit: buildKitPage + "redundant-target-platform/",
	Style:    true,
	Doc: Doc{
		Summary: "FROM --platform=$TARGETPLATFORM says what holds anyway",
		What:    "Finds stages whose platform is set to the target platform. The fix removes the flag.",
		Why:     "A stage is built for the target platform unless something else is said.",
		Example: "FROM --platform=$TARGETPLATFORM alpine\n",
		Instead: "FROM alpine\n",
	},
	check: func(p *pass) {
		for _, in := range p.of("FROM") {
			for _, flag := range in.Flags {
				value := flag.Value.Text
				if in.From == nil || flag.Name.Text != "platform" ||
					value != "$TARGETPLATFORM" && value != "${TARGETPLATFORM}" {
					continue
				}
				var fixes []analysis.Fix
				if len(p.variables().Global["TARGETPLATFORM"]) == 0 { // else it may be another platform
					fixes = change("Remove the flag", wordAndSpace(p.file(), flag.Span), "", true)
				}
				p.found(in, flag.Span, fixes,
					"setting platform to predefined %s in FROM is redundant as this is the default behavior", value)
			}
		}
	},
}

// wordAndSpace returns the span of a word and the blanks behind it.
func wordAndSpace(file *dockerfile.File, span source.Span) source.Span {
	text := file.Text.String()
	for span.End < len(text) && (text[span.End] == ' ' || text[span.End] == '\t') {
		span.End++
	}
	return span
}
