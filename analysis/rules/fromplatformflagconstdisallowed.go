package rules

import (
	"strings"

	"github.com/layerwise/layerwise/analysis"
)

// FromPlatformFlagConstDisallowed finds FROM with a fixed platform.
var FromPlatformFlagConstDisallowed = &Rule{
	ID:           "FromPlatformFlagConstDisallowed",
	Severity:     analysis.Information,
	Hadolint:     []string{"DL3029"},
	OffByDefault: true,
	BuildKit:     buildKitPage + "from-platform-flag-const-disallowed/",
	Doc: Doc{
		Summary: "FROM has a fixed platform",
		What: "Finds `FROM --platform=linux/amd64` and the like, unless the stage's name has the operating system " +
			"or the architecture in it.",
		Why: "The image can then be built for this platform only. Give `--platform` to the build instead, or " +
			"write `$BUILDPLATFORM` for stages that run on the builder's own platform.",
		Example: "FROM --platform=linux/amd64 alpine\n",
		Instead: "FROM alpine\n",
	},
	check: func(p *pass) {
		for _, in := range p.of("FROM") {
			for _, flag := range in.Flags {
				value := flag.Value.Text
				if in.From == nil || flag.Name.Text != "platform" || value == "" ||
					strings.ContainsAny(value, "$(\"'") {
					continue
				}
				os, arch, ok := parsePlatform(value)
				if !ok || strings.Contains(in.From.Name, os) || strings.Contains(in.From.Name, arch) {
					continue
				}
				p.found(in, flag.Span, nil, "FROM --platform flag should not use constant value %q", value)
			}
		}
	},
}
