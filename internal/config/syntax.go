package config

import (
	"bytes"
	"errors"
	"io"
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// parseYAML returns the root node of the one document in data.
func parseYAML(file string, data []byte) (*yaml.Node, *Error) {
	if bad := invalidUTF8(data); bad >= 0 {
		return nil, &Error{At: positionAt(file, data, bad), Message: "not UTF-8", Hint: "save the file as UTF-8"}
	}
	first, second, err := documents(data)
	switch {
	case err != nil:
		return nil, syntaxError(file, data, err)
	case first == nil || isNull(first.Content[0]):
		return nil, &Error{
			At: Position{File: file, Line: 1, Column: 1}, Message: "the file is empty",
			Hint: "the shortest one is: nodeTemplate: {command: [my-node]}",
		}
	case second != nil:
		return nil, &Error{
			At:      Position{File: file, Line: second.Line, Column: second.Column},
			Message: "a second document begins here", Hint: "kubevali reads one; remove the --- or what follows it",
		}
	}
	return first.Content[0], nil
}

// documents parses the first two documents of data; what is not there is nil.
func documents(data []byte) (first, second *yaml.Node, err error) {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var nodes [2]*yaml.Node
	for i := range nodes {
		var node yaml.Node
		switch err := decoder.Decode(&node); {
		case errors.Is(err, io.EOF):
			return nodes[0], nil, nil
		case err != nil:
			return nil, nil, err
		}
		nodes[i] = &node
	}
	return nodes[0], nodes[1], nil
}

// syntaxError says where yaml.v3 stumbled. Its own errors have no column, and their line is at times that of the
// enclosing list or mapping, at times one off, at times missing. But its parser works from front to back, so the
// problem is where the shortest beginning of the file ends that fails in the same way.
func syntaxError(file string, data []byte, err error) *Error {
	n, problem := splitError(err)
	fails := func(size int) bool {
		_, _, err := documents(data[:size])
		if err == nil {
			return false
		}
		_, p := splitError(err)
		return p == problem
	}
	ends := lineEnds(data)
	// A text in quotes that never end has its begin as its line; cutting it anywhere fails in the same way.
	if n < 1 || n > len(ends) || !fails(ends[n-1]) {
		n = 1 + sort.Search(len(ends)-1, func(i int) bool { return fails(ends[i]) })
	}
	begin := lineBegin(ends, n)
	line := data[begin:ends[n-1]]
	columns := runeEnds(line)
	column := 1 + sort.Search(len(columns)-1, func(i int) bool { return fails(begin + columns[i]) })
	return &Error{
		At:      Position{File: file, Line: n, Column: column},
		Message: "not YAML: " + problem, Hint: syntaxHint(problem, string(line)),
	}
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

// invalidUTF8 returns where data stops being UTF-8, or -1.
func invalidUTF8(data []byte) int {
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return -1
}

// positionAt is the position of the byte at offset, all bytes before which are UTF-8.
func positionAt(file string, data []byte, offset int) Position {
	ends := lineEnds(data[:offset+1])
	begin := lineBegin(ends, len(ends))
	return Position{File: file, Line: len(ends), Column: 1 + utf8.RuneCount(data[begin:offset])}
}

// lineBegin returns the offset where line n begins, from 1.
func lineBegin(ends []int, n int) int {
	if n < 2 {
		return 0
	}
	return ends[n-2]
}

// lineEnds returns the offset behind each line's break. YAML has more kinds of breaks than the line feed, see
// https://yaml.org/spec/1.1/#id871136, and all positions count them.
func lineEnds(data []byte) []int {
	var ends []int
	for i, r := range string(data) {
		end := i + utf8.RuneLen(r)
		if strings.ContainsRune(oddBreaks, r) && !bytes.HasPrefix(data[i:], []byte("\r\n")) || r == '\n' {
			ends = append(ends, end)
		}
	}
	if len(ends) == 0 || ends[len(ends)-1] < len(data) {
		ends = append(ends, len(data))
	}
	return ends
}

// oddBreaks are YAML's line breaks other than the line feed.
const oddBreaks = "\r\u0085\u2028\u2029"

// runeEnds returns the offset behind each rune.
func runeEnds(line []byte) []int {
	var ends []int
	for i := range string(line) {
		if i > 0 {
			ends = append(ends, i)
		}
	}
	return append(ends, len(line))
}
