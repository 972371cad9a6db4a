package formula

import (
	"slices"
	"strings"
)

// Suggest returns the candidate that a mistyped word most likely meant, "" where none is near.
func Suggest(word string, candidates []string) string {
	runes := []rune(strings.ToLower(word))
	if len(runes) > 64 {
		return ""
	}
	best, least := "", allowance(len(runes))+1
	for _, c := range slices.Sorted(slices.Values(candidates)) {
		if d := distance(runes, []rune(strings.ToLower(c))); d < least && d < max(len(runes), 2) {
			best, least = c, d
		}
	}
	if best == "" && len(runes) >= 3 { // "postcode" for "postal_code": the same letters with some left out
		for _, c := range slices.Sorted(slices.Values(candidates)) {
			if strings.HasPrefix(c, strings.ToLower(word)) || strings.HasPrefix(strings.ToLower(word), c) && len(c) >= 3 {
				return c
			}
		}
	}
	return best
}

// allowance is how many slips a word of n letters may have.
func allowance(n int) int {
	if n <= 3 {
		return 1
	}
	return max(2, (n+1)/3)
}

// distance counts insertions, deletions, replacements and swaps of neighbours (optimal string alignment).
func distance(a, b []rune) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range a {
		row[0] = i + 1
		for j := range b {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			row[j+1] = min(last[j+1]+1, row[j]+1, last[j]+cost)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}

// Some lists names for people, the first of many.
func Some(names []string) string {
	const most = 14
	if len(names) > most {
		return strings.Join(names[:most], ", ") + ", …"
	}
	return strings.Join(names, ", ")
}
