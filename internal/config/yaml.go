package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// pair is one key of a mapping, with its value, which may be an alias.
type pair struct {
	name       string
	key, value *yaml.Node
}

// pairs returns the keys of a mapping, including those that << merges into it; nil has none. advice says what to do about
// a list in its place.
func (d *decoder) pairs(n *yaml.Node, path, advice string) []pair {
	switch {
	case n == nil:
		return nil
	case n.Kind != yaml.MappingNode:
		if n.Kind != yaml.SequenceNode {
			advice = ""
		}
		d.fail(n, path, "expected a mapping (key: value), found "+found(n), advice)
		return nil
	case !d.spend(n, path, 1+len(n.Content)/2):
		return nil
	}
	own, merged := make([]pair, 0, len(n.Content)/2), []pair(nil)
	known := make(map[string]*yaml.Node, len(n.Content)/2)
	for i := 0; i < len(n.Content); i += 2 {
		key, value := deref(n.Content[i]), n.Content[i+1]
		if key.Kind != yaml.ScalarNode {
			d.fail(key, path, "expected a key, found "+found(key), "")
			continue
		}
		if earlier, ok := known[key.Value]; ok {
			d.fail(key, join(path, key.Value), fmt.Sprintf("duplicate key: it is already in line %d", earlier.Line), "")
			continue
		}
		known[key.Value] = key
		if key.Tag == "!!merge" {
			merged = d.merge(value, path)
		} else {
			own = append(own, pair{key.Value, key, value})
		}
	}
	for _, p := range merged {
		if known[p.name] == nil {
			known[p.name] = p.key
			own = append(own, p)
		}
	}
	return own
}

// merge returns the pairs of the mapping, or the list of mappings, behind a <<; earlier ones win.
func (d *decoder) merge(n *yaml.Node, path string) []pair {
	sources := []*yaml.Node{n}
	if list := deref(n); list.Kind == yaml.SequenceNode {
		sources = list.Content
	}
	var pairs []pair
	for _, source := range sources {
		m := deref(source)
		switch {
		case m.Kind != yaml.MappingNode:
			d.fail(source, path, "expected a mapping or a list of mappings to merge, found "+found(m), "")
		case slices.Contains(d.merging, m):
			d.fail(source, path, "a mapping cannot merge itself", "")
		default:
			d.merging = append(d.merging, m)
			pairs = append(pairs, d.pairs(m, path, "")...)
			d.merging = d.merging[:len(d.merging)-1]
		}
	}
	return pairs
}

// locate notes where the value of a key of the mapping at path stands: where it begins, or else, when it begins in a
// later line, where its key does. It returns the value's path.
func (d *decoder) locate(p pair, path string) string {
	n := p.value
	if n.Line != p.key.Line {
		n = p.key
	}
	at := join(path, p.name)
	d.note(at, n)
	return at
}

func deref(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

// isText says whether n is a scalar whose text can be taken as it is. A plain << is one, in the place of a value.
func isText(n *yaml.Node) bool {
	switch n.Tag {
	case "!!str", "!!int", "!!float", "!!bool", "!!timestamp", "!!merge":
		return n.Kind == yaml.ScalarNode
	}
	return false
}

// isBareTemplate recognizes {{ … }} without quotes, which YAML reads as a mapping in a mapping.
func isBareTemplate(n *yaml.Node) bool {
	return n.Kind == yaml.MappingNode && len(n.Content) > 0 && n.Style&yaml.FlowStyle != 0 &&
		n.Content[0].Kind == yaml.MappingNode && n.Content[0].Style&yaml.FlowStyle != 0
}

// found names the kind of a value that is not what it should be. Not the value: it may be a secret.
func found(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	switch n.Tag {
	case "!!int", "!!float":
		return "a number"
	case "!!bool":
		return "true or false"
	case "!!null":
		return "nothing"
	case "!!str", "!!timestamp", "!!merge":
		return "a text"
	default:
		return "a value with the tag " + n.Tag
	}
}

// join appends a key to a path. Keys with unusual characters are quoted.
func join(path, key string) string {
	unusual := func(r rune) bool {
		return !strings.ContainsRune("-_./", r) && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	}
	switch {
	case key == "" || strings.ContainsFunc(key, unusual):
		return path + "[" + strconv.Quote(key) + "]"
	case path == "":
		return key
	default:
		return path + "." + key
	}
}

// index appends the place in a list to a path.
func index(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }
