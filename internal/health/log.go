package health

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// Thresholds say how long a node may be silent.
type Thresholds struct {
	// Last is how old the last sign of life may become. 0: any age.
	Last time.Duration
	// Startup is how long the first sign of life may take. 0: as long as it wants.
	Startup time.Duration
	// NeedsMatch is set when signs of life are looked for. Without, a node is healthy once started, and unhealthy from its
	// first failure until it is started again.
	NeedsMatch bool
}

// A Log is a source: what the node's log says. It is starting until the first sign of life and then healthy; unhealthy
// when a sign of life is too late, and from a failure to the next sign of life. It is safe for concurrent use.
type Log struct {
	machine    *Machine
	name       string
	thresholds Thresholds

	// Guarded by the machine's lock. All but matches and expected are about this run of the node.
	startedAt time.Time
	lastMatch time.Time // zero: none yet
	failure   string    // that no sign of life has followed; empty: none
	matches   uint64
	values    map[string]string
	expected  []string // what the node must announce before a sign of life counts
	seen      []string // what of that it has announced
}

// AddLog adds a source. It is for the time when no node runs; so is all that Log's methods tell only about the node that
// was started last.
func (m *Machine) AddLog(name string, t Thresholds) *Log {
	l := &Log{machine: m, name: name, thresholds: t}
	m.add(l)
	return l
}

// Match says that so many more lines were signs of life, and which values were read from them; lines may be 0. A sign of
// life of a node that has not announced all that is expected is none but a failure: the node runs, though not as the one
// it should be.
func (l *Log) Match(lines int, values map[string]string) {
	now := l.machine.enter()
	defer l.machine.leave(now)
	if len(values) > 0 && l.values == nil {
		l.values = make(map[string]string, len(values))
	}
	maps.Copy(l.values, values)
	if lines == 0 {
		return
	}
	if missing := l.missing(); len(missing) > 0 {
		l.failure = fmt.Sprintf("the node has not announced %q: it may have made itself a new key", missing[0])
		return
	}
	l.matches += uint64(lines)
	l.lastMatch, l.failure = now, ""
}

// Fail says that a line contains a keyword of a failure: the node is unhealthy until its next sign of life.
func (l *Log) Fail(keyword, line string) {
	now := l.machine.enter()
	defer l.machine.leave(now)
	l.failure = fmt.Sprintf("fail keyword %q: %s", keyword, line)
}

// Expect says what the node must announce in each run before a sign of life counts, and returns what of that is still
// missing.
func (l *Log) Expect(texts []string) (missing []string) {
	now := l.machine.enter()
	defer l.machine.leave(now)
	l.expected = texts
	return l.missing()
}

// Seen says that the node has announced one of the texts that are expected.
func (l *Log) Seen(text string) {
	now := l.machine.enter()
	defer l.machine.leave(now)
	l.seen = append(l.seen, text)
}

// The methods below are called while the machine is locked.

func (l *Log) missing() []string {
	var texts []string
	for _, text := range l.expected {
		if text != "" && !slices.Contains(l.seen, text) {
			texts = append(texts, text)
		}
	}
	return texts
}

func (l *Log) label() string { return l.name }

func (l *Log) start(at time.Time) {
	l.startedAt, l.lastMatch, l.failure = at, time.Time{}, ""
	l.values, l.seen = nil, nil
}

func (l *Log) state(at time.Time) State {
	deadline := l.deadline()
	switch {
	case l.failure != "", !deadline.IsZero() && !at.Before(deadline):
		return Unhealthy
	case l.thresholds.NeedsMatch && l.lastMatch.IsZero():
		return Starting
	}
	return Healthy
}

func (l *Log) due(after time.Time) time.Time {
	deadline := l.deadline()
	if l.failure != "" || !deadline.After(after) {
		return time.Time{}
	}
	return deadline
}

// deadline is when the next sign of life is too late, zero for never.
func (l *Log) deadline() time.Time {
	t := l.thresholds
	switch {
	case !t.NeedsMatch:
	case l.lastMatch.IsZero() && t.Startup > 0:
		return l.startedAt.Add(t.Startup)
	case !l.lastMatch.IsZero() && t.Last > 0:
		return l.lastMatch.Add(t.Last)
	}
	return time.Time{}
}

func (l *Log) reason(at time.Time) string {
	reason, threshold := "", time.Duration(0)
	switch {
	case l.failure != "":
		return l.failure
	case !l.thresholds.NeedsMatch:
		return "started, no failure so far"
	case l.lastMatch.IsZero():
		reason = fmt.Sprintf("no sign of life since the start %s ago", rounded(at.Sub(l.startedAt)))
		threshold = l.thresholds.Startup
	default:
		reason = fmt.Sprintf("last sign of life %s ago", rounded(at.Sub(l.lastMatch)))
		if l.state(at) == Unhealthy {
			threshold = l.thresholds.Last
		}
	}
	if threshold > 0 {
		reason += fmt.Sprintf(", threshold %s", threshold)
	}
	return reason
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
