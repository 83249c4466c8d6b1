package rules

import (
	"regexp"
	"strings"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
)

// LegacyKeyValueFormat finds ENV and LABEL without an equals sign.
var LegacyKeyValueFormat = &Rule{
	ID:       "LegacyKeyValueFormat",
	Severity: analysis.Information,
	BuildKit: buildKitPage + "legacy-key-value-format/",
	Style:    true,
	Doc: Doc{
		Summary: "ENV or LABEL separates key and value by a space",
		What: "Finds `ENV key value` and `LABEL key value`. The fix puts an equals sign between them, and quotes " +
			"around a value that needs them.",
		Why: "In this old form the rest of the line is the value, so that there can be one variable only, and " +
			"`ENV A = b` sets A to `= b`. It may go away.",
		Example: "FROM alpine\nENV GREETING hello world\n",
		Instead: "FROM alpine\nENV GREETING=\"hello world\"\n",
	},
	check: checkLegacyKeyValueFormat,
}

func checkLegacyKeyValueFormat(p *pass) {
	for _, name := range []string{"ENV", "LABEL"} {
		for _, in := range p.of(name) {
			if in.Stage < 0 || !freeText(in) {
				continue
			}
			if _, ok := p.innerInstruction(in); ok {
				continue
			}
			p.found(in, in.Args[0].Span, withEquals(p.file(), in),
				"\"%[1]s key=value\" should be used instead of legacy \"%[1]s key value\" format", name)
		}
	}
}

var quotedValue = regexp.MustCompile(`^(?:"[^"\\$]*"|'[^'\\]*')$`)

// withEquals returns the fix that writes the new form, if its value is sure to be the same.
func withEquals(file *dockerfile.File, in *dockerfile.Instruction) []analysis.Fix {
	if len(in.Args) < 2 || strings.ContainsAny(in.Args[0].Text, "\"'\\`$") {
		return nil
	}
	if first := in.Args[0]; (first.Text == "-e" || first.Text == "-l") && strings.Contains(in.Args[1].Text, "=") {
		flag := source.Between(first.Span.Start, in.Args[1].Span.Start)
		return change("Remove "+first.Text, flag, "", false) // as for docker run
	}
	key := in.Args[0].Span
	value := source.Between(in.Args[1].Span.Start, in.ArgsSpan.End)
	if colon := strings.TrimSuffix(in.Args[0].Text, ":"); colon != in.Args[0].Text &&
		assignment.MatchString(colon+"=") {
		key.End-- // "A: b", as in YAML
	}
	gap, text := source.Between(key.End, value.Start), file.Text.Slice(value)
	if strings.Trim(strings.TrimPrefix(file.Text.Slice(gap), ":"), " \t") != "" &&
		!(strings.Trim(file.Text.Slice(gap), " \t\r\n"+string(file.Escape)) == "" && len(in.Comments) == 0 &&
			len(in.Args) == 2) {
		return nil // continued
	}
	if rest, ok := strings.CutPrefix(text, "="); ok { // "A = b", hardly meant as it is read
		if rest = strings.TrimLeft(rest, " \t"); rest == "" || strings.ContainsAny(rest, " \t\r\n\"'\\`") &&
			!quotedValue.MatchString(rest) {
			return nil
		}
		return change("Remove the spaces around =", source.Between(key.End, value.End-len(rest)), "=", false)
	}
	const title = "Change to key=value"
	if len(in.Args) == 2 {
		return change(title, gap, "=", true) // one word is read the same way in both forms
	}
	if strings.ContainsAny(text, "\"'\\`\r\n") || len(in.Comments) > 0 {
		return nil
	}
	return change(title, gap, `="`, true, source.Edit{Span: source.At(value.End), NewText: `"`})
}
