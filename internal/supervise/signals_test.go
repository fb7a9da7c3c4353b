//go:build linux

package supervise_test

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/kubevali/kubevali/internal/supervise"
)

func TestEverySignalIsForwardedOnceInOrder(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		target supervise.Target
		pid1   bool
	}{
		{"process", supervise.TargetProcess, false},
		{"group", supervise.TargetGroup, false},
		{"process as PID 1", supervise.TargetProcess, true},
		{"group as PID 1", supervise.TargetGroup, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := startSupervisor(t, setup{pid1: test.pid1})
			s.run(order{Args: node("record", "-grandchild", "-end=2"), Target: test.target})
			s.out.line()
			s.out.line() // both are ready
			both := test.target == supervise.TargetGroup

			for _, sig := range forwardable() {
				if sig == syscall.SIGTERM || sig == syscall.SIGINT {
					continue
				}
				s.signal(sig)
				want := []string{fmt.Sprintf("node got %d", sig)}
				if both {
					want = append(want, fmt.Sprintf("grandchild got %d", sig))
				}
				s.out.expect(want...)
			}
			// The grandchild has not got any signal that it has not told of yet.
			grandchild := children(children(s.pid)[0].pid)[0].pid
			kill(t, grandchild, syscall.SIGUSR1)
			s.out.expect("grandchild got 10")

			s.signal(syscall.SIGTERM)
			if both {
				s.out.expect("node got 15", "grandchild got 15")
			} else {
				s.out.expect("node got 15")
			}
			s.signal(syscall.SIGINT)
			if both {
				s.out.expect("node got 2")
			} else {
				s.out.expect("node got 2", "grandchild got 15") // since it has been left behind
			}
			e := s.expect("exit").Exit
			if e.Code != 0 || e.Stop != supervise.StopSignal || e.Killed {
				t.Errorf("unexpected exit %+v", e)
			}
			if code := s.wait(); code != 0 {
				t.Errorf("exit code %d", code)
			}
			s.out.end()
		})
	}
}

func TestSignalBeforeTheStartIsForwarded(t *testing.T) {
	t.Parallel()
	for sig, stop := range map[syscall.Signal]supervise.Stop{
		syscall.SIGUSR2: supervise.StopNone,
		syscall.SIGTERM: supervise.StopSignal,
	} {
		t.Run(supervise.SignalName(sig), func(t *testing.T) {
			t.Parallel()
			s := startSupervisor(t, setup{})
			s.signal(sig)
			s.run(order{Args: []string{"sleep", "600"}})
			e := s.expect("exit").Exit
			if e.Signal != sig || e.Code != 128+int(sig) || e.Stop != stop {
				t.Errorf("unexpected exit %+v", e)
			}
		})
	}
}

func TestStoppingTellsOfTheSignalOutsideOfRun(t *testing.T) {
	t.Parallel()
	s := startSupervisor(t, setup{})
	s.signal(syscall.SIGINT)
	e := <-s.events
	if e.Kind != "stopping" || e.Cause != "interrupted by SIGINT" {
		t.Errorf("got the event %+v", e)
	}
}

func TestIgnoredHangUpStaysIgnored(t *testing.T) {
	t.Parallel()
	s := startSupervisor(t, setup{wrap: []string{"sh", "-c", `trap "" HUP; exec "$@"`, "sh"}})
	pid := s.run(order{Args: []string{"sleep", "600"}})
	for name, pid := range map[string]int{"node": pid, "supervisor": s.pid} {
		if !ignores(t, pid, syscall.SIGHUP) {
			t.Errorf("the %s does not ignore SIGHUP", name)
		}
	}
	s.signal(syscall.SIGHUP)
	s.signal(syscall.SIGUSR1)
	if e := s.expect("exit").Exit; e.Signal != syscall.SIGUSR1 {
		t.Errorf("unexpected exit %+v", e)
	}
}

func ignores(t *testing.T, pid int, sig syscall.Signal) bool {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	mask, err := strconv.ParseUint(field(status, "SigIgn:"), 16, 64)
	if err != nil {
		t.Fatal(err)
	}
	return mask>>(sig-1)&1 == 1
}

func TestNodeGetsSignalsAsTheyWereAtTheStart(t *testing.T) {
	t.Parallel()
	s := startSupervisor(t, setup{})
	pid := s.run(order{Args: []string{"sleep", "600"}})
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	own, err := exec.Command("cat", "/proc/self/status").Output() // of a child like the supervisor
	if err != nil {
		t.Fatal(err)
	}
	for _, set := range []string{"SigBlk:", "SigIgn:"} {
		if got, want := field(status, set), field(own, set); got != want {
			t.Errorf("%s %s, wanted %s", set, got, want)
		}
	}
}

func field(status []byte, name string) string {
	_, rest, _ := strings.Cut(string(status), name)
	return strings.Fields(rest)[0]
}

func TestCatch(t *testing.T) {
	t.Parallel()
	for _, way := range []string{"handler", "package signal"} {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			argv := node("catch", way)
			if out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

// catchRole catches signals in one of the ways to do so, and sends them to itself.
func catchRole(args []string) int {
	const rounds = 3
	set := []syscall.Signal{syscall.SIGUSR1, syscall.SIGSEGV, syscall.SIGBUS, syscall.SIGWINCH, 40, 60}
	caught := make(chan syscall.Signal, rounds*len(set))
	received := func(sig syscall.Signal) { caught <- sig }
	var release func()
	if args[0] == "handler" {
		var ok bool
		if release, ok = supervise.Handle(set, received); !ok {
			return 0 // not for this system
		}
	} else {
		release = supervise.Notify(set, received)
	}
	for range rounds {
		for _, want := range set {
			syscall.Kill(os.Getpid(), want)
			select {
			case got := <-caught:
				if got != want {
					fmt.Printf("caught %d, wanted %d\n", got, want)
					return 1
				}
			case <-time.After(patience):
				fmt.Printf("%d was not caught\n", want)
				return 1
			}
		}
	}
	if !panics(func() { fmt.Println(*(*int)(nil)) }) {
		fmt.Println("the program's own fault made no panic")
		return 1
	}
	release()
	if len(caught) > 0 {
		fmt.Printf("caught %d once too often\n", <-caught)
		return 1
	}
	return 0
}

func panics(f func()) (did bool) {
	defer func() { did = recover() != nil }()
	f()
	return false
}

func TestCloseGivesTheSignalsBack(t *testing.T) {
	t.Parallel()
	s := startSupervisor(t, setup{})
	s.do(order{Do: "close"})
	s.expect("closed")
	s.signal(syscall.SIGHUP)
	select {
	case <-s.exited:
	case <-time.After(patience):
		t.Fatal("the supervisor does not end")
	}
	if status := s.state.Sys().(syscall.WaitStatus); status.Signal() != syscall.SIGHUP {
		t.Errorf("the supervisor ended with %v", s.state)
	}
}

func TestSignalNames(t *testing.T) {
	t.Parallel()
	for sig, want := range map[syscall.Signal]string{syscall.SIGTERM: "SIGTERM", 40: "signal 40"} {
		if got := supervise.SignalName(sig); got != want {
			t.Errorf("SignalName(%d) = %q, wanted %q", sig, got, want)
		}
	}
}
