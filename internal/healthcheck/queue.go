package healthcheck

import (
	"math/rand/v2"
	"slices"
	"time"
)

const (
	// minGap is the least time between two periodic pings. The hosted service takes about ten pings a minute of one
	// check before it drops some.
	minGap = 15 * time.Second
	// burst is how many state changes may follow each other at once before they, too, keep minGap apart: a node that
	// flaps with every line must not flood the server.
	burst = 5
)

// item is a reported ping on its way. Items are compared by address.
type item struct{ Ping }

// queue holds the reported pings that are not accepted yet, oldest first. One of each rank at most is in it.
type queue struct {
	items []*item
	fresh bool // something was added since the last try began
}

// push adds a ping and drops what it makes pointless:
//
//   - Success and Fail say how the node is, so the newer one replaces both.
//   - Exit says that this run is over. It replaces an earlier Exit and any Success or Fail, which were about that run.
//     A Success or Fail of the next run does not replace it: a crash stays worth knowing after the restart.
//   - Log changes no status. It replaces an earlier Log only, and only another Log replaces it.
func (q *queue) push(p Ping) {
	q.items = slices.DeleteFunc(q.items, func(old *item) bool { return replaces(p.Kind, old.Kind) })
	q.items = append(q.items, &item{p})
	q.fresh = true
}

func replaces(newer, older Kind) bool {
	switch newer {
	case Success, Fail:
		return older == Success || older == Fail
	case Exit:
		return older != Log
	default:
		return older == Log
	}
}

func (q *queue) holds(it *item) bool { return slices.Contains(q.items, it) }

func (q *queue) remove(it *item) {
	q.items = slices.DeleteFunc(q.items, func(other *item) bool { return other == it })
}

// pacer says when the next try is due. It knows no clock: every method is told the time. Its zero value is not ready for
// use; see newPacer.
type pacer struct {
	interval time.Duration

	tick  time.Time // the next periodic ping by the calendar
	due   time.Time // the next periodic ping, or the next try of one that failed; never after tick
	retry time.Time // the next try of the queue
	hold  time.Time // what the server asked for with Retry-After
	last  time.Time // the last try of anything
	spent time.Time // when the allowance for state changes will be full again

	failed int // tries in a row that failed, of the queue or of this interval's periodic ping
}

func newPacer(interval time.Duration, now time.Time) *pacer {
	return &pacer{interval: interval, tick: now.Add(interval), due: now.Add(interval)}
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
	p.failed = 0
}

// retryQueue plans the queue's next try after a failed one, ever later, up to an interval.
func (p *pacer) retryQueue(now time.Time, retryAfter time.Duration) {
	p.hold = latest(p.hold, now.Add(retryAfter))
	p.retry = now.Add(backoff(time.Second, p.failed, max(p.interval, minGap)))
	p.failed++
}

// retryNow lets the queue be tried at once, since something new is in it.
func (p *pacer) retryNow() {
	p.retry = time.Time{}
	p.failed = 0
}

// retryPeriodic plans another try of a periodic ping inside its interval, or none if that would delay the next one.
func (p *pacer) retryPeriodic(now time.Time, retryAfter time.Duration) {
	p.hold = latest(p.hold, now.Add(retryAfter))
	p.due = now.Add(backoff(minGap, p.failed, p.interval))
	if p.due.After(p.tick.Add(-minGap)) {
		p.due = p.tick
	}
	p.failed++
}

// backoff doubles first with each failed try, up to limit, and adds up to half of that at random, so that the pods of a
// fleet, which lost their server in the same second, do not all come back in the same second.
func backoff(first time.Duration, failed int, limit time.Duration) time.Duration {
	wait := first
	for range failed {
		if wait >= limit {
			break
		}
		wait *= 2
	}
	wait = min(wait, max(limit, first))
	return wait + rand.N(wait/2+1)
}

func latest(times ...time.Time) time.Time {
	return slices.MaxFunc(times, time.Time.Compare)
}
