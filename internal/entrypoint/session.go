package entrypoint

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/kubevali/kubevali/internal/config"
	"github.com/kubevali/kubevali/internal/footprint"
	"github.com/kubevali/kubevali/internal/health"
	"github.com/kubevali/kubevali/internal/render"
	"github.com/kubevali/kubevali/internal/supervise"
)

// session is the time during which one plan is in effect: one run of the node, or several with pauses between them.
type session struct {
	*runner
	plan     *render.Plan
	health   *watcher // nil when the watchlog is off
	restarts restarts

	ctx  context.Context // done when the session is over; its cause is a *planChange where there is one
	end  context.CancelCauseFunc
	work sync.WaitGroup // everything that runs beside the node

	forget func() bool // ends what newSession arranged for the stop

	mu       sync.Mutex              // guards what follows, and with it that no news of an ended run is acted upon
	stopNode context.CancelCauseFunc // stops the node that runs; nil while none does
}

func newSession(r *runner, plan *render.Plan) (*session, error) {
	s := &session{runner: r, plan: plan, restarts: restarts{rules: plan.Process}}
	s.state.DropSources()
	if plan.Watchlog != nil {
		var err error
		if s.health, err = newHealth(r.Options, plan, s.state); err != nil {
			return nil, err
		}
	}
	s.ctx, s.end = context.WithCancelCause(context.Background())
	stopping := r.supervisor.Stopping()
	s.forget = context.AfterFunc(stopping, func() { s.state.Stopping(context.Cause(stopping).Error()) })
	s.work.Go(func() { s.state.Run(s.ctx, s.changed) })
	if s.health != nil {
		s.health.follow(s.ctx, &s.work)
	}
	if r.config != nil {
		s.work.Go(s.watchConfig)
	}
	return s, nil
}

// close ends what runs beside the node, the report last: it tells of the node's end.
func (s *session) close() {
	s.forget()
	s.end(nil)
	s.work.Wait()
	if s.health != nil {
		s.health.close()
	}
}

// run runs the node, and runs it again as long as the plan says so. A signal that asks to stop ends it whatever else has
// come up: the code is then that of the node's last run.
func (s *session) run() (int, error) {
	for {
		exit, cause, err := s.runNode()
		if err != nil {
			return startCode(err), err
		}
		code := exitCode(exit, cause)
		var change *planChange
		switch {
		case s.interrupted() != nil:
			return code, nil
		case errors.As(cause, &change):
			return code, change
		case !s.again(exit, cause):
			return code, nil
		}
		wait, ok := s.restarts.next(exit.Elapsed)
		if !ok {
			s.Log.Errorf("Giving up after %d restarts in a row (process.restartMaxTries)", s.restarts.row)
			return code, nil
		}
		s.Log.Infof("Starting the node again in %s", wait)
		change = s.pause(wait)
		switch {
		case s.interrupted() != nil:
			return code, nil
		case change != nil:
			return code, change
		}
	}
}

// runNode runs the node once. The cause is why this process stopped it, nil where the node ended by itself or by a signal.
func (s *session) runNode() (exit supervise.Exit, cause, err error) {
	s.Log.Infof("Starting node: %s", s.plan.QuotedCommand())
	ctx, stop := context.WithCancelCause(s.ctx)
	defer stop(nil)

	cmd := command(s.plan, s.environ)
	cmd.Started = func(pid int) { s.started(pid, stop) }
	flush := func() {}
	if s.health != nil {
		flush = s.health.watch(&cmd)
	}
	exit, err = s.supervisor.Run(ctx, cmd)
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
		return s.interrupted()
	}
	return cause
}

func (s *session) started(pid int, stop context.CancelCauseFunc) {
	s.mu.Lock()
	s.stopNode = stop
	s.state.Started(pid)
	if interrupt := s.interrupted(); interrupt != nil {
		s.state.Stopping(interrupt.Error()) // it came between the last look and the start
	}
	if s.health != nil {
		s.health.started()
	}
	s.mu.Unlock()

	s.ran = true
	s.shrink.Do(func() { s.work.Go(s.shrinkFootprint) })
	s.Log.Debugf("Node started, pid %d", pid)
}

// settled is when the first ping has been sent and the first probes answered, which takes more than all that follows.
const settled = 3 * time.Second

// shrinkFootprint gives back what the start needed, and once more what the first ping did. It runs beside the node: it must
// not hold up its output.
func (s *session) shrinkFootprint() {
	for _, wait := range []time.Duration{0, settled} {
		select {
		case <-time.After(wait):
		case <-s.ctx.Done():
			return
		}
		if err := footprint.Shrink(); err != nil {
			s.Log.Debugf("Cannot give back memory: %v", err)
		}
	}
}

func (s *session) ended(exit supervise.Exit, text string) {
	s.mu.Lock()
	s.stopNode = nil
	s.state.Exited(text)
	if s.health != nil {
		s.health.ended(exit, text)
	}
	s.mu.Unlock()
	s.Log.Infof("Node ended: %s", text)
}

// sick is why a node is stopped when process.onUnhealthy says so.
type sick struct{ reason string }

func (s *sick) Error() string { return "the node is unhealthy: " + s.reason }

// changed is called with each change of the node's state, some time after it.
func (s *session) changed(now health.Snapshot) {
	if !s.act(now) {
		return
	}
	if s.health != nil {
		s.health.log(now)
	}
}

// act does what a change calls for, unless it is of a run that has ended in the meantime.
func (s *session) act(now health.Snapshot) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopNode == nil || !now.StartedAt.Equal(s.state.Snapshot().StartedAt) {
		return false
	}
	if s.health != nil {
		s.health.changed(now)
	}
	if now.State == health.Unhealthy && s.plan.Process.OnUnhealthy != config.UnhealthyNone {
		s.state.Stopping("unhealthy: " + now.Reason)
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
	case <-s.supervisor.Stopping().Done():
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

func startCode(err error) int {
	var start *supervise.StartError
	if errors.As(err, &start) && start.Code != 0 {
		return start.Code
	}
	return CodeFailed
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
