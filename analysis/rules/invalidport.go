package rules

import (
	"slices"
	"strings"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
)

// InvalidPort finds EXPOSE of what is no port.
var InvalidPort = &Rule{
	ID:       "invalid-port",
	Severity: analysis.Error,
	Doc: Doc{
		Summary: "EXPOSE has no valid port",
		What:    "Finds ports, ranges and protocols that BuildKit does not understand. Where something is likely meant, a fix writes it.",
		Why:     "The build stops at such an EXPOSE.",
		Example: "FROM alpine\nEXPOSE 80/tpc\n",
		Instead: "FROM alpine\nEXPOSE 80/tcp\n",
	},
	check: checkInvalidPort,
}

func checkInvalidPort(p *pass) {
	p.eachPort(func(in *dockerfile.Instruction, port port) {
		if port.problem == nil {
			return
		}
		if line, ok := p.swallows(in); ok && port.span.End > p.Text.LineStart(line) {
			return // SwallowedInstruction says what is wrong
		}
		finding := analysis.Finding{Span: port.span, Message: port.problem.Error()}
		raw, part := port.raw, port.problem.part
		if !port.literal {
			finding.Message += " (in " + raw + ")"
			p.report(nil, finding)
			return
		}
		if at := strings.LastIndex(raw, part); at >= 0 && part != "" {
			finding.Span = source.Span{Start: port.span.Start + at, End: port.span.Start + at + len(part)}
		}
		protocols := []string{"tcp", "udp", "sctp"}
		before, after, _ := strings.Cut(raw, ":")
		_, isNumber := portNumber(before)
		switch {
		case port.proto != "" && part == port.proto:
			finding = misspelt(finding, part, "", protocols, true)
		case isNumber && slices.Contains(protocols, strings.ToLower(after)): // 80:tcp
			finding.Span = port.span
			finding.Fixes = []analysis.Fix{replace(port.span, before+"/"+strings.ToLower(after), true)}
		case strings.Contains(raw, ","): // 80,443
			ports := strings.Split(strings.Trim(raw, ","), ",")
			for _, one := range ports {
				if parsePort(one, port.span, false).problem != nil {
					ports = nil
					break
				}
			}
			if len(ports) > 0 {
				finding.Span = port.span
				finding.Fixes = []analysis.Fix{replace(port.span, strings.Join(ports, " "), true)}
			}
		}
		p.report(nil, finding)
	})
}
