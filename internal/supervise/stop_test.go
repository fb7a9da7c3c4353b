//go:build linux

package supervise_test

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/kubevali/kubevali/internal/supervise"
)

// soon is a grace period that is meant to run out.
const soon = 20 * time.Millisecond

func TestStop(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		signal syscall.Signal // to the supervisor; 0: the context ends instead
		with   syscall.Signal // Command.StopSignal
		got    syscall.Signal // by the node
		stop   supervise.Stop
	}{
		{"SIGTERM", syscall.SIGTERM, 0, syscall.SIGTERM, supervise.StopSignal},
		{"SIGINT", syscall.SIGINT, 0, syscall.SIGINT, supervise.StopSignal},
		{"SIGTERM as SIGINT", syscall.SIGTERM, syscall.SIGINT, syscall.SIGINT, supervise.StopSignal},
		{"SIGINT as SIGQUIT", syscall.SIGINT, syscall.SIGQUIT, syscall.SIGQUIT, supervise.StopSignal},
		{"context", 0, 0, syscall.SIGTERM, supervise.StopContext},
		{"context as SIGINT", 0, syscall.SIGINT, syscall.SIGINT, supervise.StopContext},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			for _, pid1 := range []bool{false, true} {
				s := startSupervisor(t, setup{pid1: pid1})
				s.run(order{Args: node("record", fmt.Sprintf("-end=%d", test.got), "-code=5"), StopSignal: test.with})
				s.out.after("ready")
				if test.signal != 0 {
					s.signal(test.signal)
				} else {
					s.cancel()
				}
				s.out.expect(fmt.Sprintf("node got %d", test.got))
				e := s.expect("exit").Exit
				if e.Code != 5 || e.Stop != test.stop || e.Killed || e.Stopped <= 0 || e.Stopped > e.Elapsed {
					t.Errorf("unexpected exit %+v", e)
				}
				if code := s.wait(); code != 5 {
					t.Errorf("exit code %d", code)
				}
				s.out.end()
			}
		})
	}
}

func TestSecondStopSignalIsPassedOn(t *testing.T) {
	t.Parallel()
	s := startSupervisor(t, setup{})
	s.run(order{Args: node("record", "-end=10"), StopSignal: syscall.SIGQUIT})
	s.out.after("ready")
	s.signal(syscall.SIGTERM)
	s.out.expect("node got 3")
	s.signal(syscall.SIGTERM)
	s.out.expect("node got 3")
	s.signal(syscall.SIGINT)
	s.out.expect("node got 3")
	s.cancel() // adds nothing to a stop that is under way
	for range 20 {
		s.signal(syscall.SIGUSR2)
		s.out.expect("node got 12")
	}
	s.signal(syscall.SIGUSR1)
	s.out.expect("node got 10")
	if e := s.expect("exit").Exit; e.Stop != supervise.StopSignal || e.Code != 0 {
		t.Errorf("unexpected exit %+v", e)
	}
}

func TestStopBySignalDuringStopByContext(t *testing.T) {
	t.Parallel()
	s := startSupervisor(t, setup{})
	s.run(order{Args: node("record", "-end=2")})
	s.out.after("ready")
	s.cancel()
	s.out.expect("node got 15")
	s.signal(syscall.SIGINT)
	s.out.expect("node got 2")
	if e := s.expect("exit").Exit; e.Stop != supervise.StopContext || e.Code != 0 {
		t.Errorf("unexpected exit %+v", e)
	}
}

func TestNodeThatDoesNotStopIsKilled(t *testing.T) {
	t.Parallel()
	for _, pid1 := range []bool{false, true} {
		s := startSupervisor(t, setup{pid1: pid1})
		// SIGUSR1 ends neither of the two before the grace period does.
		s.run(order{Args: node("record", "-grandchild", "-end=10"), Grace: soon})
		s.out.line()
		s.out.line()
		pids := descendants(s.pid)
		if len(pids) != 2 {
			t.Fatalf("the node's processes are %v", pids)
		}
		s.signal(syscall.SIGTERM)
		e := s.expect("exit").Exit
		if e.Code != 137 || e.Signal != syscall.SIGKILL || e.Stop != supervise.StopSignal || !e.Killed || e.Stopped < soon {
			t.Errorf("unexpected exit %+v", e)
		}
		for _, pid := range pids {
			if !gone(pid) {
				t.Errorf("process %d outlived the grace period and Run", pid)
			}
		}
		log := s.log.String()
		if !strings.Contains(log, "Node has not stopped within 20ms: killing it") || strings.Contains(log, "without exec") {
			t.Errorf("the log does not say so:\n%s", log)
		}
	}
}

// A shell that runs the node without exec ends at the first SIGTERM.
const wrapper = `"$@" & wait`

func wrapped(args []string) []string {
	return append([]string{"sh", "-c", wrapper, "sh"}, args...)
}

func TestNodeBehindAShellGetsItsGracePeriod(t *testing.T) {
	t.Parallel()
	for _, target := range []supervise.Target{supervise.TargetProcess, supervise.TargetGroup} {
		for _, pid1 := range []bool{false, true} {
			s := startSupervisor(t, setup{pid1: pid1})
			shell := s.run(order{Args: wrapped(node("record", "-end=10")), Target: target})
			s.out.after("ready")
			if !pid1 {
				eventually(t, "the shell to run", func() bool { return len(descendants(shell)) == 1 })
			}
			s.signal(syscall.SIGTERM)
			s.out.expect("node got 15") // once, in group mode, too
			eventually(t, "the node to be an orphan", func() bool {
				now := children(s.pid)
				return len(now) == 1 && len(descendants(now[0].pid)) == 0
			})
			s.none()
			s.signal(syscall.SIGUSR1)
			s.out.expect("node got 10")
			e := s.expect("exit").Exit
			if e.Code != 143 || e.Stop != supervise.StopSignal || e.Killed {
				t.Errorf("unexpected exit %+v", e)
			}
			if log := s.log.String(); !strings.Contains(log, "a shell that starts the node without exec?") {
				t.Errorf("the log does not say what is wrong:\n%s", log)
			}
			s.wait()
			s.out.end()
		}
	}
}

func TestNodeBehindAShellIsKilledAfterItsGracePeriod(t *testing.T) {
	t.Parallel()
	s := startSupervisor(t, setup{})
	s.run(order{Args: wrapped(node("record", "-end=10")), Grace: soon})
	pid := s.out.pidAfter("node ready")
	s.cancel()
	e := s.expect("exit").Exit
	if e.Stop != supervise.StopContext || !e.Killed || e.Stopped < soon {
		t.Errorf("unexpected exit %+v", e)
	}
	if !gone(pid) {
		t.Error("the node outlived Run")
	}
}

func TestNodeBehindAShellIsWaitedForWithoutBeingAChild(t *testing.T) {
	t.Parallel()
	s := startSupervisor(t, setup{})
	s.do(order{Do: "unadopt"})
	s.run(order{Args: wrapped(node("record", "-end=10"))})
	pid := s.out.pidAfter("node ready")
	killAtEnd(t, pid)
	s.signal(syscall.SIGTERM)
	s.out.expect("node got 15")
	eventually(t, "the node to be somebody else's", func() bool { return len(children(s.pid)) == 0 })
	s.none()
	kill(t, pid, syscall.SIGUSR1)
	if e := s.expect("exit").Exit; e.Code != 143 || e.Killed {
		t.Errorf("unexpected exit %+v", e)
	}
}

func TestLeftovers(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		leftovers supervise.Leftovers
		gone      bool
	}{
		{supervise.LeaveLeftovers, false},
		{supervise.KillLeftovers, true},
	} {
		s := startSupervisor(t, setup{})
		s.run(order{Args: []string{"sh", "-c", "sleep 600 & echo left $!; exit 3"}, Leftovers: test.leftovers})
		pid := s.out.pidAfter("left")
		killAtEnd(t, pid)
		e := s.expect("exit").Exit
		if e.Code != 3 || e.Stop != supervise.StopNone || e.Killed {
			t.Errorf("unexpected exit %+v", e)
		}
		if gone(pid) != test.gone {
			t.Errorf("with %d, a process that was left behind has ended: %v", test.leftovers, !test.gone)
		}
	}
}

func TestNodeEndsWithItsSupervisor(t *testing.T) {
	t.Parallel()
	s := startSupervisor(t, setup{})
	s.run(order{Args: node("record")})
	pid := s.out.pidAfter("node ready")
	killAtEnd(t, pid)
	s.signal(syscall.SIGKILL)
	s.out.expect("node got 15")
	eventually(t, "the node to end", func() bool { return gone(pid) })
}
