// Package health knows how a node is.
//
// A [Machine] goes through the states starting → healthy ⇄ unhealthy → stopping → exited, and from there anew when the
// node is started again. While the node runs, its sources decide, such as its [Log]: the node is unhealthy when any of
// them says so, and healthy when all do. One without sources is healthy once it is started. Whoever tells others of the
// node's health reads a [Snapshot].
//
// The package reads no log and asks no node: sources are told. Nor does it act on a state or report it.
//
// What time alone changes is worked out whenever somebody looks, so that each Snapshot is right at its moment without a
// goroutine; [Machine.Run] is for those who want to be told.
package health

import (
	"encoding/json"
	"time"
)

// A State is how a node is, in a word.
type State string

const (
	Starting  State = "starting"  // it is being prepared, or runs and has not shown yet that it is healthy
	Healthy   State = "healthy"   // all sources say so
	Unhealthy State = "unhealthy" // a source says so
	Stopping  State = "stopping"  // it has been asked to stop
	Exited    State = "exited"    // it has ended
)

// A Snapshot is the state of a node at one moment. In JSON it has live, ready and the ages of its times, in seconds, too;
// a time that is not known is left out.
type Snapshot struct {
	// At is that moment.
	At    time.Time `json:"-"`
	State State     `json:"state"`
	// Reason explains the state in one line; of several sources each is named.
	Reason string `json:"reason"`
	// Since is when the state began.
	Since time.Time `json:"-"`
	// LastMatch is when this run of the node gave its last sign of life, zero when it gave none.
	LastMatch time.Time `json:"lastMatch,omitzero"`
	// Matches counts the signs of life, over all runs by the present plan.
	Matches uint64 `json:"matches"`
	// Values holds what was read from this run's log last, by name. It is the reader's own.
	Values map[string]string `json:"values"`
	// PID is the process ID of the running node, 0 when none is running.
	PID int `json:"pid"`
	// StartedAt is when the node was started last, zero before the first time.
	StartedAt time.Time `json:"startedAt,omitzero"`
	// Restarts counts how often the node was started after the first time.
	Restarts int `json:"restarts"`
}

// Live reports whether there is no reason to give the node up: it may still be starting.
func (s Snapshot) Live() bool { return s.State != Unhealthy && s.State != Exited }

// Ready reports whether the node does its work.
func (s Snapshot) Ready() bool { return s.State == Healthy }

// MarshalJSON implements [json.Marshaler].
func (s Snapshot) MarshalJSON() ([]byte, error) {
	type fields Snapshot // without this method
	lastMatchAge, uptime := s.age(s.LastMatch), s.age(s.StartedAt)
	s.LastMatch, s.StartedAt = s.LastMatch.UTC().Round(time.Millisecond), s.StartedAt.UTC().Round(time.Millisecond)
	if s.Values == nil {
		s.Values = map[string]string{}
	}
	return json.Marshal(struct {
		fields
		Live         bool     `json:"live"`
		Ready        bool     `json:"ready"`
		LastMatchAge *float64 `json:"lastMatchAgeSeconds,omitempty"`
		Uptime       *float64 `json:"uptimeSeconds,omitempty"`
	}{fields(s), s.Live(), s.Ready(), lastMatchAge, uptime})
}

// age returns how long ago t was, in seconds, to the millisecond; nil for the zero time.
func (s Snapshot) age(t time.Time) *float64 {
	if t.IsZero() {
		return nil
	}
	seconds := s.At.Sub(t).Round(time.Millisecond).Seconds()
	return &seconds
}
