package spell

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// What is told quickly to be too far away is too far away.
func TestDiffering(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	word := func(letters string) string {
		b := make([]byte, 1+rng.IntN(9))
		for i := range b {
			b[i] = letters[rng.IntN(len(letters))]
		}
		return string(b)
	}
	far := 0
	for range 200_000 {
		a, b := word("abcABC_1"), word("abcdABCD_-12/")
		least := differing(characters(a), characters(b)) * neighbour
		if most := limit(b); least > most {
			far++
			if d := distance(strings.ToUpper(a), strings.ToUpper(b)); d <= most {
				t.Fatalf("%s and %s are %d apart, not %d at least", a, b, d, least)
			}
		}
	}
	candidates := make([]string, 50)
	for range 2000 {
		for i := range candidates {
			candidates[i] = word("abcdABCD_-12/")
		}
		typed := word("abcdABCD_-12/")
		near := Near(typed, candidates)
		if all, some := Suggest(typed, candidates), Suggest(typed, near); !slices.Equal(all, some) {
			t.Fatalf("of %v %s suggests %v, of those near by %v", candidates, typed, all, some)
		}
		if all, some := Meant(typed, candidates), Meant(typed, near); all != some {
			t.Fatalf("of %v %s means %s, of those near by %s", candidates, typed, all, some)
		}
	}
	if far < 10_000 {
		t.Errorf("only %d pairs are told quickly", far)
	}
	if got := differing(characters("straße"), characters("STRASSE")); got != 0 {
		t.Errorf("characters that are not ASCII have other letter cases: %d", got)
	}
}
