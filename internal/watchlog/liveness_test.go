package watchlog_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kubevali/kubevali/internal/watchlog"
)

// states returns the states that Run has reported.
func states(changes []watchlog.Snapshot) string {
	var names []string
	for _, c := range changes {
		names = append(names, string(c.State))
	}
	return strings.Join(names, " ")
}

func TestLiveness(t *testing.T) {
	const minute = time.Minute
	type live = *watchlog.Liveness
	usual := watchlog.Thresholds{Last: 5 * minute, Startup: 10 * minute, NeedsMatch: true}
	patient := watchlog.Thresholds{Last: 5 * minute, NeedsMatch: true}
	failuresOnly := watchlog.Thresholds{Last: 5 * minute, Startup: minute}
	for _, c := range []struct {
		name       string
		thresholds watchlog.Thresholds
		story      func(l live)
		want       string // the states in order
		reason     string // part of the last one's
	}{
		{"never started", usual, func(live) { time.Sleep(time.Hour) }, "", "not started"},
		{"starting", usual, func(l live) { l.Started(1); time.Sleep(9 * minute) }, "starting", "since the start 9m0s ago"},
		{"too long a start", usual, func(l live) { l.Started(1); time.Sleep(11 * minute) }, "starting unhealthy",
			"since the start 11m0s ago, threshold 10m0s"},
		{"a start of any length", patient, func(l live) { l.Started(1); time.Sleep(99 * time.Hour) }, "starting", "99h0m0s"},
		{"first sign of life", usual, func(l live) { l.Started(1); l.Match(1, nil); time.Sleep(4 * minute) }, "starting healthy",
			"last sign of life 4m0s ago"},
		{"late first sign of life", usual, func(l live) { l.Started(1); time.Sleep(11 * minute); l.Match(1, nil) },
			"starting unhealthy healthy", "last sign of life 0s ago"},
		{"regular signs of life", usual, func(l live) {
			l.Started(1)
			for range 100 {
				l.Match(2, nil)
				time.Sleep(4 * minute)
			}
		}, "starting healthy", "4m0s ago"},
		{"silence", usual, func(l live) { l.Started(1); l.Match(1, nil); time.Sleep(6 * minute) }, "starting healthy unhealthy",
			"last sign of life 6m0s ago, threshold 5m0s"},
		{"recovery", usual, func(l live) { l.Started(1); l.Match(1, nil); time.Sleep(6 * minute); l.Match(1, nil) },
			"starting healthy unhealthy healthy", "0s ago"},
		{"failure", usual, func(l live) { l.Started(1); l.Match(1, nil); l.Fail("panic", "panic: at the disco") },
			"starting healthy unhealthy", `fail keyword "panic": panic: at the disco`},
		{"failure while starting", usual, func(l live) { l.Started(1); l.Fail("panic", "x"); time.Sleep(time.Hour) },
			"starting unhealthy", "panic"},
		{"failure after silence", usual, func(l live) { l.Started(1); time.Sleep(time.Hour); l.Fail("panic", "x") },
			"starting unhealthy", "panic"},
		{"recovery from a failure", usual, func(l live) { l.Started(1); l.Fail("panic", "x"); l.Match(1, nil) },
			"starting unhealthy healthy", "sign of life"},
		{"values alone are no sign of life", usual, func(l live) { l.Started(1); l.Match(0, map[string]string{"a": "1"}) },
			"starting", "no sign of life"},
		{"failures only", failuresOnly, func(l live) { l.Started(1); time.Sleep(time.Hour) }, "healthy", "no failure"},
		{"failures only, and one", failuresOnly, func(l live) { l.Started(1); l.Fail("x", "y"); time.Sleep(time.Hour) },
			"healthy unhealthy", "fail"},
		{"stopping", usual, func(l live) {
			l.Started(1)
			l.Match(1, nil)
			l.Stopping("SIGTERM")
			l.Stopping("again")
			l.Match(1, nil)
			l.Fail("x", "y")
			time.Sleep(time.Hour)
		}, "starting healthy stopping", "SIGTERM"},
		{"exit", usual, func(l live) {
			l.Started(1)
			l.Stopping("SIGTERM")
			l.Exited("exit code 0")
			l.Exited("again")
			l.Stopping("too late")
			l.Match(1, nil)
			l.Fail("x", "y")
			time.Sleep(time.Hour)
		}, "starting stopping exited", "exit code 0"},
		{"restart", usual, func(l live) {
			l.Started(1)
			l.Match(1, nil)
			l.Exited("exit code 1")
			time.Sleep(time.Hour)
			l.Started(2)
			time.Sleep(9 * minute)
		}, "starting healthy exited starting", "since the start 9m0s ago"},
		{"signs of life before the start is known", usual, func(l live) { l.Match(1, nil) }, "healthy", "sign of life"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := watchlog.NewLiveness(c.thresholds)
				ctx, cancel := context.WithCancel(t.Context())
				var changes []watchlog.Snapshot
				var run sync.WaitGroup
				run.Go(func() { l.Run(ctx, func(s watchlog.Snapshot) { changes = append(changes, s) }) })
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
		l := watchlog.NewLiveness(watchlog.Thresholds{Last: time.Minute, NeedsMatch: true})
		begin := time.Now()
		at := func(d time.Duration) time.Time { return begin.Add(d) }
		expect := func(want watchlog.Snapshot) {
			t.Helper()
			got := l.Snapshot()
			if got.State != want.State || !got.Since.Equal(want.Since) || !got.StartedAt.Equal(want.StartedAt) ||
				!got.LastMatch.Equal(want.LastMatch) || got.Matches != want.Matches || got.PID != want.PID {
				t.Errorf("%+v, want %+v", got, want)
			}
		}
		expect(watchlog.Snapshot{State: watchlog.Starting, Since: at(0)})
		time.Sleep(time.Second)
		l.Started(7)
		expect(watchlog.Snapshot{State: watchlog.Starting, Since: at(time.Second), StartedAt: at(time.Second), PID: 7})
		time.Sleep(time.Second)
		l.Match(3, map[string]string{"a": "1", "b": "1"})
		l.Match(2, map[string]string{"b": "2"})
		values := l.Snapshot().Values
		if len(values) != 2 || values["a"] != "1" || values["b"] != "2" {
			t.Errorf("values %v", values)
		}
		values["a"] = "the reader's own"
		healthy := watchlog.Snapshot{State: watchlog.Healthy, Since: at(2 * time.Second), StartedAt: at(time.Second),
			LastMatch: at(2 * time.Second), Matches: 5, PID: 7}
		expect(healthy)
		if got := l.Snapshot().Values["a"]; got != "1" {
			t.Errorf("value a has become %q", got)
		}
		time.Sleep(time.Minute - time.Nanosecond)
		expect(healthy)
		time.Sleep(time.Nanosecond)
		silent := healthy
		silent.State, silent.Since = watchlog.Unhealthy, at(time.Minute+2*time.Second)
		expect(silent)
		time.Sleep(time.Hour)
		expect(silent) // since the threshold, not since somebody looked
		l.Exited("gone")
		l.Started(8)
		now := time.Now()
		expect(watchlog.Snapshot{State: watchlog.Starting, Since: now, StartedAt: now, Matches: 5, PID: 8})
		if values := l.Snapshot().Values; len(values) > 0 {
			t.Errorf("values of the run before: %v", values)
		}
	})
}

// Run wakes up for the threshold by itself, at the moment.
func TestRunReportsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := watchlog.NewLiveness(watchlog.Thresholds{Last: time.Minute, Startup: time.Hour, NeedsMatch: true})
		var at []time.Duration
		begin := time.Now()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go l.Run(ctx, func(s watchlog.Snapshot) {
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

// Whatever happens within one chunk, a failure in it is reported.
func TestFailureIsNotLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := watchlog.NewLiveness(watchlog.Thresholds{NeedsMatch: true})
		l.Started(1)
		m := watchlog.NewMatcher(watchlog.Rules{Keywords: []string{"ok"}, FailKeywords: []string{"bad"}}, l)
		m.Write([]byte("ok\nok\nbad luck\nok\n"))
		if s := l.Snapshot(); s.State != watchlog.Healthy || s.Matches != 3 {
			t.Errorf("%+v", s)
		}
		changes := collect(l)
		if got := states(changes); got != "starting healthy unhealthy healthy" {
			t.Fatal(got)
		}
		if got := changes[2].Reason; got != `fail keyword "bad": bad luck` {
			t.Error(got)
		}
	})
}

// collect returns all changes that Run has not reported yet.
func collect(l *watchlog.Liveness) (changes []watchlog.Snapshot) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	l.Run(ctx, func(s watchlog.Snapshot) { changes = append(changes, s) })
	return changes
}

// While nobody listens a node that flaps, or restarts, does not fill the memory; what is kept makes sense.
func TestPendingChangesAreBounded(t *testing.T) {
	l := watchlog.NewLiveness(watchlog.Thresholds{NeedsMatch: true})
	l.Started(1)
	for range 1000 {
		l.Match(1, nil)
		l.Fail("x", "flapping")
	}
	l.Match(1, nil)
	l.Exited("done")
	changes := collect(l)
	got := states(changes)
	if len(changes) > 20 || !strings.HasPrefix(got, "starting healthy unhealthy healthy") || !strings.HasSuffix(got, "unhealthy healthy exited") {
		t.Error(got)
	}
	for range 1000 {
		l.Started(1)
		l.Exited("crash")
	}
	if changes := collect(l); len(changes) > 20 || changes[len(changes)-1].State != watchlog.Exited {
		t.Error(states(changes))
	}
}

func TestLivenessIsSafeForConcurrentUse(t *testing.T) {
	l := watchlog.NewLiveness(watchlog.Thresholds{Last: time.Nanosecond, NeedsMatch: true})
	ctx, cancel := context.WithCancel(t.Context())
	var run, users sync.WaitGroup
	last := watchlog.Snapshot{}
	run.Go(func() { l.Run(ctx, func(s watchlog.Snapshot) { last = s }) })
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
	if s := l.Snapshot(); s.Matches != 800 || s.State != watchlog.Exited || last.State != watchlog.Exited {
		t.Errorf("%+v; last reported %+v", s, last)
	}
}
