package rules

import (
	"fmt"
	"strings"
	"testing"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
)

// Of very many names only the last may be what a misspelt one means; of few, all.
func TestNamesAreBounded(t *testing.T) {
	stages := func(n int) string {
		var b strings.Builder
		b.WriteString("FROM alpine AS builder\n")
		for i := range n {
			fmt.Fprintf(&b, "FROM alpine AS other-%d\n", i)
		}
		return b.String() + "FROM alpine\nCOPY --from=bulider /a /b\n"
	}
	for _, test := range []struct {
		stages, findings int
	}{{0, 1}, {maxNames - 1, 1}, {maxNames, 0}} {
		file := dockerfile.Parse(source.New(stages(test.stages)), nil)
		found := 0
		for _, f := range Check(file, Options{}) {
			if f.Rule == UnknownStage.ID {
				found++
			}
		}
		if found != test.findings {
			t.Errorf("below %d more stages: %d findings, want %d", test.stages, found, test.findings)
		}
	}
}
