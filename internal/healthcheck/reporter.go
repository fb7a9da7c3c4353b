package healthcheck

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/kubevali/kubevali/internal/backoff"
	"github.com/kubevali/kubevali/internal/hint"
)

const (
	// replacedTimeout is what a ping on its way has left once something newer has made it pointless: a server that answers
	// gets both, in order, and one that hangs does not hold up the news.
	replacedTimeout = 2 * time.Second
	// closeTries is how often each of the last pings is tried.
	closeTries = 3
)

// Pinger sends one ping; *Client is one. An error that is no *Error counts as transient.
type Pinger interface {
	Ping(context.Context, Ping) error
}

// ReporterOptions are what a Reporter needs.
type ReporterOptions struct {
	Pinger Pinger
	// Interval is the time between periodic pings; below 15 s it counts as 15 s.
	Interval time.Duration
	// Current returns the periodic ping for the node as it is now, or false while there is nothing to say, such as before
	// the first sign of life. It is called from the reporter's goroutine, once per periodic ping.
	Current func() (Ping, bool)
	// Log gets each accepted ping as debug, the first of a row of equal failures as a warning, and the recovery as info.
	Log logrus.FieldLogger
}

// Reporter decides when which ping is sent:
//
//   - A reported ping (Report) goes out at once, but after a burst of five at most one each 15 s.
//   - A periodic ping goes out each interval, counted from the last Success or Fail of either kind, and at least 15 s after
//     any other ping. While a reported ping waits for its acceptance there are no periodic ones.
//   - A transient failure is tried again ever more slowly: a reported ping after 1 s, 2 s, 4 s … up to the interval, until
//     it is accepted or replaced; a periodic one after 15 s, 30 s …, each time as the node then is, until its interval is
//     over. Retry-After holds back both. A refusal for configuration is not tried again.
//   - A newer reported ping replaces one that it makes pointless, see queue.push, which on its way has 2 s left. Any makes a
//     periodic one pointless.
type Reporter struct {
	options  ReporterOptions
	doorbell chan struct{} // wakes the loop after a change of what mu guards
	done     chan struct{} // closed when the loop has ended

	// Of the loop alone.
	pacer  pacer
	warned map[string]bool // the troubles warned about since the last accepted ping

	mu      sync.Mutex // guards all below
	queue   queue
	fresh   bool               // something was queued since the last try began
	sending *Ping              // the ping on its way, nil when there is none
	cancel  context.CancelFunc // ends it
	closing time.Time          // when the last ping must be over; zero until Close
}

// Start starts a reporter. Its owner must call Close.
func Start(o ReporterOptions) *Reporter {
	r := &Reporter{
		options:  o,
		doorbell: make(chan struct{}, 1),
		done:     make(chan struct{}),
		pacer:    newPacer(o.Interval, time.Now()),
		warned:   map[string]bool{},
	}
	go r.run()
	return r
}

// Report queues a ping about a change of state. It returns at once, may be called from any goroutine, and does nothing
// after Close.
func (r *Reporter) Report(p Ping) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.closing.IsZero() {
		return
	}
	r.queue.push(&p)
	r.fresh = true
	if r.sending != nil && !slices.Contains(r.queue, r.sending) {
		time.AfterFunc(replacedTimeout, r.cancel)
	}
	r.ring()
}

// Close ends the reporter and its goroutine within budget, which the reported pings that still wait get in equal shares: the
// last one is tried even when the server hangs on an earlier one. No rule about pauses holds them back any more.
func (r *Reporter) Close(budget time.Duration) {
	defer func() { <-r.done }()
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.closing.IsZero() {
		return
	}
	r.closing = time.Now().Add(budget)
	r.ring()
	switch {
	case r.sending == nil:
	case !slices.Contains(r.queue, r.sending): // a periodic one, or one that was replaced
		r.cancel()
	default:
		time.AfterFunc(budget/time.Duration(len(r.queue)), r.cancel)
	}
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
		queued, wait, closing := r.next()
		switch {
		case !closing.IsZero():
			r.flush(closing)
			return
		case wait > 0:
			timer.Reset(wait)
			select {
			case <-timer.C:
			case <-r.doorbell:
			}
		case queued != nil:
			r.sendQueued(queued)
		default:
			r.sendPeriodic()
		}
	}
}

// next returns the reported ping to send, nil for a periodic one, how long there is nothing to do until then, and closing.
func (r *Reporter) next() (queued *Ping, wait time.Duration, closing time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fresh {
		r.pacer.retryNow()
	}
	if len(r.queue) > 0 {
		return r.queue[0], time.Until(r.pacer.nextQueued()), r.closing
	}
	return nil, time.Until(r.pacer.nextPeriodic()), r.closing
}

func (r *Reporter) sendQueued(p *Ping) {
	became := r.try(p)
	if became == failed {
		r.pacer.retryQueue(time.Now())
		return
	}
	r.mu.Lock()
	held := len(r.queue) > 0 && r.queue[0] == p // else something newer has replaced it
	if held {
		r.queue = slices.Delete(r.queue, 0, 1)
	}
	r.mu.Unlock()
	if held && became == canceled {
		r.lost(p)
	}
	r.pacer.retryNow()
	if p.Kind == Success || p.Kind == Fail {
		r.pacer.startInterval(time.Now())
	}
}

func (r *Reporter) sendPeriodic() {
	now := time.Now()
	if !now.Before(r.pacer.tick) {
		r.pacer.startInterval(now)
	}
	r.pacer.due = r.pacer.tick
	if p, ok := r.options.Current(); ok && r.try(&p) == failed {
		r.pacer.retryPeriodic(time.Now())
	}
}

// An outcome is what became of a try.
type outcome int

const (
	settled  outcome = iota // accepted, or refused for good
	failed                  // worth another try
	canceled                // something newer counts, or the time is up
)

// try sends a ping such that Report and Close can cancel it.
func (r *Reporter) try(p *Ping) outcome {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	r.mu.Lock()
	if !r.closing.IsZero() {
		r.mu.Unlock()
		return failed // if it is a reported ping, flush will send it
	}
	r.sending, r.cancel, r.fresh = p, cancel, false
	r.mu.Unlock()

	r.pacer.tried(time.Now())
	became := r.send(ctx, p)

	r.mu.Lock()
	defer r.mu.Unlock()
	r.sending, r.cancel = nil, nil
	return became
}

// send sends a ping and logs what became of it.
func (r *Reporter) send(ctx context.Context, p *Ping) outcome {
	log := r.options.Log.WithField("ping", p.String())
	err := r.options.Pinger.Ping(ctx, *p)
	switch {
	case err == nil:
		log.Debug("Health ping accepted")
		if len(r.warned) > 0 {
			log.Info("Health pings are accepted again")
			clear(r.warned)
		}
		return settled
	case ctx.Err() != nil:
		log.Debug("Health ping given up: something newer counts")
		return canceled
	}
	trouble := &Error{}
	if !errors.As(err, &trouble) {
		trouble = &Error{message: err.Error(), cause: err.Error()}
	}
	level := logrus.WarnLevel
	if r.warned[trouble.cause] {
		level = logrus.DebugLevel
	}
	r.warned[trouble.cause] = true
	log.Logf(level, "Health ping not accepted: %s", hint.Line(trouble))
	if trouble.Permanent {
		return settled
	}
	r.pacer.hold = latest(r.pacer.hold, time.Now().Add(trouble.RetryAfter))
	return failed
}

// flush gives each waiting ping its share of the time that is left.
func (r *Reporter) flush(deadline time.Time) {
	r.mu.Lock()
	waiting := r.queue
	r.mu.Unlock()
	for i, p := range waiting {
		share := time.Until(deadline) / time.Duration(len(waiting)-i)
		ctx, cancel := context.WithTimeout(context.Background(), share)
		if r.sendLast(ctx, p) != settled {
			r.lost(p)
		}
		cancel()
	}
}

func (r *Reporter) lost(p *Ping) {
	r.options.Log.WithField("ping", p.String()).Warn("Health ping lost: no time is left to deliver it")
}

// sendLast tries a ping a few times.
func (r *Reporter) sendLast(ctx context.Context, p *Ping) outcome {
	wait := backoff.Backoff{First: time.Second / 2, Max: time.Second}
	for range closeTries - 1 {
		if became := r.send(ctx, p); became != failed {
			return became
		}
		select {
		case <-time.After(jitter(wait.Next())):
		case <-ctx.Done():
			return canceled
		}
	}
	return r.send(ctx, p)
}
