package supervise

import (
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
)

// lastSignal is the highest real-time signal on Linux; signal(7).
const lastSignal = 64

// forwardable returns the signals to catch in order to forward them: all that can be caught, save
//
//   - SIGCHLD, SIGPIPE and SIGURG, which are this process's own affairs (Go preempts goroutines with SIGURG);
//   - SIGPROF, which Go keeps for its profiler, and 32 to 34, which C libraries and Go use between threads;
//   - those that were ignored when this process started (nohup): the child inherits that;
//   - those that a terminal's job control needs to have their default effect on this process.
func forwardable(t terminal) []syscall.Signal {
	var set []syscall.Signal
	for n := syscall.Signal(1); n <= lastSignal; n++ {
		switch n {
		case syscall.SIGKILL, syscall.SIGSTOP, syscall.SIGCHLD, syscall.SIGPIPE, syscall.SIGURG, syscall.SIGPROF, 32, 33, 34:
			continue
		}
		if !signal.Ignored(n) && !t.controlsJob(n) {
			set = append(set, n)
		}
	}
	return set
}

func isStop(sig syscall.Signal) bool { return sig == syscall.SIGTERM || sig == syscall.SIGINT }

// SignalName is a signal's name, such as SIGTERM, or, for one that has none (the real-time signals), "signal 40".
func SignalName(sig syscall.Signal) string {
	if name := unix.SignalName(sig); name != "" {
		return name
	}
	return sig.String()
}

// terminal says whether this process is the foreground job of a terminal.
//
// There the child must stay in this process's group, or it could not read the terminal. The kernel then sends the
// terminal's signals (Ctrl-C, Ctrl-\, hang-up, resize) to both, and forwarding them would deliver them twice. Go does not
// tell where a signal came from, so on a terminal these signals are taken to be the terminal's. Should one have come
// from kill(1) instead, the child has not seen it: that is why a stop on a terminal is repeated with SIGTERM when half of
// the grace period is over.
//
// Ctrl-Z and fg work because the stop signals keep their default effect: the whole job stops and continues, as the
// shell expects.
type terminal struct {
	foreground    bool
	sessionLeader bool // a hang-up is sent to the leader alone
}

// controlsJob reports whether sig must keep its default effect on this process.
func (t terminal) controlsJob(sig syscall.Signal) bool {
	switch sig {
	case syscall.SIGTSTP, syscall.SIGTTIN, syscall.SIGTTOU, syscall.SIGCONT:
		return t.foreground
	}
	return false
}

// delivers reports whether the terminal has sent sig to the child as well.
func (t terminal) delivers(sig syscall.Signal) bool {
	switch sig {
	case syscall.SIGINT, syscall.SIGQUIT, syscall.SIGWINCH:
		return t.foreground
	case syscall.SIGHUP:
		return t.foreground && !t.sessionLeader
	}
	return false
}
