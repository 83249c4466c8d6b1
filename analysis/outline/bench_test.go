package outline_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/layerwise/layerwise/analysis/navigate"
	"github.com/layerwise/layerwise/analysis/outline"
)

func BenchmarkTokens(b *testing.B) {
	for _, lines := range []int{50, 1000, 5000} {
		b.Run(fmt.Sprintf("lines=%d", lines), func(b *testing.B) {
			var text strings.Builder
			for i := range lines / 5 {
				fmt.Fprintf(
					&text,
					"FROM alpine:3.20 AS stage%d\nENV A%d=value\nCOPY --from=stage%d a.txt ./\nRUN apt-get install "+
						"-y \"$A%d\" \\\n  && echo done\n",
					i,
					i,
					max(0, i-1),
					i,
				)
			}
			file, _ := parse(text.String())
			for b.Loop() {
				outline.Tokens(file, navigate.New(file))
			}
		})
	}
}
