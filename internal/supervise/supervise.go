// Package supervise runs one child process the way an init process should: it starts it, forwards signals to it, reaps
// every orphan, moves its output and returns its exit status.
//
// It knows nothing of nodes, configuration or health; what the child's output means is the business of the io.Writer
// in Output.Watch.
//
// Invariants:
//
//   - One goroutine, the caller of Run, starts the child, signals it and waits for it. A process ID is therefore never
//     signalled after it was reaped, and the child's status is never taken by the reaping of orphans.
//   - A signal is forwarded once, in the order in which it was delivered, no matter whether it came before or after the
//     child's start.
//   - The first SIGTERM or SIGINT starts the stop; SIGKILL follows when the grace period is over.
//   - Nothing but the child's own output, in its own order, is written to Output.To.
package supervise

import (
	"context"
	"runtime"
	"syscall"
	"time"

	"github.com/sirupsen/logrus"
)

// Command is a process to run.
type Command struct {
	Args []string // argv; Args[0] is looked up in the PATH of Env
	Env  []string // name=value
	Dir  string   // working directory; empty: kubevali's own

	// Stdout and Stderr say where the child's output goes; nil: it inherits this process's own stream. The same Output for
	// both gives them one pipe, so that their lines keep the order in which the child wrote them.
	Stdout, Stderr *Output

	StopSignal  syscall.Signal // what stops the child; 0: the signal that came in, or SIGTERM
	GracePeriod time.Duration  // from the stop's start to SIGKILL; 0: at once
	Target      Target
	Leftovers   Leftovers

	Started func(pid int) // called once the child runs, before any of its output is read; may be nil
}

// Target says which processes a signal is forwarded to.
type Target int

const (
	// TargetProcess is the child alone.
	TargetProcess Target = iota
	// TargetGroup is the child's process group: its descendants too, save those that left it. On a terminal the group is
	// kubevali's own (see terminal), so there it means the child alone.
	TargetGroup
)

// Leftovers says what happens to other processes of the child's group when it ended without having been asked to. When
// it was asked to, they are asked too, and killed with it when the grace period is over.
type Leftovers int

const (
	// LeaveLeftovers lets them be. As PID 1 they end together with this process.
	LeaveLeftovers Leftovers = iota
	// KillLeftovers kills them, so that they do not hold the ports and locks that the child's successor needs, and has Run
	// wait for their end.
	KillLeftovers
)

// Exit is how a child ended.
type Exit struct {
	Code    int            // its own, or 128+n where signal n ended it
	Signal  syscall.Signal // that signal; 0 where it exited by itself
	Stop    Stop           // who asked it to stop
	Killed  bool           // it, or another process of its group, outlived the grace period and was killed
	Elapsed time.Duration  // from its start to its end
	Stopped time.Duration  // from the request to stop to its end, and that of its group
}

// Stop says what made a child's stop begin.
type Stop int

const (
	StopNone    Stop = iota // nothing: it ended by itself
	StopSignal              // SIGTERM or SIGINT to this process
	StopContext             // the context given to Run
)

// Interrupt is the cause of a Supervisor's Stopping context.
type Interrupt struct{ Signal syscall.Signal }

func (i *Interrupt) Error() string { return "interrupted by " + SignalName(i.Signal) }

// Supervisor owns this process's signals and children, from New to Close. There can be one at a time.
type Supervisor struct {
	log      logrus.FieldLogger
	terminal terminal
	limits   limits

	caught   chan syscall.Signal // everything to forward, in order
	children chan syscall.Signal // SIGCHLD; one pending is enough, since reaping takes all
	stopping context.Context     // done at the first SIGTERM or SIGINT
	close    func()
}

// limits bound the waits that the child's end does not.
type limits struct {
	rest time.Duration // for the rest of the child's group, once it was killed
	hold time.Duration // for further output of other processes, once the child has ended
	read time.Duration // for whoever reads Output.To to read on, once the child has ended; longer than hold
}

// New makes this process the one that its descendants' orphans fall to and begins to catch signals. Call it before
// anything that takes time: a signal that comes earlier has its default effect.
func New(log logrus.FieldLogger) *Supervisor {
	s := &Supervisor{
		log:      log,
		terminal: openTerminal(),
		limits:   limits{rest: 5 * time.Second, hold: time.Second, read: 3 * time.Second},
		caught:   make(chan syscall.Signal, 256),
		children: make(chan syscall.Signal, 1),
	}
	if err := becomeSubreaper(); err != nil {
		log.Debugf("Orphans of the node go to the system's init process: %v", err)
	}
	var stop context.CancelCauseFunc
	s.stopping, stop = context.WithCancelCause(context.Background())

	release := catch(append(forwardable(s.terminal), syscall.SIGCHLD, syscall.SIGPIPE), func(sig syscall.Signal) {
		if isStop(sig) {
			stop(&Interrupt{Signal: sig})
		}
		s.receive(sig)
	})
	s.close = func() {
		release()
		stop(nil)
	}
	return s
}

// receive keeps a signal for Run.
func (s *Supervisor) receive(sig syscall.Signal) {
	to := s.caught
	switch sig {
	case syscall.SIGPIPE: // is caught only so that it does no harm
		return
	case syscall.SIGCHLD:
		to = s.children
	}
	select {
	case to <- sig:
	default: // hundreds that no Run has taken: waiting for one to take them would make Close wait, too
	}
}

// Close gives the signals back to Go's defaults. It must not be called during Run.
func (s *Supervisor) Close() { s.close() }

// Stopping is done once a SIGTERM or SIGINT has come in, also outside of Run; its cause is an *Interrupt. The signal
// itself is kept for the next Run.
func (s *Supervisor) Stopping() context.Context { return s.stopping }

// Run starts the command and returns when it has ended and its output is written. The end of ctx stops the child with
// cmd.StopSignal; signals to this process do so too, but not through ctx.
//
// Output that nobody reads does not hold Run up for more than some seconds after the child's end; a goroutine then stays
// behind until it is read.
//
// The error is a *StartError when the child could not be started.
func (s *Supervisor) Run(ctx context.Context, cmd Command) (Exit, error) {
	// The child's parent-death signal is sent when the thread that started it ends; prctl(2).
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()

	c, err := s.start(cmd)
	if err != nil {
		return Exit{}, err
	}
	stopRequest := ctx.Done()
	for c.running() {
		select {
		case sig := <-s.caught:
			c.receive(sig)
		case <-stopRequest:
			stopRequest = nil
			c.stop(StopContext, syscall.SIGTERM)
		case <-c.nudge:
			c.signal(c.stopSignal(syscall.SIGTERM))
		case <-c.deadline:
			c.expire()
		case <-s.children:
			s.forward(c) // a signal that came before the child's end is what has stopped it
			c.reap()
		case <-c.look:
			c.checkGroup()
		}
	}
	c.drain()
	return c.exit, nil
}

// forward deals with the signals that have come in.
func (s *Supervisor) forward(c *child) {
	for {
		select {
		case sig := <-s.caught:
			c.receive(sig)
		default:
			return
		}
	}
}
