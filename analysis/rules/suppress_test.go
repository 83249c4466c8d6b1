package rules

import (
	"slices"
	"strings"
	"testing"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/corpus"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
)

func TestSuppress(t *testing.T) {
	for _, c := range []struct{ what, text, rule, instruction, file string }{
		{"a comment for the instruction, a directive for the file",
			"FROM alpine\nCMD " +
				"a\n", "JSONArgsRecommended", "FROM alpine\n# check=skip=JSONArgsRecommended\nCMD " +
				"a\n", "# check=skip=JSONArgsRecommended\nFROM alpine\nCMD a\n"},
		{"a comment on the first line would be a directive",
			"FROM alpine as " +
				"x\n", "FromAsCasing", "\n# check=skip=FromAsCasing\nFROM alpine as " +
				"x\n", "# check=skip=FromAsCasing\nFROM alpine as x\n"},
		{"below other directives, too",
			"# syntax=docker/dockerfile:1\r\nFROM alpine as x\r\n", "FromAsCasing",
			"# syntax=docker/dockerfile:1\r\n\r\n# check=skip=FromAsCasing\r\nFROM alpine as " +
				"x\r\n", "# syntax=docker/dockerfile:1\r\n# check=skip=FromAsCasing\r\nFROM alpine as x\r\n"},
		{"rules that are skipped already stay so",
			"# check=skip=A;error=true\nFROM alpine\n# check=skip=B,C why not\nCMD a\n", "JSONArgsRecommended",
			"# check=skip=A;error=true\nFROM alpine\n# check=skip=B,C,JSONArgsRecommended why not\nCMD " +
				"a\n", "# check=skip=A,JSONArgsRecommended;error=true\nFROM alpine\n# check=skip=B,C why not\nCMD a\n"},
		{"a directive without skip",
			"# check=error=true\nFROM alpine as x\n", "FromAsCasing",
			"# check=error=true\n\n# check=skip=FromAsCasing\nFROM alpine as " +
				"x\n", "# check=skip=FromAsCasing;error=true\nFROM alpine as x\n"},
		{"BuildKit asks the comments of the later one",
			"FROM alpine\nCMD [\"a\"]\nCMD [\"b\"]\n", "MultipleInstructionsDisallowed",
			"FROM alpine\nCMD [\"a\"]\n# check=skip=MultipleInstructionsDisallowed\nCMD " +
				"[\"b\"]\n", "# check=skip=MultipleInstructionsDisallowed\nFROM alpine\nCMD [\"a\"]\nCMD [\"b\"]\n"},
		{"some are decided for the file only",
			"FROM alpine AS " +
				"scratch\n", "ReservedStageName", "", "# check=skip=ReservedStageName\nFROM alpine AS scratch\n"},
		{"errors cannot be skipped", "FROM alpine\nEVN A=1\n", "unknown-instruction", "", ""},
		{"a byte order mark stays in front", "\xEF\xBB\xBFFROM alpine as x\n", "FromAsCasing",
			"\xEF\xBB\xBF\n# check=skip=FromAsCasing\nFROM alpine as " +
				"x\n", "\xEF\xBB\xBF# check=skip=FromAsCasing\nFROM alpine as x\n"},
	} {
		file := dockerfile.Parse(source.New(c.text), nil)
		findings := Check(file, Options{})
		i := slices.IndexFunc(findings, func(f analysis.Finding) bool { return f.Rule == c.rule })
		if i < 0 {
			t.Errorf("%s: no finding", c.what)
			continue
		}
		got := map[bool]string{}
		for _, fix := range Suppress(file, findings[i]) {
			got[strings.HasSuffix(fix.Title, "in this file")] = applied(t, c.text, fix.Edits)
		}
		if got[false] != c.instruction || got[true] != c.file {
			t.Errorf("%s:\n%q\n%q", c.what, got[false], got[true])
		}
	}
}

// In real files whatever can be suppressed is gone afterwards, and nothing else is.
func TestSuppressInRealFiles(t *testing.T) {
	seen := map[string]int{}
	for name, text := range corpus.Dockerfiles(t) {
		file := dockerfile.Parse(source.New(text), nil)
		findings := checkText(text)
		for _, f := range findings {
			if seen[f.Rule]++; seen[f.Rule] > 10 || f.Severity == analysis.Error {
				continue
			}
			fixes := Suppress(file, f)
			if rule := ByID(f.Rule); len(fixes) == 0 || len(fixes) == 1 && !rule.FileOnly {
				t.Errorf("%s: %s cannot be suppressed: %v", name, f.Rule, fixes)
			}
			for i, fix := range fixes {
				after := checkText(applied(t, text, fix.Edits))
				want := len(findings) - 1
				if i == len(fixes)-1 {
					want = len(findings) - count(findings, f.Rule)
				}
				if len(after) > len(findings)-1 || i == len(fixes)-1 && len(after) != want {
					t.Errorf(
						"%s: %s: %d findings before, %d after %q",
						name,
						f.Rule,
						len(findings),
						len(after),
						fix.Title,
					)
				}
			}
		}
	}
}
