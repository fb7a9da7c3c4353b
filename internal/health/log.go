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
	// Expect are texts that the node must announce in each run before a sign of life counts, such as its identity. Empty ones
	// do not count.
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
	announced []string // what of LogRules.Expect the node has announced
}

// AddLog adds a source, which needs a name beside others. It is for the time when no node runs.
func (m *Machine) AddLog(name string, r LogRules) *Log {
	m.mu.Lock()
	defer m.mu.Unlock()
	l := &Log{machine: m, name: name, rules: r}
	m.sources = append(m.sources, l)
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

// Missing returns what the node has still to announce.
func (l *Log) Missing() []string {
	if len(l.rules.Expect) == 0 {
		return nil
	}
	now := l.machine.enter()
	defer l.machine.leave(now)
	return l.missing()
}

// Seen says that the node has announced one of the texts that are missing.
func (l *Log) Seen(text string) {
	now := l.machine.enter()
	defer l.machine.leave(now)
	l.announced = append(l.announced, text)
}

// The methods below are called while the machine is locked.

func (l *Log) missing() []string {
	var texts []string
	for _, text := range l.rules.Expect {
		if text != "" && !slices.Contains(l.announced, text) {
			texts = append(texts, text)
		}
	}
	return texts
}

func (l *Log) label() string { return l.name }

func (l *Log) start(at time.Time) {
	l.startedAt, l.lastMatch, l.failure = at, time.Time{}, ""
	l.values, l.announced = nil, nil
}

func (l *Log) state(at time.Time) State {
	deadline := l.deadline()
	switch {
	case l.failure != "", !deadline.IsZero() && !at.Before(deadline):
		return Unhealthy
	case l.rules.NeedsMatch && l.lastMatch.IsZero():
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
	switch {
	case !l.rules.NeedsMatch:
	case l.lastMatch.IsZero() && l.rules.Startup > 0:
		return l.startedAt.Add(l.rules.Startup)
	case !l.lastMatch.IsZero() && l.rules.Last > 0:
		return l.lastMatch.Add(l.rules.Last)
	}
	return time.Time{}
}

func (l *Log) reason(at time.Time) string {
	switch {
	case l.failure != "":
		return l.failure
	case !l.rules.NeedsMatch:
		return "started, no failure so far"
	case l.lastMatch.IsZero() && l.rules.Startup == 0:
		return fmt.Sprintf("no sign of life since the start %s ago", rounded(at.Sub(l.startedAt)))
	case l.lastMatch.IsZero():
		return fmt.Sprintf("no sign of life since the start %s ago, threshold %s", rounded(at.Sub(l.startedAt)), l.rules.Startup)
	case l.state(at) == Healthy:
		return fmt.Sprintf("last sign of life %s ago", rounded(at.Sub(l.lastMatch)))
	}
	return fmt.Sprintf("last sign of life %s ago, threshold %s", rounded(at.Sub(l.lastMatch)), l.rules.Last)
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
