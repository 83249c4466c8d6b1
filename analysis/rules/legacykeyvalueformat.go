package rules

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
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
			var pairs instructions.KeyValuePairs
			switch c := in.Command.(type) {
			case *instructions.EnvCommand:
				pairs = c.Env
			case *instructions.LabelCommand:
				pairs = c.Labels
			}
			if in.Stage < 0 || len(pairs) != 1 || !pairs[0].NoDelim {
				continue
			}
			if _, ok := p.innerInstruction(in); ok {
				continue
			}
			p.report(in, analysis.Finding{
				Span: in.Args[0].Span,
				Message: fmt.Sprintf(
					"\"%[1]s key=value\" should be used instead of legacy \"%[1]s key value\" format",
					name,
				),
				Fixes: withEquals(p.file(), in),
			})
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
		return []analysis.Fix{{ // as for docker run
			Title: "Remove " + first.Text,
			Edits: []source.Edit{{Span: source.Span{Start: first.Span.Start, End: in.Args[1].Span.Start}}},
		}}
	}
	key := in.Args[0].Span
	value := source.Span{Start: in.Args[1].Span.Start, End: in.ArgsSpan.End}
	if colon := strings.TrimSuffix(in.Args[0].Text, ":"); colon != in.Args[0].Text &&
		assignment.MatchString(colon+"=") {
		key.End-- // "A: b", as in YAML
	}
	gap, text := source.Span{Start: key.End, End: value.Start}, file.Text.Slice(value)
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
		return []analysis.Fix{
			{
				Title: "Remove the spaces around =",
				Edits: []source.Edit{{Span: source.Span{Start: key.End, End: value.End - len(rest)}, NewText: "="}},
			},
		}
	}
	fix := analysis.Fix{Title: "Change to key=value", Edits: []source.Edit{{Span: gap, NewText: "="}}, Preferred: true}
	if len(in.Args) == 2 {
		return []analysis.Fix{fix} // one word is read the same way in both forms
	}
	if strings.ContainsAny(text, "\"'\\`\r\n") || len(in.Comments) > 0 {
		return nil
	}
	fix.Edits[0].NewText = `="`
	fix.Edits = append(fix.Edits, source.Edit{Span: source.Span{Start: value.End, End: value.End}, NewText: `"`})
	return []analysis.Fix{fix}
}
