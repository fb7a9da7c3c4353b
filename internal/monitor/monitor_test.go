package monitor_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kubevali/kubevali/internal/health"
	"github.com/kubevali/kubevali/internal/hint"
	"github.com/kubevali/kubevali/internal/monitor"
)

var (
	healthy = health.Snapshot{At: time.Now(), State: health.Healthy, Reason: `found "Imported"`, Matches: 7,
		Values: map[string]string{"best_block": "42"}, PID: 12, Restarts: 1}
	starting  = health.Snapshot{State: health.Starting, Reason: `no "Imported" yet`}
	unhealthy = health.Snapshot{State: health.Unhealthy, Reason: `no "Imported" for 10m3s (threshold 10m)`}
	unwatched = health.Snapshot{State: health.Healthy, Reason: "the node runs"}
)

// serve starts a server on a free port and returns its address. stop ends it and returns what Serve returned.
func serve(t *testing.T, source func() health.Snapshot) (addr string, stop func() error) {
	t.Helper()
	s, err := monitor.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx, source) }()
	stop = sync.OnceValue(func() error {
		cancel()
		return <-served
	})
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
	return s.Addr().String(), stop
}

func status(s health.Snapshot) func() health.Snapshot { return func() health.Snapshot { return s } }

// ask sends a request on a connection of its own.
func ask(t *testing.T, method, url string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

func TestProbes(t *testing.T) {
	matched := healthy
	matched.LastMatch = matched.At.Add(-3 * time.Hour)
	matchedThenStopping := health.Snapshot{At: matched.At, State: health.Stopping, Reason: "SIGTERM", LastMatch: matched.LastMatch}
	hostile := health.Snapshot{State: health.Unhealthy, Reason: "panic\r\nHTTP/1.1 200 OK\x1b[2J\xff"}
	const yes, no = http.StatusOK, http.StatusServiceUnavailable
	tests := map[string]struct {
		status                health.Snapshot
		live, ready           int
		liveLine, readyPrefix string
	}{
		"healthy":   {matched, yes, yes, "ok: healthy, last match 3h0m0s ago\n", "ok: healthy, last match 3h0m"},
		"starting":  {starting, yes, no, "ok: starting, no \"Imported\" yet\n", "starting: no \"Imported\" yet\n"},
		"unhealthy": {unhealthy, no, no, "unhealthy: no \"Imported\" for 10m3s (threshold 10m)\n", "unhealthy: no"},
		"stopping":  {matchedThenStopping, yes, no, "ok: stopping, last match 3h0m0s ago\n", "stopping: SIGTERM\n"},
		"unwatched": {unwatched, yes, yes, "ok: healthy, the node runs\n", "ok: healthy, the node runs\n"},
		"hostile":   {hostile, no, no, "unhealthy: panic  HTTP/1.1 200 OK [2J\uFFFD\n", "unhealthy: panic  HTTP"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			addr, _ := serve(t, status(tt.status))
			for path, code := range map[string]int{"/livez": tt.live, "/healthz": tt.live, "/readyz": tt.ready} {
				resp, body := ask(t, "GET", "http://"+addr+path)
				if resp.StatusCode != code {
					t.Errorf("%s: %d, want %d", path, resp.StatusCode, code)
				}
				want := tt.liveLine
				if path == "/readyz" {
					want = tt.readyPrefix
				}
				if !strings.HasPrefix(body, want) || strings.Count(body, "\n") != 1 {
					t.Errorf("%s: %q, want %q", path, body, want)
				}
				if h := resp.Header; h.Get("Content-Type") != "text/plain; charset=utf-8" || h.Get("Cache-Control") != "no-store" {
					t.Errorf("%s: header %v", path, h)
				}
				head, nothing := ask(t, "HEAD", "http://"+addr+path)
				if head.StatusCode != code || nothing != "" || head.ContentLength != int64(len(body)) {
					t.Errorf("HEAD %s: %d, %q, length %d", path, head.StatusCode, nothing, head.ContentLength)
				}
			}
		})
	}
}

func TestVerbose(t *testing.T) {
	s := healthy
	s.LastMatch = s.At.Add(-3 * time.Second)
	s.StartedAt = s.At.Add(-time.Minute)
	addr, _ := serve(t, status(s))
	resp, body := ask(t, "GET", "http://"+addr+"/readyz?verbose")
	if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "application/json" {
		t.Errorf("%d, %v", resp.StatusCode, resp.Header)
	}
	var got struct {
		State, Reason       string
		Live, Ready         bool
		LastMatch           string
		LastMatchAgeSeconds float64
		Matches             int
		Values              map[string]string
		PID                 int
		StartedAt           string
		UptimeSeconds       float64
		Restarts            int
	}
	if err := json.Unmarshal([]byte(body), &got); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	if got.State != "healthy" || got.Reason != s.Reason || !got.Live || !got.Ready || got.Matches != 7 ||
		got.Values["best_block"] != "42" || got.PID != 12 || got.Restarts != 1 {
		t.Errorf("got %s", body)
	}
	if got.LastMatchAgeSeconds != 3 || got.UptimeSeconds != 60 {
		t.Errorf("ages %v and %v", got.LastMatchAgeSeconds, got.UptimeSeconds)
	}
	for _, text := range []string{got.LastMatch, got.StartedAt} {
		if at, err := time.Parse(time.RFC3339, text); err != nil || at.Location() != time.UTC {
			t.Errorf("%q is not a time in RFC 3339 and UTC", text)
		}
	}
}

func TestVerboseLeavesOutWhatIsNotKnown(t *testing.T) {
	addr, _ := serve(t, status(starting))
	resp, body := ask(t, "GET", "http://"+addr+"/readyz?verbose=1")
	if resp.StatusCode != 503 {
		t.Errorf("status %d", resp.StatusCode)
	}
	if strings.Contains(body, "lastMatch") || strings.Contains(body, "uptime") || !strings.Contains(body, `"values": {}`) {
		t.Errorf("got %s", body)
	}
}

func TestOnlyReadingIsAllowed(t *testing.T) {
	addr, _ := serve(t, status(healthy))
	for _, method := range []string{"POST", "PUT", "DELETE", "OPTIONS", "PATCH"} {
		resp, _ := ask(t, method, "http://"+addr+"/livez")
		if resp.StatusCode != 405 || resp.Header.Get("Allow") != "GET, HEAD" {
			t.Errorf("%s: %d, Allow %q", method, resp.StatusCode, resp.Header.Get("Allow"))
		}
	}
}

func TestOtherPathsListTheEndpoints(t *testing.T) {
	addr, _ := serve(t, status(healthy))
	for _, path := range []string{"/", "/metrics", "/livez/", "/LIVEZ", "/livez/x", "/debug/pprof/"} {
		resp, body := ask(t, "GET", "http://"+addr+path)
		if resp.StatusCode != 404 || !strings.Contains(body, "/livez, /readyz, /healthz") {
			t.Errorf("%s: %d %q", path, resp.StatusCode, body)
		}
	}
}

func TestHugeHeadersAreRefused(t *testing.T) {
	addr, _ := serve(t, status(healthy))
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, _ = fmt.Fprintf(conn, "GET /livez HTTP/1.1\r\nHost: x\r\nX: %s\r\n\r\n", strings.Repeat("x", 16<<10))
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 431 {
		t.Errorf("status %d", resp.StatusCode)
	}
}

func TestListenErrorsSayWhatToDo(t *testing.T) {
	taken, err := monitor.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { taken.Close() })
	tests := map[string]string{
		taken.Addr().String(): "address already in use (pods on the host network share its ports: give each one of its own)",
		"":                    "no address",
		"49944":               `expected ":port" or "host:port"`,
		":99999":              `expected ":port" or "host:port"`,
		":http-no-such-name":  `expected ":port" or "host:port"`,
		"192.0.2.1:0":         "this host does not have that address",
	}
	for addr, says := range tests {
		s, err := monitor.Listen(addr)
		if err == nil {
			s.Close()
			t.Errorf("%q: no error", addr)
			continue
		}
		if text := hint.Line(err); !strings.Contains(text, says) {
			t.Errorf("%q: %s", addr, text)
		}
	}
}

func TestCloseGivesUpThePort(t *testing.T) {
	first, err := monitor.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second, err := monitor.Listen(first.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	second.Close()
}

func TestServeFinishesItsAnswersAndEnds(t *testing.T) {
	asked, release := make(chan struct{}), make(chan struct{})
	addr, stop := serve(t, func() health.Snapshot {
		close(asked)
		<-release
		return healthy
	})
	answered := make(chan error, 1)
	go func() {
		_, err := monitor.Probe(context.Background(), addr, monitor.Live)
		answered <- err
	}()
	<-asked
	stopped := make(chan error, 1)
	go func() { stopped <- stop() }()
	// The port closes before the answer is done.
	eventually(t, "the port is closed", func() bool {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			conn.Close()
		}
		return err != nil
	})
	close(release)
	if err := <-answered; err != nil {
		t.Errorf("the answer on its way: %v", err)
	}
	if err := <-stopped; err != nil {
		t.Errorf("Serve: %v", err)
	}
}

func TestServeDoesNotWaitForSilentClients(t *testing.T) {
	addr, stop := serve(t, status(healthy))
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, "GET /livez HT")
	if err := stop(); err != nil {
		t.Error(err)
	}
	if _, err := conn.Read(make([]byte, 1)); err == nil {
		t.Error("the connection is still open")
	}
}

func TestServeSaysWhenItsListenerBreaks(t *testing.T) {
	s, err := monitor.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	if err := s.Serve(t.Context(), status(healthy)); err == nil {
		t.Error("no error")
	}
}

func TestServeLeavesNoGoroutineBehind(t *testing.T) {
	before := runtime.NumGoroutine()
	addr, stop := serve(t, status(healthy))
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 10 {
				_, _ = monitor.Probe(t.Context(), addr, monitor.Ready)
			}
		})
	}
	all.Wait()
	if err := stop(); err != nil {
		t.Error(err)
	}
	eventually(t, "the goroutines have ended", func() bool { return runtime.NumGoroutine() <= before })
}

// eventually polls for what has no event to wait for.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

func TestProbe(t *testing.T) {
	tests := map[string]struct {
		status      health.Snapshot
		live, ready string // the error, empty for none
	}{
		"healthy":   {healthy, "", ""},
		"starting":  {starting, "", `starting: no "Imported" yet`},
		"unhealthy": {unhealthy, `unhealthy: no "Imported" for 10m3s (threshold 10m)`, `unhealthy: no "Imported" for 10m3s (threshold 10m)`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			addr, _ := serve(t, status(tt.status))
			for kind, want := range map[monitor.Kind]string{monitor.Live: tt.live, monitor.Ready: tt.ready} {
				line, err := monitor.Probe(t.Context(), addr, kind)
				if want == "" && (err != nil || !strings.HasPrefix(line, "ok: ")) {
					t.Errorf("%s: %q, %v", kind, line, err)
				}
				if want != "" && (err == nil || err.Error() != want) {
					t.Errorf("%s: %v, want %s", kind, err, want)
				}
			}
		})
	}
}

func TestProbeConnectsToWhereTheServerListens(t *testing.T) {
	for _, listen := range []string{":0", "0.0.0.0:0", "[::]:0", "127.0.0.1:0", "localhost:0"} {
		t.Run(listen, func(t *testing.T) {
			s, err := monitor.Listen(listen)
			if err != nil {
				t.Skipf("this machine cannot listen there: %v", err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			var done sync.WaitGroup
			done.Go(func() { _ = s.Serve(ctx, status(healthy)) })
			defer done.Wait()
			defer cancel()
			_, port, _ := net.SplitHostPort(s.Addr().String())
			if _, err := monitor.Probe(ctx, strings.TrimSuffix(listen, "0")+port, monitor.Live); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestProbeErrorsSayWhatToDo(t *testing.T) {
	gone, err := monitor.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone.Close()
	other := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(other.Close)
	broken := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		conn, _, _ := http.NewResponseController(w).Hijack()
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nok")
		conn.Close()
	}))
	t.Cleanup(broken.Close)
	hanging, _ := serve(t, func() health.Snapshot {
		<-t.Context().Done()
		return healthy
	})
	inTime, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	t.Cleanup(cancel)

	tests := map[string]struct {
		ctx  context.Context
		addr string
		kind monitor.Kind
		says string
	}{
		"not running":  {t.Context(), gone.Addr().String(), monitor.Live, "(kubevali is not running here, or listens on another address)"},
		"switched off": {t.Context(), "", monitor.Live, "switched off"},
		"no port":      {t.Context(), "localhost", monitor.Live, `expected ":port" or "host:port"`},
		"odd port":     {t.Context(), "localhost:a b", monitor.Live, "cannot ask localhost:a b"},
		"other server": {t.Context(), other.Listener.Addr().String(), monitor.Live, `answered 404 "404 page not found" (is this kubevali's address?)`},
		"broken":       {t.Context(), broken.Listener.Addr().String(), monitor.Live, "cannot ask"},
		"hanging":      {inTime, hanging, monitor.Live, "no answer from " + hanging + " in time"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := monitor.Probe(tt.ctx, tt.addr, tt.kind)
			if err == nil || !strings.Contains(hint.Line(err), tt.says) {
				t.Errorf("got %v, want %q", err, tt.says)
			}
		})
	}
}
