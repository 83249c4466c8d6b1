package rules

import (
	"fmt"
	"strings"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
)

// ExposeInvalidFormat finds addresses and host ports in EXPOSE.
var ExposeInvalidFormat = &Rule{
	ID:       "ExposeInvalidFormat",
	Severity: analysis.Warning,
	BuildKit: buildKitPage + "expose-invalid-format/",
	Doc: Doc{
		Summary: "EXPOSE maps a port or names an address",
		What: "Finds `EXPOSE 8080:80` and the like. The fix leaves the container's port, which is all that " +
			"BuildKit takes of it.",
		Why: "EXPOSE only says which ports the container listens to; they are mapped by `docker run --publish`. " +
			"It will become an error.",
		Example: "FROM alpine\nEXPOSE 8080:80\n",
		Instead: "FROM alpine\nEXPOSE 80\n",
	},
	check: func(p *pass) {
		p.eachPort(func(in *dockerfile.Instruction, port port) {
			if port.problem != nil || port.ip == "" && port.host == "" {
				return
			}
			finding := analysis.Finding{
				Span: port.span,
				Message: fmt.Sprintf(
					"EXPOSE instruction should not define an IP address or host-port mapping, found '%s'",
					port.raw,
				),
			}
			if port.literal {
				finding.Fixes = replace(port.span, port.raw[strings.LastIndex(port.raw, ":")+1:], true)
			}
			p.report(in, finding)
		})
	},
}
