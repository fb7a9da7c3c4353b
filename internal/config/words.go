package config

import (
	"slices"
	"strings"
)

// The kinds of values that are one word out of a few. Their zero values mean "not set".
type (
	// Stream is one of stdout and stderr.
	Stream string
	// ArgStyle is one of space and equals.
	ArgStyle string
	// RestartPolicy is one of never, on-failure and always.
	RestartPolicy string
	// UnhealthyAction is one of none, restart and exit.
	UnhealthyAction string
	// LogLevel is one of debug, info, warn and error.
	LogLevel string
	// LogEncoding is one of console and json.
	LogEncoding string
)

const (
	Stdout Stream = "stdout"
	Stderr Stream = "stderr"

	ArgStyleSpace  ArgStyle = "space"
	ArgStyleEquals ArgStyle = "equals"

	RestartNever     RestartPolicy = "never"
	RestartOnFailure RestartPolicy = "on-failure"
	RestartAlways    RestartPolicy = "always"

	UnhealthyNone    UnhealthyAction = "none"
	UnhealthyRestart UnhealthyAction = "restart"
	UnhealthyExit    UnhealthyAction = "exit"

	LevelDebug LogLevel = "debug"
	LevelInfo  LogLevel = "info"
	LevelWarn  LogLevel = "warn"
	LevelError LogLevel = "error"

	EncodingConsole LogEncoding = "console"
	EncodingJSON    LogEncoding = "json"
)

// Words lists what may be written.
func (Stream) Words() []string { return []string{"stdout", "stderr"} }

// Words lists what may be written.
func (ArgStyle) Words() []string { return []string{"space", "equals"} }

// Words lists what may be written.
func (RestartPolicy) Words() []string { return []string{"never", "on-failure", "always"} }

// Words lists what may be written.
func (UnhealthyAction) Words() []string { return []string{"none", "restart", "exit"} }

// Words lists what may be written: the levels, and zap's higher ones, which all mean error.
func (LogLevel) Words() []string {
	return []string{"debug", "info", "warn", "error", "dpanic", "panic", "fatal"}
}

// Words lists what may be written; text is another word for console.
func (LogEncoding) Words() []string { return []string{"console", "text", "json"} }

// UnmarshalText reads one of the words.
func (s *Stream) UnmarshalText(text []byte) error { return word(s, string(text)) }

// UnmarshalText reads one of the words.
func (s *ArgStyle) UnmarshalText(text []byte) error { return word(s, string(text)) }

// UnmarshalText reads one of the words.
func (p *RestartPolicy) UnmarshalText(text []byte) error { return word(p, string(text)) }

// UnmarshalText reads one of the words.
func (a *UnhealthyAction) UnmarshalText(text []byte) error { return word(a, string(text)) }

// UnmarshalText reads one of the words, in any case, as zap does.
func (l *LogLevel) UnmarshalText(text []byte) error {
	if err := word(l, strings.ToLower(string(text))); err != nil {
		return err
	}
	switch *l {
	case "dpanic", "panic", "fatal":
		*l = LevelError
	}
	return nil
}

// UnmarshalText reads one of the words.
func (e *LogEncoding) UnmarshalText(text []byte) error {
	if err := word(e, string(text)); err != nil {
		return err
	}
	if *e == "text" {
		*e = EncodingConsole
	}
	return nil
}

// word sets dst to text if that is one of its words; the empty text leaves it as it is.
func word[T interface {
	~string
	Words() []string
}](dst *T, text string) error {
	words := (*dst).Words()
	switch {
	case text == "":
		return nil
	case slices.Contains(words, text):
		*dst = T(text)
		return nil
	}
	err := &Error{Message: "expected " + orList(words) + ", found " + quote(text)}
	if meant := closest(text, words); meant != "" {
		err.Hint = didYouMean(meant)
	}
	return err
}
