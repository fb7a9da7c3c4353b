package monitor

import (
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Status is what the probes answer with.
type Status struct {
	// State is one word, such as "healthy".
	State string
	// Reason is one line that says why.
	Reason string
	// Live: the node runs and is not unhealthy. It may still be starting.
	Live bool
	// Ready: the node does its work.
	Ready bool
	// LastMatch is when the last sign of life was seen; zero: none yet.
	LastMatch time.Time
	// Matches counts the signs of life.
	Matches uint64
	// Values are the last values read from the node's log, by name.
	Values map[string]string
	// PID is the node's process ID; 0 while there is none.
	PID int
	// StartedAt is when the node was started; zero: not yet.
	StartedAt time.Time
	// Restarts counts how often the node was started anew.
	Restarts int
}

// endpoint is one of the paths, and what it asks of a Status.
type endpoint struct {
	path string
	ok   func(Status) bool
}

// endpoints are what GET and HEAD work on. /healthz is the older name of /livez.
var endpoints = []endpoint{
	{"/livez", func(s Status) bool { return s.Live }},
	{"/readyz", func(s Status) bool { return s.Ready }},
	{"/healthz", func(s Status) bool { return s.Live }},
}

func newHandler(source func() Status) http.Handler {
	mux := http.NewServeMux()
	var paths []string
	for _, e := range endpoints {
		mux.HandleFunc(e.path, func(w http.ResponseWriter, r *http.Request) { respond(w, r, e, source()) })
		paths = append(paths, e.path)
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		writeText(w, http.StatusNotFound, "not found; there are "+strings.Join(paths, ", ")+" (?verbose for JSON)")
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

func respond(w http.ResponseWriter, r *http.Request, e endpoint, s Status) {
	code := http.StatusOK
	if !e.ok(s) {
		code = http.StatusServiceUnavailable
	}
	if r.URL.Query().Has("verbose") {
		writeJSON(w, code, s)
		return
	}
	writeText(w, code, s.line(code == http.StatusOK, time.Now()))
}

// line says why the answer is what it is: "ok: healthy, last match 3s ago", or "unhealthy: no "Imported" for 10m3s".
func (s Status) line(ok bool, now time.Time) string {
	if !ok {
		return oneLine(s.State + ": " + s.Reason)
	}
	switch {
	case !s.LastMatch.IsZero():
		return oneLine("ok: " + s.State + ", last match " + now.Sub(s.LastMatch).Round(time.Second).String() + " ago")
	case s.Reason != "":
		return oneLine("ok: " + s.State + ", " + s.Reason)
	}
	return oneLine("ok: " + s.State)
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

// verbose is a Status in JSON. Times that are not known are left out.
type verbose struct {
	State         string            `json:"state"`
	Reason        string            `json:"reason"`
	Live          bool              `json:"live"`
	Ready         bool              `json:"ready"`
	LastMatch     *time.Time        `json:"lastMatch,omitempty"`
	LastMatchAge  *float64          `json:"lastMatchAgeSeconds,omitempty"`
	Matches       uint64            `json:"matches"`
	Values        map[string]string `json:"values"`
	PID           int               `json:"pid"`
	StartedAt     *time.Time        `json:"startedAt,omitempty"`
	UptimeSeconds *float64          `json:"uptimeSeconds,omitempty"`
	Restarts      int               `json:"restarts"`
}

func writeJSON(w http.ResponseWriter, code int, s Status) {
	v := verbose{
		State: s.State, Reason: s.Reason, Live: s.Live, Ready: s.Ready,
		Matches: s.Matches, Values: s.Values, PID: s.PID, Restarts: s.Restarts,
	}
	if v.Values == nil {
		v.Values = map[string]string{}
	}
	now := time.Now()
	v.LastMatch, v.LastMatchAge = since(s.LastMatch, now)
	v.StartedAt, v.UptimeSeconds = since(s.StartedAt, now)
	body, err := json.MarshalIndent(v, "", "  ")
	if err != nil { // no field of verbose can cause one
		writeText(w, http.StatusInternalServerError, err.Error())
		return
	}
	write(w, code, "application/json", string(body)+"\n")
}

// since returns t in UTC and its age in seconds, to the millisecond; nothing for the zero time.
func since(t, now time.Time) (*time.Time, *float64) {
	if t.IsZero() {
		return nil, nil
	}
	utc, age := t.UTC().Round(time.Millisecond), now.Sub(t).Round(time.Millisecond).Seconds()
	return &utc, &age
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
