package rules

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
)

// Mistakes of people by category: each is found, and the first fix of the worst finding about it does what is meant.
func TestMistakes(t *testing.T) {
	content, err := os.ReadFile("testdata/mistakes.tsv")
	if err != nil {
		t.Fatal(err)
	}
	tried := map[string]int{}
	total, single := 0, false // whether there is to be one finding
	for line := range strings.Lines(string(content)) {
		fields := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		single = single || strings.HasPrefix(line, "# One finding each")
		if len(fields) != 3 {
			continue
		}
		total++
		tried[fields[0]]++
		before, after := whole(fields[1]), whole(fields[2])
		best, ok := worst(before)
		if n := len(mistakesIn(before)); single && n > 1 {
			t.Errorf("%s: %q: %d findings", fields[0], fields[1], n)
		}
		switch {
		case fields[2] == "ok":
			if ok {
				t.Errorf("%s: %q: %s: %s", fields[0], fields[1], best.Rule, best.Message)
			}
		case !ok:
			t.Errorf("%s: %q: nothing is found", fields[0], fields[1])
		case fields[2] == "?" || fields[2] == "!":
		case len(best.Fixes) == 0:
			t.Errorf("%s: %q: no fix: %s: %s", fields[0], fields[1], best.Rule, best.Message)
		default:
			if got := applied(t, before, best.Fixes[0].Edits); got != after {
				t.Errorf(
					"%s: %q: %s (%s) makes\n%q, not\n%q",
					fields[0],
					fields[1],
					best.Fixes[0].Title,
					best.Rule,
					got,
					after,
				)
			}
		}
	}
	t.Logf("%d mistakes: %v", total, tried)
	if total < 150 {
		t.Errorf("only %d mistakes", total)
	}
}

// In a Dockerfile that is a part of another file the same is found, with the lines of that file.
func TestPart(t *testing.T) {
	content, err := os.ReadFile("testdata/mistakes.tsv")
	if err != nil {
		t.Fatal(err)
	}
	const first = 5000
	numbers := regexp.MustCompile(`\b(lines?|and|to) (\d+)`)
	moved := func(text string) string {
		return numbers.ReplaceAllStringFunc(text, func(s string) string {
			word, number, _ := strings.Cut(s, " ")
			if n, err := strconv.Atoi(number); err == nil && n > first {
				return fmt.Sprint(word, " ", n-first)
			}
			return s
		})
	}
	tried := 0
	for line := range strings.Lines(string(content)) {
		fields := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(fields) != 3 {
			continue
		}
		tried++
		text := whole(fields[1])
		shown := func(text *source.Text) string {
			var b strings.Builder
			for _, f := range Check(dockerfile.Parse(text, nil), Options{}) {
				fmt.Fprintln(&b, f.Rule, f.Span, moved(f.Message))
				for _, fix := range f.Fixes {
					fmt.Fprintln(&b, "  ", moved(fix.Title), fix.Edits)
				}
			}
			return b.String()
		}
		if whole, part := shown(source.New(text)), shown(source.Part(text, first)); whole != part {
			t.Errorf("%q:\n%swithin another file\n%s", fields[1], whole, part)
		}
	}
	if tried < 1000 {
		t.Errorf("only %d mistakes", tried)
	}
}

// Mistakes of which a half-typed form once made a rule look behind its words.
func TestHalfTyped(t *testing.T) {
	for _, text := range []string{
		"ENV ${A b=c\nLABEL d=e}", "ENV ${A b}=c", "LABEL ${A\\\n b}=c",
		"ONBUILD RUN --mount=type=secret id=x make", "HEALTHCHECK NONE", "EXPOSE 80\\\n", "VOLUME a\\\nb\\\n",
		"RUN --mount=type=$A,target=/x,sharing=${B:-x} make", "\"RUN", "RUN if [ a ]", "ADD --checksum=: https://a.b/c /d",
	} {
		checkText("FROM alpine\n" + text)
		checkText("FROM alpine\n" + text + "\n")
	}
}

// whole is a Dockerfile with some lines, or what stands behind a ^.
func whole(lines string) string {
	text := strings.ReplaceAll(strings.ReplaceAll(lines, `\\n`, "\\\n"), `\n`, "\n") + "\n"
	if all, ok := strings.CutPrefix(text, "^"); ok {
		return all
	}
	if strings.HasPrefix(text, "FROM") || strings.HasPrefix(text, "ARG VERSION") ||
		strings.HasPrefix(text, "# ") && strings.Contains(text, "\nFROM") {
		return text
	}
	return "FROM alpine\nRUN true\n" + text
}

// mistakesIn are the findings that are not about style or speed, or about the base image, which is any.
func mistakesIn(text string) (list []analysis.Finding) {
	for _, f := range checkText(text) {
		if f.Rule != MissingCacheMount.ID && f.Rule != CopyWithoutLink.ID && f.Rule != SplitPackageUpdate.ID &&
			f.Rule != FromAsCasing.ID &&
			(f.Rule != MissingProgram.ID || !strings.HasPrefix(text, "FROM alpine\nRUN true\n")) {
			list = append(list, f)
		}
	}
	return list
}

// worst is the finding that people see first: the first of the worst severity that is about what is wrong.
func worst(text string) (best analysis.Finding, ok bool) {
	for _, f := range mistakesIn(text) {
		if !ok || f.Severity < best.Severity {
			best, ok = f, true
		}
	}
	return best, ok
}
