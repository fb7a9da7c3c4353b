package config_test

import (
	"encoding"
	"strings"
	"testing"

	"github.com/kubevali/kubevali/internal/config"
	"github.com/kubevali/kubevali/internal/hint"
)

type scalar interface {
	encoding.TextUnmarshaler
	encoding.TextMarshaler
	String() string
}

func TestScalars(t *testing.T) {
	for _, test := range []struct {
		kind       scalar
		text, want string
	}{
		{new(config.Duration), "90m", "1h30m"},
		{new(config.Duration), "600s", "10m"},
		{new(config.Duration), "7200s", "2h"},
		{new(config.Duration), "1h0m5s", "1h0m5s"},
		{new(config.Duration), "100s", "1m40s"},
		{new(config.Duration), "0", "0s"},
		{new(config.Duration), "1.5h", "1h30m"},
		{new(config.FileMode), "0o7", "0007"},
		{new(config.FileMode), "0777", "0777"},
		{new(config.Owner), "", ""},
		{new(config.Owner), "0:0", "0:0"},
		{new(config.Owner), "1000:02147483647", "1000:2147483647"},
		{new(config.Signal), "", ""},
		{new(config.Signal), "Term", "SIGTERM"},
		{new(config.Signal), "sigusr1", "SIGUSR1"},
		{new(config.Signal), "2", "SIGINT"},
		{new(config.Signal), "40", "40"},
	} {
		if err := test.kind.UnmarshalText([]byte(test.text)); err != nil {
			t.Errorf("%T: %q: %v", test.kind, test.text, err)
		}
		if got := test.kind.String(); got != test.want {
			t.Errorf("%T: %q is %q, want %q", test.kind, test.text, got, test.want)
		}
		if got, err := test.kind.MarshalText(); string(got) != test.want || err != nil {
			t.Errorf("%T: %q is %q in JSON, want %q; %v", test.kind, test.text, got, test.want, err)
		}
	}
}

func TestPattern(t *testing.T) {
	var p config.Pattern
	if err := p.UnmarshalText(nil); err != nil || p.Regexp() != nil {
		t.Errorf("the empty pattern is %v; %v", p.Regexp(), err)
	}
	if err := p.UnmarshalText([]byte(`\d+`)); err != nil || p.Regexp().FindString("a12b") != "12" {
		t.Errorf("got %v; %v", p.Regexp(), err)
	}
}

func TestScalarsExplainWhatTheyRefuse(t *testing.T) {
	for _, test := range []struct {
		kind       encoding.TextUnmarshaler
		text, want string
	}{
		{new(config.Duration), "5min", `expected a duration, found "5min" (write 5m)`},
		{new(config.Duration), "2 Hours", `expected a duration, found "2 Hours" (write 2h)`},
		{new(config.Duration), "250 millis", `expected a duration, found "250 millis" (write 250ms)`},
		{new(config.Duration), "250 ms", `expected a duration, found "250 ms" (write 250ms)`},
		{new(config.Duration), "30 s", `expected a duration, found "30 s" (write 30s)`},
		{new(config.Duration), "5 us", `expected a duration, found "5 us" (write 5us)`},
		{new(config.Duration), "1.5d", `expected a duration, found "1.5d" (write 36h)`},
		{new(config.Duration), "1 week", `expected a duration, found "1 week" (write 168h)`},
		{new(config.Duration), "9999999h", `expected a duration, found "9999999h" (such as 90s, 10m or 1h30m)`},
		{new(config.Duration), "999999 days", `expected a duration, found "999999 days" (such as 90s, 10m or 1h30m)`},
		{new(config.Duration), "days", `expected a duration, found "days" (such as 90s, 10m or 1h30m)`},
		{new(config.FileMode), "0+7", `expected octal permissions that begin with 0, found "0+7" (such as "0600" or "0644")`},
		{new(config.FileMode), "0888", `expected octal permissions that begin with 0, found "0888" (such as "0600" or "0644")`},
		{new(config.FileMode), "01000", `expected permissions from 0001 to 0777, found "01000" (such as "0600" or "0644")`},
		{new(config.Owner), "1000", `expected uid:gid, found "1000" (write "1000:1000")`},
		{new(config.Owner), "1000:", `expected uid:gid, found "1000:" (such as "1000:1000")`},
		{new(config.Owner), "geth:geth", `expected uid:gid, found "geth:geth" (such as "1000:1000")`},
		{new(config.Owner), "1:2:3", `expected uid:gid, found "1:2:3" (such as "1000:1000")`},
		{new(config.Owner), "4294967295:1", `expected uid:gid, found "4294967295:1" (such as "1000:1000")`},
		{new(config.Signal), "0", `expected a signal, found "0" (such as SIGTERM, SIGINT or 15)`},
		{new(config.Signal), "usr3", `expected a signal, found "usr3" (did you mean "SIGUSR1"?)`},
		{new(config.Signal), strings.Repeat("é", 99), `expected a signal, found "` + strings.Repeat("é", 39) + `…" (such as SIGTERM, SIGINT or 15)`},
		{new(config.Pattern), "*", "not a regular expression: missing argument to repetition operator in \"*\""},
	} {
		if err := test.kind.UnmarshalText([]byte(test.text)); err == nil || hint.Line(err) != test.want {
			t.Errorf("%T: %q: got %v, want %s", test.kind, test.text, err, test.want)
		}
	}
}
