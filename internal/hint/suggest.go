package hint

import "strings"

// DidYouMean is a hint at the [Closest] candidate; empty: none is near enough.
func DidYouMean(word string, candidates []string) string {
	meant := Closest(word, candidates)
	if meant == "" {
		return ""
	}
	return `did you mean "` + meant + `"?`
}

// Closest returns the candidate that somebody who wrote word most likely meant: one that is [Alike], or else the one with
// the fewest typing errors, or else the first that begins like it. Empty: none is near enough.
func Closest(word string, candidates []string) string {
	for _, c := range candidates {
		if Alike(c, word) {
			return c
		}
	}
	best, limit := "", min(1+len(word)/4, 3)
	for _, c := range candidates {
		if edits := distance(fold(word), fold(c)); edits <= limit {
			best, limit = c, edits-1
		}
	}
	for _, c := range candidates {
		if best == "" && len(word) >= 4 && strings.HasPrefix(fold(c), fold(word)) {
			best = c
		}
	}
	return best
}

// Alike says whether two words differ in nothing but case, dashes and underscores.
func Alike(a, b string) bool { return fold(a) == fold(b) }

func fold(word string) string {
	return strings.NewReplacer("-", "", "_", "").Replace(strings.ToLower(word))
}

// distance counts the letters to insert, delete, replace or swap with their neighbour to turn a into b (the optimal
// string alignment distance).
func distance(a, b string) int {
	const tooFar = 1 << 10
	if len(a) > 2*len(b)+3 || len(b) > 2*len(a)+3 {
		return tooFar
	}
	before, last := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range len(a) {
		row := make([]int, len(b)+1)
		row[0] = i + 1
		for j := range len(b) {
			substitution := last[j]
			if a[i] != b[j] {
				substitution++
			}
			row[j+1] = min(last[j+1]+1, row[j]+1, substitution)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}

// OneOf lists words from which one can be chosen: "a, b or c".
func OneOf(words []string) string {
	last := len(words) - 1
	if last < 1 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:last], ", ") + " or " + words[last]
}
