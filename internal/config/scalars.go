package config

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"regexp/syntax"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kubevali/kubevali/internal/hint"
)

// The kinds of values that have a syntax of their own. Their zero values mean "not set".
type (
	// Duration is a length of time in Go's syntax, such as 90s or 1h30m; never negative.
	Duration time.Duration
	// FileMode is a file's permissions in octal digits, such as "0600"; at most 0777.
	FileMode fs.FileMode
	// Signal is a signal by its name (SIGTERM or TERM) or number.
	Signal syscall.Signal
	// Pattern is a regular expression in RE2 syntax, see https://golang.org/s/re2syntax.
	Pattern string
)

// UnmarshalText reads Go's syntax for durations, see time.ParseDuration.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	switch {
	case err != nil:
		return hint.New("expected a duration, found "+quote(string(text)), durationHint(string(text)))
	case v < 0:
		return errors.New("a duration cannot be negative")
	}
	*d = Duration(v)
	return nil
}

// String is Go's form without the units that are zero: 10m, not 10m0s.
func (d Duration) String() string {
	s := time.Duration(d).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// durationHint proposes how to write what somebody meant: "60 minutes" is 60m, "2d" is 48h.
func durationHint(text string) string {
	digits := text[:len(text)-len(strings.TrimLeft(text, "0123456789."))]
	number, err := strconv.ParseFloat(digits, 64)
	unit := strings.ToLower(strings.TrimSpace(text[len(digits):]))
	if err == nil && unit == "" {
		return fmt.Sprintf("add a unit: %[1]ss, %[1]sm or %[1]sh", digits)
	}
	switch unit {
	case "msec", "msecs", "millis", "millisecond", "milliseconds":
		unit = "ms"
	case "sec", "secs", "second", "seconds":
		unit = "s"
	case "min", "mins", "minute", "minutes":
		unit = "m"
	case "hr", "hrs", "hour", "hours":
		unit = "h"
	case "d", "day", "days":
		number, unit = 24*number, "h"
	case "w", "week", "weeks":
		number, unit = 7*24*number, "h"
	}
	proposal := strconv.FormatFloat(number, 'f', -1, 64) + unit
	if _, wrong := time.ParseDuration(proposal); err == nil && wrong == nil {
		return "write " + proposal
	}
	return "such as 90s, 10m or 1h30m"
}

// UnmarshalText reads octal digits with a leading 0 or 0o. Without one it is unclear whether 600 means 0600 or, as a
// tool that rewrites YAML may have it, the decimal number 600.
func (m *FileMode) UnmarshalText(text []byte) error {
	s := string(text)
	v, err := strconv.ParseUint(strings.TrimPrefix(strings.TrimPrefix(s, "0"), "o"), 8, 32)
	switch {
	case !strings.HasPrefix(s, "0") || err != nil:
		return hint.New("expected octal permissions that begin with 0, found "+quote(s), modeHint(s))
	case v == 0 || v > 0o777:
		return hint.New("expected permissions from 0001 to 0777, found "+quote(s), modeHint(""))
	}
	*m = FileMode(v)
	return nil
}

// String is four octal digits.
func (m FileMode) String() string { return fmt.Sprintf("%04o", uint32(m)) }

func modeHint(text string) string {
	if v, err := strconv.ParseUint(text, 8, 32); err == nil && v > 0 && v <= 0o777 {
		return fmt.Sprintf(`write "%04o"`, v)
	}
	if v, err := strconv.ParseUint(text, 10, 32); err == nil && v > 0 && v <= 0o777 {
		return fmt.Sprintf(`write "%04o" if you mean the decimal number`, v)
	}
	return `such as "0600" or "0644"`
}

// UnmarshalText reads a signal's name, with or without SIG, in any case, or its number from 1 to 64.
func (s *Signal) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		return nil
	}
	name := strings.ToUpper(string(text))
	if number, err := strconv.Atoi(name); err == nil && number >= 1 && number <= 64 {
		*s = Signal(number)
		return nil
	}
	if !strings.HasPrefix(name, "SIG") {
		name = "SIG" + name
	}
	number := unix.SignalNum(name)
	if number == 0 {
		advice := hint.DidYouMean(name, []string{"SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP", "SIGUSR1", "SIGUSR2"})
		return hint.New("expected a signal, found "+quote(string(text)), cmp.Or(advice, "such as SIGTERM, SIGINT or 15"))
	}
	*s = Signal(number)
	return nil
}

// String is the signal's name, or its number where it has no name, or nothing where it is not set.
func (s Signal) String() string {
	if s == 0 {
		return ""
	}
	if name := unix.SignalName(syscall.Signal(s)); name != "" {
		return name
	}
	return strconv.Itoa(int(s))
}

// UnmarshalText checks the syntax, which takes a small part of the time that compiling does.
func (p *Pattern) UnmarshalText(text []byte) error {
	_, err := syntax.Parse(string(text), syntax.Perl)
	if bad, ok := errors.AsType[*syntax.Error](err); ok {
		advice := ""
		for _, look := range []string{"(?=", "(?!", "(?<=", "(?<!"} {
			if strings.HasPrefix(bad.Expr, look) {
				advice = "RE2 can look neither ahead nor behind"
			}
		}
		return hint.New("not a regular expression: "+bad.Code.String()+" in "+quote(bad.Expr), advice)
	}
	*p = Pattern(text)
	return err
}

// Regexp compiles the pattern; nil where it is not set. It panics where UnmarshalText would have failed.
func (p Pattern) Regexp() *regexp.Regexp {
	if p == "" {
		return nil
	}
	return regexp.MustCompile(string(p))
}

// Owner is a user and a group by their numbers, such as "1000:1000". The zero value means "not set".
type Owner struct {
	UID, GID int
	IsSet    bool
}

// UnmarshalText reads two numbers with a colon between them. The empty text sets nothing.
func (o *Owner) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		return nil
	}
	user, group, found := strings.Cut(string(text), ":")
	uid, errUser := ownerID(user)
	gid, errGroup := ownerID(group)
	if errUser != nil || errGroup != nil {
		advice := `such as "1000:1000"`
		if errUser == nil && !found {
			advice = `write "` + user + ":" + user + `"`
		}
		return hint.New("expected uid:gid, found "+quote(string(text)), advice)
	}
	*o = Owner{uid, gid, true}
	return nil
}

// ownerID reads a number of a user or group. Higher ones than Go's smallest int holds exist, but nobody uses them.
func ownerID(text string) (int, error) {
	id, err := strconv.ParseUint(text, 10, 31)
	return int(id), err
}

// String is uid:gid, or nothing where it is not set.
func (o Owner) String() string {
	if !o.IsSet {
		return ""
	}
	return strconv.Itoa(o.UID) + ":" + strconv.Itoa(o.GID)
}

// The methods called MarshalText show values in JSON as in the file; those called kind name what is expected.

func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }
func (m FileMode) MarshalText() ([]byte, error) { return []byte(m.String()), nil }
func (s Signal) MarshalText() ([]byte, error)   { return []byte(s.String()), nil }
func (o Owner) MarshalText() ([]byte, error)    { return []byte(o.String()), nil }

func (Duration) kind() string { return "a duration" }
func (FileMode) kind() string { return "octal permissions" }
func (Signal) kind() string   { return "a signal" }
func (Pattern) kind() string  { return "a regular expression" }
func (Owner) kind() string    { return "uid:gid" }

// quote shows a value that was found, cut where it is long.
func quote(text string) string {
	const longest = 40
	if runes := []rune(text); len(runes) > longest {
		text = string(runes[:longest-1]) + "…"
	}
	return strconv.Quote(text)
}
