package rules

import (
	"strings"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/images"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
)

// AddWithoutChecksum finds downloads that nothing but a request can tell to be still the same.
var AddWithoutChecksum = &Rule{
	ID:       "add-without-checksum",
	Severity: analysis.Information,
	Doc: Doc{
		Summary: "ADD of a URL does not say which content it wants",
		What:    "Finds `ADD` of an HTTP address without `--checksum`.",
		Why: "Every build asks the server whether the file is still the same, and everything below is rebuilt if " +
			"it says no, or nothing. With a checksum the cache knows without asking, and nobody can slip in another " +
			"file.",
		Example: "FROM alpine\nADD https://example.com/tool.tar.gz /opt/\n",
		Instead: "FROM alpine\nADD " +
			"--checksum=sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae " +
			"https://example.com/tool.tar.gz /opt/\n",
	},
	check: checkAddWithoutChecksum,
}

func checkAddWithoutChecksum(p *pass) {
	if p.lacks("ADD", "checksum") {
		return // it has no checksums
	}
	for _, in := range p.of("ADD") {
		c, ok := in.Command.(*instructions.AddCommand)
		if !ok || in.Stage < 0 || c.Checksum != "" || len(in.Args) < 2 {
			continue
		}
		if image, _ := p.imageOf(in); images.Windows(image) {
			continue // most likely built by the classic builder, which is the usual one there
		}
		for _, word := range in.Args[:len(in.Args)-1] {
			url := strings.Trim(word.Text, `"`)
			if dockerfile.KindOfSource(url) == dockerfile.URLSource && meantAddress(url) == "" {
				p.found(in, word.Span, nil, "every build has to ask the server "+
					"whether this is still the same file: --checksum=sha256:... settles it")
			}
		}
	}
}
