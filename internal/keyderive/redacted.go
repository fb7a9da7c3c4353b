package keyderive

import (
	"fmt"
	"io"
)

const redaction = "[secret]"

// hidden is secret bytes behind a function. fmt prints the unexported fields of a struct without asking their Format, and
// with a verb that does not fit even what a pointer among them points to; of a function it only knows the address.
type hidden func() []byte

func hide(secret []byte) hidden { return func() []byte { return secret } }

// redacted keeps the type that embeds it from being printed, logged or marshalled.
type redacted struct{}

// String returns "[secret]".
func (redacted) String() string { return redaction }

// Format prints "[secret]", whatever the verb.
func (redacted) Format(s fmt.State, _ rune) { io.WriteString(s, redaction) }

// MarshalText returns "[secret]"; JSON, YAML and log/slog use it.
func (redacted) MarshalText() ([]byte, error) { return []byte(redaction), nil }
