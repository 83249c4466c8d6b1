package rules

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/golden"
)

// TestBuildFilePages holds the pages of the rules about build files to docs/build-rules.
func TestBuildFilePages(t *testing.T) {
	for _, r := range BuildFiles {
		golden.File(t, filepath.Join("..", "..", "docs", "build-rules", r.ID+".md"), r.Markdown())
		if !r.BuildFile || r.check != nil {
			t.Errorf("%s is not only about build files", r.ID)
		}
	}
	if !slices.IsSortedFunc(BuildFiles, func(a, b *Rule) int { return strings.Compare(a.ID, b.ID) }) {
		t.Error("the rules are not sorted")
	}
}

// TestBuildFileRulesAreConfigured gives the rules about build files severities in each way that there is.
func TestBuildFileRulesAreConfigured(t *testing.T) {
	found := []analysis.Finding{
		{Rule: UndeclaredArg.ID, Severity: analysis.Warning}, {Rule: UnknownTarget.ID, Severity: analysis.Error},
	}
	tests := []struct {
		about string
		opts  func() (Options, error)
		want  string
	}{
		{"nothing is configured", func() (Options, error) { return Options{}, nil },
			"UndeclaredBuildArg warning, UnknownBuildTarget error"},
		{"one is off in .layerwise.yaml, one has another severity", func() (Options, error) {
			return ParseConfig([]byte("rules: {UndeclaredBuildArg: off, UnknownBuildTarget: hint}"))
		}, "UnknownBuildTarget hint"},
		{"one is off by a flag, in another letter case", func() (Options, error) {
			return Options{}.Without("unknownbuildtarget")
		}, "UndeclaredBuildArg warning"},
		{"only one is run", func() (Options, error) { return Options{}.Only("UnknownBuildTarget") },
			"UnknownBuildTarget error"},
		{"only one of a Dockerfile is run", func() (Options, error) { return Options{}.Only("unknown-stage") }, ""},
		{"an editor's setting", func() (Options, error) {
			o, problems := Options{}.With(map[string]string{"UndeclaredBuildArg": "error"})
			if len(problems) > 0 {
				return o, problems[0]
			}
			return o, nil
		}, "UndeclaredBuildArg error, UnknownBuildTarget error"},
	}
	for _, tt := range tests {
		t.Run(tt.about, func(t *testing.T) {
			opts, err := tt.opts()
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, f := range opts.Apply(found) {
				got = append(got, f.Rule+" "+f.Severity.String())
			}
			if strings.Join(got, ", ") != tt.want {
				t.Errorf("got %s, want %s", strings.Join(got, ", "), tt.want)
			}
		})
	}
	if _, err := (Options{}).Without("UnknownBuildTarge"); err == nil ||
		!strings.Contains(err.Error(), "UnknownBuildTarget") {
		t.Errorf("a misspelt name: %v", err)
	}
}
