package rules

import "strings"

// clearlyBest reports whether the first of the suggestions is closer to what was typed than all others.
func clearlyBest(typed string, suggestions []string) bool {
	for _, other := range suggestions[1:] {
		if distance(typed, other) <= distance(typed, suggestions[0]) {
			return false
		}
	}
	return true
}

// distance is the optimal string alignment distance, letters' case aside: inserting, dropping, replacing a letter and
// swapping two neighbours each cost 1.
func distance(a, b string) int {
	a, b = strings.ToLower(a), strings.ToLower(b)
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			differ := 0
			if a[i-1] != b[j-1] {
				differ = 1
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+differ)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
