package rules

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
)

func TestParseConfig(t *testing.T) {
	for _, c := range []struct{ what, text, problems string }{
		{"nothing", "", ""},
		{"no rules", "# none\nrules:\n", ""},
		{"all levels", "rules:\n  FromAsCasing: off\n  no-stage: hint\n  JSONArgsRecommended: error\n", ""},
		{"quoted", "rules: {'FromAsCasing': \"off\", no-stage: hint, JSONArgsRecommended: error}", ""},
		{"a misspelt rule and level, and an unknown key; the rest counts",
			"rule: 1\nrules:\n  FromAsCasig: off\n  nothing-like-it: off\n  FromAsCasing: off\n  no-stage: hint\n  " +
				"JSONArgsRecommended: error\n  UndefinedVar: fatal\n  UndefinedArgInFrom: [a]\n",
			"line 1: unknown key rule: preset, rules, trustedRegistries, labelSchema and strictLabels are known\n" +
				"line 3: there is no rule FromAsCasig (did you mean FromAsCasing?)\n" +
				"line 4: there is no rule nothing-like-it; layerwise rules lists them\n" +
				"line 8: UndefinedVar: choose one of off, hint, information, warning, error\n" +
				"line 9: UndefinedArgInFrom: choose one of off, hint, information, warning, error"},
		{"a list", "- a", "line 1: not a mapping; write rules: and below it names of rules with their severities"},
		{"rules as a list", "rules: [a]", "line 1: rules is not a mapping; write names of rules with their " +
			"severities below it"},
		{"no YAML", "a: b: c", "mapping values are not allowed in this context"},
	} {
		opts, err := ParseConfig([]byte(c.text))
		got := ""
		if err != nil {
			got = err.Error()
		}
		if diff := cmp.Diff(c.problems, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.what, diff)
		}
		if len(opts.Off) > 0 {
			want := Options{
				Off: []string{"FromAsCasing"},
				Severity: map[string]analysis.Severity{
					"no-stage":            analysis.Hint,
					"JSONArgsRecommended": analysis.Error,
				},
			}
			if diff := cmp.Diff(want, opts); diff != "" {
				t.Errorf("%s (-want +got):\n%s", c.what, diff)
			}
		}
	}
}

// An editor's settings stand above the configuration.
func TestWith(t *testing.T) {
	config, err := ParseConfig([]byte("rules: {no-stage: off, FromAsCasing: hint, UndefinedVar: error}"))
	if err != nil {
		t.Fatal(err)
	}
	opts, problems := config.With(
		map[string]string{"no-stage": "info", "FromAsCasing": "off", "nothing": "off", "line-too-long": "loud"},
	)
	want := Options{
		Off:      []string{"FromAsCasing"},
		Severity: map[string]analysis.Severity{"no-stage": analysis.Information, "UndefinedVar": analysis.Error},
	}
	if diff := cmp.Diff(want, opts); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if len(problems) != 2 || len(config.Off) != 1 || config.Severity["FromAsCasing"] != analysis.Hint {
		t.Errorf("%v; the configuration itself became %+v", problems, config)
	}
}

// Of very many mistakes the first are told, and what is right counts all the same.
func TestManyMistakes(t *testing.T) {
	const wrong = 50_000
	severities := map[string]string{"no-stage": "error", "UndefinedVar": "loud"}
	text := "rules:\n"
	for i := range wrong {
		severities[fmt.Sprintf("m%d", i)] = "off"
		text += fmt.Sprintf("  m%d: off\n", i)
	}
	began := time.Now()
	opts, problems := Options{}.With(severities)
	last := problems[len(problems)-1].Error()
	if len(problems) != mostMistakes+1 || last != "49981 more mistakes" {
		t.Errorf("%d problems, the last: %s", len(problems), last)
	}
	config, err := ParseConfig([]byte(text + "  no-stage: error\n"))
	if err == nil || strings.Count(err.Error(), "\n") != mostMistakes ||
		!strings.HasSuffix(err.Error(), "49980 more mistakes") {
		t.Errorf("%.2000s", err)
	}
	if opts.Severity["no-stage"] != analysis.Error || config.Severity["no-stage"] != analysis.Error {
		t.Errorf("%v, %v", opts.Severity, config.Severity)
	}
	if took := time.Since(began); took > 2*time.Second { // with what was meant by each it takes 5
		t.Errorf("it took %v", took)
	}
}

func TestSeverities(t *testing.T) {
	file := dockerfile.Parse(source.New("FROM alpine as a\nCMD a\n"), nil)
	opts := Options{
		Off:      []string{"FromAsCasing"},
		Severity: map[string]analysis.Severity{"JSONArgsRecommended": analysis.Hint},
	}
	findings := Check(file, opts)
	if len(findings) != 1 || findings[0].Severity != analysis.Hint {
		t.Errorf("%+v", findings)
	}
	if len(Suppress(file, findings[0])) != 2 {
		t.Error("cannot be suppressed")
	}
}
