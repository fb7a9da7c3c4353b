package config

import (
	"reflect"
	"strings"
)

// closest returns the candidate that somebody who wrote word most likely meant: one that differs in nothing but case,
// dashes and underscores, or else the one with the fewest typing errors, or else the first that begins like it. Empty:
// none is near enough.
func closest(word string, candidates []string) string {
	for _, c := range candidates {
		if fold(c) == fold(word) {
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

func suggestion(word string) string { return `did you mean "` + word + `"?` }

// DidYouMean is a hint at the candidate that somebody who wrote word most likely meant: one that differs in nothing but
// case, dashes and underscores, or has a few typing errors, or begins like it. Empty: none is near enough.
func DidYouMean(word string, candidates []string) string {
	meant := closest(word, candidates)
	if meant == "" {
		return ""
	}
	return suggestion(meant)
}

// schemaKey is a key of the schema: its name, and the path under which a file has it.
type schemaKey struct{ name, path string }

// schemaKeys lists all keys of the schema at and below the struct type t, in the schema's order.
func schemaKeys(t reflect.Type, path string) []schemaKey {
	var keys []schemaKey
	for i, name := range keyNames(t) {
		at := join(path, name)
		keys = append(keys, schemaKey{name, at})
		switch inner := t.Field(i).Type; {
		case isSection(inner):
			keys = append(keys, schemaKeys(inner, at)...)
		case inner.Kind() == reflect.Slice && isSection(inner.Elem()):
			keys = append(keys, schemaKeys(inner.Elem(), at+"[]")...)
		case inner.Kind() == reflect.Map && isSection(inner.Elem()):
			keys = append(keys, schemaKeys(inner.Elem(), at+".NAME")...)
		}
	}
	return keys
}

// unknownKey explains a key that the section of type t does not have. meant is the key of this section that was
// probably meant, if any.
func unknownKey(key string, t reflect.Type) (hint, meant string) {
	here := keyNames(t)
	for _, name := range here {
		if fold(name) == fold(key) {
			return suggestion(name), name
		}
	}
	paths := elsewhere(key)
	switch {
	case len(paths) > 0 && strings.Contains(key, "."):
		return "keys are nested: put " + key[strings.LastIndexByte(key, '.')+1:] + " below " + parent(key), ""
	case len(paths) > 0:
		return "did you mean " + orList(paths) + "?", ""
	}
	if meant = closest(key, here); meant != "" {
		return suggestion(meant), meant
	}
	return "known here: " + strings.Join(here, ", "), ""
}

// elsewhere returns the paths of the schema's keys that are called key, or whose path is key.
func elsewhere(key string) []string {
	var paths []string
	for _, k := range schemaKeys(reflect.TypeFor[Config](), "") {
		switch {
		case fold(k.name) != fold(key) && fold(k.path) != fold(key):
		case k.path == k.name:
			paths = append(paths, k.path+" at the top level")
		default:
			paths = append(paths, k.path)
		}
	}
	return paths
}

// keyNames lists the keys of the section of type t, by the index of their fields.
func keyNames(t reflect.Type) []string {
	names := make([]string, 0, t.NumField())
	for i := range t.NumField() {
		// Fields that are no keys come last.
		if field := t.Field(i); field.IsExported() {
			names = append(names, field.Tag.Get("yaml"))
		}
	}
	return names
}
