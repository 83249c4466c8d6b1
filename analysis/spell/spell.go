// Package spell finds the word that was most likely meant by a misspelt one.
//
// It is deterministic and knows nothing but words: the candidates (instructions, flags, stage names) are the caller's.
package spell

import (
	"cmp"
	"math/bits"
	"slices"
	"strings"
	"unicode/utf8"
)

// Costs of the single edits. A neighbour is a substitution by a key that touches the right one on a QWERTY keyboard,
// which is likelier than any other substitution.
const (
	edit      = 10
	neighbour = 8
	prefix    = 9 // a half typed word, however much of it is missing
)

// Suggest returns the candidates that word may be a misspelling of, the likeliest first, as they are written in
// candidates. Case does not matter. It returns nothing where word is a candidate, as that is right, and nothing
// where all candidates are too far away.
//
// The distance is optimal string alignment: insertions, deletions, substitutions and transpositions of neighbouring
// letters count one edit each. Candidates of up to four letters may be one edit away, of up to seven two, longer ones
// three, and at least half of the longer word must agree. A word that begins exactly one candidate is that candidate
// half typed. Ties are broken by the same first letter, then by the same letters in another order or number ("RUNN" is
// RUN), then by the order of candidates.
func Suggest(word string, candidates []string) []string {
	return sorted(rank(word, candidates))
}

// Meant returns the candidate that word clearly stands for, or "". Unlike a suggestion, which a person looks at, this
// is taken for granted, so it asks for more: at least three letters; one edit less than a suggestion may have, but
// always one; no second candidate within half an edit of the first; and for candidates of three letters, which many
// words resemble, a first letter that is right, beside the right key or swapped with another. "EVN" is ENV and "ENTR"
// is ENTRYPOINT; "E", "AD", "bun" (RUN?), "export" (EXPOSE?) and "ADG" (ADD or ARG?) stand for nothing.
func Meant(word string, candidates []string) string {
	if len(word) < 3 {
		return ""
	}
	found := rank(word, candidates)
	if len(found) == 0 || len(found) > 1 && found[1].cost < found[0].cost+edit/2 {
		return ""
	}
	best := found[0]
	if best.cost > max(edit, limit(best.name)-edit) ||
		len(best.name) <= 3 && best.first && best.order && best.cost >= edit {
		return ""
	}
	return best.name
}

// Begun returns the candidates that word may be a misspelt beginning of, the likeliest first: "ENRTY" begins
// ENTRYPOINT. It is for a list that a person chooses from while typing, where Suggest knows nothing. The word has three
// letters at least, which are the beginning's in another order, or four with one edit; from seven letters on it is two
// edits.
func Begun(word string, candidates []string) []string {
	typed := strings.ToUpper(word)
	if len(typed) < 3 {
		return nil
	}
	most := edit
	if len(typed) >= 7 {
		most = 2 * edit
	}
	var found []ranked
	for _, c := range candidates {
		best := ranked{name: c, cost: most + 1}
		for n := len(typed) - 1; n <= min(len(typed)+1, len(c)-1); n++ {
			start := strings.ToUpper(c[:n])
			order := letters(typed) != letters(start)
			if cost := distance(typed, start); cost < best.cost && (len(typed) > 3 || !order) {
				best.cost, best.first, best.order = cost, typed[0] != start[0], order
			}
		}
		if best.cost <= most {
			found = append(found, best)
		}
	}
	return sorted(found)
}

// Near returns the candidates that Suggest and Meant look at more closely: what they say of these they say of all. It
// is quick, so that what costs more for each candidate needs to be done for few.
func Near(word string, candidates []string) (near []string) {
	typed := strings.ToUpper(word)
	set := characters(typed)
	for _, c := range candidates {
		if begins(c, typed) || !farOff(typed, set, c) {
			near = append(near, c)
		}
	}
	return near
}

// begins reports whether a candidate begins with what is typed.
func begins(candidate, typed string) bool {
	return len(candidate) >= len(typed) && strings.EqualFold(candidate[:len(typed)], typed)
}

// farOff reports whether it is quickly told that what is typed, which has a set of characters, is no misspelt
// candidate.
func farOff(typed string, set uint64, candidate string) bool {
	gap, most := len(candidate)-len(typed), limit(candidate)
	return max(gap, -gap)*edit > most ||
		differing(set, characters(candidate))*neighbour > min(most, edit*max(len(typed), len(candidate))/2)
}

type ranked struct {
	name         string
	cost         int
	first, order bool // the first letter differs; the letters differ
}

// rank returns the candidates near word, the best first.
func rank(word string, candidates []string) []ranked {
	if word == "" {
		return nil
	}
	typed := strings.ToUpper(word)
	half := -1 // the only candidate that word begins
	for i, c := range candidates {
		if !begins(c, typed) {
			continue
		}
		if len(c) == len(typed) {
			return nil
		}
		if half >= 0 {
			half = len(candidates)
		} else {
			half = i
		}
	}
	var found []ranked
	set := characters(typed)
	for i, c := range candidates {
		if i != half && farOff(typed, set, c) {
			continue
		}
		upper := strings.ToUpper(c)
		cost, limit := distance(typed, upper), limit(upper)
		if i == half {
			cost, limit = min(cost, prefix), prefix
		}
		if cost > limit || i != half && cost*2 > edit*max(len(typed), len(upper)) {
			continue
		}
		found = append(found, ranked{c, cost, typed[0] != upper[0], letters(typed) != letters(upper)})
	}
	slices.SortStableFunc(found, likelier)
	return found
}

func likelier(a, b ranked) int {
	return cmp.Or(cmp.Compare(a.cost, b.cost), compareBool(a.first, b.first), compareBool(a.order, b.order))
}

// sorted returns the names, the likeliest first; nil if there are none.
func sorted(found []ranked) []string {
	var names []string
	slices.SortStableFunc(found, likelier)
	for _, f := range found {
		names = append(names, f.name)
	}
	return names
}

func limit(candidate string) int {
	switch n := len(candidate); {
	case n <= 4:
		return edit
	case n <= 7:
		return 2 * edit
	default:
		return 3 * edit
	}
}

// letters returns the set of a word's letters, other characters left out.
func letters(word string) (set uint32) {
	for i := range len(word) {
		if c := word[i]; 'A' <= c && c <= 'Z' {
			set |= 1 << (c - 'A')
		}
	}
	return set
}

// characters returns which characters a word has, in any letter case: a bit for each, some of which stand for several.
// It is 0 for a word that is not ASCII.
func characters(word string) (set uint64) {
	for i := range len(word) {
		c := word[i]
		if c >= utf8.RuneSelf {
			return 0
		}
		if 'a' <= c && c <= 'z' {
			c -= 'a' - 'A'
		}
		set |= 1 << (c % 64)
	}
	return set
}

// differing is how many edits at least lie between words of such characters: each takes one out and puts one in.
func differing(a, b uint64) int {
	if a == 0 || b == 0 {
		return 0 // nothing is known of them
	}
	return max(bits.OnesCount64(a&^b), bits.OnesCount64(b&^a))
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// distance returns the optimal string alignment distance of two upper-case words, in tenths of an edit.
func distance(a, b string) int {
	if gap := len(a) - len(b); gap > 3 || gap < -3 {
		return edit * max(gap, -gap) // beyond every limit: spares the table
	}
	// Three rows of the table: the one being filled, the one above and, for transpositions, the one above that.
	var room [3][32]int // spares the heap for all but long words
	before, above, row := room[0][:], room[1][:], room[2][:]
	if len(b) >= len(row) {
		before, above, row = make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	}
	for j := range len(b) + 1 {
		above[j] = j * edit
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i * edit
		for j := 1; j <= len(b); j++ {
			row[j] = min(above[j]+edit, row[j-1]+edit, above[j-1]+substitution(a[i-1], b[j-1]))
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+edit)
			}
		}
		before, above, row = above, row, before
	}
	return above[len(b)]
}

func substitution(a, b byte) int {
	switch {
	case a == b:
		return 0
	case strings.IndexByte(touching(a), b) >= 0:
		return neighbour
	}
	return edit
}

// touching returns the keys around an upper-case letter or digit on a QWERTY keyboard.
func touching(key byte) string {
	switch key {
	case 'Q':
		return "12WAS"
	case 'W':
		return "23QEASD"
	case 'E':
		return "34WRSDF"
	case 'R':
		return "45ETDFG"
	case 'T':
		return "56RYFGH"
	case 'Y':
		return "67TUGHJ"
	case 'U':
		return "78YIHJK"
	case 'I':
		return "89UOJKL"
	case 'O':
		return "90IPKL"
	case 'P':
		return "0-OL"
	case 'A':
		return "QWSZ"
	case 'S':
		return "QWEADZX"
	case 'D':
		return "WERSFXC"
	case 'F':
		return "ERTDGCV"
	case 'G':
		return "RTYFHVB"
	case 'H':
		return "TYUGJBN"
	case 'J':
		return "YUIHKNM"
	case 'K':
		return "UIOJLM"
	case 'L':
		return "IOPK"
	case 'Z':
		return "ASX"
	case 'X':
		return "SDZC"
	case 'C':
		return "DFXV"
	case 'V':
		return "FGCB"
	case 'B':
		return "GHVN"
	case 'N':
		return "HJBM"
	case 'M':
		return "JKN"
	case '_':
		return "-"
	}
	return ""
}
