package rules

import (
	// The digests of images; without them none is valid.
	_ "crypto/sha256"
	_ "crypto/sha512"
	"fmt"
	"strings"

	"github.com/distribution/reference"
	"github.com/layerwise/layerwise/analysis"
)

// InvalidImage finds image names that no image can have.
var InvalidImage = &Rule{
	ID:       "invalid-image",
	Severity: analysis.Error,
	Doc: Doc{
		Summary: "An image name is not valid",
		What:    "Finds `FROM`, `COPY --from=` and `RUN --mount=from=` with a name that no image can have: capital letters, an empty tag and the like. Variables are not looked at.",
		Why:     "The build stops: invalid reference format.",
		Example: "FROM Alpine:3.20\n",
		Instead: "FROM alpine:3.20\n",
	},
	check: checkInvalidImage,
}

func checkInvalidImage(p *pass) {
	above := map[string]bool{} // stages
	anywhere := map[string]bool{}
	for _, stage := range p.Stages {
		anywhere[stage.Name] = true
	}
	for _, ref := range p.stageReferences() {
		name := ref.word.Text
		if ref.in.Meant == "FROM" {
			stage := p.Stages[ref.in.Stage]
			defer func() { above[stage.Name] = true }()
		}
		lower := strings.ToLower(name)
		if strings.ContainsAny(name, "$\"'\\`") || strings.Trim(name, "0123456789") == "" || ref.in.Meant != "FROM" && anywhere[lower] || isMisplacedFlag(p.File, ref.in) {
			continue
		}
		_, err := reference.ParseNormalizedNamed(name)
		if err == nil {
			continue
		}
		if p.spoilt(ref.in) {
			continue // LookalikeCharacter says what is wrong
		}
		finding := analysis.Finding{Span: ref.word.Span, Message: fmt.Sprintf("%s is no image: %v", name, err)}
		for _, meant := range []string{lower, strings.TrimRight(name, ":/@")} {
			if _, err := reference.ParseNormalizedNamed(meant); err == nil && meant != name {
				finding.Fixes = append(finding.Fixes, replace(ref.word.Span, meant, anywhere[meant]))
			}
		}
		p.report(nil, finding)
	}
}
