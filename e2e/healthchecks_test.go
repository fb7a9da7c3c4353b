package e2e

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// ping is one request that the healthchecks server got.
type ping struct {
	Method string
	Path   string // below the base URL, such as /<uuid>/log
	RunID  string // the query parameter rid
	Body   string
	Length int64 // the Content-Length header; -1 for a chunked body
}

// healthchecks is a healthchecks server that accepts every ping and remembers it.
type healthchecks struct {
	url string

	mu    sync.Mutex
	pings []ping // guarded by mu
}

func newHealthchecks(t *testing.T) *healthchecks {
	h := &healthchecks{}
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	h.url = server.URL
	return h
}

func (h *healthchecks) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	h.mu.Lock()
	h.pings = append(h.pings, ping{
		Method: r.Method,
		Path:   r.URL.Path,
		RunID:  r.URL.Query().Get("rid"),
		Body:   string(body),
		Length: r.ContentLength,
	})
	h.mu.Unlock()

	w.Header().Set("Ping-Body-Limit", "100000")
	io.WriteString(w, "OK")
}

// All returns the pings so far, oldest first.
func (h *healthchecks) All() []ping {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]ping(nil), h.pings...)
}

// Last returns the newest ping; the zero ping when there is none.
func (h *healthchecks) Last() ping {
	all := h.All()
	if len(all) == 0 {
		return ping{}
	}
	return all[len(all)-1]
}

// Count returns how many pings went to path.
func (h *healthchecks) Count(path string) int {
	n := 0
	for _, p := range h.All() {
		if p.Path == path {
			n++
		}
	}
	return n
}

// String lists the pings, for messages of failed tests.
func (h *healthchecks) String() string {
	var b strings.Builder
	for _, p := range h.All() {
		b.WriteString(p.Method + " " + p.Path + " rid=" + p.RunID + "\n\t" +
			strings.ReplaceAll(strings.TrimSpace(p.Body), "\n", "\n\t") + "\n")
	}
	return b.String()
}
