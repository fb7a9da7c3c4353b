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

// newHandler answers GET and HEAD, by what current returns. /healthz is the older name of /livez.
func newHandler(current func() health.Snapshot) http.Handler {
	mux := http.NewServeMux() // which answers other methods with 405 and Allow
	probe := func(ok func(health.Snapshot) bool) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { respond(w, r, current(), ok) }
	}
	mux.HandleFunc("GET /livez", probe(health.Snapshot.Live))
	mux.HandleFunc("GET /readyz", probe(health.Snapshot.Ready))
	mux.HandleFunc("GET /healthz", probe(health.Snapshot.Live))
	mux.HandleFunc("GET /", func(w http.ResponseWriter, _ *http.Request) {
		write(w, http.StatusNotFound, plainText, "not found; there are /livez, /readyz, /healthz (?verbose for JSON)")
	})
	return mux
}

const plainText = "text/plain; charset=utf-8"

func respond(w http.ResponseWriter, r *http.Request, s health.Snapshot, ok func(health.Snapshot) bool) {
	code := http.StatusOK
	if !ok(s) {
		code = http.StatusServiceUnavailable
	}
	if !r.URL.Query().Has("verbose") {
		write(w, code, plainText, line(s, code == http.StatusOK))
		return
	}
	body, _ := json.MarshalIndent(s, "", "  ") // no field of a Snapshot can cause an error
	write(w, code, "application/json", string(body))
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

// write answers with a text and the end of its last line.
func write(w http.ResponseWriter, code int, contentType, text string) {
	text += "\n"
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Content-Length", strconv.Itoa(len(text)))
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff") // values come from a log that strangers can write to
	w.WriteHeader(code)
	_, _ = io.WriteString(w, text) // a prober that has gone away needs no answer
}
