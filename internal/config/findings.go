package config

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// Position is a place in a configuration file.
type Position struct {
	File   string // as given on the command line
	Line   int    // from 1; 0 for what the file does not hold, such as a default
	Column int    // from 1, in runes
	Path   string // the key's path, such as nodeTemplate.args.port or watchlog.files[0]
}

// String is file:line:column, the form that editors jump to, without the path.
func (p Position) String() string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
}

// Error is one finding about a configuration file.
type Error struct {
	At      Position
	Message string // what is wrong and what was expected, in lower case
	Hint    string // what to do about it; may be empty
	Source  string // the line of a template that the finding is about; may be empty
	Cause   error  // what errors.Is and errors.As see; not printed, may be nil
}

// Error is "file:line:column: path: message (hint)", and on a line of its own, indented, the template's line.
func (e *Error) Error() string {
	var b strings.Builder
	if e.At.File != "" {
		b.WriteString(e.At.String() + ": ")
	}
	if e.At.Path != "" {
		b.WriteString(e.At.Path + ": ")
	}
	b.WriteString(e.Message)
	if e.Hint != "" {
		b.WriteString(" (" + e.Hint + ")")
	}
	if source := strings.TrimSpace(e.Source); source != "" {
		b.WriteString("\n    " + source)
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Errors are all findings about one file.
type Errors []*Error

// Error has one finding per line.
func (es Errors) Error() string {
	lines := make([]string, len(es))
	for i, e := range es {
		lines[i] = e.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap returns the findings, for errors.Is and errors.As.
func (es Errors) Unwrap() []error {
	errs := make([]error, len(es))
	for i, e := range es {
		errs[i] = e
	}
	return errs
}

// Err returns the findings in file order, or nil where there is none.
func (es Errors) Err() error {
	if len(es) == 0 {
		return nil
	}
	return es.inOrder()
}

func (es Errors) inOrder() Errors {
	slices.SortStableFunc(es, func(a, b *Error) int {
		return cmp.Or(cmp.Compare(a.At.Line, b.At.Line), cmp.Compare(a.At.Column, b.At.Column))
	})
	return es
}

// places knows where the keys of a file stand, by path.
type places struct {
	file string
	keys map[string]place
}

// place is a line and a column, from 1.
type place struct{ line, column int }

// note remembers that n stands for the value at path.
func (p places) note(path string, n *yaml.Node) { p.keys[path] = place{n.Line, n.Column} }

// position is that of n, the value at path.
func (p places) position(n *yaml.Node, path string) Position {
	return Position{File: p.file, Line: n.Line, Column: n.Column, Path: path}
}

// at returns where the key at path stands, or where the nearest key around it does.
func (p places) at(path string) Position {
	around := path
	for around != "" && p.keys[around] == (place{}) {
		around = parent(around)
	}
	return Position{File: p.file, Line: p.keys[around].line, Column: p.keys[around].column, Path: path}
}

// join appends a key to a path. Keys with unusual characters are quoted.
func join(path, key string) string {
	switch {
	case key == "" || strings.Trim(key, letters+digits+"-_./") != "":
		return path + "[" + strconv.Quote(key) + "]"
	case path == "":
		return key
	default:
		return path + "." + key
	}
}

// index appends the place in a list to a path.
func index(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }

// parent returns the path of the mapping or list that holds the value at path.
func parent(path string) string { return path[:max(strings.LastIndexAny(path, ".["), 0)] }

// findings collects what is wrong with a file.
type findings struct {
	places
	unsound  map[string]bool // paths whose value is unknown because of something already reported
	errs     Errors
	warnings Errors
}

// maxErrors bounds what one file can make us say.
const maxErrors = 100

// full says whether further findings would not be reported.
func (f *findings) full() bool { return len(f.errs) > maxErrors }

// report records a finding. The hint may be empty.
func (f *findings) report(at Position, message, hint string) {
	f.unsound[at.Path] = true
	switch {
	case len(f.errs) < maxErrors:
		f.errs = append(f.errs, &Error{At: at, Message: message, Hint: hint})
	case len(f.errs) == maxErrors:
		message := fmt.Sprintf("there are more than %d errors, the first of which are:", maxErrors)
		f.errs = append(f.errs, &Error{At: Position{File: f.file}, Message: message})
	}
}

// fail records a finding about n, the value at path.
func (f *findings) fail(n *yaml.Node, path, message, hint string) {
	f.report(f.position(n, path), message, hint)
}

// failAt records a finding about the value at path, or about its absence, unless that value is unsound already.
func (f *findings) failAt(path, message, hint string) {
	if f.sound(path) {
		f.report(f.at(path), message, hint)
	}
}

// sound says whether nothing was reported yet about the values at the paths or about those around them.
func (f *findings) sound(paths ...string) bool {
	for _, path := range paths {
		for path != "" && !f.unsound[path] {
			path = parent(path)
		}
		if f.unsound[path] {
			return false
		}
	}
	return true
}

// warn records that what stands there has no effect.
func (f *findings) warn(at Position, message string) {
	if len(f.warnings) < maxErrors {
		f.warnings = append(f.warnings, &Error{At: at, Message: message})
	}
}
