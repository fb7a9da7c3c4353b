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

// Closest returns the candidate that somebody who wrote word most likely meant: the one with the fewest typing errors,
// which case, dashes and underscores are not, or else the first that begins like it. Empty: none is near enough.
func Closest(word string, candidates []string) string {
	for edits := range min(2+len(word)/4, 4) {
		for _, c := range candidates {
			if within(edits, fold(word), fold(c)) {
				return c
			}
		}
	}
	for _, c := range candidates {
		if len(word) >= 4 && strings.HasPrefix(fold(c), fold(word)) {
			return c
		}
	}
	return ""
}

// Alike says whether two words differ in nothing but case, dashes and underscores.
func Alike(a, b string) bool { return fold(a) == fold(b) }

func fold(word string) string {
	return strings.NewReplacer("-", "", "_", "").Replace(strings.ToLower(word))
}

// within says whether so many letters to insert, delete, replace or swap with their neighbour turn a into b.
func within(edits int, a, b string) bool {
	for a != "" && b != "" && a[0] == b[0] {
		a, b = a[1:], b[1:]
	}
	switch {
	case a == "" || b == "":
		return len(a)+len(b) <= edits
	case edits == 0:
		return false
	case len(a) > 1 && len(b) > 1 && a[0] == b[1] && a[1] == b[0] && within(edits-1, a[2:], b[2:]):
		return true
	default:
		return within(edits-1, a[1:], b) || within(edits-1, a, b[1:]) || within(edits-1, a[1:], b[1:])
	}
}

// OneOf lists words from which one can be chosen: "a, b or c".
func OneOf(words []string) string {
	last := len(words) - 1
	if last < 1 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:last], ", ") + " or " + words[last]
}
