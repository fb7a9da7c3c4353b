package health

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// LogRules say what a node's log must tell, and how often.
type LogRules struct {
	// Last is how old the last sign of life may become. 0: any age.
	Last time.Duration
	// Startup is how long the first sign of life may take. 0: as long as it wants.
	Startup time.Duration
	// NeedsMatch is set when signs of life are looked for. Without, a node is healthy once started, and unhealthy from its
	// first failure until it is started again.
	NeedsMatch bool
	// Expect are texts that the node must announce in each run before a sign of life counts, such as its identity.
	Expect []string
}

// A Log is a source: what the node's log says. It is starting until the first sign of life and then healthy; unhealthy
// when a sign of life is too late, and from a failure to the next sign of life. It is safe for concurrent use.
type Log struct {
	machine *Machine
	name    string
	rules   LogRules

	// Guarded by the machine's lock. All but matches are about this run of the node.
	startedAt time.Time
	lastMatch time.Time // zero: none yet
	failure   string    // that no sign of life has followed; empty: none
	matches   uint64
	values    map[string]string
	missing   []string // what of LogRules.Expect the node has not announced yet
}

// AddLog adds a source, which needs a name beside others. It is for the time when no node runs.
func (m *Machine) AddLog(name string, r LogRules) *Log {
	m.mu.Lock()
	defer m.mu.Unlock()
	l := &Log{machine: m, name: name, rules: r, values: map[string]string{}}
	m.sources = append(m.sources, l)
	return l
}

// Match says that so many more lines were signs of life, and which values were read from them; lines may be 0. A sign of
// life of a node that has not announced all that is expected is none but a failure: the node runs, though not as the one
// it should be.
func (l *Log) Match(lines int, values map[string]string) {
	l.machine.news(func(now time.Time) {
		maps.Copy(l.values, values)
		switch {
		case lines == 0:
		case len(l.missing) > 0:
			l.failure = fmt.Sprintf("the node has not announced %q: it may have made itself a new key", l.missing[0])
		default:
			l.matches += uint64(lines)
			l.lastMatch, l.failure = now, ""
		}
	})
}

// Fail says that a line contains a keyword of a failure: the node is unhealthy until its next sign of life.
func (l *Log) Fail(keyword, line string) {
	l.machine.news(func(time.Time) { l.failure = fmt.Sprintf("fail keyword %q: %s", keyword, line) })
}

// Missing returns what the node has still to announce.
func (l *Log) Missing() []string {
	l.machine.mu.Lock()
	defer l.machine.mu.Unlock()
	return slices.Clone(l.missing)
}

// Seen says that the node has announced one of the texts that are missing.
func (l *Log) Seen(text string) {
	l.machine.mu.Lock()
	defer l.machine.mu.Unlock()
	l.missing = slices.DeleteFunc(l.missing, func(t string) bool { return t == text })
}

// The methods below are called while the machine is locked.

func (l *Log) label() string { return l.name }

func (l *Log) start(at time.Time) {
	l.startedAt, l.lastMatch, l.failure = at, time.Time{}, ""
	l.missing = slices.Clone(l.rules.Expect)
	clear(l.values)
}

func (l *Log) state(at time.Time) State {
	due := l.due()
	switch {
	case l.failure != "", !due.IsZero() && !at.Before(due):
		return Unhealthy
	case l.rules.NeedsMatch && l.lastMatch.IsZero():
		return Starting
	}
	return Healthy
}

// awaited is since when the next sign of life is awaited, and how long that may take; 0: as long as it wants.
func (l *Log) awaited() (since time.Time, threshold time.Duration) {
	if l.lastMatch.IsZero() {
		return l.startedAt, l.rules.Startup
	}
	return l.lastMatch, l.rules.Last
}

// due is when the next sign of life is too late.
func (l *Log) due() time.Time {
	since, threshold := l.awaited()
	if !l.rules.NeedsMatch || threshold == 0 {
		return time.Time{}
	}
	return since.Add(threshold)
}

func (l *Log) reason(at time.Time) string {
	switch {
	case l.failure != "":
		return l.failure
	case !l.rules.NeedsMatch:
		return "started, no failure so far"
	}
	text := "last sign of life"
	if l.lastMatch.IsZero() {
		text = "no sign of life since the start"
	}
	since, threshold := l.awaited()
	text += fmt.Sprintf(" %s ago", rounded(at.Sub(since)))
	if threshold > 0 && l.state(at) != Healthy {
		text += fmt.Sprintf(", threshold %s", threshold)
	}
	return text
}

func (l *Log) describe(s *Snapshot) {
	if l.lastMatch.After(s.LastMatch) {
		s.LastMatch = l.lastMatch
	}
	s.Matches += l.matches
	maps.Copy(s.Values, l.values)
}

// rounded drops digits nobody needs.
func rounded(d time.Duration) time.Duration {
	if d < 10*time.Second {
		return d.Truncate(time.Millisecond)
	}
	return d.Truncate(time.Second)
}
