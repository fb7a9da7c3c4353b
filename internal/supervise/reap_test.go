//go:build linux

package supervise_test

import (
	"fmt"
	"os"
	"syscall"
	"testing"
)

const orphans = 100

// startOrphans runs a node that has made orphans. It ends, with all of them, at the end of its stdin.
func startOrphans(t *testing.T, s *supervisor) {
	t.Helper()
	s.run(order{Args: node("orphans", fmt.Sprintf("-count=%d", orphans))})
	s.out.expect("ready")
}

func zombies(pid int) (n int) {
	for _, p := range children(pid) {
		if p.state == "Z" {
			n++
		}
	}
	return n
}

func TestOrphansAreReaped(t *testing.T) {
	t.Parallel()
	for _, pid1 := range []bool{false, true} {
		stdin, end := pipe(t)
		s := startSupervisor(t, setup{pid1: pid1, stdin: stdin})
		startOrphans(t, s)
		eventually(t, "the orphans to be adopted", func() bool { return len(children(s.pid)) == orphans+1 })
		pid := nodeOf(t, s)
		for _, p := range children(s.pid) {
			if p.pid != pid {
				kill(t, p.pid, syscall.SIGKILL)
			}
		}
		eventually(t, "all to be reaped", func() bool { return len(children(s.pid)) == 1 })
		if gone(pid) {
			t.Error("the node is gone, too")
		}
		s.none()
		end.Close()
		if e := s.expect("exit").Exit; e.Code != 42 {
			t.Errorf("unexpected exit %+v", e)
		}
	}
}

// nodeOf is the one child that is not an orphan, as this process's pid namespace numbers it.
func nodeOf(t *testing.T, s *supervisor) int {
	t.Helper()
	for _, p := range children(s.pid) {
		if exe, _ := os.Readlink(fmt.Sprintf("/proc/%d/exe", p.pid)); exe == testBinary() {
			return p.pid
		}
	}
	t.Fatal("the supervisor has no node")
	return 0
}

func TestStatusIsTheNodesWhileOrphansEnd(t *testing.T) {
	t.Parallel()
	for _, pid1 := range []bool{false, true} {
		stdin, end := pipe(t)
		s := startSupervisor(t, setup{pid1: pid1, stdin: stdin})
		startOrphans(t, s)
		end.Close()
		if e := s.expect("exit").Exit; e.Code != 42 {
			t.Errorf("unexpected exit %+v", e)
		}
		// As many as have ended by now are gone; the others may end at any time.
		s.run(order{Args: []string{"sh", "-c", "exit 7"}})
		if e := s.expect("exit").Exit; e.Code != 7 {
			t.Errorf("unexpected exit %+v", e)
		}
		if code := s.wait(); code != 7 {
			t.Errorf("exit code %d", code)
		}
	}
}

// The two tests above would see nothing if the orphans did not fall to the supervisor in the first place.
func TestOrphansGoElsewhereWithoutSubreaper(t *testing.T) {
	t.Parallel()
	stdin, end := pipe(t)
	s := startSupervisor(t, setup{stdin: stdin})
	s.do(order{Do: "unadopt"})
	startOrphans(t, s)
	if n := len(children(s.pid)); n != 1 {
		t.Errorf("%d children without the attribute", n)
	}
	end.Close()
	if e := s.expect("exit").Exit; e.Code != 42 {
		t.Errorf("unexpected exit %+v", e)
	}
}

func TestZombiesDoNotOutliveTheNextRun(t *testing.T) {
	t.Parallel()
	stdin, end := pipe(t)
	s := startSupervisor(t, setup{stdin: stdin})
	startOrphans(t, s)
	end.Close()
	s.expect("exit")
	eventually(t, "the orphans to end", func() bool { return len(children(s.pid)) == zombies(s.pid) })
	s.run(order{Args: []string{"sleep", "600"}})
	eventually(t, "the zombies to be reaped", func() bool { return len(children(s.pid)) == 1 })
	s.signal(syscall.SIGTERM)
	s.expect("exit")
}
