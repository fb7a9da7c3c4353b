package watchlog_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/kubevali/kubevali/internal/health"
	"github.com/kubevali/kubevali/internal/watchlog"
)

// A node that has made itself a new key runs as well as any, and is unhealthy all the same.
func TestAnotherIdentity(t *testing.T) {
	rules := watchlog.Rules{Keywords: []string{"block"}, FailKeywords: []string{"bad"}}
	for _, c := range []struct {
		name   string
		log    []string // chunks; the odd ones go to another stream
		want   string   // the states in order
		reason string   // part of the last one's
	}{
		{"announced", []string{"I am 16Uiu2me\nenode://me\nblock 1\n"}, "starting healthy", "last sign of life"},
		{"another one announced", []string{"I am 16Uiu2you\nenode://me\nblock 1\nblock 2\n"}, "starting unhealthy",
			`has not announced "16Uiu2me"`},
		{"one of two", []string{"I am 16Uiu2me\nblock 1\n"}, "starting unhealthy", `has not announced "enode://me"`},
		{"late", []string{"block 1\n", "", "16Uiu2me\n", "", "enode://me\n", "", "block 2\n"}, "starting unhealthy healthy", "last sign of life"},
		{"late in one chunk", []string{"block 1\n16Uiu2me enode://me\nblock 2\n"}, "starting unhealthy healthy", "last sign of life"},
		{"on two streams", []string{"16Uiu2", "I am enode://me\n", "me\nblock 1\n"}, "starting healthy", "last sign of life"},
		{"on the other stream", []string{"", "16Uiu2me enode://me\n", "block 1\n"}, "starting healthy", "last sign of life"},
		{"at the end of a line that is a sign of life", []string{"block 1 by 16Uiu2me", "", " at enode:/", "", "/me"},
			"starting healthy", "last sign of life"},
		{"nothing happens", []string{"x\n"}, "starting", "no sign of life"},
		{"another failure stands", []string{"block 1\nbad luck\n"}, "starting unhealthy", `fail keyword "bad"`},
		{"a failure does not heal", []string{"16Uiu2me enode://me\nbad luck\n"}, "starting unhealthy", `fail keyword "bad"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, l := newLog("16Uiu2me", "enode://me")
			m.Started(1)
			streams := []*watchlog.Matcher{watchlog.NewMatcher(rules, l), watchlog.NewMatcher(rules, l)}
			for i, chunk := range c.log {
				streams[i%2].Write([]byte(chunk))
			}
			now := m.Snapshot()
			if !strings.Contains(now.Reason, c.reason) {
				t.Errorf("%q, want %q in it", now.Reason, c.reason)
			}
			if got := states(m); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
			if now.State != health.Healthy && (now.Matches != 0 || !now.LastMatch.IsZero()) {
				t.Errorf("%d signs of life counted", now.Matches)
			}
		})
	}
}

// Each run of the node must announce itself anew, to whoever has followed the log all the time too.
func TestAnnouncementsOfEachRun(t *testing.T) {
	rules := watchlog.Rules{Keywords: []string{"block"}}
	m, l := newLog("16Uiu2me")
	matcher := watchlog.NewMatcher(rules, l)
	for i, run := range []struct{ log, want string }{
		{"16Uiu2me\nblock 1\n", "starting healthy exited"},
		{"16Uiu2you\nblock 2\n", "starting unhealthy exited"},
		{"16Uiu2me\nblock 3\n", "starting healthy exited"},
	} {
		m.Started(1)
		matcher.Write([]byte(run.log))
		m.Exited("crash")
		if got := states(m); got != run.want {
			t.Errorf("run %d: %q, want %q", i, got, run.want)
		}
	}
}

// Whatever happens within one chunk, a failure in it is reported.
func TestFailureIsNotLost(t *testing.T) {
	m, l := newLog()
	m.Started(1)
	matcher := watchlog.NewMatcher(watchlog.Rules{Keywords: []string{"ok"}, FailKeywords: []string{"bad"}}, l)
	matcher.Write([]byte("ok\nok\nbad luck\nok\n"))
	if now := m.Snapshot(); now.State != health.Healthy || now.Matches != 3 {
		t.Errorf("%+v", now)
	}
	changes := changes(m)
	var got []health.State
	for _, c := range changes {
		got = append(got, c.State)
	}
	if want := []health.State{health.Starting, health.Healthy, health.Unhealthy, health.Healthy}; !slices.Equal(got, want) {
		t.Fatal(got)
	}
	if got := changes[2].Reason; got != `fail keyword "bad": bad luck` {
		t.Error(got)
	}
}

// newLog returns a machine and its source, which is what a Matcher tells in practice.
func newLog(expect ...string) (*health.Machine, *health.Log) {
	m := health.New()
	return m, m.AddLog("logs", health.LogRules{NeedsMatch: true, Expect: expect})
}

// changes returns the changes of the state since it was asked last.
func changes(m *health.Machine) (all []health.Snapshot) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	m.Run(ctx, func(s health.Snapshot) { all = append(all, s) })
	return all
}

func states(m *health.Machine) string {
	var names []string
	for _, c := range changes(m) {
		names = append(names, string(c.State))
	}
	return strings.Join(names, " ")
}
