package rules

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/corpus"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/dockerfile/shell"
)

// The checks that BuildKit makes while it reads instructions fire in the same lines of real files as ours do. The
// others are made in its dockerfile2llb, which needs too much for this module.
func TestAgreesWithBuildKit(t *testing.T) {
	compared := []string{
		"FromAsCasing",
		"InvalidDefinitionDescription",
		"MaintainerDeprecated",
		"NoEmptyContinuation",
		"StageNameCasing",
	}
	fired, files := 0, 0
	for name, text := range corpus.Dockerfiles(t) {
		for _, head := range []string{"", "# check=experimental=all\n", "# check=skip=FromAsCasing\n"} {
			theirs, ok := buildKitWarnings(head + text)
			if !ok {
				continue // BuildKit stops at an error before it has seen all
			}
			file := dockerfile.Parse(source.New(head+text), nil)
			ours := map[string]bool{}
			for _, f := range Check(file, Options{}) {
				if slices.Contains(compared, f.Rule) {
					ours[fmt.Sprintf("%s:%d", f.Rule, file.InstructionAt(f.Span.Start).Line)] = true
				}
			}
			files++
			fired += len(theirs)
			if diff := cmp.Diff(slices.Sorted(maps.Keys(theirs)), slices.Sorted(maps.Keys(ours))); diff != "" {
				t.Errorf("%s (-BuildKit +ours):\n%s", name, diff)
			}
		}
	}
	t.Logf("%d warnings in %d files", fired, files)
}

func buildKitWarnings(text string) (map[string]bool, bool) {
	result, err := parser.Parse(strings.NewReader(text))
	if err != nil {
		return nil, false
	}
	warnings := map[string]bool{}
	options, _, _, _ := parser.ParseDirective("check", []byte(text))
	config, err := linter.ParseLintOptions(options)
	if err != nil {
		return nil, false
	}
	config.Warn = func(rule, _, _, _ string, location []parser.Range) {
		warnings[fmt.Sprintf("%s:%d", rule, location[0].Start.Line)] = true
	}
	lint := linter.New(config)
	for _, w := range result.Warnings { // placed at the last line
		for _, node := range result.AST.Children {
			if node.StartLine <= w.Location.Start.Line && w.Location.Start.Line <= node.EndLine {
				lint.Run(
					&linter.RuleNoEmptyContinuation,
					[]parser.Range{{Start: parser.Position{Line: node.StartLine}}},
				)
			}
		}
	}
	if _, _, err := instructions.Parse(result.AST, lint); err != nil {
		return nil, false
	}
	return warnings, true
}

// In real files, the fixes that rewrite a value leave what BuildKit reads.
func TestFixesKeepValues(t *testing.T) {
	fixed := 0
	for name, text := range corpus.Dockerfiles(t) {
		file := dockerfile.Parse(source.New(text), nil)
		for _, f := range Check(file, Options{}) {
			if f.Rule != LegacyKeyValueFormat.ID || len(f.Fixes) == 0 || !f.Fixes[0].Preferred {
				continue
			}
			fixed++
			after := dockerfile.Parse(source.New(applied(t, text, f.Fixes[0].Edits)), nil)
			before, now := value(file, f), value(after, f)
			if before != now || before == "" {
				t.Errorf("%s: %q became %q", name, before, now)
			}
		}
	}
	t.Logf("%d fixes", fixed)
}

// value returns key and value of the ENV or LABEL that a finding is about, expanded.
func value(file *dockerfile.File, f analysis.Finding) string {
	var pairs instructions.KeyValuePairs
	switch c := file.InstructionAt(f.Span.Start).Command.(type) {
	case *instructions.EnvCommand:
		pairs = c.Env
	case *instructions.LabelCommand:
		pairs = c.Labels
	}
	if len(pairs) != 1 {
		return ""
	}
	lex := shell.NewLex(rune(file.Escape))
	result, err := lex.ProcessWordWithMatches(pairs[0].Value, shell.EnvsFromSlice([]string{"PATH=a b"}))
	return fmt.Sprint(pairs[0].Key, "=", result.Result, err)
}

func BenchmarkCheck(b *testing.B) {
	for _, lines := range []int{50, 1000, 5000} {
		text := "ARG VERSION=1\nFROM alpine:$VERSION AS build\n"
		block := "ARG RELEASE\nENV NAME=value OTHER=\"$RELEASE\"\nRUN --mount=type=cache,target=/c apk add curl && " +
			"\\\n    curl -f https://example.com/$RELEASE\n" +
			"# a comment\nCOPY --from=build --chown=1:1 /a/$RELEASE /b\nWORKDIR /x\nEXPOSE 80\nLABEL a=b\nUSER me\n"
		for strings.Count(text, "\n") < lines {
			text += block
		}
		file := dockerfile.Parse(source.New(text), nil)
		b.Run(fmt.Sprint(lines), func(b *testing.B) {
			b.ReportAllocs()
			options := Options{
				ShellCheck: func(ShellScript) []ShellRemark { return nil },
				Context:    &Context{Sent: []string{"a"}},
			}
			for b.Loop() {
				Check(file, options)
			}
		})
	}
}
