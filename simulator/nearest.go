package simulator

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// DidYouMean returns `; did you mean "x"?` for a near candidate, else nothing.
func DidYouMean(word string, candidates []string) string {
	best, at := "", max(2, len(word)/3)+1
	for _, c := range candidates {
		if d := distance(strings.ToLower(word), strings.ToLower(c)); d < at {
			best, at = c, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %q?", best)
}

// distance is Levenshtein's, over bytes; only the first 100 of each count.
func distance(a, b string) int {
	a, b = a[:min(len(a), 100)], b[:min(len(b), 100)]
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// nearestRoutes returns the patterns closest to a request that none of them
// matches, as "GET /path", at most three.
func nearestRoutes(routes []Route, method, path string) []string {
	type scored struct {
		name string
		far  int
	}
	all := make([]scored, 0, len(routes))
	for _, r := range routes {
		far := patternDistance(r.Pattern, path)
		if r.Method != method {
			far++ // the right path with the wrong method is still the nearest
		}
		all = append(all, scored{r.Method + " " + r.Pattern, far})
	}
	slices.SortStableFunc(all, func(a, b scored) int { return a.far - b.far })
	names := []string{}
	for _, s := range all[:min(3, len(all))] {
		names = append(names, s.name)
	}
	return names
}

// patternDistance compares segment by segment; a variable fits anything.
func patternDistance(pattern, path string) int {
	want, have := strings.Split(pattern, "/"), strings.Split(path, "/")
	have = have[:min(len(have), 32)]
	far := 0
	for i := range max(len(want), len(have)) {
		switch {
		case i >= len(want):
			far += 3 + min(len(have[i]), 10)
		case i >= len(have):
			far += 3 + len(want[i])
		case strings.HasPrefix(want[i], "{"):
			if have[i] == "" {
				far += 3
			}
		default:
			far += 2 * distance(want[i], have[i])
		}
	}
	return far
}

// keysOf returns a map's keys in alphabetical order.
func keysOf[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
