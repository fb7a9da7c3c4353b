package watchlog

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
)

// A State is what a node's log says about it.
type State string

const (
	// Starting: no sign of life yet, and not too late for it.
	Starting State = "starting"
	// Healthy: the last sign of life is young enough.
	Healthy State = "healthy"
	// Unhealthy: the last sign of life is too old, the first has not come in time, or the log reports a failure.
	Unhealthy State = "unhealthy"
	// Stopping: the node has been asked to stop.
	Stopping State = "stopping"
	// Exited: the node is gone.
	Exited State = "exited"
)

// Thresholds say how long a node may be silent.
type Thresholds struct {
	// Last is how old the last sign of life may become. 0: any age.
	Last time.Duration
	// Startup is how long the first sign of life may take. 0: as long as it wants.
	Startup time.Duration
	// NeedsMatch is set when the rules know signs of life. Without, a node is healthy once started, and unhealthy
	// from its first failure until it is started again.
	NeedsMatch bool
}

// A Snapshot is the state of a node at one moment.
type Snapshot struct {
	State State
	// Reason explains the state in one line.
	Reason string
	// Since is when the state began.
	Since time.Time
	// StartedAt is when the node was started last, zero before the first time.
	StartedAt time.Time
	// LastMatch is when this run of the node gave its last sign of life, zero when it gave none.
	LastMatch time.Time
	// Matches counts the lines that were signs of life, over all runs.
	Matches uint64
	// Values holds the last values of the pattern's named groups in this run. It is the reader's own.
	Values map[string]string
	// PID is the process ID of the running node, 0 when none is running.
	PID int
}

// maxPending is how many state changes wait for Run at most.
const maxPending = 16

// A Liveness knows the state of one node: "starting", then "healthy" or "unhealthy" as the log goes on, "stopping",
// "exited", and from there anew when the node is started again. It is a [Sink] and safe for concurrent use.
//
// What time alone changes is worked out whenever somebody looks, so that each answer is right at its moment without
// a goroutine; Run is for those who want to be told.
type Liveness struct {
	thresholds Thresholds
	// changed holds a token while there may be something in pending that Run has not seen.
	changed chan struct{}

	mu      sync.Mutex // guards the rest
	now     Snapshot   // without Reason
	why     func(at time.Time) string
	pending []Snapshot // state changes that Run has not reported, oldest first

	expected []string // what the node must announce before a sign of life counts
	seen     []string // what of that it has announced since it was started
}

// NewLiveness returns the Liveness of a node that has not been started.
func NewLiveness(t Thresholds) *Liveness {
	return &Liveness{
		thresholds: t,
		changed:    make(chan struct{}, 1),
		now:        Snapshot{State: Starting, Since: time.Now()},
		why:        because("not started yet"),
	}
}

// Started says that the node runs, as process pid, and forgets what the log of an earlier run said. It must come
// before the first output of this run is looked at. It counts as a change of the state even when the state is the
// same.
func (l *Liveness) Started(pid int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.advance()
	l.now.StartedAt, l.now.LastMatch, l.now.Values, l.now.PID = now, time.Time{}, nil, pid
	l.seen = nil
	if l.thresholds.NeedsMatch {
		l.change(Starting, now, l.silentSinceStart)
	} else {
		l.change(Healthy, now, because("started, no failure so far"))
	}
}

// Stopping says that the node has been asked to stop, and why. Only Exited and Started change the state after that.
func (l *Liveness) Stopping(reason string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now := l.advance(); !l.over() {
		l.change(Stopping, now, because(reason))
	}
}

// Exited says that the node is gone, and how it went. Only Started changes the state after that.
func (l *Liveness) Exited(reason string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.advance()
	l.now.PID = 0
	if l.now.State != Exited {
		l.change(Exited, now, because(reason))
	}
}

// Match implements [Sink]. A sign of life of a node that has not announced all that is expected is none but a failure:
// the node runs, though not as the one it should be.
func (l *Liveness) Match(lines int, values map[string]string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.advance()
	if len(values) > 0 && l.now.Values == nil {
		l.now.Values = make(map[string]string, len(values))
	}
	maps.Copy(l.now.Values, values)
	if lines == 0 {
		return
	}
	if missing := l.missing(); len(missing) > 0 {
		l.fail(now, fmt.Sprintf("the node has not announced %q: it may have made itself a new key", missing[0]))
		return
	}
	l.now.Matches += uint64(lines)
	l.now.LastMatch = now
	if l.now.State != Healthy && !l.over() {
		l.change(Healthy, now, l.sinceLastMatch)
	}
}

// Fail implements [Sink]: the node is unhealthy until its next sign of life.
func (l *Liveness) Fail(keyword, line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fail(l.advance(), fmt.Sprintf("fail keyword %q: %s", keyword, line))
}

// Expect implements [Sink].
func (l *Liveness) Expect(texts []string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.expected = texts
	return l.missing()
}

// Seen implements [Sink].
func (l *Liveness) Seen(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seen = append(l.seen, text)
}

// Snapshot returns the state of this moment.
func (l *Liveness) Snapshot() Snapshot {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.snapshot(l.advance())
}

// Run calls report for each change of the state, in order and at once. When ctx is done it reports what has changed
// until then and returns. A failure is reported even when the node recovers in the same moment. When report is so slow
// that changes pile up, failures from which the node recovered and after which it failed again are left out. Only one
// Run at a time sees all changes.
func (l *Liveness) Run(ctx context.Context, report func(Snapshot)) {
	for {
		changes, due := l.take()
		for _, s := range changes {
			report(s)
		}
		if ctx.Err() != nil {
			return
		}
		var timeout <-chan time.Time
		if !due.IsZero() {
			timeout = time.After(time.Until(due))
		}
		select {
		case <-l.changed:
		case <-timeout:
		case <-ctx.Done():
		}
	}
}

// take returns the changes to report and when time alone makes the next one, zero for never.
func (l *Liveness) take() (changes []Snapshot, due time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.advance()
	changes, l.pending = l.pending, nil
	return changes, l.due()
}

// The methods below need mu.

// advance makes the change that time has brought, and returns the time.
func (l *Liveness) advance() time.Time {
	now := time.Now()
	due := l.due()
	if due.IsZero() || now.Before(due) {
		return now
	}
	if l.now.State == Starting {
		l.change(Unhealthy, due, l.silentSinceStart)
	} else {
		l.change(Unhealthy, due, l.sinceLastMatch)
	}
	return now
}

// fail makes the node unhealthy, or gives another reason for it.
func (l *Liveness) fail(at time.Time, reason string) {
	switch {
	case l.over():
	case l.now.State == Unhealthy:
		l.why = because(reason)
	default:
		l.change(Unhealthy, at, because(reason))
	}
}

// missing returns what the node has still to announce.
func (l *Liveness) missing() []string {
	var texts []string
	for _, text := range l.expected {
		if text != "" && !slices.Contains(l.seen, text) {
			texts = append(texts, text)
		}
	}
	return texts
}

// due returns when time alone makes the node unhealthy, zero for never.
func (l *Liveness) due() time.Time {
	t := l.thresholds
	switch {
	case !t.NeedsMatch:
	case l.now.State == Starting && t.Startup > 0 && !l.now.StartedAt.IsZero():
		return l.now.StartedAt.Add(t.Startup)
	case l.now.State == Healthy && t.Last > 0:
		return l.now.LastMatch.Add(t.Last)
	}
	return time.Time{}
}

// over reports whether the log does not matter any more.
func (l *Liveness) over() bool {
	return l.now.State == Stopping || l.now.State == Exited
}

func (l *Liveness) change(to State, at time.Time, why func(time.Time) string) {
	l.now.State, l.now.Since, l.why = to, at, why
	if len(l.pending) == maxPending {
		l.pending = thinOut(l.pending)
	}
	l.pending = append(l.pending, l.snapshot(at))
	select {
	case l.changed <- struct{}{}:
	default:
	}
}

func (l *Liveness) snapshot(at time.Time) Snapshot {
	s := l.now
	s.Values = maps.Clone(s.Values)
	s.Reason = l.why(at)
	return s
}

func (l *Liveness) sinceLastMatch(at time.Time) string {
	reason := fmt.Sprintf("last sign of life %s ago", rounded(at.Sub(l.now.LastMatch)))
	if l.now.State == Unhealthy {
		reason += fmt.Sprintf(", threshold %s", l.thresholds.Last)
	}
	return reason
}

func (l *Liveness) silentSinceStart(at time.Time) string {
	reason := fmt.Sprintf("no sign of life since the start %s ago", rounded(at.Sub(l.now.StartedAt)))
	if l.thresholds.Startup > 0 {
		reason += fmt.Sprintf(", threshold %s", l.thresholds.Startup)
	}
	return reason
}

func because(reason string) func(time.Time) string {
	return func(time.Time) string { return reason }
}

// rounded drops digits nobody needs.
func rounded(d time.Duration) time.Duration {
	if d < 10*time.Second {
		return d.Truncate(time.Millisecond)
	}
	return d.Truncate(time.Second)
}

// thinOut makes room in changes: it drops a failure and the recovery from it where another failure follows; without
// such, which takes a node that restarts all the time, the oldest change.
func thinOut(changes []Snapshot) []Snapshot {
	for i := range len(changes) - 2 {
		if changes[i].State == Unhealthy && changes[i+1].State == Healthy && changes[i+2].State == Unhealthy {
			return slices.Delete(changes, i, i+2)
		}
	}
	return changes[1:]
}
