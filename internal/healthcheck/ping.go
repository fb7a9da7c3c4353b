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
)

// Kind is what a ping says.
type Kind string

const (
	Log     Kind = "log"     // an event to remember; the check's status stays as it is
	Success Kind = "success" // the node is healthy
	Fail    Kind = "fail"    // the node is unhealthy
	Exit    Kind = "exit"    // the node ended; the server takes status 0 as a success and any other as a failure
)

// Ping is one message to the server.
type Ping struct {
	Kind Kind
	// Code is the exit status of an Exit ping, 0 to 255.
	Code int
	// RunID ties the pings of one run of the node together: a UUID in the canonical form, the only one the server takes.
	// Empty: left out.
	RunID string
	// Head is what to attach, in one or a few lines.
	Head string
	// Lines are the node's last lines; as many of them as fit are attached below Head.
	Lines []byte
}

// String describes the ping for the log, such as "exit 137".
func (p Ping) String() string {
	if p.Kind == Exit {
		return "exit " + strconv.Itoa(p.Code)
	}
	return string(p.Kind)
}

// endpoint is the last element of the ping's URL, empty for a success.
func (p Ping) endpoint() string {
	switch p.Kind {
	case Success:
		return ""
	case Exit:
		return strconv.Itoa(p.Code)
	}
	return string(p.Kind)
}

// body returns at most limit bytes of UTF-8 to attach: Head, an empty line, and as many of the node's last bytes as still
// fit. The server keeps the first bytes of a body and drops the rest, so it is up to the sender that the last lines survive.
func (p Ping) body(limit int) []byte {
	const gap = "\n\n"
	head := strings.ToValidUTF8(strings.TrimSpace(p.Head), "\uFFFD")
	room := limit - len(head) - len(gap)
	if len(p.Lines) == 0 || room <= 0 {
		return []byte(strings.ToValidUTF8(head[:min(limit, len(head))], ""))
	}
	return append([]byte(head+gap), keepLast(p.Lines, room)...)
}

// keepLast returns at most limit bytes from the end of text: whole lines where there is a line end to cut at, and in any
// case whole characters.
func keepLast(text []byte, limit int) []byte {
	if start := len(text) - limit; start > 0 {
		lineEnd := bytes.IndexByte(text[start-1:len(text)-1], '\n')
		text = text[start+max(lineEnd, 0):]
	}
	return bytes.ToValidUTF8(text, nil)
}
