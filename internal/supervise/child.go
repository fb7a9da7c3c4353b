package supervise

import (
	"errors"
	"syscall"
	"time"

	"github.com/sirupsen/logrus"
)

// lookEvery is how often a group is looked at whose members need not be children of this process: of their end no
// SIGCHLD tells.
const lookEvery = 50 * time.Millisecond

// child is the running command. Only the goroutine in Run uses it.
//
// What is urgent comes before what is logged: a log that nobody reads blocks whoever writes to it.
type child struct {
	cmd      Command
	log      logrus.FieldLogger
	terminal terminal
	limits   limits

	pid      int
	started  time.Time
	pumps    []*pump
	progress chan struct{} // some pump has moved something; capacity 1

	exited    bool // reaped; exit is valid
	lingering bool // others of its group are still waited for
	killed    bool // the group was sent SIGKILL
	stopped   time.Time
	deadline  <-chan time.Time // the end of the grace period, then of limits.rest
	nudge     <-chan time.Time
	look      <-chan time.Time
	exit      Exit
}

// start runs the command up to its execve(2).
func (s *Supervisor) start(cmd Command) (*child, error) {
	path, err := cmd.find()
	if err != nil {
		return nil, err
	}
	c := &child{
		cmd: cmd, log: s.log, terminal: s.terminal, limits: s.limits, progress: make(chan struct{}, 1),
	}
	files, err := c.open()
	defer files.close()
	if err != nil {
		c.closePumps()
		return nil, &StartError{Command: cmd.Args[0], Err: err, Reason: err.Error()}
	}
	c.started = time.Now()
	c.pid, err = syscall.ForkExec(path, cmd.Args, &syscall.ProcAttr{
		Dir: cmd.Dir, Env: cmd.Env, Files: files.fds, Sys: sysProcAttr(s.terminal),
	})
	if err != nil {
		c.closePumps()
		return nil, cmd.explainExec(err)
	}
	if cmd.Started != nil {
		cmd.Started(c.pid)
	}
	for _, p := range c.pumps {
		go p.run()
	}
	return c, nil
}

func (c *child) closePumps() {
	for _, p := range c.pumps {
		p.from.Close()
	}
}

func (c *child) running() bool { return !c.exited || c.lingering }

// receive deals with a signal to this process.
func (c *child) receive(sig syscall.Signal) {
	switch {
	case isStop(sig):
		c.stop(StopSignal, sig)
	case !c.terminal.delivers(sig):
		c.signal(sig)
	}
}

// stop asks the child to end, and sees to it that it does. A second SIGTERM is sent on, too: what it means is the child's
// decision.
func (c *child) stop(by Stop, sig syscall.Signal) {
	first := c.exit.Stop == StopNone
	if by == StopContext && !first {
		return
	}
	delivered := by == StopSignal && c.terminal.delivers(sig)
	if !delivered {
		c.signal(c.stopSignal(sig))
	}
	if !first {
		return
	}
	c.exit.Stop = by
	c.stopped = time.Now()
	if c.killed {
		return
	}
	c.deadline = time.After(c.cmd.GracePeriod)
	if delivered {
		c.nudge = time.After(c.cmd.GracePeriod / 2)
	}
	c.log.Infof("Stopping node with %s: SIGKILL follows in %s", SignalName(c.stopSignal(sig)), c.cmd.GracePeriod)
}

func (c *child) stopSignal(cause syscall.Signal) syscall.Signal {
	if c.cmd.StopSignal != 0 {
		return c.cmd.StopSignal
	}
	return cause
}

// expire ends a wait.
func (c *child) expire() {
	c.reap() // the end may have come together with the deadline
	switch {
	case !c.running():
	case !c.killed:
		c.exit.Killed = true
		c.kill()
		c.log.Warnf("Node has not stopped within %s: killing it", c.cmd.GracePeriod)
	case !c.exited:
		c.log.Warnf("Node still runs %s after SIGKILL: the kernel holds it, most likely over a disk or network mount that "+
			"does not answer; waiting on", c.limits.rest)
	default:
		c.lingering = false
		c.log.Warnf("Processes that the node has left still run %s after SIGKILL: not waiting for them", c.limits.rest)
	}
}

// kill ends the whole group. The kernel needs a moment for that.
func (c *child) kill() {
	c.send(c.group(), syscall.SIGKILL)
	c.killed = true
	c.deadline = time.After(c.limits.rest)
}

// signal sends sig to the target, or to the group once the child itself is gone.
func (c *child) signal(sig syscall.Signal) {
	to := c.pid
	if c.cmd.Target == TargetGroup || c.exited {
		to = c.group()
	}
	c.send(to, sig)
}

func (c *child) send(to int, sig syscall.Signal) {
	if err := syscall.Kill(to, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
		c.log.Warnf("Cannot send %s to the node: %v", SignalName(sig), err)
		return
	}
	c.log.Debugf("Sent %s to %d", SignalName(sig), to)
}

// group is what kill(2) takes for the child's process group.
func (c *child) group() int {
	if c.terminal.foreground {
		return c.pid
	}
	return -c.pid
}

// reap takes the status of every process that has ended: the child, and orphans that fell to this process.
func (c *child) reap() {
	before := c.exited
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil || pid == 0 {
			break
		}
		if pid == c.pid && !c.exited {
			c.ended(status)
		}
	}
	switch {
	case c.lingering:
		c.checkGroup()
	case c.exited && !before:
		// Not before all are reaped: those that have ended together with the child do not count.
		c.survivors()
	}
}

func (c *child) ended(status syscall.WaitStatus) {
	c.exited = true
	c.exit.Elapsed = time.Since(c.started)
	c.exit.Code = status.ExitStatus()
	if status.Signaled() {
		c.exit.Signal = status.Signal()
		c.exit.Code = 128 + int(status.Signal())
	}
	c.gone()
}

// gone notes the time of what may be the end.
func (c *child) gone() {
	if c.exit.Stop != StopNone {
		c.exit.Stopped = time.Since(c.stopped)
	}
}

// survivors decides what becomes of the group when the child has ended.
func (c *child) survivors() {
	stopping := c.exit.Stop != StopNone
	if !c.groupAlive() || !stopping && c.cmd.Leftovers == LeaveLeftovers {
		return
	}
	c.lingering = true
	c.look = time.Tick(lookEvery)
	switch {
	case !stopping:
		c.kill()
		c.log.Warnf("Node has left other processes behind: killing them")
	case c.killed:
		c.kill()
	default:
		// A shell that does not exec the node ends at once, while the node behind it still needs its grace period.
		if c.cmd.Target == TargetProcess {
			c.signal(c.stopSignal(syscall.SIGTERM))
		}
		c.log.Warnf("Node's first process has ended (a shell that starts the node without exec?), others of its group " +
			"have not: stopping them, too")
	}
}

// checkGroup ends the wait for the group when it has no members left. A zombie counts as one; it is gone at the latest
// when its parent is.
func (c *child) checkGroup() {
	if c.lingering && !c.groupAlive() {
		c.lingering = false
		c.gone()
	}
}

// groupAlive reports whether the child's group has members besides the child, which is reaped. On a terminal the group
// is this process's own and says nothing.
func (c *child) groupAlive() bool {
	return !c.terminal.foreground && !errors.Is(syscall.Kill(-c.pid, 0), syscall.ESRCH)
}

// drain waits for the rest of the output, unless somebody who should read it does not.
func (c *child) drain() {
	last := time.Now().Add(c.limits.hold)
	for _, p := range c.pumps {
		p.from.SetReadDeadline(last)
	}
	if c.drained() {
		return
	}
	for _, p := range c.pumps {
		p.abandon()
	}
	c.log.Warnf("Nobody has read the node's output for %s: not waiting for it to be read", c.limits.read)
}

// drained waits for the pumps' end as long as one of them gets on.
func (c *child) drained() bool {
	unread := time.NewTimer(c.limits.read)
	defer unread.Stop()
	for _, p := range c.pumps {
		for ended := false; !ended; {
			select {
			case <-p.done:
				ended = true
			case <-c.progress:
				unread.Reset(c.limits.read)
			case <-unread.C:
				return false
			}
		}
	}
	return true
}
