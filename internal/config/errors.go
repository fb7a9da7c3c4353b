package config

import (
	"cmp"
	"slices"
	"strings"
)

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

// Err puts the findings into file order and returns them, or nil where there is none.
func (es Errors) Err() error {
	if len(es) == 0 {
		return nil
	}
	slices.SortStableFunc(es, func(a, b *Error) int { return a.At.compare(b.At) })
	return es
}

// Warning is something in a configuration file that has no effect and that its author should know.
type Warning struct {
	At      Position
	Message string
}

// String is "file:line:column: path: message".
func (w Warning) String() string { return (&Error{At: w.At, Message: w.Message}).Error() }

func (p Position) compare(q Position) int {
	return cmp.Or(cmp.Compare(p.Line, q.Line), cmp.Compare(p.Column, q.Column))
}
