package main

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/sirupsen/logrus"

	"github.com/kubevali/kubevali/internal/config"
)

// timeFormat is RFC 3339 with milliseconds, as the container runtimes' own stamps.
const timeFormat = "2006-01-02T15:04:05.000Z07:00"

func newLog(w io.Writer) *logrus.Logger {
	log := logrus.New()
	log.SetOutput(w)
	log.SetFormatter(lineFormatter{})
	return log
}

// configureLog applies the configuration's logging section, and the flags over it.
func (a *app) configureLog(c config.Logging) {
	level, format := string(c.Level), c.Encoding
	if a.logLevel != "" {
		level = string(a.logLevel)
	}
	if a.logFormat != "" {
		format = config.LogEncoding(a.logFormat)
	}
	if parsed, err := logrus.ParseLevel(level); err == nil {
		a.log.SetLevel(parsed)
	}
	if format == config.EncodingJSON {
		a.log.SetFormatter(&logrus.JSONFormatter{TimestampFormat: timeFormat})
		return
	}
	a.log.SetFormatter(lineFormatter{})
}

// lineFormatter writes an entry as it is to be read, between the lines of the node: logrus' own text format would quote
// the message, and with it a command that is there to be copied.
type lineFormatter struct{}

func (lineFormatter) Format(e *logrus.Entry) ([]byte, error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %-5s kubevali: %s", e.Time.Format(timeFormat), levelName(e.Level), e.Message)
	for _, key := range slices.Sorted(maps.Keys(e.Data)) {
		fmt.Fprintf(&b, " %s=%v", key, e.Data[key])
	}
	b.WriteByte('\n')
	return b.Bytes(), nil
}

func levelName(l logrus.Level) string {
	if l == logrus.WarnLevel {
		return "WARN"
	}
	return strings.ToUpper(l.String())
}

// choice is a flag that takes one of a few words.
type choice[T ~string] struct {
	value *T
	words []T
}

func (c choice[T]) String() string {
	if c.value == nil {
		return ""
	}
	return string(*c.value)
}

func (c choice[T]) Set(s string) error {
	if !slices.Contains(c.words, T(s)) {
		return fmt.Errorf("expected %s", c.Type())
	}
	*c.value = T(s)
	return nil
}

// Type is what --help shows as the value.
func (c choice[T]) Type() string {
	words := make([]string, len(c.words))
	for i, w := range c.words {
		words[i] = string(w)
	}
	return strings.Join(words, "|")
}
