package secret

import (
	"fmt"
	"io"
	"net/url"
)

// URL is a URL that may hold a user and a password, see RFC 3986, section 3.2.1, which printing, logging and marshalling
// show as an ellipsis.
type URL string

// Reveal returns the URL itself, for the one who uses it.
func (u URL) Reveal() string { return string(u) }

// String returns the URL without its user and password; of a text that is no URL nothing.
func (u URL) String() string {
	parsed, err := url.Parse(string(u))
	if err != nil {
		return "…"
	}
	if parsed.User == nil {
		return string(u)
	}
	parsed.User = nil
	shown := *parsed
	shown.Scheme = ""
	return parsed.Scheme + "://…@" + shown.String()[len("//"):]
}

// Format prints String, whatever the verb.
func (u URL) Format(s fmt.State, _ rune) { io.WriteString(s, u.String()) }

// MarshalText returns String; JSON, YAML and log/slog use it.
func (u URL) MarshalText() ([]byte, error) { return []byte(u.String()), nil }
