package node

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/kubevali/kubevali/internal/backoff"
	"github.com/kubevali/kubevali/internal/config"
	"github.com/kubevali/kubevali/internal/health"
	"github.com/kubevali/kubevali/internal/plan"
	"github.com/kubevali/kubevali/internal/supervise"
)

// companion lives beside the node and can delay neither it nor its output nor its stop: its methods return at once, but for
// run. The others are called one at a time.
type companion interface {
	// run is what it does by itself from the node's first start on, until ctx is done.
	run(ctx context.Context)
	// started says that a run of the node has begun.
	started()
	// changed tells of a change of the node's state, unless it is of a run that has ended in the meantime.
	changed(now health.Snapshot)
	// exited says how a run of the node has ended, in numbers and in words.
	exited(exit supervise.Exit, text string)
	// close ends what the companion does, last words included. Nothing is told after it.
	close()
}

// passive is a companion that does nothing; others embed it.
type passive struct{}

func (passive) run(context.Context)           {}
func (passive) started()                      {}
func (passive) changed(health.Snapshot)       {}
func (passive) exited(supervise.Exit, string) {}
func (passive) close()                        {}

// session is the time during which one plan is in effect: one run of the node, or several with pauses between them.
type session struct {
	node       *node
	loaded     *loaded
	plan       *plan.Plan
	logs       *logs // nil: nothing is watched
	companions []companion
	restarts   restarts

	ctx    context.Context // done when the session is over; its cause is a *planChange where there is one
	end    context.CancelCauseFunc
	beside sync.Once      // at the first start of the node
	work   sync.WaitGroup // everything that runs beside the node

	forget func() bool // ends what newSession arranged for the stop

	mu       sync.Mutex              // guards what follows, and with it that no news of an ended run is acted upon
	stopNode context.CancelCauseFunc // stops the node that runs; nil while none does
}

// planChange is why a node is stopped, and what to go on with.
type planChange struct{ next *loaded }

func (*planChange) Error() string { return "the configuration changed" }

// newSession readies all that a run of the node needs. What runs beside the node begins with it.
func newSession(n *node, l *loaded) (*session, error) {
	s := &session{node: n, loaded: l, plan: l.plan, restarts: newRestarts(l.plan.Process)}
	n.health.DropSources()
	if l.plan.Watchlog != nil {
		s.logs = newLogs(l.plan, n.health, n.log)
		s.companions = append(s.companions, s.logs)
	}
	switch {
	case l.plan.Watchlog == nil:
	case l.plan.Watchlog.HealthcheckID == "":
		n.log.Info("No healthcheck ID is set: health is logged but not reported to a server")
	default:
		r, err := newReporter(l.plan, s.logs.tail, n.health, n.version, n.log)
		if err != nil {
			return nil, err
		}
		s.companions = append(s.companions, r)
	}
	s.ctx, s.end = context.WithCancelCause(context.Background())
	stopping := n.supervisor.Stopping()
	s.forget = context.AfterFunc(stopping, func() { n.health.Stopping(context.Cause(stopping).Error()) })
	n.loader.running = true
	return s, nil
}

// close ends what runs beside the node, the companions last: they tell of the node's end.
func (s *session) close() {
	s.forget()
	s.end(nil)
	s.work.Wait()
	for _, c := range s.companions {
		c.close()
	}
}

// run runs the node, and runs it again as long as the plan says so. A signal that asks to stop ends it whatever else has
// come up: the code is then that of the node's last run.
func (s *session) run() (int, error) {
	for {
		exit, cause, err := s.runNode()
		if err != nil {
			return startCode(err), startError(err)
		}
		code := exitCode(exit, cause)
		var change *planChange
		switch {
		case s.node.interrupted() != nil:
			return code, nil
		case errors.As(cause, &change):
			return code, change
		case !s.again(exit, cause):
			return code, nil
		}
		wait, ok := s.restarts.next(exit.Elapsed)
		if !ok {
			s.node.log.Errorf("Giving up after %d restarts in a row (process.restartMaxTries)", s.restarts.backoff.Tries())
			return code, nil
		}
		s.node.log.Infof("Starting the node again in %s", wait)
		change = s.pause(wait)
		switch {
		case s.node.interrupted() != nil:
			return code, nil
		case change != nil:
			return code, change
		}
	}
}

// runNode runs the node once. The cause is why this process stopped it, nil where the node ended by itself or by a signal.
func (s *session) runNode() (exit supervise.Exit, cause, err error) {
	s.node.log.Infof("Starting node: %s", s.plan.QuotedCommand())
	ctx, stop := context.WithCancelCause(s.ctx)
	defer stop(nil)

	cmd := s.loaded.command()
	cmd.Started = func(pid int) { s.started(pid, stop) }
	flush := func() {}
	if s.logs != nil {
		flush = s.logs.watch(&cmd)
	}
	exit, err = s.node.supervisor.Run(ctx, cmd)
	if err != nil {
		return exit, nil, err
	}
	flush()
	if exit.Stop == supervise.StopContext {
		cause = context.Cause(ctx)
	}
	s.ended(exit, describe(exit, s.whyStopped(exit, cause)))
	return exit, cause, nil
}

// whyStopped is who asked the node to stop.
func (s *session) whyStopped(exit supervise.Exit, cause error) error {
	if exit.Stop == supervise.StopSignal {
		return s.node.interrupted()
	}
	return cause
}

func (s *session) started(pid int, stop context.CancelCauseFunc) {
	s.mu.Lock()
	s.stopNode = stop
	s.node.health.Started(pid)
	if interrupt := s.node.interrupted(); interrupt != nil {
		s.node.health.Stopping(interrupt.Error()) // it came between the last look and the start
	}
	for _, c := range s.companions {
		c.started()
	}
	s.mu.Unlock()

	s.node.ran = true
	s.beside.Do(s.runBeside)
	s.node.log.Debugf("Node started, pid %d", pid)
}

// runBeside starts what runs beside the node: the session's own, and its companions.
func (s *session) runBeside() {
	s.node.probes.serve()
	s.work.Go(func() { s.node.health.Run(s.ctx, s.changed) })
	for _, c := range s.companions {
		s.work.Go(func() { c.run(s.ctx) })
	}
	if s.node.watcher != nil {
		s.work.Go(s.watchConfig)
	}
	s.work.Go(s.shrinkFootprint)
}

// watchConfig ends the session once the configuration makes another plan. After a signal nothing is asked for that any more.
func (s *session) watchConfig() {
	ctx, cancel := context.WithCancel(s.ctx)
	defer cancel()
	defer context.AfterFunc(s.node.supervisor.Stopping(), cancel)()
	next := s.node.watcher.next(ctx, s.plan)
	if next == nil {
		return
	}
	s.node.log.Info("The configuration changed: stopping the node to start it anew")
	s.node.health.Stopping("the configuration changed")
	s.end(&planChange{next})
}

// settled is when the first ping has been sent and the first probes answered, which takes more than all that follows.
const settled = 3 * time.Second

// shrinkFootprint gives back what the start needed, and once more what the first ping did. It takes its time, so it comes
// after the node's start, and beside it.
func (s *session) shrinkFootprint() {
	s.node.service.cluster.close()
	for _, wait := range []time.Duration{0, settled} {
		select {
		case <-time.After(wait):
			s.node.service.cluster.shrink()
		case <-s.ctx.Done():
			return
		}
	}
}

func (s *session) ended(exit supervise.Exit, text string) {
	s.mu.Lock()
	s.stopNode = nil
	s.node.health.Exited(text)
	for _, c := range s.companions {
		c.exited(exit, text)
	}
	s.mu.Unlock()
	s.node.log.Infof("Node ended: %s", text)
}

// sick is why a node is stopped when process.onUnhealthy says so.
type sick struct{ reason string }

func (s *sick) Error() string { return "the node is unhealthy: " + s.reason }

// changed is called with each change of the node's state, some time after it. What is urgent comes before what is logged: a
// log that nobody reads blocks whoever writes to it.
func (s *session) changed(now health.Snapshot) {
	if !s.act(now) || s.logs == nil {
		return
	}
	switch now.State {
	case health.Healthy:
		s.node.log.Infof("Node is healthy: %s", now.Reason)
	case health.Unhealthy:
		s.node.log.Warnf("Node is unhealthy: %s (process.onUnhealthy: %s)", now.Reason, s.plan.Process.OnUnhealthy)
	}
}

// act does what a change calls for, unless it is of a run that has ended in the meantime.
func (s *session) act(now health.Snapshot) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopNode == nil || !now.StartedAt.Equal(s.node.health.Snapshot().StartedAt) {
		return false
	}
	for _, c := range s.companions {
		c.changed(now)
	}
	if now.State == health.Unhealthy && s.plan.Process.OnUnhealthy != config.UnhealthyNone {
		s.node.health.Stopping("unhealthy: " + now.Reason)
		s.stopNode(&sick{now.Reason})
	}
	return true
}

// again reports whether the node is to be started once more. For a node that ended by itself, also after its log had
// said that it would, that is up to process.restart; process.onUnhealthy is for one that goes on.
func (s *session) again(exit supervise.Exit, cause error) bool {
	var unhealthy *sick
	if errors.As(cause, &unhealthy) {
		return s.plan.Process.OnUnhealthy == config.UnhealthyRestart
	}
	return s.restarts.wanted(exit)
}

// pause waits before a restart. It ends early when there will be none, or one by another plan.
func (s *session) pause(d time.Duration) (change *planChange) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-s.node.supervisor.Stopping().Done():
	case <-s.ctx.Done():
	}
	errors.As(context.Cause(s.ctx), &change)
	return change
}

// exitCode is the node's own. But a node that was stopped for being unhealthy may well say 0, as if all were well.
func exitCode(exit supervise.Exit, cause error) int {
	var unhealthy *sick
	if exit.Code == 0 && errors.As(cause, &unhealthy) {
		return 1
	}
	return exit.Code
}

// describe says in a line how the node ended, and why it was stopped if it was.
func describe(exit supervise.Exit, why error) string {
	text := fmt.Sprintf("exit code %d", exit.Code)
	if exit.Signal != 0 {
		text += fmt.Sprintf(" (%s)", supervise.SignalName(exit.Signal))
	}
	text += fmt.Sprintf(" after %s", exit.Elapsed.Round(time.Millisecond))
	if exit.Stop != supervise.StopNone {
		text += fmt.Sprintf(", %s after it was asked to stop: %v", exit.Stopped.Round(time.Millisecond), why)
	}
	if exit.Killed {
		text += "; it outlived its grace period and was killed"
	}
	return text
}

// restarts counts a node's restarts and decides on the next one.
type restarts struct {
	rules   config.Process
	backoff backoff.Backoff // its tries are the restarts since the node last ran for longer than the longest wait
}

func newRestarts(rules config.Process) restarts {
	return restarts{rules, backoff.Backoff{First: time.Duration(rules.RestartBackoff), Max: time.Duration(rules.RestartBackoffMax)}}
}

// wanted reports whether the policy restarts a node that ended by itself.
func (r *restarts) wanted(exit supervise.Exit) bool {
	switch r.rules.Restart {
	case config.RestartAlways:
		return true
	case config.RestartOnFailure:
		return exit.Code != 0
	}
	return false
}

// next returns how long to wait before the next restart, or false when there have been too many in a row. A node that ran
// for longer than the longest wait starts over.
func (r *restarts) next(ran time.Duration) (wait time.Duration, ok bool) {
	if ran > r.backoff.Max {
		r.backoff.Reset()
	}
	if r.rules.RestartMaxTries > 0 && r.backoff.Tries() >= r.rules.RestartMaxTries {
		return 0, false
	}
	return r.backoff.Next(), true
}
