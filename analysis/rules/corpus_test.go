package rules

import (
	"strings"
	"testing"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/corpus"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
)

// In real files lines of RUN instructions lose their escape character. Where that is a mistake at all, it must be told
// from a misspelling, and its fix must give back what was there.
func TestLostEscapeInRealFiles(t *testing.T) {
	const every = 7 // lines; all of them take long and show the same
	lines, broken, told, restored := 0, 0, 0, 0
	for name, text := range corpus.Dockerfiles(t) {
		file := dockerfile.Parse(source.New(text), nil)
		for _, in := range file.Instructions {
			if in.Meant != "RUN" || len(in.Heredocs) > 0 || len(file.Problems) > 0 {
				continue
			}
			for line := in.Line; line < in.EndLine; line++ {
				span := file.Text.Line(line - 1)
				kept := strings.TrimRight(file.Text.Slice(span), " \t")
				if !strings.HasSuffix(kept, string(file.Escape)) || strings.HasPrefix(strings.TrimSpace(kept), "#") {
					continue
				}
				if lines++; lines%every != 0 {
					continue
				}
				lost := applied(
					t,
					text,
					[]source.Edit{{Span: span, NewText: strings.TrimRight(kept[:len(kept)-1], " \t")}},
				)
				finding, ok := unknown(lost)
				if !ok {
					continue // what follows is an instruction too, or nothing
				}
				broken++
				if !strings.Contains(finding.Message, "missing back") {
					t.Logf("%s:%d: %s", name, line, finding.Message)
					continue
				}
				told++
				if after := applied(t, lost, finding.Fixes[0].Edits); words(after) == words(text) {
					restored++
				} else {
					t.Logf("%s:%d: %s: %s", name, line, finding.Message, finding.Fixes[0].Title)
				}
			}
		}
	}
	t.Logf("%d lines lost their escape character, %d were told, %d restored", broken, told, restored)
	if told*100 < broken*99 || restored*100 < broken*99 {
		t.Error("fewer than 99%")
	}
}

// In real files the instruction below a RUN is misspelt: that is no lost escape character, and the fix fixes it.
func TestMisspeltBelowRunInRealFiles(t *testing.T) {
	misspelt := 0
	for name, text := range corpus.Dockerfiles(t) {
		file := dockerfile.Parse(source.New(text), nil)
		for i, in := range file.Instructions {
			if i == 0 || file.Instructions[i-1].Meant != "RUN" || len(file.Problems) > 0 || opaque(file) != nil {
				continue
			}
			k := in.Keyword
			typed := k.Text[1:2] + k.Text[:1] + k.Text[2:]
			if misspelt++; misspelt%4 != 0 {
				continue
			}
			broken := applied(t, text, []source.Edit{{Span: k.Span, NewText: typed}})
			finding, ok := unknown(broken)
			if !ok || len(finding.Fixes) == 0 || !finding.Fixes[0].Preferred {
				t.Errorf("%s:%d: %s: %+v", name, in.Line, typed, finding)
				continue
			}
			if after := applied(t, broken, finding.Fixes[0].Edits); after != text {
				t.Errorf("%s:%d: %q does not fix %s", name, in.Line, finding.Fixes[0].Title, typed)
			}
		}
	}
	t.Logf("%d misspelt instructions below a RUN", misspelt/4)
}

func unknown(text string) (analysis.Finding, bool) {
	for _, f := range checkText(text) {
		if f.Rule == UnknownInstruction.ID {
			return f, true
		}
	}
	return analysis.Finding{}, false
}

func words(text string) string { return strings.Join(strings.Fields(text), " ") }

// Fixes of real files, all at once and one by one: no fix makes an error, and each does away with its finding.
func TestFixesOfRealFiles(t *testing.T) {
	fixes := map[string]int{}
	for name, text := range corpus.Dockerfiles(t) {
		before := checkText(text)
		if after := checkText(allFixed(text)); countErrors(after) > countErrors(before) {
			t.Errorf("%s: fixing makes errors: %v", name, after)
		}
		for _, f := range before {
			if fixes[f.Rule] >= 40 {
				continue
			}
			for _, fix := range f.Fixes {
				fixes[f.Rule]++
				after := checkText(applied(t, text, fix.Edits))
				if count(after, f.Rule) >= count(before, f.Rule) || countErrors(after) > countErrors(before) {
					t.Errorf("%s: %s: %q does not help, or makes an error", name, f.Message, fix.Title)
				}
			}
		}
	}
	t.Logf("%v", fixes)
}

func countErrors(findings []analysis.Finding) int {
	n := 0
	for _, f := range findings {
		if f.Severity == analysis.Error {
			n++
		}
	}
	return n
}
