// Package hint attaches to an error what its reader can do about it. A hint is for people and says one thing to do, or to
// look at; it is printed once, beside the error, by whoever prints the error.
package hint

import (
	"errors"
	"fmt"
)

// hinted is an error with a hint.
type hinted struct {
	error
	hint string
}

func (h *hinted) Unwrap() error { return h.error }

// Hint returns the hint.
func (h *hinted) Hint() string { return h.hint }

// New returns an error with that text and hint.
func New(text, hint string) error { return With(errors.New(text), hint) }

// With adds a hint to an error. An empty hint adds nothing, and so does any to nil.
func With(err error, hint string) error {
	if err == nil || hint == "" {
		return err
	}
	return &hinted{err, hint}
}

// Of returns the hint of the outermost error in err's chain that has a method Hint and gives one; empty: none has.
func Of(err error) string {
	for err != nil {
		var h interface {
			error
			Hint() string
		}
		if !errors.As(err, &h) {
			return ""
		}
		if text := h.Hint(); text != "" {
			return text
		}
		err = errors.Unwrap(h)
	}
	return ""
}

// Line is an error and its hint in one line, for a log.
func Line(err error) string {
	if hint := Of(err); hint != "" {
		return fmt.Sprintf("%v (%s)", err, hint)
	}
	return err.Error()
}
