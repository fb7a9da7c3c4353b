package healthcheck_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/kubevali/kubevali/internal/healthcheck"
	"github.com/kubevali/kubevali/internal/hint"
	"github.com/kubevali/kubevali/internal/secret"
)

const (
	uuid = "5bf66975-d4c7-4bf5-bcc8-b8d8a82ea278"
	slug = "fqOOd6-F4MMNuCEnzTU01w/darwinia-2"
	run  = "123e4567-e89b-12d3-a456-426614174000"
)

// received is one request as the server saw it.
type received struct {
	Method, URI, Body string
	Header            http.Header
	Length            int64
	Chunked           bool
}

// serve starts a server that answers with h and hands over what it received.
func serve(t *testing.T, h http.HandlerFunc) (base string, requests <-chan received) {
	t.Helper()
	got := make(chan received, 100)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got <- received{r.Method, r.RequestURI, string(body), r.Header, r.ContentLength, len(r.TransferEncoding) > 0}
		h(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL, got
}

func answer(code int, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(code)
		_, _ = io.WriteString(w, body)
	}
}

func newClient(t *testing.T, o healthcheck.ClientOptions) *healthcheck.Client {
	t.Helper()
	if o.Timeout == 0 {
		o.Timeout = 10 * time.Second
	}
	c, err := healthcheck.NewClient(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// mustNotLeak fails when text holds more than four characters of id in a row, in any spelling.
func mustNotLeak(t *testing.T, text, id string) {
	t.Helper()
	for _, form := range []string{id, strings.ReplaceAll(id, "-", "")} {
		for i := 0; i+5 <= len(form); i++ {
			if piece := form[i : i+5]; strings.Contains(strings.ToLower(text), strings.ToLower(piece)) {
				t.Fatalf("%q shows %q of the ID", text, piece)
			}
		}
	}
}

func TestPingSendsWhatTheProtocolAsksFor(t *testing.T) {
	tests := map[string]struct {
		path   string
		id     string
		create bool
		ping   healthcheck.Ping
		want   string
	}{
		"success":             {id: uuid, ping: healthcheck.Ping{Kind: healthcheck.Success}, want: "/" + uuid},
		"fail":                {id: uuid, ping: healthcheck.Ping{Kind: healthcheck.Fail}, want: "/" + uuid + "/fail"},
		"log":                 {id: uuid, ping: healthcheck.Ping{Kind: healthcheck.Log}, want: "/" + uuid + "/log"},
		"exit 0":              {id: uuid, ping: healthcheck.Ping{Kind: healthcheck.Exit}, want: "/" + uuid + "/0"},
		"killed":              {id: uuid, ping: healthcheck.Ping{Kind: healthcheck.Exit, Code: 137}, want: "/" + uuid + "/137"},
		"run":                 {id: uuid, ping: healthcheck.Ping{Kind: healthcheck.Fail, RunID: run}, want: "/" + uuid + "/fail?rid=" + run},
		"slug":                {id: slug, ping: healthcheck.Ping{Kind: healthcheck.Fail}, want: "/" + slug + "/fail"},
		"slug, create":        {id: slug, create: true, ping: healthcheck.Ping{Kind: healthcheck.Success}, want: "/" + slug + "?create=1"},
		"slug, create, run":   {id: slug, create: true, ping: healthcheck.Ping{Kind: healthcheck.Log, RunID: run}, want: "/" + slug + "/log?create=1&rid=" + run},
		"create not for UUID": {id: uuid, create: true, ping: healthcheck.Ping{Kind: healthcheck.Success}, want: "/" + uuid},
		"self-hosted":         {path: "/ping", id: uuid, ping: healthcheck.Ping{Kind: healthcheck.Fail}, want: "/ping/" + uuid + "/fail"},
		"trailing slash":      {path: "/hc/ping/", id: uuid, ping: healthcheck.Ping{Kind: healthcheck.Success}, want: "/hc/ping/" + uuid},
		"upper case":          {id: strings.ToUpper(uuid), ping: healthcheck.Ping{Kind: healthcheck.Success}, want: "/" + uuid},
		"newline of a Secret": {id: uuid + "\n", ping: healthcheck.Ping{Kind: healthcheck.Success}, want: "/" + uuid},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			base, requests := serve(t, answer(200, "OK"))
			c := newClient(t, healthcheck.ClientOptions{BaseURL: base + tt.path, ID: secret.Text(tt.id), Create: tt.create, Version: "1.2.3"})
			tt.ping.Head = "healthy"
			if err := c.Ping(t.Context(), tt.ping); err != nil {
				t.Fatal(err)
			}
			got := <-requests
			if got.Method != "POST" || got.URI != tt.want || got.Body != "healthy" {
				t.Errorf("got %s %s %q, want POST %s", got.Method, got.URI, got.Body, tt.want)
			}
			if got.Chunked || got.Length != int64(len("healthy")) {
				t.Errorf("body sent with length %d, chunked %v", got.Length, got.Chunked)
			}
			if ua := got.Header.Get("User-Agent"); ua != "kubevali/1.2.3" {
				t.Errorf("User-Agent %q", ua)
			}
		})
	}
}

func TestPingWithoutBodyHasALengthToo(t *testing.T) {
	base, requests := serve(t, answer(200, "OK"))
	c := newClient(t, healthcheck.ClientOptions{BaseURL: base, ID: uuid})
	if err := c.Ping(t.Context(), healthcheck.Ping{}); err != nil {
		t.Fatal(err)
	}
	if got := <-requests; got.Chunked || got.Header.Get("Content-Length") != "0" {
		t.Errorf("got %+v", got)
	}
}

func TestPingSendsTheBaseURLsPassword(t *testing.T) {
	base, requests := serve(t, answer(200, "OK"))
	base = strings.Replace(base, "http://", "http://user:geheim@", 1)
	c := newClient(t, healthcheck.ClientOptions{BaseURL: base, ID: uuid})
	if err := c.Ping(t.Context(), healthcheck.Ping{}); err != nil {
		t.Fatal(err)
	}
	r := http.Request{Header: (<-requests).Header}
	if user, password, _ := r.BasicAuth(); user != "user" || password != "geheim" {
		t.Errorf("got %q, %q", user, password)
	}
	if strings.Contains(c.String(), "geheim") {
		t.Errorf("%v shows the password", c)
	}
}

func TestAnswers(t *testing.T) {
	const config, transient = true, false // whether it is permanent
	inTwoMinutes := time.Now().Add(2 * time.Minute).UTC().Format(http.TimeFormat)
	tests := map[string]struct {
		handler    http.HandlerFunc
		id         string
		accepted   bool
		permanent  bool
		retryAfter [2]time.Duration // from, to
		says       string
	}{
		"OK":             {handler: answer(200, "OK"), accepted: true},
		"OK and newline": {handler: answer(200, "OK\n"), accepted: true},
		"created":        {handler: answer(201, "Created"), id: slug, accepted: true},
		"not found, hosted": {handler: answer(200, "OK (not found)"), permanent: config,
			says: "answered OK (not found) (check the check's ID"},
		"rate limited, hosted": {handler: answer(200, "OK (rate limited)"), permanent: transient,
			retryAfter: [2]time.Duration{15 * time.Second, 15 * time.Second}, says: "too many pings"},
		"rate limited, old spelling": {handler: answer(200, "OK (rate-limited)"), permanent: transient,
			retryAfter: [2]time.Duration{15 * time.Second, 15 * time.Second}, says: "too many pings"},
		"a web page":         {handler: answer(200, "<html>Welcome</html>"), permanent: config, says: "(check the base URL"},
		"empty":              {handler: answer(200, ""), permanent: config, says: "(check the base URL"},
		"huge":               {handler: answer(200, strings.Repeat("OK", 1<<20)), permanent: config, says: "(check the base URL"},
		"binary":             {handler: answer(404, "\x00\xff"), permanent: config, says: "answered 404 Not Found (check"},
		"bad request":        {handler: answer(400, "invalid url format"), permanent: config, says: `400 Bad Request ("invalid url format") (check`},
		"not found":          {handler: answer(404, "not found"), permanent: config, says: "answered 404 Not Found (check"},
		"slug not found":     {handler: answer(404, "not found"), id: slug, permanent: config, says: "let the server create"},
		"ambiguous":          {handler: answer(409, "ambiguous slug"), id: slug, permanent: config, says: "several checks"},
		"forbidden":          {handler: answer(403, ""), permanent: config, says: "403 Forbidden"},
		"too large":          {handler: answer(413, ""), permanent: config, says: "413"},
		"timeout":            {handler: answer(408, ""), permanent: transient, says: "408"},
		"too many":           {handler: answer(429, ""), permanent: transient, retryAfter: [2]time.Duration{15 * time.Second, 15 * time.Second}, says: "429"},
		"too many, seconds":  {handler: answer(429, "", "Retry-After", "40"), permanent: transient, retryAfter: [2]time.Duration{40 * time.Second, 40 * time.Second}, says: "429"},
		"too many, date":     {handler: answer(429, "", "Retry-After", inTwoMinutes), permanent: transient, retryAfter: [2]time.Duration{time.Second, 2 * time.Minute}, says: "429"},
		"too many, past":     {handler: answer(429, "", "Retry-After", "Wed, 29 Jan 2020 09:58:23 GMT"), permanent: transient, says: "429"},
		"too many, for days": {handler: answer(429, "", "Retry-After", "99999999999999"), permanent: transient, retryAfter: [2]time.Duration{5 * time.Minute, 5 * time.Minute}, says: "429"},
		"too many, nonsense": {handler: answer(503, "", "Retry-After", "-5 or so"), permanent: transient, says: "503"},
		"too many, negative": {handler: answer(503, "", "Retry-After", "-5"), permanent: transient, says: "503"},
		"server error":       {handler: answer(500, "oops"), permanent: transient, says: "500 Internal Server Error"},
		"bad gateway":        {handler: answer(502, "<html>"), permanent: transient, says: "502 Bad Gateway"},
		"unknown status":     {handler: answer(599, ""), permanent: transient, says: "answered 599"},
		"redirect": {handler: answer(301, "", "Location", "https://other.example.com/ping/"+uuid), permanent: config,
			says: "answered 301 Moved Permanently to https://other.example.com (redirects are not followed: set the base URL"},
		"redirect in place": {handler: answer(308, "", "Location", "/login?next="+uuid), permanent: config, says: "to http://127.0.0.1"},
		"redirect nowhere":  {handler: answer(302, ""), permanent: config, says: "302 Found (redirects"},
		"redirect to the ID": {handler: answer(302, "", "Location", "https://"+uuid+".example.com/"), permanent: config,
			says: "to https://… ("},
		"echo":             {handler: answer(404, "no check "+uuid), permanent: config, says: `("…")`},
		"echo in capital":  {handler: answer(400, "BAD "+strings.ToUpper(uuid)+" HERE"), permanent: config, says: `("…")`},
		"echo in part":     {handler: answer(400, uuid[10:]+" what?"), permanent: config, says: `("…")`},
		"echo of bare":     {handler: answer(400, strings.ReplaceAll(uuid, "-", "")), permanent: config, says: `("…")`},
		"echo of a little": {handler: answer(400, "975d4c"), permanent: config, says: `("…")`},
		"echo of a slug":   {handler: answer(400, "no "+slug), id: slug, permanent: config, says: `("…")`},
		"echo of a cut line": {handler: answer(400, strings.Repeat("x", 60)+uuid+"\nmore"), permanent: config,
			says: "400 Bad Request (check"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			id := tt.id
			if id == "" {
				id = uuid
			}
			base, _ := serve(t, tt.handler)
			c := newClient(t, healthcheck.ClientOptions{BaseURL: base, ID: secret.Text(id)})
			err := c.Ping(t.Context(), healthcheck.Ping{Kind: healthcheck.Success, RunID: run})
			if tt.accepted {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			var e *healthcheck.Error
			if !errors.As(err, &e) {
				t.Fatalf("got %v", err)
			}
			mustNotLeak(t, fmt.Sprintf("%v %+v %s", hint.Line(err), err, c), id)
			if e.Permanent != tt.permanent {
				t.Errorf("permanent %v, want %v", e.Permanent, tt.permanent)
			}
			if e.RetryAfter < tt.retryAfter[0] || e.RetryAfter > tt.retryAfter[1] {
				t.Errorf("retry after %v, want %v", e.RetryAfter, tt.retryAfter)
			}
			if text := hint.Line(err); !strings.Contains(text, tt.says) || !strings.Contains(text, "check "+id[:4]+"… ") {
				t.Errorf("%q does not say %q", text, tt.says)
			}
		})
	}
}

// raw answers each request on the bare connection.
func raw(t *testing.T, act func(net.Conn)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		act(conn)
	}
}

func TestNetworkTroubles(t *testing.T) {
	closed := httptest.NewServer(nil)
	closed.Close()
	untrusted := httptest.NewUnstartedServer(answer(200, "OK"))
	untrusted.Config.ErrorLog = log.New(io.Discard, "", 0) // it complains about handshakes that are meant to fail
	untrusted.StartTLS()
	t.Cleanup(untrusted.Close)
	release := make(chan struct{})
	hang := func(net.Conn) { <-release }

	at := func(h http.HandlerFunc) string {
		base, _ := serve(t, h)
		return base
	}
	t.Cleanup(func() { close(release) }) // before the servers' clean-up, which waits for the handlers

	const long, short = time.Minute, 50 * time.Millisecond
	tests := map[string]struct {
		base    string
		timeout time.Duration
		says    string
	}{
		"refused": {closed.URL, long, "connection refused"},
		"reset": {at(raw(t, func(c net.Conn) {
			_ = c.(*net.TCPConn).SetLinger(0)
		})), long, "connection reset by peer"},
		"closed": {at(raw(t, func(net.Conn) {})), long, "closed before the end of the answer"},
		"hang":   {at(raw(t, hang)), short, "no answer in time"},
		"slow header": {at(raw(t, func(c net.Conn) {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-")
			hang(c)
		})), short, "no answer in time"},
		"slow body": {at(raw(t, func(c net.Conn) {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nO")
			hang(c)
		})), short, "no answer in time"},
		"torn body": {at(raw(t, func(c net.Conn) {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nO")
		})), long, "closed before the end of the answer"},
		"garbage": {at(raw(t, func(c net.Conn) {
			_, _ = io.WriteString(c, "SSH-2.0-"+uuid+"\r\n\r\n")
		})), long, "the answer is not HTTP"},
		"huge header": {at(raw(t, func(c net.Conn) {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nX: "+strings.Repeat("x", 1<<20)+"\r\n\r\nOK")
		})), long, "exceeded"},
		"untrusted":     {untrusted.URL, long, "SSL_CERT_FILE"},
		"not TLS":       {strings.Replace(at(answer(200, "OK")), "http:", "https:", 1), long, "does not look like a TLS handshake"},
		"no such host":  {"http://no-such-host.invalid", long, "no-such-host.invalid"},
		"TLS, not HTTP": {strings.Replace(untrusted.URL, "https:", "http:", 1), long, "400 Bad Request"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := newClient(t, healthcheck.ClientOptions{BaseURL: tt.base, ID: uuid, Timeout: tt.timeout})
			var texts []string
			for range 2 {
				err := c.Ping(t.Context(), healthcheck.Ping{Head: "healthy"})
				var e *healthcheck.Error
				if !errors.As(err, &e) {
					t.Fatalf("got %v", err)
				}
				mustNotLeak(t, fmt.Sprintf("%v %+v", hint.Line(err), err), uuid)
				if e.Permanent && !strings.Contains(tt.says, "400") {
					t.Errorf("%v is not transient", err)
				}
				text := hint.Line(err)
				if !strings.Contains(text, tt.says) {
					t.Errorf("%q does not say %q", text, tt.says)
				}
				texts = append(texts, text)
			}
			if texts[0] != texts[1] {
				t.Errorf("the same trouble has two texts: %q", texts)
			}
		})
	}
}

func TestPingEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	base, _ := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	})
	c := newClient(t, healthcheck.ClientOptions{BaseURL: base, ID: uuid, Timeout: time.Minute})
	began := time.Now()
	if err := c.Ping(ctx, healthcheck.Ping{}); err == nil || time.Since(began) > time.Minute/2 {
		t.Fatalf("got %v after %v", err, time.Since(began))
	}
}

func TestBodyKeepsToTheServersLimit(t *testing.T) {
	lines := []byte(strings.Repeat("0123456789abcde\n", 200_000/16) + "the last line\n")
	base, requests := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if limit := r.URL.Query().Get("rid"); limit != "" {
			w.Header().Set("Ping-Body-Limit", limit)
		}
		_, _ = io.WriteString(w, "OK")
	})
	c := newClient(t, healthcheck.ClientOptions{BaseURL: base, ID: uuid})
	// Each ping makes the server announce a limit, and shows the one that held before.
	steps := []struct {
		announce string
		want     int
	}{
		{"", 10_000},
		{"320", 10_000},
		{"", 320},
		{"-1", 320},
		{"many", 320},
		{"999999999", 320},
		{"0", 100_000},
		{"10000", 0},
		{"", 10_000},
	}
	for i, step := range steps {
		if err := c.Ping(t.Context(), healthcheck.Ping{RunID: step.announce, Head: "head", Lines: lines}); err != nil {
			t.Fatal(err)
		}
		got := <-requests
		if step.want == 0 {
			if got.Body != "" {
				t.Errorf("step %d: sent %d bytes to a server that keeps none", i, len(got.Body))
			}
			continue
		}
		if len(got.Body) > step.want || len(got.Body) < step.want-16 {
			t.Errorf("step %d: sent %d bytes, limit %d", i, len(got.Body), step.want)
		}
		if !strings.HasPrefix(got.Body, "head\n\n0123456789abcde\n") || !strings.HasSuffix(got.Body, "\nthe last line\n") {
			t.Errorf("step %d: not whole lines up to the last: %q … %q", i, got.Body[:20], got.Body[len(got.Body)-20:])
		}
	}
}

func TestBodyIsAlwaysUTF8(t *testing.T) {
	base, requests := serve(t, answer(200, "OK"))
	c := newClient(t, healthcheck.ClientOptions{BaseURL: base, ID: uuid})
	torn := bytes.Repeat([]byte(strings.Repeat("€", 999)+"\xff"), 5)
	if err := c.Ping(t.Context(), healthcheck.Ping{Head: "head", Lines: torn}); err != nil {
		t.Fatal(err)
	}
	if got := (<-requests).Body; !utf8.ValidString(got) || len(got) > 10_000 || len(got) < 9990 {
		t.Errorf("sent %d bytes, valid UTF-8 %v", len(got), utf8.ValidString(got))
	}
}

func TestParseID(t *testing.T) {
	tests := map[string]string{ // ID → part of the error, empty for a good one
		uuid:                                  "",
		" " + strings.ToUpper(uuid):           "",
		slug:                                  "",
		"key/slug_1-b":                        "",
		"":                                    "empty",
		"\n":                                  "empty",
		"5bf66975d4c74bf5bcc8b8d8a82ea278":    "neither a UUID",
		"{" + uuid + "}":                      "neither a UUID",
		"urn:uuid:" + uuid:                    "neither a UUID",
		uuid + "0":                            "neither a UUID",
		"https://hc-ping.com/" + uuid:         "this is a ping URL",
		"https://hc.example.com/ping/" + slug: "what stands before that is the base URL",
		uuid + "/fail":                        "stands alone",
		uuid + "/":                            "stands alone",
		slug + "/fail":                        "too many slashes",
		"key/":                                "after the slash is missing",
		"/slug":                               "before the slash is missing",
		"key/Slug":                            "lower-case letters",
		"key/slug?create=1":                   "lower-case letters",
		"k%65y/slug":                          "ping key",
		"../slug":                             "ping key",
		"<ping-key>/<slug>":                   "ping key",
		"ключключ":                            "neither a UUID",
	}
	for id, says := range tests {
		_, err := healthcheck.ParseID(secret.Text(id))
		_, clientErr := healthcheck.NewClient(healthcheck.ClientOptions{BaseURL: "https://hc-ping.com", ID: secret.Text(id)})
		if says == "" {
			if err != nil || clientErr != nil {
				t.Errorf("%q: %v, %v", id, err, clientErr)
			}
			continue
		}
		if err == nil || clientErr == nil || !strings.Contains(hint.Line(err), says) {
			t.Errorf("%q: %v, want %q", id, err, says)
			continue
		}
		if runes := []rune(strings.TrimSpace(id)); len(runes) > 4 && strings.Contains(err.Error(), string(runes[:5])) {
			t.Errorf("%v shows too much", err)
		}
	}
}

func TestBaseURL(t *testing.T) {
	tests := map[string]string{ // base URL → part of the error, empty for a good one
		"https://hc-ping.com":             "",
		"http://hc.example.com:8000/ping": "",
		" https://hc-ping.com/\n":         "",
		"http://[::1]:8000":               "",
		"":                                "http:// or https:// and a host",
		"hc.example.com/ping":             "http:// or https:// and a host",
		"hc.example.com:8000/ping":        "http:// or https:// and a host",
		"ftp://hc.example.com":            "http:// or https:// and a host",
		"https://":                        "http:// or https:// and a host",
		"https://:8000":                   "http:// or https:// and a host",
		"https://geheim:geheim@a b":       "http:// or https:// and a host",
		"https://hc-ping.com?geheim":      "without ? and #",
		"https://hc-ping.com#geheim":      "without ? and #",
	}
	for base, says := range tests {
		_, err := healthcheck.NewClient(healthcheck.ClientOptions{BaseURL: base, ID: uuid})
		if says == "" {
			if err != nil {
				t.Errorf("%q: %v", base, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), says) || !strings.HasPrefix(err.Error(), "the base URL: ") {
			t.Errorf("%q: %v, want %q", base, err, says)
		} else if strings.Contains(err.Error(), "geheim") {
			t.Errorf("%v shows a password", err)
		}
	}
}

// TestProxyFromEnvironment runs itself in a process of its own, since net/http reads the environment once.
func TestProxyFromEnvironment(t *testing.T) {
	if os.Getenv("KUBEVALI_TEST_PROXY") != "" {
		c := newClient(t, healthcheck.ClientOptions{BaseURL: "http://hc.example.com/ping", ID: uuid})
		if err := c.Ping(t.Context(), healthcheck.Ping{Kind: healthcheck.Success}); err != nil {
			t.Fatal(err)
		}
		return
	}
	proxy, requests := serve(t, answer(200, "OK"))
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestProxyFromEnvironment$")
	cmd.Env = append(os.Environ(), "KUBEVALI_TEST_PROXY=1", "HTTP_PROXY="+proxy, "NO_PROXY=")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if got := <-requests; got.URI != "http://hc.example.com/ping/"+uuid {
		t.Errorf("the proxy was asked for %s", got.URI)
	}
}

// FuzzParseID shows that whatever passes as an ID ends up in the URL as it is, and that no error shows more than four
// characters of what does not.
func FuzzParseID(f *testing.F) {
	for _, seed := range []string{uuid, slug, "https://hc-ping.com/" + uuid, "a/b", "a/../b", "%2e", "kéy/slug", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, id string) {
		var path string
		c, err := healthcheck.NewClient(healthcheck.ClientOptions{
			BaseURL: "https://hc.example.com/ping",
			ID:      secret.Text(id),
			Timeout: time.Minute,
			Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
				path = r.URL.RequestURI()
				return &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader("OK"))}, nil
			}),
		})
		if err != nil {
			_, rest, _ := strings.Cut(err.Error(), `"`)
			quoted, _, found := strings.Cut(rest, "…\": ")
			if found && len([]rune(quoted)) > 4*len(`\U0010ffff`) {
				t.Errorf("%v shows too much", err)
			}
			return
		}
		if err := c.Ping(t.Context(), healthcheck.Ping{Kind: healthcheck.Fail}); err != nil {
			t.Fatal(err)
		}
		clean := strings.TrimSpace(id)
		if !strings.EqualFold(path, "/ping/"+clean+"/fail") {
			t.Errorf("%q is sent to %q", id, path)
		}
		if u, err := url.Parse(path); err != nil || u.RawQuery != "" {
			t.Errorf("%q is sent to %q", id, path)
		}
	})
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
