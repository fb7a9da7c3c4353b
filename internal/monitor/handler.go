package monitor

import (
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/kubevali/kubevali/internal/health"
)

// newHandler answers GET and HEAD from what current returns. /healthz is the older name of /livez.
func newHandler(current func() health.Snapshot) http.Handler {
	mux := http.NewServeMux()
	probe := func(ok func(health.Snapshot) bool) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { respond(w, r, current(), ok) }
	}
	mux.HandleFunc("/livez", probe(health.Snapshot.Live))
	mux.HandleFunc("/readyz", probe(health.Snapshot.Ready))
	mux.HandleFunc("/healthz", probe(health.Snapshot.Live))
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		writeText(w, http.StatusNotFound, "not found; there are /livez, /readyz, /healthz (?verbose for JSON)")
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			writeText(w, http.StatusMethodNotAllowed, "only GET and HEAD are allowed")
			return
		}
		mux.ServeHTTP(w, r)
	})
}

func respond(w http.ResponseWriter, r *http.Request, s health.Snapshot, ok func(health.Snapshot) bool) {
	code := http.StatusOK
	if !ok(s) {
		code = http.StatusServiceUnavailable
	}
	if !r.URL.Query().Has("verbose") {
		writeText(w, code, line(s, code == http.StatusOK))
		return
	}
	body, err := json.MarshalIndent(s, "", "  ")
	if err != nil { // no field of a Snapshot can cause one
		writeText(w, http.StatusInternalServerError, err.Error())
		return
	}
	write(w, code, "application/json", string(body)+"\n")
}

// line says why the answer is what it is: "ok: healthy, last match 3s ago", or "unhealthy: last sign of life 10m3s ago,
// threshold 10m0s".
func line(s health.Snapshot, ok bool) string {
	switch {
	case !ok:
		return oneLine(string(s.State) + ": " + s.Reason)
	case !s.LastMatch.IsZero():
		return oneLine("ok: " + string(s.State) + ", last match " + s.At.Sub(s.LastMatch).Round(time.Second).String() + " ago")
	}
	return oneLine("ok: " + string(s.State) + ", " + s.Reason)
}

// oneLine keeps what may have come from the node's log from breaking the line or the terminal.
func oneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if !strconv.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "\uFFFD"))
}

func writeText(w http.ResponseWriter, code int, line string) {
	write(w, code, "text/plain; charset=utf-8", line+"\n")
}

func write(w http.ResponseWriter, code int, contentType, body string) {
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff") // values come from a log that strangers can write to
	w.WriteHeader(code)
	_, _ = io.WriteString(w, body) // a prober that has gone away needs no answer
}
