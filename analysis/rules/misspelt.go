package rules

import (
	"fmt"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/spell"
)

// misspelt adds to a finding the names that may be meant by the one it is about, and a fix for each; sigil stands
// before them in the message. The first fix is preferred if sure is true and it is clear.
func misspelt(f analysis.Finding, name, sigil string, known []string, sure bool) analysis.Finding {
	meant := suggest(name, known)
	if len(meant) == 0 {
		return f
	}
	f.Message += fmt.Sprintf(" (did you mean %s%s?)", sigil, meant[0])
	for i, word := range meant {
		f.Fixes = append(f.Fixes, replace(f.Span, word, sure && i == 0 && clearly(name, known))...)
	}
	return f
}

// misspeltWord is misspelt for words of a fixed vocabulary: short ones and those that differ in a digit are misspelt
// like any others.
func misspeltWord(f analysis.Finding, word string, known []string) analysis.Finding {
	f = misspelt(f, word, "", known, true)
	if len(f.Fixes) > 0 {
		f.Fixes[0].Preferred = f.Fixes[0].Edits[0].NewText == spell.Meant(word, known)
	}
	return f
}

// suggest returns the names that may be meant, the likeliest first. Other than for spell, case matters, and names that
// differ in a short word, as GO_VERSION and XX_VERSION do, are two names.
func suggest(name string, known []string) []string {
	for _, k := range known {
		if k != name && strings.EqualFold(k, name) {
			return []string{k}
		}
	}
	return slices.DeleteFunc(spell.Suggest(name, known), func(k string) bool { return differInShortWord(name, k) })
}

// nearest are the last of very many names that a file sets. Only these may be what a misspelt name means, and only so
// many names of a file may be misspelt: of more, nothing is said. So the work grows with the file and not with its
// square.
func (p *pass) nearest(name string, names []string) []string {
	if p.tired() {
		return nil
	}
	return spell.Near(name, names[max(0, len(names)-maxNames):])
}

// nearestVariables are those that a name in an instruction of a stage may mean, sorted, with the bounds of nearest.
func (p *pass) nearestVariables(name string, stage, offset int) []string {
	if p.tired() {
		return nil
	}
	names := spell.Near(name, p.names().Nearest(stage, offset, maxNames))
	slices.Sort(names)
	return slices.Compact(names)
}

// tired reports whether the rule has looked through much of the file often enough.
func (p *pass) tired() bool {
	p.all.guesses[p.rule]++
	tired := p.all.guesses[p.rule] > maxGuesses
	p.sight.beyond = p.sight.beyond || tired
	return tired
}

const (
	maxNames   = 200
	maxGuesses = 300 // by each rule
)

func differInShortWord(one, other string) bool {
	a, b := strings.Split(one, "_"), strings.Split(other, "_")
	if len(a) != len(b) || len(a) == 1 {
		return false
	}
	for i := range a {
		if a[i] != b[i] && (len(a[i]) < 4 || len(b[i]) < 4) {
			return true
		}
	}
	return false
}

// clearly reports whether name is a misspelling of a known one beyond reasonable doubt. Names that differ in their
// digits are rather two names.
func clearly(name string, known []string) bool {
	if slices.ContainsFunc(known, func(k string) bool { return k != name && strings.EqualFold(k, name) }) {
		return true
	}
	alike := func(k string) bool { return sameDigits(k, name) }
	if len(name) < 4 || !slices.ContainsFunc(known, alike) {
		return false // as for most names of a file, and quicker to tell
	}
	meant := suggest(name, known)
	if len(meant) == 0 || !alike(meant[0]) || spell.Meant(name, known) != meant[0] {
		return false
	}
	a, b := strings.Count(name, "_"), strings.Count(meant[0], "_")
	return a == b || a == 0 || b == 0
}

// sameDigits reports whether the digits of two names are the same ones.
func sameDigits(a, b string) bool {
	isDigit := func(r rune) bool { return '0' <= r && r <= '9' }
	for {
		i, j := strings.IndexFunc(a, isDigit), strings.IndexFunc(b, isDigit)
		if i < 0 || j < 0 || a[i] != b[j] {
			return i < 0 && j < 0
		}
		a, b = a[i+1:], b[j+1:]
	}
}

// plural reports whether one name is the other with an s behind it: of variables, both may well exist.
func plural(a, b string) bool {
	a, b = strings.ToLower(a), strings.ToLower(b)
	return a+"s" == b || b+"s" == a
}
