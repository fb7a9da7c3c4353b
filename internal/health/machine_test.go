package health_test

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kubevali/kubevali/internal/health"
)

// states returns the states that Run has reported.
func states(changes []health.Snapshot) string {
	var names []string
	for _, c := range changes {
		names = append(names, string(c.State))
	}
	return strings.Join(names, " ")
}

// A node is a machine with one log.
type node struct {
	*health.Machine
	*health.Log
}

func newNode(t health.LogRules) node {
	m := health.New()
	return node{m, m.AddLog("logs", t)}
}

func TestStates(t *testing.T) {
	const minute = time.Minute
	usual := health.LogRules{Last: 5 * minute, Startup: 10 * minute, NeedsMatch: true}
	patient := health.LogRules{Last: 5 * minute, NeedsMatch: true}
	failuresOnly := health.LogRules{Last: 5 * minute, Startup: minute}
	for _, c := range []struct {
		name       string
		thresholds health.LogRules
		story      func(l node)
		want       string // the states in order
		reason     string // part of the last one's
	}{
		{"never started", usual, func(node) { time.Sleep(time.Hour) }, "", "being prepared"},
		{"starting", usual, func(l node) { l.Started(1); time.Sleep(9 * minute) }, "starting", "since the start 9m0s ago"},
		{"too long a start", usual, func(l node) { l.Started(1); time.Sleep(11 * minute) }, "starting unhealthy",
			"since the start 11m0s ago, threshold 10m0s"},
		{"a start of any length", patient, func(l node) { l.Started(1); time.Sleep(99 * time.Hour) }, "starting", "99h0m0s"},
		{"first sign of life", usual, func(l node) { l.Started(1); l.Match(1, nil); time.Sleep(4 * minute) }, "starting healthy",
			"last sign of life 4m0s ago"},
		{"late first sign of life", usual, func(l node) { l.Started(1); time.Sleep(11 * minute); l.Match(1, nil) },
			"starting unhealthy healthy", "last sign of life 0s ago"},
		{"regular signs of life", usual, func(l node) {
			l.Started(1)
			for range 100 {
				l.Match(2, nil)
				time.Sleep(4 * minute)
			}
		}, "starting healthy", "4m0s ago"},
		{"silence", usual, func(l node) { l.Started(1); l.Match(1, nil); time.Sleep(6 * minute) }, "starting healthy unhealthy",
			"last sign of life 6m0s ago, threshold 5m0s"},
		{"recovery", usual, func(l node) { l.Started(1); l.Match(1, nil); time.Sleep(6 * minute); l.Match(1, nil) },
			"starting healthy unhealthy healthy", "0s ago"},
		{"failure", usual, func(l node) { l.Started(1); l.Match(1, nil); l.Fail("panic", "panic: at the disco") },
			"starting healthy unhealthy", `fail keyword "panic": panic: at the disco`},
		{"failure while starting", usual, func(l node) { l.Started(1); l.Fail("panic", "x"); time.Sleep(time.Hour) },
			"starting unhealthy", "panic"},
		{"failure after silence", usual, func(l node) { l.Started(1); time.Sleep(time.Hour); l.Fail("panic", "x") },
			"starting unhealthy", "panic"},
		{"recovery from a failure", usual, func(l node) { l.Started(1); l.Fail("panic", "x"); l.Match(1, nil) },
			"starting unhealthy healthy", "sign of life"},
		{"values alone are no sign of life", usual, func(l node) { l.Started(1); l.Match(0, map[string]string{"a": "1"}) },
			"starting", "no sign of life"},
		{"failures only", failuresOnly, func(l node) { l.Started(1); time.Sleep(time.Hour) }, "healthy", "no failure"},
		{"failures only, and one", failuresOnly, func(l node) { l.Started(1); l.Fail("x", "y"); time.Sleep(time.Hour) },
			"healthy unhealthy", "fail"},
		{"stopping", usual, func(l node) {
			l.Started(1)
			l.Match(1, nil)
			l.Stopping("SIGTERM")
			l.Stopping("again")
			l.Match(1, nil)
			l.Fail("x", "y")
			time.Sleep(time.Hour)
		}, "starting healthy stopping", "SIGTERM"},
		{"exit", usual, func(l node) {
			l.Started(1)
			l.Stopping("SIGTERM")
			l.Exited("exit code 0")
			l.Exited("again")
			l.Stopping("too late")
			l.Match(1, nil)
			l.Fail("x", "y")
			time.Sleep(time.Hour)
		}, "starting stopping exited", "exit code 0"},
		{"restart", usual, func(l node) {
			l.Started(1)
			l.Match(1, nil)
			l.Exited("exit code 1")
			time.Sleep(time.Hour)
			l.Started(2)
			time.Sleep(9 * minute)
		}, "starting healthy exited starting", "since the start 9m0s ago"},
		{"signs of life before the start", usual, func(l node) { l.Match(1, nil); l.Fail("x", "y") }, "", "being prepared"},
		{"a failure of the run before", usual, func(l node) {
			l.Started(1)
			l.Fail("x", "y")
			l.Exited("exit code 1")
			l.Fail("x", "last words")
			l.Started(2)
		}, "starting unhealthy exited starting", "no sign of life"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newNode(c.thresholds)
				ctx, cancel := context.WithCancel(t.Context())
				var changes []health.Snapshot
				var run sync.WaitGroup
				run.Go(func() { l.Run(ctx, func(s health.Snapshot) { changes = append(changes, s) }) })
				c.story(l)
				now := l.Snapshot()
				cancel()
				run.Wait()
				if got := states(changes); got != c.want {
					t.Errorf("%q, want %q", got, c.want)
				}
				if !strings.Contains(now.Reason, c.reason) {
					t.Errorf("%q, want %q in it", now.Reason, c.reason)
				}
				if len(changes) > 0 && changes[len(changes)-1].State != now.State {
					t.Errorf("Run ended with %q, Snapshot says %q", changes[len(changes)-1].State, now.State)
				}
			})
		})
	}
}

// Without Run too every Snapshot is right.
func TestSnapshot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newNode(health.LogRules{Last: time.Minute, NeedsMatch: true})
		begin := time.Now()
		at := func(d time.Duration) time.Time { return begin.Add(d) }
		expect := func(want health.Snapshot) {
			t.Helper()
			got := l.Snapshot()
			if got.State != want.State || !got.Since.Equal(want.Since) || !got.StartedAt.Equal(want.StartedAt) ||
				!got.LastMatch.Equal(want.LastMatch) || got.Matches != want.Matches || got.PID != want.PID ||
				got.Restarts != want.Restarts || !got.At.Equal(time.Now()) {
				t.Errorf("%+v, want %+v", got, want)
			}
		}
		expect(health.Snapshot{State: health.Starting, Since: at(0)})
		time.Sleep(time.Second)
		l.Started(7)
		expect(health.Snapshot{State: health.Starting, Since: at(time.Second), StartedAt: at(time.Second), PID: 7})
		time.Sleep(time.Second)
		l.Match(3, map[string]string{"a": "1", "b": "1"})
		l.Match(2, map[string]string{"b": "2"})
		values := l.Snapshot().Values
		if len(values) != 2 || values["a"] != "1" || values["b"] != "2" {
			t.Errorf("values %v", values)
		}
		values["a"] = "the reader's own"
		healthy := health.Snapshot{State: health.Healthy, Since: at(2 * time.Second), StartedAt: at(time.Second),
			LastMatch: at(2 * time.Second), Matches: 5, PID: 7}
		expect(healthy)
		if got := l.Snapshot().Values["a"]; got != "1" {
			t.Errorf("value a has become %q", got)
		}
		time.Sleep(time.Minute - time.Nanosecond)
		expect(healthy)
		time.Sleep(time.Nanosecond)
		silent := healthy
		silent.State, silent.Since = health.Unhealthy, at(time.Minute+2*time.Second)
		expect(silent)
		time.Sleep(time.Hour)
		expect(silent) // since the threshold, not since somebody looked
		l.Exited("gone")
		l.Started(8)
		now := time.Now()
		expect(health.Snapshot{State: health.Starting, Since: now, StartedAt: now, Matches: 5, PID: 8, Restarts: 1})
		if values := l.Snapshot().Values; len(values) > 0 {
			t.Errorf("values of the run before: %v", values)
		}
	})
}

// Run wakes up for the threshold by itself, at the moment.
func TestRunReportsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newNode(health.LogRules{Last: time.Minute, Startup: time.Hour, NeedsMatch: true})
		var at []time.Duration
		begin := time.Now()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go l.Run(ctx, func(s health.Snapshot) {
			if !s.Since.Equal(time.Now()) {
				t.Errorf("%s since %s reported at %s", s.State, s.Since, time.Now())
			}
			at = append(at, time.Since(begin))
		})
		l.Started(1)
		time.Sleep(2 * time.Hour) // unhealthy after one
		l.Match(1, nil)
		time.Sleep(30 * time.Second)
		l.Match(1, nil)
		time.Sleep(time.Hour) // unhealthy after a minute
		l.Fail("no", "change")
		l.Exited("")
		synctest.Wait()
		silence := 2*time.Hour + 90*time.Second
		exit := 3*time.Hour + 30*time.Second
		if want := []time.Duration{0, time.Hour, 2 * time.Hour, silence, exit}; !slices.Equal(at, want) {
			t.Errorf("%v, want %v", at, want)
		}
	})
}

// collect returns all changes that Run has not reported yet.
func collect(m *health.Machine) (changes []health.Snapshot) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	m.Run(ctx, func(s health.Snapshot) { changes = append(changes, s) })
	return changes
}

// While nobody listens a node that flaps, or restarts, does not fill the memory; the latest changes are kept.
func TestPendingChangesAreBounded(t *testing.T) {
	l := newNode(health.LogRules{NeedsMatch: true})
	l.Started(1)
	for range 1000 {
		l.Match(1, nil)
		l.Fail("x", "flapping")
	}
	l.Match(1, nil)
	l.Exited("done")
	changes := collect(l.Machine)
	got := states(changes)
	if len(changes) > 20 || !strings.HasSuffix(got, strings.Repeat("healthy unhealthy ", 5)+"healthy exited") {
		t.Error(got)
	}
	for range 1000 {
		l.Started(1)
		l.Exited("crash")
	}
	if changes := collect(l.Machine); len(changes) > 20 || changes[len(changes)-1].State != health.Exited {
		t.Error(states(changes))
	}
}

// Without a source a node is healthy as long as it runs.
func TestNodeThatNobodyWatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := health.New()
		if now := m.Snapshot(); now.State != health.Starting || !now.Live() || now.Ready() {
			t.Errorf("%+v", now)
		}
		m.Started(7)
		time.Sleep(time.Hour)
		if now := m.Snapshot(); now.State != health.Healthy || !now.Live() || !now.Ready() || now.Reason != "the node runs" {
			t.Errorf("%+v", now)
		}
		m.Stopping("SIGTERM")
		if now := m.Snapshot(); !now.Live() || now.Ready() || now.Reason != "SIGTERM" {
			t.Errorf("%+v", now)
		}
		m.Exited("exit code 0")
		if now := m.Snapshot(); now.Live() || now.Ready() || now.PID != 0 {
			t.Errorf("%+v", now)
		}
		if got := states(collect(m)); got != "healthy stopping exited" {
			t.Error(got)
		}
	})
}

// Of two sources one is enough for unhealthy, and it takes both for healthy. Who is to blame is named.
func TestTwoSources(t *testing.T) {
	const minute = time.Minute
	for _, c := range []struct {
		name   string
		story  func(m *health.Machine, logs, chain *health.Log)
		want   string
		reason string
	}{
		{"neither", func(m *health.Machine, logs, chain *health.Log) {}, "starting",
			"logs: no sign of life since the start 0s ago, threshold 10m0s; chain: no sign of life since the start 0s ago"},
		{"one", func(m *health.Machine, logs, chain *health.Log) { logs.Match(1, nil) }, "starting",
			"chain: no sign of life since the start 0s ago"},
		{"both", func(m *health.Machine, logs, chain *health.Log) { logs.Match(1, nil); chain.Match(1, nil) }, "starting healthy",
			"logs: last sign of life 0s ago; chain: last sign of life 0s ago"},
		{"one fails", func(m *health.Machine, logs, chain *health.Log) {
			logs.Match(1, nil)
			chain.Match(1, nil)
			chain.Fail("stall", "head stalls")
			logs.Match(1, nil)
		}, "starting healthy unhealthy", `chain: fail keyword "stall": head stalls`},
		{"one fails while the other starts", func(m *health.Machine, logs, chain *health.Log) { logs.Fail("bad", "bad luck") },
			"starting unhealthy", `logs: fail keyword "bad": bad luck`},
		{"recovery of one is not enough", func(m *health.Machine, logs, chain *health.Log) {
			logs.Fail("bad", "bad luck")
			chain.Fail("stall", "head stalls")
			logs.Match(1, nil)
		}, "starting unhealthy", `chain: fail keyword "stall": head stalls`},
		{"recovery while the other starts", func(m *health.Machine, logs, chain *health.Log) {
			logs.Fail("bad", "bad luck")
			logs.Match(1, nil)
		}, "starting unhealthy starting", "chain: no sign of life since the start 0s ago"},
		{"each is too late in its own time", func(m *health.Machine, logs, chain *health.Log) {
			logs.Match(1, nil)
			chain.Match(1, nil)
			time.Sleep(90 * time.Second) // the chain's is too old after one minute
			if now := m.Snapshot(); now.Reason != "chain: last sign of life 1m30s ago, threshold 1m0s" || now.Since != now.At.Add(-minute/2) {
				t.Errorf("%+v", now)
			}
			time.Sleep(4 * minute)
		}, "starting healthy unhealthy",
			"logs: last sign of life 5m30s ago, threshold 5m0s; chain: last sign of life 5m30s ago, threshold 1m0s"},
		{"stopping", func(m *health.Machine, logs, chain *health.Log) { m.Stopping("SIGTERM"); logs.Fail("x", "y") },
			"starting stopping", "SIGTERM"},
		{"sources of another plan", func(m *health.Machine, logs, chain *health.Log) {
			m.Exited("the configuration changed")
			m.DropSources()
			m.Started(2)
			logs.Fail("late", "news")
			chain.Match(1, map[string]string{"a": "1"})
			if now := m.Snapshot(); now.Matches != 0 || len(now.Values) != 0 {
				t.Errorf("%+v", now)
			}
		}, "starting exited healthy", "the node runs"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := health.New()
				logs := m.AddLog("logs", health.LogRules{Last: 5 * minute, Startup: 10 * minute, NeedsMatch: true})
				chain := m.AddLog("chain", health.LogRules{Last: minute, NeedsMatch: true})
				m.Started(1)
				c.story(m, logs, chain)
				if got := m.Snapshot().Reason; got != c.reason {
					t.Errorf("%q, want %q", got, c.reason)
				}
				if got := states(collect(m)); got != c.want {
					t.Errorf("%q, want %q", got, c.want)
				}
			})
		})
	}
}

// A node that has made itself a new key runs as well as any, and is unhealthy all the same.
func TestExpectedAnnouncements(t *testing.T) {
	m := health.New()
	l := m.AddLog("logs", health.LogRules{NeedsMatch: true, Expect: []string{"16Uiu2me", "enode://me"}})
	expect := func(state health.State, reason string, missing ...string) {
		t.Helper()
		now := m.Snapshot()
		if now.State != state || !strings.Contains(now.Reason, reason) || !slices.Equal(l.Missing(), missing) {
			t.Errorf("%s (%s), %q missing", now.State, now.Reason, l.Missing())
		}
		if state != health.Healthy && !now.LastMatch.IsZero() {
			t.Error("a sign of life has counted")
		}
	}
	for range 2 { // in each run anew
		m.Started(1)
		expect(health.Starting, "no sign of life", "16Uiu2me", "enode://me")
		l.Match(1, nil)
		expect(health.Unhealthy, `the node has not announced "16Uiu2me"`, "16Uiu2me", "enode://me")
		l.Seen("16Uiu2me")
		expect(health.Unhealthy, "16Uiu2me", "enode://me")
		l.Match(1, nil)
		expect(health.Unhealthy, `the node has not announced "enode://me"`, "enode://me")
		l.Seen("enode://me")
		expect(health.Unhealthy, "enode://me")
		l.Match(1, nil)
		expect(health.Healthy, "last sign of life")
	}
}

func TestSnapshotInJSON(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.FixedZone("somewhere", 3600))
	for _, c := range []struct {
		name     string
		snapshot health.Snapshot
		want     string
	}{
		{"not started", health.Snapshot{At: at, State: health.Starting, Reason: "r", Since: at},
			`{"state":"starting","reason":"r","matches":0,"values":{},"pid":0,"restarts":0,"live":true,"ready":false}`},
		{"healthy", health.Snapshot{At: at, State: health.Healthy, Reason: "r", LastMatch: at.Add(-3400 * time.Microsecond), Matches: 7,
			Values: map[string]string{"best": "42"}, PID: 12, StartedAt: at.Add(-time.Minute), Restarts: 1},
			`{"state":"healthy","reason":"r","lastMatch":"2026-01-02T02:04:04.997Z","matches":7,"values":{"best":"42"},"pid":12,` +
				`"startedAt":"2026-01-02T02:03:05Z","restarts":1,"live":true,"ready":true,"lastMatchAgeSeconds":0.003,"uptimeSeconds":60}`},
		{"at the very moment", health.Snapshot{At: at, State: health.Unhealthy, LastMatch: at},
			`{"state":"unhealthy","reason":"","lastMatch":"2026-01-02T02:04:05Z","matches":0,"values":{},"pid":0,"restarts":0,` +
				`"live":false,"ready":false,"lastMatchAgeSeconds":0}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := json.Marshal(c.snapshot)
			if err != nil || string(got) != c.want {
				t.Errorf("%s, %v, want %s", got, err, c.want)
			}
		})
	}
}

func TestMachineIsSafeForConcurrentUse(t *testing.T) {
	l := newNode(health.LogRules{Last: time.Nanosecond, NeedsMatch: true})
	ctx, cancel := context.WithCancel(t.Context())
	var run, users sync.WaitGroup
	last := health.Snapshot{}
	run.Go(func() { l.Run(ctx, func(s health.Snapshot) { last = s }) })
	for range 4 {
		users.Go(func() {
			for range 200 {
				l.Started(1)
				l.Match(1, map[string]string{"n": "1"})
				l.Fail("x", "y")
				l.Snapshot()
				l.Exited("")
			}
		})
	}
	users.Wait()
	cancel()
	run.Wait()
	if s := l.Snapshot(); s.Matches != 800 || s.State != health.Exited || last.State != health.Exited {
		t.Errorf("%+v; last reported %+v", s, last)
	}
}
