package rules

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/layerwise/layerwise/analysis"
)

// InvalidFlagValue finds values of flags that BuildKit looks at only when it builds.
var InvalidFlagValue = &Rule{
	ID:       "invalid-flag-value",
	Severity: analysis.Error,
	Doc: Doc{
		Summary: "A mode or checksum is not valid",
		What:    "Finds `--chmod` with what is neither an octal number up to 7777 nor symbolic (`u=rwX`), and `--checksum` with a SHA digest of the wrong length or with other characters than hexadecimal digits.",
		Why:     "The build stops when it comes to the instruction.",
		Example: "FROM alpine\nCOPY --chmod=799 a /a\n",
		Instead: "FROM alpine\nCOPY --chmod=755 a /a\n",
	},
	check: checkInvalidFlagValue,
}

func checkInvalidFlagValue(p *pass) {
	for in := range p.every("ADD", "COPY") {
		for _, flag := range in.Flags {
			value, problem := flag.Value.Text, ""
			if in.Command == nil || value == "" || strings.ContainsAny(value, "$\"'\\`") {
				continue
			}
			switch flag.Name.Text {
			case "chmod":
				problem = badMode(value)
			case "checksum":
				problem = badDigest(value)
			}
			if problem != "" {
				p.report(nil, analysis.Finding{Span: flag.Value.Span, Message: problem})
			}
		}
	}
}

// badMode says what is wrong with a mode, if anything: dispatchCopy in BuildKit's dockerfile2llb.
func badMode(value string) string {
	n, err := strconv.ParseUint(value, 8, 32)
	if err == nil && n <= 0o7777 || err != nil && strings.ContainsAny(value, "+-=") {
		return ""
	}
	return fmt.Sprintf("invalid chmod parameter: '%s'. it should be octal string and between 0 and 07777", value)
}

// badDigest says what is wrong with a checksum, if anything. That of a Git repository is a commit's, without algorithm.
func badDigest(value string) string {
	algorithm, digits, has := strings.Cut(value, ":")
	length, ok := map[string]int{"sha256": 64, "sha384": 96, "sha512": 128}[algorithm]
	switch {
	case !has:
		return ""
	case !ok:
		return fmt.Sprintf("unsupported digest algorithm %s", algorithm)
	case len(digits) != length:
		return fmt.Sprintf("invalid checksum digest length: %d digits instead of %d", len(digits), length)
	case strings.Trim(digits, "0123456789abcdef") != "":
		return "invalid checksum digest format: only digits and lower case a to f"
	}
	return ""
}
