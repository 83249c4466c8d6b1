package scope_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/effects"
	"github.com/layerwise/layerwise/analysis/effects/effectstest"
	"github.com/layerwise/layerwise/analysis/navigate"
	"github.com/layerwise/layerwise/analysis/rules"
	"github.com/layerwise/layerwise/analysis/scope"
	"github.com/layerwise/layerwise/analysis/source"
)

// Variables that name others many times have no value that is known, however it is asked for: each of these texts would
// come to more bytes than there are.
func TestVariablesAreBounded(t *testing.T) {
	for name, references := range map[string]int{"doubling": 2, "twentyfold": 20, "many hundredfold": 700} {
		t.Run(name, func(t *testing.T) {
			var text strings.Builder
			define := func(keyword string) {
				fmt.Fprintf(&text, "%s A0=%s\n", keyword, strings.Repeat("x", 50))
				for i := 1; i < 40; i++ {
					fmt.Fprintf(&text, "%s A%d=%s\n", keyword, i, strings.Repeat(fmt.Sprintf("$A%d", i-1), references))
				}
			}
			define("ARG")
			fmt.Fprintf(&text, "FROM x:$A8%s\n", strings.Repeat("$A7", references))
			define("ENV")
			fmt.Fprintf(&text, "EXPOSE $A8%s\nWORKDIR $A39\nCOPY $A8 $A39/\n", strings.Repeat("$A7", references))
			file := dockerfile.Parse(source.New(text.String()), nil)

			rules.Check(file, rules.Options{})
			navigate.New(file).Image(0)
			for _, e := range effects.Stage(file, file.Stages[0], nil, effectstest.Files{}) {
				if n := len(strings.Join(e.Reads, "")); n > 1<<20 {
					t.Errorf("what is read has %d bytes", n)
				}
			}
			v := scope.New(file)
			for _, word := range []string{"$A8", "$A39"} {
				value, known := v.Expand(0, file.Text.Len(), word)
				if len(value) > 1<<20 || known && references > 2 {
					t.Errorf("%s has %d bytes, known: %t", word, len(value), known)
				}
			}
		})
	}
}
