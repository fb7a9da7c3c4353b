package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// parseYAML returns the root node of the one document in data, or nil and reports why there is none.
func (f *findings) parseYAML(data []byte) *yaml.Node {
	if !utf8.Valid(data) {
		f.invalidUTF8(data)
		return nil
	}
	parsed, err := documents(data)
	switch {
	case err != nil:
		f.syntaxError(data, err)
	case len(parsed) == 0 || isNull(parsed[0].Content[0]):
		f.report(Position{f.file, 1, 1, ""}, "the file is empty", "the shortest one is: nodeTemplate: {command: [my-node]}")
	case len(parsed) > 1:
		f.fail(parsed[1], "", "a second document begins here", "kubevali reads one; remove the --- or what follows it")
	default:
		return parsed[0].Content[0]
	}
	return nil
}

// documents parses the first two documents of data, or as many as there are.
func documents(data []byte) (parsed []*yaml.Node, err error) {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	for len(parsed) < 2 {
		var document yaml.Node
		if err := decoder.Decode(&document); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, err
		}
		parsed = append(parsed, &document)
	}
	return parsed, nil
}

// syntaxError says where yaml.v3 stumbled. Its own errors have no column, and their line is at times that of the
// enclosing list or mapping, at times one off, at times missing. But its parser works from front to back, so the
// problem is where the shortest beginning of the file ends that fails in the same way.
func (f *findings) syntaxError(data []byte, err error) {
	n, problem := splitError(err)
	fails := func(size int) bool {
		_, err := documents(data[:size])
		return err != nil && strings.HasSuffix(err.Error(), ": "+problem)
	}
	shortest := func(sizes []int) int {
		return sort.Search(len(sizes)-1, func(i int) bool { return fails(sizes[i]) })
	}
	ends := lineEnds(data)
	// A text in quotes that never end has its begin as its line; cutting it anywhere fails in the same way.
	if n < 1 || n >= len(ends) || !fails(ends[n]) {
		n = 1 + shortest(ends[1:])
	}
	var columns []int
	for i := range string(data[ends[n-1]:ends[n]]) {
		columns = append(columns, ends[n-1]+i)
	}
	column := 1 + shortest(append(columns, ends[n])[1:])
	f.report(Position{f.file, n, column, ""}, "not YAML: "+problem, syntaxHint(problem, string(data[ends[n-1]:ends[n]])))
}

// splitError takes "yaml: line 3: did not find expected key" apart; the line is 0 where there is none.
func splitError(err error) (line int, problem string) {
	problem = strings.TrimPrefix(err.Error(), "yaml: ")
	number, rest, found := strings.Cut(strings.TrimPrefix(problem, "line "), ": ")
	if n, err := strconv.Atoi(number); found && err == nil {
		return n, rest
	}
	return 0, problem
}

// syntaxHint explains the problem where the line shows a usual cause.
func syntaxHint(problem, line string) string {
	text := strings.TrimLeft(line, " ")
	switch {
	case strings.HasPrefix(text, "\t"), strings.Contains(problem, "tab character"):
		return "indent with blanks, not with tabs"
	case strings.Contains(problem, "unknown escape"):
		return "in single quotes a backslash stands for itself"
	case strings.Contains(problem, "unexpected end of stream"):
		return "a quote is not closed"
	case strings.Contains(problem, "unknown anchor"), strings.Contains(problem, "alphabetic or numeric"):
		return "put the text in quotes, if it is not meant as an alias or an anchor"
	case strings.Contains(line, "{{"):
		return "put a template in quotes, or below a |"
	case strings.Contains(problem, "cannot start any token"), strings.Contains(problem, "mapping values"):
		return "put the text in quotes, or check the indentation"
	case strings.Contains(problem, "did not find expected"), strings.Contains(problem, "could not find expected"):
		return "check the indentation, the quotes and the brackets"
	default:
		return ""
	}
}

// invalidUTF8 reports the first byte that is not UTF-8.
func (f *findings) invalidUTF8(data []byte) {
	bad := bytes.IndexRune(data, utf8.RuneError)
	ends := lineEnds(data[:bad+1])
	line := len(ends) - 1
	column := 1 + utf8.RuneCount(data[ends[line-1]:bad])
	f.report(Position{f.file, line, column, ""}, "not UTF-8", "save the file as UTF-8")
}

// oddBreaks are YAML's line breaks other than the line feed, see https://yaml.org/spec/1.1/#id871136.
const oddBreaks = "\r\u0085\u2028\u2029"

// lineEnds returns the offsets behind each line's break, after a 0: line n, from 1, lies between those at n-1 and n. All
// positions count YAML's breaks.
func lineEnds(data []byte) []int {
	ends := []int{0}
	for i, r := range string(data) {
		if strings.ContainsRune(oddBreaks, r) && !bytes.HasPrefix(data[i:], []byte("\r\n")) || r == '\n' {
			ends = append(ends, i+utf8.RuneLen(r))
		}
	}
	if len(ends) == 1 || ends[len(ends)-1] < len(data) {
		ends = append(ends, len(data))
	}
	return ends
}

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
	texts := []string{"!!str", "!!int", "!!float", "!!bool", "!!timestamp", "!!merge"}
	return n.Kind == yaml.ScalarNode && slices.Contains(texts, n.Tag)
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
