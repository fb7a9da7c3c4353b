// Package healthcheck tells a healthchecks.io server, or one that speaks the same Pinging API, how the node is doing.
//
// Client sends one ping and says what became of it. Reporter decides when which ping is sent: the periodic ones, the
// state changes, the retries and the last one before the process ends. The package does not know what makes a node
// healthy; its caller does.
//
// What always holds: Reporter.Report returns at once, whatever the server does. No log line and no error holds more
// than four characters of a check's ID, since whoever knows an ID can silence the check.
//
// Source of the protocol: https://healthchecks.io/docs/http_api/ and hc/api/views.py of healthchecks/healthchecks.
package healthcheck

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"
)

// Kind is what a ping says.
type Kind int

const (
	Log     Kind = iota // an event to remember; the check's status stays as it is
	Success             // the node is healthy
	Fail                // the node is unhealthy
	Exit                // the node ended; the server takes status 0 as a success and any other as a failure
)

// String returns the kind in lower case.
func (k Kind) String() string {
	switch k {
	case Success:
		return "success"
	case Fail:
		return "fail"
	case Exit:
		return "exit"
	default:
		return "log"
	}
}

// Ping is one message to the server.
type Ping struct {
	Kind Kind
	// Code is the exit status of an Exit ping. The protocol knows 0 to 255; anything else is sent as 255.
	Code int
	// RunID ties the pings of one run of the node together; see NewRunID. Empty: left out.
	RunID string
	// Head is what to attach, in one or a few lines.
	Head string
	// Lines returns the node's last lines, at most limit bytes of them, to be attached below Head. It is called for every
	// try from the sender's goroutine and must be quick. Nil: none.
	Lines func(limit int) []byte
}

// String describes the ping for the log, such as "exit 137".
func (p Ping) String() string {
	if p.Kind == Exit {
		return "exit " + p.exitStatus()
	}
	return p.Kind.String()
}

// endpoint is the last element of the ping's URL, empty for a success.
func (p Ping) endpoint() string {
	switch p.Kind {
	case Success:
		return ""
	case Exit:
		return p.exitStatus()
	default:
		return p.Kind.String()
	}
}

func (p Ping) exitStatus() string {
	if p.Code < 0 || p.Code > 255 {
		return "255"
	}
	return strconv.Itoa(p.Code)
}

// NewRunID returns a fresh ID for Ping.RunID: a random UUID in the canonical form, the only one the server takes.
func NewRunID() string { return uuid.NewString() }

// Body returns at most limit bytes of UTF-8 to attach: Head, an empty line, and as many of the node's last bytes as still
// fit. The server keeps the first bytes of a body and drops the rest, so it is up to the sender that the last lines survive.
func (p Ping) Body(limit int) []byte {
	const gap = "\n\n"
	body := []byte(strings.ToValidUTF8(strings.TrimSpace(p.Head), "\uFFFD"))
	room := limit - len(body) - len(gap)
	if p.Lines == nil || room <= 0 {
		return keepFirst(body, limit)
	}
	lines := keepLast(bytes.ToValidUTF8(p.Lines(room), []byte("\uFFFD")), room)
	if len(lines) == 0 {
		return body
	}
	return append(append(body, gap...), lines...)
}

// keepFirst returns at most limit bytes from the start of valid UTF-8, without a torn character.
func keepFirst(b []byte, limit int) []byte {
	end := min(max(limit, 0), len(b))
	for end < len(b) && end > 0 && !utf8.RuneStart(b[end]) {
		end--
	}
	return b[:end]
}

// keepLast returns at most limit bytes from the end of valid UTF-8: whole lines where there is a line end to cut at,
// else whole characters.
func keepLast(b []byte, limit int) []byte {
	if len(b) <= limit {
		return b
	}
	if limit <= 0 {
		return nil
	}
	start := len(b) - limit
	if b[start-1] == '\n' {
		return b[start:]
	}
	if end := bytes.IndexByte(b[start:len(b)-1], '\n'); end >= 0 {
		return b[start+end+1:]
	}
	for start < len(b) && !utf8.RuneStart(b[start]) {
		start++
	}
	return b[start:]
}
