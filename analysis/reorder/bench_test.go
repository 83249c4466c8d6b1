package reorder

import (
	"context"
	"fmt"
	"strings"
	"testing"
)

// Editors ask for code actions whenever the cursor moves.
func BenchmarkSuggest(b *testing.B) {
	for name, text := range map[string]string{
		"5000 lines, 500 stages": strings.Repeat(noteBefore, 500),
		"5000 lines, 1 " +
			"stage": "FROM a\nCOPY b c\n" + strings.Repeat("ENV A=1\nENV B=2\nRUN c\nCOPY d e\nEXPOSE 80\n", 1000),
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

// BenchmarkBest searches stages of which half of the instructions can stand in any order.
func BenchmarkBest(b *testing.B) {
	for _, n := range []int{10, 30, 60} {
		var text strings.Builder
		text.WriteString("FROM scratch\n")
		for i := range n / 2 {
			fmt.Fprintf(&text, "COPY src%d /app/d%d/\nENV A%d=%d\n", i, i, i, i)
		}
		text.WriteString("RUN [\"/app/build\"]\n")
		file := parse(text.String())
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				Search(context.Background(), file, Model{Seconds: seconds})
			}
		})
	}
}

// BenchmarkPackages searches stages in which packages, variables and copies take turns.
func BenchmarkPackages(b *testing.B) {
	for _, n := range []int{60, 300} {
		file := parse(packagesInTurn(n))
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				Search(context.Background(), file, Model{Seconds: seconds})
			}
		})
	}
}

func packagesInTurn(instructions int) string {
	var text strings.Builder
	text.WriteString("FROM debian:12\n")
	for i := range instructions / 3 {
		fmt.Fprintf(&text, "RUN apt-get install -y p%d\nENV A%d=%d\nCOPY src%d /app/d%d/\n", i, i, i, i, i)
	}
	return text.String()
}
