// Package secret has the types of texts that must not be shown, or not whole.
package secret

import (
	"fmt"
	"io"
)

// Text is a text of which printing, logging and marshalling show no more than its beginning, see [Text.String].
type Text string

// Reveal returns the text itself, for the one who uses it.
func (t Text) Reveal() string { return string(t) }

// String returns as much as is needed to tell the text from others: its first four characters, where it has more than
// twice as many.
func (t Text) String() string {
	const shown = 4
	switch runes := []rune(t); {
	case len(runes) == 0:
		return ""
	case len(runes) <= 2*shown:
		return "…"
	default:
		return string(runes[:shown]) + "…"
	}
}

// Format prints String, whatever the verb.
func (t Text) Format(s fmt.State, _ rune) { io.WriteString(s, t.String()) }

// MarshalText returns String; JSON, YAML and log/slog use it.
func (t Text) MarshalText() ([]byte, error) { return []byte(t.String()), nil }
