package healthcheck_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kubevali/kubevali/internal/healthcheck"
	"github.com/kubevali/kubevali/internal/secret"
	"github.com/sirupsen/logrus"
	logtest "github.com/sirupsen/logrus/hooks/test"
)

// Every test of the reporter runs in a synctest bubble: its clock moves only when everybody waits, so the times are exact
// and the tests take no time.

var (
	success = healthcheck.Ping{Kind: healthcheck.Success}
	fail    = healthcheck.Ping{Kind: healthcheck.Fail}
	logged  = healthcheck.Ping{Kind: healthcheck.Log}
	crash   = healthcheck.Ping{Kind: healthcheck.Exit, Code: 1}
	killed  = healthcheck.Ping{Kind: healthcheck.Exit, Code: 137}
)

// try is one attempt to send a ping, at seconds after the server's start.
type try struct {
	At   float64
	Ping string
}

func (t try) String() string { return fmt.Sprintf("%gs %s", t.At, t.Ping) }

// server is a Pinger in memory.
type server struct {
	start  time.Time
	answer func(ctx context.Context, p healthcheck.Ping) error // nil: accepts everything

	mu              sync.Mutex // guards the rest
	tries, accepted []try
}

func newServer() *server { return &server{start: time.Now()} }

func (s *server) Ping(ctx context.Context, p healthcheck.Ping) error {
	s.mu.Lock()
	this := try{time.Since(s.start).Seconds(), p.String()}
	s.tries = append(s.tries, this)
	answer := s.answer
	s.mu.Unlock()
	if answer != nil {
		if err := answer(ctx, p); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.accepted = append(s.accepted, this)
	return nil
}

func (s *server) all() []try {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.tries)
}

// pings returns the accepted pings, one word each.
func (s *server) pings() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var names []string
	for _, a := range s.accepted {
		names = append(names, a.Ping)
	}
	return strings.Join(names, ", ")
}

func (s *server) set(answer func(context.Context, healthcheck.Ping) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = answer
}

// hang never answers.
func hang(ctx context.Context, _ healthcheck.Ping) error {
	<-ctx.Done()
	return ctx.Err()
}

// hangOn hangs on one kind of ping.
func hangOn(kind healthcheck.Kind) func(context.Context, healthcheck.Ping) error {
	return func(ctx context.Context, p healthcheck.Ping) error {
		if p.Kind == kind {
			return hang(ctx, p)
		}
		return nil
	}
}

// down fails like a server that cannot be reached.
func down(context.Context, healthcheck.Ping) error {
	return &healthcheck.Error{}
}

func always(err error) func(context.Context, healthcheck.Ping) error {
	return func(context.Context, healthcheck.Ping) error { return err }
}

func current(p healthcheck.Ping) func() (healthcheck.Ping, bool) {
	return func() (healthcheck.Ping, bool) { return p, true }
}

// start starts a reporter with an interval of a minute and, by default, nothing to say by itself, closed at the end of the
// test.
func start(t *testing.T, o healthcheck.ReporterOptions) (*healthcheck.Reporter, *logtest.Hook) {
	logger, hook := logtest.NewNullLogger()
	logger.SetLevel(logrus.TraceLevel)
	if o.Interval == 0 {
		o.Interval = time.Minute
	}
	if o.Current == nil {
		o.Current = func() (healthcheck.Ping, bool) { return healthcheck.Ping{}, false }
	}
	o.Log = logger
	r := healthcheck.Start(o)
	t.Cleanup(func() { r.Close(5 * time.Second) })
	return r, hook
}

// sleep lets the bubble's clock run to the given time after the start, and everything that is due then happen.
func sleep(s *server, until time.Duration) {
	time.Sleep(time.Until(s.start.Add(until)))
	synctest.Wait()
}

// entries returns the log's lines of one level.
func entries(hook *logtest.Hook, level logrus.Level) []string {
	var lines []string
	for _, e := range hook.AllEntries() {
		if e.Level == level {
			lines = append(lines, e.Message)
		}
	}
	return lines
}

func wantTries(t *testing.T, s *server, want ...try) {
	t.Helper()
	if got := s.all(); !slices.Equal(got, want) {
		t.Errorf("tries %v, want %v", got, want)
	}
}

func wantPings(t *testing.T, s *server, want string) {
	t.Helper()
	if got := s.pings(); got != want {
		t.Errorf("accepted %q, want %q", got, want)
	}
}

func TestPeriodicPings(t *testing.T) {
	tests := map[string]struct {
		interval time.Duration
		until    time.Duration
		want     []try
	}{
		"each minute":        {time.Minute, 185 * time.Second, []try{{60, "success"}, {120, "success"}, {180, "success"}}},
		"at least 15s apart": {time.Second, 35 * time.Second, []try{{1, "success"}, {16, "success"}, {31, "success"}}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newServer()
				start(t, healthcheck.ReporterOptions{Pinger: s, Interval: tt.interval, Current: current(success)})
				sleep(s, tt.until)
				wantTries(t, s, tt.want...)
			})
		})
	}
}

func TestPeriodicPingSaysHowTheNodeIsThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		start(t, healthcheck.ReporterOptions{Pinger: s, Current: func() (healthcheck.Ping, bool) {
			switch at := time.Since(s.start); {
			case at < 100*time.Second:
				return healthcheck.Ping{}, false // still starting
			case at < 200*time.Second:
				return success, true
			default:
				return fail, true
			}
		}})
		sleep(s, 245*time.Second)
		wantTries(t, s, try{120, "success"}, try{180, "success"}, try{240, "fail"})
	})
}

func TestReportedPingGoesOutAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		r, hook := start(t, healthcheck.ReporterOptions{Pinger: s, Current: current(success)})
		r.Report(logged)
		sleep(s, 10*time.Second)
		r.Report(success)
		sleep(s, 125*time.Second)
		r.Report(logged)
		sleep(s, 149*time.Second)
		// The interval counts from the last word about the node's health, and a log line is none; but 15 s are kept.
		wantTries(t, s, try{0, "log"}, try{10, "success"}, try{70, "success"}, try{125, "log"}, try{140, "success"})
		if n := len(entries(hook, logrus.DebugLevel)); n != 5 {
			t.Errorf("%d debug lines for 5 accepted pings", n)
		}
		if noise := append(entries(hook, logrus.WarnLevel), entries(hook, logrus.InfoLevel)...); len(noise) > 0 {
			t.Errorf("logged %q", noise)
		}
	})
}

func TestReportNeverBlocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		s.set(hang)
		r, _ := start(t, healthcheck.ReporterOptions{Pinger: s})
		r.Report(logged)
		synctest.Wait() // the first ping hangs
		var all sync.WaitGroup
		for range 10 {
			all.Go(func() {
				for range 100 {
					r.Report(success)
					r.Report(fail)
				}
			})
		}
		all.Wait()
		if waited := time.Since(s.start); waited != 0 {
			t.Errorf("took %v", waited)
		}
	})
}

func TestReportedPingIsRetriedWithBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		s.set(down)
		r, hook := start(t, healthcheck.ReporterOptions{Pinger: s, Current: current(success)})
		r.Report(fail)
		sleep(s, 10*time.Minute)
		tries := s.all()
		if len(tries) < 10 {
			t.Fatalf("only %v in ten minutes", tries)
		}
		wait := 1.0
		for i := 1; i < len(tries); i++ {
			gap := tries[i].At - tries[i-1].At
			// From the fifth try on the allowance for state changes may add to the backoff.
			if gap < wait || i < 5 && gap > 1.5*wait || gap > 91 {
				t.Errorf("try %d came %.1fs after the one before, backoff %gs", i, gap, wait)
			}
			if tries[i].Ping != "fail" {
				t.Errorf("%s overtook the fail", tries[i])
			}
			wait = min(2*wait, 60)
		}
		s.set(nil)
		sleep(s, 15*time.Minute)
		if got := s.pings(); !strings.HasPrefix(got, "fail, success, success") {
			t.Errorf("accepted %s", got)
		}
		if warnings := entries(hook, logrus.WarnLevel); len(warnings) != 1 {
			t.Errorf("warned %q", warnings)
		}
		if infos := entries(hook, logrus.InfoLevel); !slices.Equal(infos, []string{"Health pings are accepted again"}) {
			t.Errorf("info %q", infos)
		}
	})
}

func TestPeriodicPingIsRetriedInsideItsInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		s.set(down)
		asked := 0
		start(t, healthcheck.ReporterOptions{Pinger: s, Current: func() (healthcheck.Ping, bool) {
			asked++
			return success, true
		}})
		sleep(s, 5*time.Minute+59*time.Second)
		tries := s.all()
		perInterval := map[int]int{}
		for i, this := range tries {
			perInterval[int(this.At/60)]++
			if i > 0 && this.At-tries[i-1].At < 15 {
				t.Errorf("%s less than 15s after %s", this, tries[i-1])
			}
		}
		for minute := 1; minute <= 5; minute++ {
			if n := perInterval[minute]; n < 2 || n > 3 {
				t.Errorf("%d tries in minute %d", n, minute)
			}
			if !slices.Contains(tries, try{float64(60 * minute), "success"}) {
				t.Errorf("none on the minute %d", minute)
			}
		}
		if asked != len(tries) {
			t.Errorf("asked for the state %d times in %d tries", asked, len(tries))
		}
	})
}

func TestConfigurationErrorsAreNotRetried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		code := 404
		var mu sync.Mutex
		client := newClient(t, healthcheck.ClientOptions{
			BaseURL: "https://hc.example.com",
			ID:      uuid,
			Transport: roundTrip(func(*http.Request) (*http.Response, error) {
				mu.Lock()
				defer mu.Unlock()
				return &http.Response{StatusCode: code, Body: io.NopCloser(strings.NewReader("OK"))}, nil
			}),
		})
		become := func(c int) {
			mu.Lock()
			defer mu.Unlock()
			code = c
		}
		s := newServer()
		s.set(client.Ping)
		r, hook := start(t, healthcheck.ReporterOptions{Pinger: s, Current: current(success)})
		r.Report(fail)
		sleep(s, 125*time.Second)
		wantTries(t, s, try{0, "fail"}, try{60, "success"}, try{120, "success"})
		become(409)
		sleep(s, 245*time.Second)
		become(404)
		sleep(s, 305*time.Second)
		become(200)
		sleep(s, 425*time.Second)
		become(404)
		sleep(s, 485*time.Second)
		var codes []string
		for _, line := range entries(hook, logrus.WarnLevel) {
			_, text, _ := strings.Cut(line, "answered ")
			codes = append(codes, text[:3])
		}
		if want := []string{"404", "409", "404"}; !slices.Equal(codes, want) {
			t.Errorf("warned of %v, want %v", codes, want)
		}
		if infos := entries(hook, logrus.InfoLevel); len(infos) != 1 {
			t.Errorf("info %q", infos)
		}
	})
}

func TestRetryAfterHoldsBackEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		s.set(always(&healthcheck.Error{RetryAfter: 100 * time.Second}))
		r, _ := start(t, healthcheck.ReporterOptions{Pinger: s, Current: current(success)})
		sleep(s, 60*time.Second)
		s.set(nil)
		sleep(s, 70*time.Second)
		r.Report(fail)
		sleep(s, 165*time.Second)
		wantTries(t, s, try{60, "success"}, try{160, "fail"})
	})
}

func TestNewerReplacesOlderWhileTheServerIsDown(t *testing.T) {
	tests := map[string]struct {
		reported []healthcheck.Ping
		want     string
	}{
		"the newest state":             {[]healthcheck.Ping{success, fail, success, fail}, "fail"},
		"recovered":                    {[]healthcheck.Ping{fail, success}, "success"},
		"the exit, not the last state": {[]healthcheck.Ping{success, fail, crash}, "exit 1"},
		"the newest exit":              {[]healthcheck.Ping{crash, killed}, "exit 137"},
		"a crash and the next run":     {[]healthcheck.Ping{logged, success, crash, logged, success}, "exit 1, log, success"},
		"two crashes":                  {[]healthcheck.Ping{success, crash, success, fail, killed}, "exit 137"},
		"a fail, then the stop":        {[]healthcheck.Ping{logged, fail, logged}, "fail, log"},
		"a start":                      {[]healthcheck.Ping{logged, success}, "log, success"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newServer()
				s.set(down)
				r, _ := start(t, healthcheck.ReporterOptions{Pinger: s, Interval: time.Hour})
				for i, p := range tt.reported {
					r.Report(p)
					sleep(s, time.Duration(i+1)*time.Second)
				}
				s.set(nil)
				sleep(s, 30*time.Minute)
				wantPings(t, s, tt.want)
			})
		})
	}
}

func TestNewsDoNotWaitForAHangingPing(t *testing.T) {
	tests := map[string]struct {
		first, then healthcheck.Ping
		want        []try
	}{
		"a replaced one is given up":   {success, fail, []try{{0, "success"}, {3, "fail"}}},
		"an exit replaces a state":     {success, killed, []try{{0, "success"}, {3, "exit 137"}}},
		"one that counts is waited on": {killed, success, []try{{0, "exit 137"}}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newServer()
				s.set(hangOn(tt.first.Kind))
				r, hook := start(t, healthcheck.ReporterOptions{Pinger: s})
				r.Report(tt.first)
				sleep(s, time.Second)
				r.Report(tt.then)
				r.Report(tt.then)
				sleep(s, 9*time.Second)
				wantTries(t, s, tt.want...)
				if warnings := entries(hook, logrus.WarnLevel); len(warnings) > 0 {
					t.Errorf("warned %q", warnings)
				}
			})
		})
	}
}

func TestNewsDoNotWaitForAHangingPeriodicPing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		s.set(hangOn(healthcheck.Success))
		r, _ := start(t, healthcheck.ReporterOptions{Pinger: s, Current: current(success)})
		sleep(s, 61*time.Second)
		r.Report(logged)
		sleep(s, 65*time.Second)
		wantTries(t, s, try{60, "success"}, try{63, "log"})
	})
}

func TestASlowServerGetsBothStates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		s.set(func(context.Context, healthcheck.Ping) error {
			time.Sleep(1500 * time.Millisecond)
			return nil
		})
		r, _ := start(t, healthcheck.ReporterOptions{Pinger: s})
		r.Report(fail)
		synctest.Wait()
		r.Report(success)
		sleep(s, 10*time.Second)
		wantPings(t, s, "fail, success")
	})
}

func TestAFlappingNodeDoesNotFloodTheServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		r, _ := start(t, healthcheck.ReporterOptions{Pinger: s})
		for i := range 600 { // ten a second, for a minute
			r.Report([]healthcheck.Ping{fail, success}[i%2])
			sleep(s, time.Duration(i+1)*100*time.Millisecond)
		}
		r.Report(fail)
		sleep(s, 2*time.Minute)
		tries := s.all()
		if len(tries) < 5 || len(tries) > 10 {
			t.Errorf("%d pings: %v", len(tries), tries)
		}
		if last := tries[len(tries)-1]; last.Ping != "fail" {
			t.Errorf("the last state did not arrive, but %s", last)
		}
	})
}

func TestUnknownErrorsAreRetried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		s.set(always(errors.New("boom")))
		r, hook := start(t, healthcheck.ReporterOptions{Pinger: s})
		r.Report(fail)
		sleep(s, 10*time.Second)
		s.set(nil)
		sleep(s, time.Minute)
		wantPings(t, s, "fail")
		if w := entries(hook, logrus.WarnLevel); len(w) != 1 || !strings.Contains(w[0], "boom") {
			t.Errorf("warned %q", w)
		}
	})
}

func TestClose(t *testing.T) {
	const budget = 4 * time.Second
	tests := map[string]struct {
		before  []healthcheck.Ping // reported and on their way for a second
		last    []healthcheck.Ping // reported just before Close
		answer  func(context.Context, healthcheck.Ping) error
		want    string // accepted
		tries   string // all
		took    time.Duration
		warning string
	}{
		"nothing to do": {},
		"the last ping": {before: []healthcheck.Ping{success}, last: []healthcheck.Ping{logged}, want: "success, log", tries: "success, log"},
		"in order":      {last: []healthcheck.Ping{killed, logged, success}, want: "exit 137, log, success", tries: "exit 137, log, success"},
		"the last ping though an older hangs": {before: []healthcheck.Ping{fail}, last: []healthcheck.Ping{logged},
			answer: hangOn(healthcheck.Fail), want: "log", tries: "fail, log", took: budget / 2, warning: "lost"},
		"the last ping though a replaced one hangs": {before: []healthcheck.Ping{fail}, last: []healthcheck.Ping{killed},
			answer: hangOn(healthcheck.Fail), want: "exit 137", tries: "fail, exit 137"},
		"the hanging one is the last": {before: []healthcheck.Ping{killed}, answer: hang, tries: "exit 137", took: budget, warning: "lost"},
		"all hang":                    {before: []healthcheck.Ping{fail}, last: []healthcheck.Ping{logged}, answer: hang, tries: "fail, log", took: budget, warning: "lost"},
		"refused": {last: []healthcheck.Ping{killed}, answer: always(&healthcheck.Error{Permanent: true}),
			tries: "exit 137", warning: "not accepted"},
		"a server that takes a second": {before: []healthcheck.Ping{killed}, answer: func(context.Context, healthcheck.Ping) error {
			time.Sleep(1500 * time.Millisecond)
			return nil
		}, want: "exit 137", tries: "exit 137", took: 500 * time.Millisecond},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newServer()
				s.set(tt.answer)
				r, hook := start(t, healthcheck.ReporterOptions{Pinger: s})
				for _, p := range tt.before {
					r.Report(p)
				}
				sleep(s, time.Second)
				for _, p := range tt.last {
					r.Report(p)
				}
				began := time.Now()
				r.Close(budget)
				if took := time.Since(began); took != tt.took {
					t.Errorf("took %v, want %v", took, tt.took)
				}
				wantPings(t, s, tt.want)
				var tries []string
				for _, this := range s.all() {
					tries = append(tries, this.Ping)
				}
				if got := strings.Join(tries, ", "); got != tt.tries {
					t.Errorf("tried %q, want %q", got, tt.tries)
				}
				if w := strings.Join(entries(hook, logrus.WarnLevel), "\n"); !strings.Contains(w, tt.warning) || tt.warning == "" && w != "" {
					t.Errorf("warned %q, want %q", w, tt.warning)
				}
			})
		})
	}
}

func TestCloseTriesTheLastPingAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		s.set(func(context.Context, healthcheck.Ping) error {
			if len(s.all()) < 3 {
				return &healthcheck.Error{}
			}
			return nil
		})
		r, _ := start(t, healthcheck.ReporterOptions{Pinger: s})
		r.Report(killed)
		r.Close(5 * time.Second)
		wantPings(t, s, "exit 137")
	})
}

func TestCloseGivesUpOnAServerThatIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		s.set(down)
		r, hook := start(t, healthcheck.ReporterOptions{Pinger: s})
		r.Report(killed)
		r.Close(5 * time.Second)
		if took := time.Since(s.start); took > 5*time.Second {
			t.Errorf("took %v", took)
		}
		if w := strings.Join(entries(hook, logrus.WarnLevel), "\n"); !strings.Contains(w, "lost") {
			t.Errorf("warned %q", w)
		}
	})
}

func TestCloseEndsAHangingPeriodicPingAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		s.set(hang)
		r, _ := start(t, healthcheck.ReporterOptions{Pinger: s, Current: current(success)})
		sleep(s, 61*time.Second)
		r.Close(5 * time.Second)
		if took := time.Since(s.start); took != 61*time.Second {
			t.Errorf("took %v", took-61*time.Second)
		}
	})
}

func TestCloseWithoutTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		s.set(hang)
		r, _ := start(t, healthcheck.ReporterOptions{Pinger: s})
		r.Report(killed)
		synctest.Wait()
		r.Close(0)
		if took := time.Since(s.start); took != 0 {
			t.Errorf("took %v", took)
		}
	})
}

func TestAfterCloseNothingIsSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		r, _ := start(t, healthcheck.ReporterOptions{Pinger: s, Current: current(success)})
		r.Close(5 * time.Second)
		r.Report(fail)
		r.Close(5 * time.Second)
		sleep(s, 5*time.Minute)
		wantTries(t, s)
	})
}

// TestNoLogShowsTheID sends pings through a real client to servers that do their worst to give the ID away.
func TestNoLogShowsTheID(t *testing.T) {
	worst := map[string]roundTrip{
		"not found": respond(404, "no check "+uuid),
		"hosted":    respond(200, "OK (not found)"),
		"redirect":  respond(301, "", "Location", "https://"+uuid+".example.com/"+uuid),
		"busy":      respond(429, uuid, "Retry-After", "1"),
		"broken":    respond(500, uuid),
		"network": func(r *http.Request) (*http.Response, error) {
			return nil, fmt.Errorf("%s %s: %w", r.Method, r.URL, io.ErrClosedPipe)
		},
	}
	for _, id := range []string{uuid, slug} {
		for name, transport := range worst {
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := newServer()
					c := newClient(t, healthcheck.ClientOptions{BaseURL: "https://hc.example.com/ping", ID: secret.Text(id), Transport: transport})
					s.set(c.Ping)
					r, hook := start(t, healthcheck.ReporterOptions{Pinger: s, Current: current(success)})
					r.Report(fail)
					sleep(s, 2*time.Minute)
					r.Report(killed)
					r.Close(5 * time.Second)
					if len(entries(hook, logrus.WarnLevel)) == 0 {
						t.Error("no warning")
					}
					for _, e := range hook.AllEntries() {
						line, err := e.String()
						if err != nil {
							t.Fatal(err)
						}
						mustNotLeak(t, line, id)
					}
				})
			})
		}
	}
}

func respond(code int, body string, header ...string) roundTrip {
	return func(*http.Request) (*http.Response, error) {
		r := &http.Response{StatusCode: code, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		return r, nil
	}
}
