package rules

import (
	"strings"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
)

// MaintainerDeprecated finds MAINTAINER.
var MaintainerDeprecated = &Rule{
	ID:       "MaintainerDeprecated",
	Severity: analysis.Information,
	Hadolint: []string{"DL4000"},
	BuildKit: buildKitPage + "maintainer-deprecated/",
	Doc: Doc{
		Summary: "MAINTAINER is deprecated",
		What:    "Finds `MAINTAINER`. The fix makes it a label.",
		Why:     "The instruction has been deprecated since 2017. A label can be read with the same tools as all others.",
		Example: "FROM alpine\nMAINTAINER Jo <jo@example.com>\n",
		Instead: "FROM alpine\nLABEL org.opencontainers.image.authors=\"Jo <jo@example.com>\"\n",
	},
	check: func(p *pass) {
		for _, in := range p.of("MAINTAINER") {
			if len(in.Args) > 0 && strings.EqualFold(in.Keyword.Text, "MAINTAINER") {
				p.found(in, in.Keyword.Span, maintainerLabel(p.file(), in),
					"MAINTAINER is deprecated in favor of using a label")
			}
		}
	},
}

// maintainerLabel returns the fix that makes a MAINTAINER a label, if its text means the same there.
func maintainerLabel(file *dockerfile.File, in *dockerfile.Instruction) []analysis.Fix {
	name := file.Text.Slice(in.ArgsSpan)
	quoted := len(name) > 1 && name[0] == '"' && name[len(name)-1] == '"'
	if quoted {
		name = name[1 : len(name)-1]
	}
	if strings.ContainsAny(name, "\"\\`$\r\n") {
		return nil
	}
	label := source.Edit{Span: in.ArgsSpan, NewText: `org.opencontainers.image.authors="` + name + `"`}
	return change("Change to a label", in.Keyword.Span, matching("LABEL", in.Keyword.Text), true, label)
}
