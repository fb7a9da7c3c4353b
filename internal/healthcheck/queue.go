package healthcheck

import (
	"math/rand/v2"
	"slices"
	"time"

	"github.com/kubevali/kubevali/internal/backoff"
)

const (
	// minGap is the least time between two periodic pings. The hosted service takes about ten pings a minute of one
	// check before it drops some.
	minGap = 15 * time.Second
	// burst is how many state changes may follow each other at once before they, too, keep minGap apart: a node that
	// flaps with every line must not flood the server.
	burst = 5
)

// queue holds the reported pings that are not accepted yet, oldest first. They are compared by address.
type queue []*Ping

// push adds a ping and drops what it makes pointless:
//
//   - Success and Fail say how the node is, so the newer one replaces both.
//   - Exit says that this run is over. It replaces an earlier Exit and any Success or Fail, which were about that run.
//     A Success or Fail of the next run does not replace it: a crash stays worth knowing after the restart.
//   - Log changes no status. It replaces an earlier Log only, and only another Log replaces it.
func (q *queue) push(p *Ping) {
	*q = slices.DeleteFunc(*q, func(old *Ping) bool {
		switch p.Kind {
		case Success, Fail:
			return old.Kind == Success || old.Kind == Fail
		case Exit:
			return old.Kind != Log
		default:
			return old.Kind == Log
		}
	})
	*q = append(*q, p)
}

// pacer says when the next try is due. It knows no clock: every method is told the time.
type pacer struct {
	interval time.Duration

	tick  time.Time // the next periodic ping by the calendar
	due   time.Time // the next periodic ping, or the next try of one that failed; never after tick
	retry time.Time // the next try of the queue
	hold  time.Time // what the server asked for with Retry-After
	last  time.Time // the last try of anything
	spent time.Time // when the allowance for state changes will be full again

	queued, periodic backoff.Backoff
}

func newPacer(interval time.Duration, now time.Time) pacer {
	longest := max(interval, minGap)
	p := pacer{
		interval: interval,
		queued:   backoff.Backoff{First: time.Second, Max: longest},
		periodic: backoff.Backoff{First: minGap, Max: longest},
	}
	p.startInterval(now)
	return p
}

// nextQueued is when the queue may be tried.
func (p *pacer) nextQueued() time.Time {
	return latest(p.retry, p.hold, p.spent.Add(-(burst-1)*minGap))
}

// nextPeriodic is when a periodic ping may be tried.
func (p *pacer) nextPeriodic() time.Time { return latest(p.due, p.hold, p.last.Add(minGap)) }

// tried records that a try begins.
func (p *pacer) tried(now time.Time) {
	p.last = now
	p.spent = latest(p.spent, now).Add(minGap)
}

// startInterval begins a new interval: the next periodic ping is one interval away.
func (p *pacer) startInterval(now time.Time) {
	p.tick = now.Add(p.interval)
	p.due = p.tick
	p.periodic.Reset()
}

// retryQueue plans the queue's next try after a failed one, ever later, up to an interval.
func (p *pacer) retryQueue(now time.Time) { p.retry = now.Add(jitter(p.queued.Next())) }

// retryNow lets the queue be tried at once, since something new is in it.
func (p *pacer) retryNow() {
	p.retry = time.Time{}
	p.queued.Reset()
}

// retryPeriodic plans another try of a periodic ping inside its interval, or none if that would delay the next one.
func (p *pacer) retryPeriodic(now time.Time) {
	p.due = now.Add(jitter(p.periodic.Next()))
	if p.due.After(p.tick.Add(-minGap)) {
		p.due = p.tick
	}
}

// jitter adds up to half at random, so that the pods of a fleet, which lost their server in the same second, do not all
// come back in the same second.
func jitter(wait time.Duration) time.Duration { return wait + rand.N(wait/2+1) }

func latest(times ...time.Time) time.Time {
	return slices.MaxFunc(times, time.Time.Compare)
}
