package rules

import (
	"slices"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
)

// DistributionUpgrade finds upgrades of the whole distribution.
var DistributionUpgrade = &Rule{
	ID:           "distribution-upgrade",
	Severity:     analysis.Warning,
	OffByDefault: true,
	Hadolint:     []string{"DL3005", "DL3035"},
	Doc: Doc{
		Summary: "The distribution of the base image is upgraded",
		What:    "Finds `apt-get dist-upgrade`, `apt full-upgrade` and `zypper dist-upgrade`.",
		Why: "The image becomes another release than its base image's tag says, and each upgraded file is in it " +
			"twice. Take a newer base image.",
		Example: "FROM debian:12\nRUN apt-get update && apt-get dist-upgrade -y\n",
		Instead: "FROM debian:13\nRUN apt-get update\n",
	},
	of: []string{"RUN"},
	each: ofCommands(func(p *pass, in *dockerfile.Instruction, c command) {
		verbs := map[string][]string{
			"apt-get": {"dist-upgrade"}, "apt": {"dist-upgrade", "full-upgrade"}, "zypper": {"dist-upgrade", "dup"},
		}
		if v := c.verb(); v > 0 && slices.Contains(verbs[c.words[0]], c.words[v]) {
			p.found(in, c.span(p, in, 0, v+1), nil, "take a newer base image instead of upgrading this one")
		}
	}),
}
