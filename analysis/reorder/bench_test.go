package reorder

import (
	"strings"
	"testing"
)

// Editors ask for code actions whenever the cursor moves.
func BenchmarkSuggest(b *testing.B) {
	for name, text := range map[string]string{
		"5000 lines, 500 stages": strings.Repeat(noteBefore, 500),
		"5000 lines, 1 stage":    "FROM a\nCOPY b c\n" + strings.Repeat("ENV A=1\nENV B=2\nRUN c\nCOPY d e\nEXPOSE 80\n", 1000),
	} {
		b.Run(name, func(b *testing.B) {
			file := parse(text)
			for b.Loop() {
				if len(Suggest(file, Classic)) == 0 {
					b.Fatal("nothing offered")
				}
			}
		})
	}
}
