package healthcheck

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/sirupsen/logrus"
)

const (
	// patience is how long a ping on its way may still take once something newer has made it pointless. An answering
	// server gets both, in order; a hanging one does not hold up the news.
	patience = 2 * time.Second
	// closeBudget is the time for the last pings when Close gets a context without a deadline.
	closeBudget = 5 * time.Second
	// closeTries is how often each of the last pings is tried.
	closeTries = 3

	defaultInterval = time.Minute
)

// Pinger sends one ping; *Client is one. An error that is no *Error counts as transient.
type Pinger interface {
	Ping(context.Context, Ping) error
}

// ReporterOptions are what a Reporter needs.
type ReporterOptions struct {
	// Pinger sends the pings. Nil: nothing is sent, the pings are only logged.
	Pinger Pinger
	// Interval is the time between periodic pings; below 15 s it counts as 15 s. 0: 1 minute.
	Interval time.Duration
	// Current returns the periodic ping for the node as it is now, or false while there is nothing to say, such as before
	// the first sign of life. It is called from the reporter's goroutine, once per periodic ping. Nil: no such pings.
	Current func() (Ping, bool)
	// Log gets each accepted ping as debug, the first of a row of equal failures as a warning, and the recovery as info.
	Log logrus.FieldLogger
}

// Reporter decides when which ping is sent:
//
//   - A reported ping (Report) goes out at once, but after a burst of five at most one each 15 s.
//   - A periodic ping goes out each interval, counted from the last Success or Fail of either kind, and at least 15 s after
//     any other ping. While a reported ping waits for its acceptance there are no periodic ones.
//   - A transient failure is tried again with exponential backoff and jitter: a reported ping after 1 s, 2 s, 4 s … up to
//     the interval, until it is accepted or replaced; a periodic one after 15 s, 30 s …, each time as the node then is,
//     until its interval is over. Retry-After holds back both. A refusal for configuration is not tried again.
//   - Of the reported pings that wait, a newer one replaces an older one that it makes pointless; see queue.push. A ping
//     on its way that was replaced is given up after 2 s. A periodic ping is made pointless by any reported one.
type Reporter struct {
	pinger   Pinger
	current  func() (Ping, bool)
	log      logrus.FieldLogger
	doorbell chan struct{} // wakes the loop after a change of what mu guards
	done     chan struct{} // closed when the loop has ended

	// Of the loop alone.
	pacer  *pacer
	warned map[string]bool // the troubles warned about since the last accepted ping

	mu      sync.Mutex // guards all below
	queue   queue
	flying  *item              // the ping on its way, nil when there is none
	giveUp  context.CancelFunc // ends it
	doomed  bool               // it is going to be ended, since something newer has made it pointless
	closing context.Context    // nil until Close
}

// Start starts a reporter. Its owner must call Close.
func Start(o ReporterOptions) *Reporter {
	interval := o.Interval
	if interval <= 0 {
		interval = defaultInterval
	}
	r := &Reporter{
		pinger:   o.Pinger,
		current:  o.Current,
		log:      o.Log,
		doorbell: make(chan struct{}, 1),
		done:     make(chan struct{}),
		pacer:    newPacer(interval, time.Now()),
		warned:   map[string]bool{},
	}
	if r.pinger == nil {
		r.log.Info("No healthcheck ID is set: health is logged but not reported to a server")
	}
	go r.run()
	return r
}

// Report queues a ping about a change of state. It returns at once, may be called from any goroutine, and does nothing
// after Close.
func (r *Reporter) Report(p Ping) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closing != nil {
		return
	}
	r.queue.push(p)
	if r.flying != nil && !r.doomed && !r.queue.holds(r.flying) {
		r.doomed = true
		time.AfterFunc(patience, r.giveUp)
	}
	r.ring()
}

// Close ends the reporter. The reported pings that are still waiting get the time until ctx ends, in equal shares, so that
// the last one is tried even when the server hangs on an earlier one. No rule about pauses holds them back any more.
// Without a deadline Close takes 5 s at most. It returns when the reporter's goroutine has ended.
func (r *Reporter) Close(ctx context.Context) {
	deadline, ok := ctx.Deadline()
	if !ok {
		deadline = time.Now().Add(closeBudget)
	}
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	r.beginClosing(ctx, time.Until(deadline))
	<-r.done
}

func (r *Reporter) beginClosing(ctx context.Context, budget time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closing != nil {
		return
	}
	r.closing = ctx
	r.ring()
	if r.flying == nil {
		return
	}
	if !r.queue.holds(r.flying) { // a periodic one, or one that was replaced
		r.giveUp()
		return
	}
	context.AfterFunc(ctx, r.giveUp)
	time.AfterFunc(budget/time.Duration(len(r.queue.items)), r.giveUp)
}

func (r *Reporter) ring() {
	select {
	case r.doorbell <- struct{}{}:
	default: // it rings already
	}
}

func (r *Reporter) run() {
	defer close(r.done)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		wait, closing := r.next()
		switch {
		case closing != nil:
			r.flush(closing)
			return
		case wait > 0:
			timer.Reset(wait)
			select {
			case <-timer.C:
			case <-r.doorbell:
			}
		default:
			r.step()
		}
	}
}

// next returns how long there is nothing to do, and the closing context once there is one.
func (r *Reporter) next() (time.Duration, context.Context) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.queue.fresh {
		r.pacer.retryNow()
	}
	if len(r.queue.items) > 0 {
		return time.Until(r.pacer.nextQueued()), r.closing
	}
	return time.Until(r.pacer.nextPeriodic()), r.closing
}

func (r *Reporter) step() {
	if it := r.head(); it != nil {
		r.sendQueued(it)
		return
	}
	r.sendPeriodic()
}

func (r *Reporter) head() *item {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.queue.items) == 0 {
		return nil
	}
	return r.queue.items[0]
}

// remove takes a ping from the queue and reports whether it was there: not when something newer has replaced it.
func (r *Reporter) remove(it *item) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	held := r.queue.holds(it)
	r.queue.remove(it)
	return held
}

func (r *Reporter) sendQueued(it *item) {
	result := r.try(it)
	if result.outcome == failed {
		r.pacer.retryQueue(time.Now(), result.retryAfter)
		return
	}
	if r.remove(it) && result.outcome == canceled {
		r.lost(it.Ping)
	}
	r.pacer.retryNow()
	if it.Kind == Success || it.Kind == Fail {
		r.pacer.startInterval(time.Now())
	}
}

func (r *Reporter) sendPeriodic() {
	now := time.Now()
	if !now.Before(r.pacer.tick) {
		r.pacer.startInterval(now)
	}
	r.pacer.due = r.pacer.tick
	if r.current == nil {
		return
	}
	p, ok := r.current()
	if !ok {
		return
	}
	if result := r.try(&item{p}); result.outcome == failed {
		r.pacer.retryPeriodic(time.Now(), result.retryAfter)
	}
}

type outcome int

const (
	settled  outcome = iota // accepted, or refused for good
	failed                  // worth another try
	canceled                // given up for something newer
)

type result struct {
	outcome    outcome
	retryAfter time.Duration
}

// try sends a ping such that Report and Close can end it.
func (r *Reporter) try(it *item) result {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if !r.takeOff(it, cancel) {
		return result{outcome: failed} // nothing was sent; if it is a reported ping, flush will
	}
	defer r.land()
	r.pacer.tried(time.Now())
	return r.send(ctx, it.Ping)
}

func (r *Reporter) takeOff(it *item, giveUp context.CancelFunc) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closing != nil {
		return false
	}
	r.flying, r.giveUp, r.doomed = it, giveUp, false
	r.queue.fresh = false
	return true
}

func (r *Reporter) land() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.flying, r.giveUp = nil, nil
}

// send sends a ping and logs what became of it.
func (r *Reporter) send(ctx context.Context, p Ping) result {
	log := r.log.WithField("ping", p.String())
	if r.pinger == nil {
		log.Debug("Health ping not sent: no healthcheck ID is set")
		return result{}
	}
	err := r.pinger.Ping(ctx, p)
	switch {
	case err == nil:
		log.Debug("Health ping accepted")
		if len(r.warned) > 0 {
			log.Info("Health pings are accepted again")
			clear(r.warned)
		}
		return result{}
	case ctx.Err() != nil:
		log.Debug("Health ping given up: something newer counts")
		return result{outcome: canceled}
	}
	trouble := &Error{}
	if !errors.As(err, &trouble) {
		trouble = &Error{message: err.Error(), cause: err.Error()}
	}
	if r.warned[trouble.cause] {
		log.Debugf("Health ping not accepted: %v", trouble)
	} else {
		r.warned[trouble.cause] = true
		log.Warnf("Health ping not accepted: %v", trouble)
	}
	if trouble.Class == Configuration {
		return result{}
	}
	return result{outcome: failed, retryAfter: trouble.RetryAfter}
}

// flush gives each waiting ping its share of the time that is left.
func (r *Reporter) flush(ctx context.Context) {
	r.mu.Lock()
	waiting := r.queue.items
	r.mu.Unlock()
	deadline, _ := ctx.Deadline()
	for i, it := range waiting {
		share := time.Until(deadline) / time.Duration(len(waiting)-i)
		if !r.sendLast(ctx, it.Ping, share) {
			r.lost(it.Ping)
		}
	}
}

func (r *Reporter) lost(p Ping) {
	r.log.WithField("ping", p.String()).Warn("Health ping lost: no time is left to deliver it")
}

// sendLast tries a ping a few times within budget and reports whether it was settled.
func (r *Reporter) sendLast(ctx context.Context, p Ping, budget time.Duration) bool {
	ctx, cancel := context.WithTimeout(ctx, budget)
	defer cancel()
	for try := range closeTries {
		if try > 0 && !pause(ctx, backoff(time.Second/2, try-1, time.Second)) {
			return false
		}
		if r.send(ctx, p).outcome == settled {
			return true
		}
	}
	return false
}

// pause waits for d and reports whether it could: not when ctx ends first.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
