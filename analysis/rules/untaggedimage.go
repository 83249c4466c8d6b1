package rules

import (
	"strings"

	"github.com/distribution/reference"
	"github.com/layerwise/layerwise/analysis"
)

// UntaggedImage finds base images that may be another one tomorrow.
var UntaggedImage = &Rule{
	ID:           "untagged-image",
	Severity:     analysis.Warning,
	OffByDefault: true,
	Hadolint:     []string{"DL3006", "DL3007"},
	Doc: Doc{
		Summary: "The base image has no tag, or the tag latest",
		What:    "Finds `FROM` with an image that has neither a tag nor a digest, or the tag `latest`.",
		Why:     "The image is another one whenever a new version is published, and a build that worked fails.",
		Example: "FROM alpine\nRUN true\n",
		Instead: "FROM alpine:3.22\nRUN true\n",
	},
	check: func(p *pass) {
		for i, stage := range p.file().Stages {
			if p.variables().Bases[i] >= 0 || stage.Base.Text == "scratch" ||
				strings.ContainsAny(stage.Base.Text, "$\"'") {
				continue
			}
			named, err := reference.ParseNormalizedNamed(stage.Base.Text)
			if err != nil {
				continue // InvalidImage says so
			}
			if _, ok := named.(reference.Digested); ok {
				continue
			}
			tagged, ok := named.(reference.Tagged)
			if ok && tagged.Tag() != "latest" {
				continue
			}
			p.found(stage.From, stage.Base.Span, nil, "%s is another image with each new version: name one",
				stage.Base.Text)
		}
	},
}
