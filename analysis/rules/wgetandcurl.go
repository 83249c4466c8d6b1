package rules

import (
	"github.com/layerwise/layerwise/analysis"
)

// WgetAndCurl finds stages that use both of two programs which do the same.
var WgetAndCurl = &Rule{
	ID:           "wget-and-curl",
	Severity:     analysis.Information,
	OffByDefault: true,
	Hadolint:     []string{"DL4001"},
	Doc: Doc{
		Summary: "A stage uses both wget and curl",
		What:    "Finds the first `wget` of a stage that also runs `curl`, or the other way round.",
		Why:     "One of them is enough, and the image is smaller without the other.",
		Example: "FROM buildpack-deps\nRUN wget https://example.com/a\nRUN curl -O https://example.com/b\n",
		Instead: "FROM buildpack-deps\nRUN curl -O https://example.com/a\nRUN curl -O https://example.com/b\n",
	},
	check: func(p *pass) {
		first := map[int]string{} // by stage; "" when it is told
		for in := range p.every("RUN") {
			for _, c := range p.commands(in) {
				name, above := c.words[0], first[in.Stage]
				if name != "wget" && name != "curl" {
					continue
				}
				if _, seen := first[in.Stage]; !seen {
					first[in.Stage] = name
				} else if above != "" && above != name {
					first[in.Stage] = ""
					p.found(in, c.span(p, in, 0, 1), nil, "the stage uses %s above: one of both is enough", above)
				}
			}
		}
	},
}
