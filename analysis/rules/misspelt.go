package rules

import (
	"fmt"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/spell"
)

// misspelt adds to a finding the names that may be meant by the one it is about, and a fix for each; sigil stands before
// them in the message. The first fix is preferred if sure is true and it is clear.
func misspelt(f analysis.Finding, name, sigil string, known []string, sure bool) analysis.Finding {
	meant := suggest(name, known)
	if len(meant) == 0 {
		return f
	}
	f.Message += fmt.Sprintf(" (did you mean %s%s?)", sigil, meant[0])
	for i, word := range meant {
		f.Fixes = append(f.Fixes, replace(f.Span, word, sure && i == 0 && clearly(name, known)))
	}
	return f
}

// suggest returns the names that may be meant, the likeliest first. Other than for spell, case matters.
func suggest(name string, known []string) []string {
	for _, k := range known {
		if k != name && strings.EqualFold(k, name) {
			return []string{k}
		}
	}
	return spell.Suggest(name, known)
}

// clearly reports whether name is a misspelling of a known one beyond reasonable doubt. Names that differ in their digits,
// or in a short last word as PKG_A and PKG_B do, are rather two names.
func clearly(name string, known []string) bool {
	meant := suggest(name, known)
	if len(meant) == 0 {
		return false
	}
	if strings.EqualFold(meant[0], name) {
		return true
	}
	digits := func(s string) string {
		return strings.Map(func(r rune) rune {
			if r < '0' || r > '9' {
				return -1
			}
			return r
		}, s)
	}
	if len(name) < 4 || digits(name) != digits(meant[0]) || spell.Meant(name, known) != meant[0] {
		return false
	}
	a, b := strings.Split(name, "_"), strings.Split(meant[0], "_")
	if len(a) != len(b) {
		return len(a) == 1 || len(b) == 1
	}
	return !slices.ContainsFunc(a, func(word string) bool {
		i := slices.Index(a, word)
		return word != b[i] && (len(word) < 4 || len(b[i]) < 4)
	})
}

// plural reports whether one name is the other with an s behind it: of variables, both may well exist.
func plural(a, b string) bool {
	a, b = strings.ToLower(a), strings.ToLower(b)
	return a+"s" == b || b+"s" == a
}
