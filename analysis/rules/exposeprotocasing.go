package rules

import (
	"fmt"
	"strings"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
)

// ExposeProtoCasing finds protocols in EXPOSE with capital letters.
var ExposeProtoCasing = &Rule{
	ID:       "ExposeProtoCasing",
	Severity: analysis.Information,
	BuildKit: buildKitPage + "expose-proto-casing/",
	Style:    true,
	Doc: Doc{
		Summary: "A protocol in EXPOSE has capital letters",
		What:    "Finds `EXPOSE 80/TCP`. The fix writes the protocol in lower case.",
		Why:     "Docker writes protocols in lower case everywhere else.",
		Example: "FROM alpine\nEXPOSE 80/TCP\n",
		Instead: "FROM alpine\nEXPOSE 80/tcp\n",
	},
	check: func(p *pass) {
		p.eachPort(func(in *dockerfile.Instruction, port port) {
			if port.problem != nil || port.proto == strings.ToLower(port.proto) {
				return
			}
			finding := analysis.Finding{
				Span:    port.span,
				Message: fmt.Sprintf("defined protocol '%s' in EXPOSE instruction should be lowercase", port.raw),
			}
			if port.literal {
				finding.Span.Start = finding.Span.End - len(port.proto)
				finding.Fixes = replace(finding.Span, strings.ToLower(port.proto), true)
			}
			p.report(in, finding)
		})
	},
}
