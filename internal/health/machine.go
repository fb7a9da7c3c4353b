package health

import (
	"context"
	"strings"
	"sync"
	"time"
)

// A source is one view of the node. Its methods are called while the machine is locked; it gets news
// in [Machine.news].
type source interface {
	// start forgets what was known of an earlier run of the node.
	start(at time.Time)
	// state says how the node is at a moment: Starting, Healthy or Unhealthy.
	state(at time.Time) State
	// reason explains that, in one line.
	reason(at time.Time) string
	// due is the moment at which time alone changes the state, as far as is known; zero: never. It may be over.
	due() time.Time
	// describe adds what else is known.
	describe(*Snapshot)
	// label is the name under which the reason is given beside others.
	label() string
}

// maxPending is how many changes of the state wait for Run at most.
const maxPending = 16

// A Machine knows the state of one node. It is safe for concurrent use.
type Machine struct {
	// changes are those that Run has not reported yet, in order.
	changes chan Snapshot

	mu      sync.Mutex // guards the rest, what the sources know, and sending to changes
	sources []source
	watched bool      // the node runs and has not been asked to stop, so that the sources decide
	why     string    // the reason while they do not
	current Snapshot  // without Reason and what the sources describe
	looked  time.Time // when current was worked out last
}

// New returns the Machine of a node that has not been started.
func New() *Machine {
	return &Machine{
		changes: make(chan Snapshot, maxPending),
		current: Snapshot{State: Starting, Since: time.Now()},
		why:     "the node is being prepared",
	}
}

// DropSources makes room for the sources of another plan. It is for the time when no node runs.
func (m *Machine) DropSources() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sources = nil
}

// Started says that the node runs, as process pid. It must come before any source has news of this run. It counts as a
// change of the state even when the state is the same.
func (m *Machine) Started(pid int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.advance()
	if !m.current.StartedAt.IsZero() {
		m.current.Restarts++
	}
	m.current.StartedAt, m.current.PID, m.watched = now, pid, true
	for _, s := range m.sources {
		s.start(now)
	}
	m.change(m.verdict(now), now)
}

// Stopping says that the node has been asked to stop, and why. Only Exited and Started change the state after that.
func (m *Machine) Stopping(reason string) { m.end(Stopping, reason) }

// Exited says that the node has ended, and how. Only Started changes the state after that.
func (m *Machine) Exited(reason string) { m.end(Exited, reason) }

func (m *Machine) end(to State, reason string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.advance()
	if to == Exited {
		m.current.PID = 0
	}
	if m.current.State != to && m.current.State != Exited {
		m.watched, m.why = false, reason
		m.change(to, now)
	}
}

// Snapshot returns the state of this moment.
func (m *Machine) Snapshot() Snapshot {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.snapshot(m.advance())
}

// Run calls report for each change of the state, in order and at once. When ctx is done it reports what has changed until
// then and returns. An unhealthy node is reported even when it recovers in the same moment. When report is so slow that
// changes pile up, the oldest are left out. Only one Run at a time sees all changes.
func (m *Machine) Run(ctx context.Context, report func(Snapshot)) {
	for {
		var timeout <-chan time.Time
		if due := m.next(); !due.IsZero() {
			timeout = time.After(time.Until(due))
		}
		select {
		case change := <-m.changes:
			report(change)
		case <-timeout:
		case <-ctx.Done():
			m.next()
			for range len(m.changes) {
				report(<-m.changes)
			}
			return
		}
	}
}

// next returns when time alone may change the state next, zero for never.
func (m *Machine) next() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.advance()
	return m.due()
}

// news has a source learn something, for which it brings the machine up to the present, and makes the change that
// follows.
func (m *Machine) news(learn func(now time.Time)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.advance()
	learn(now)
	m.update(now)
}

// The methods below need mu.

// advance makes the changes that time has brought, and returns the time.
func (m *Machine) advance() time.Time {
	now := time.Now()
	for {
		due := m.due()
		if due.IsZero() || due.After(now) {
			m.looked = now
			return now
		}
		m.looked = due
		m.update(due)
	}
}

// due returns when time alone may change the state next, zero for never.
func (m *Machine) due() (next time.Time) {
	if !m.watched {
		return next
	}
	for _, s := range m.sources {
		if due := s.due(); due.After(m.looked) && (next.IsZero() || due.Before(next)) {
			next = due
		}
	}
	return next
}

// update makes the change that the sources call for, if they do.
func (m *Machine) update(at time.Time) {
	if !m.watched {
		return
	}
	if state := m.verdict(at); state != m.current.State {
		m.change(state, at)
	}
}

// verdict is what the sources say together.
func (m *Machine) verdict(at time.Time) State {
	verdict := Healthy
	for _, s := range m.sources {
		switch s.state(at) {
		case Unhealthy:
			return Unhealthy
		case Starting:
			verdict = Starting
		}
	}
	return verdict
}

func (m *Machine) change(to State, at time.Time) {
	m.current.State, m.current.Since = to, at
	if len(m.changes) == maxPending {
		select {
		case <-m.changes: // the oldest makes room
		default: // Run has made some meanwhile
		}
	}
	m.changes <- m.snapshot(at)
}

func (m *Machine) snapshot(at time.Time) Snapshot {
	s := m.current
	s.At, s.Reason = at, m.reason(at)
	s.Values = make(map[string]string)
	for _, src := range m.sources {
		src.describe(&s)
	}
	return s
}

// reason explains the state: in the words of the sources that hold it, while the sources decide.
func (m *Machine) reason(at time.Time) string {
	switch {
	case !m.watched:
		return m.why
	case len(m.sources) == 0:
		return "the node runs"
	case len(m.sources) == 1:
		return m.sources[0].reason(at)
	}
	var reasons []string
	for _, s := range m.sources {
		if s.state(at) == m.current.State {
			reasons = append(reasons, s.label()+": "+s.reason(at))
		}
	}
	return strings.Join(reasons, "; ")
}
