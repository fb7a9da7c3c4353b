//go:build linux

package supervise_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kubevali/kubevali/internal/supervise"
)

// openPTY returns the two ends of a pseudo-terminal, pty(7), that shows nothing of what is typed.
func openPTY(t *testing.T) (keyboard, terminal *os.File) {
	t.Helper()
	keyboard, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("this system has no pseudo-terminals: %v", err)
	}
	t.Cleanup(func() { keyboard.Close() })
	fd := int(keyboard.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	terminal, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { terminal.Close() })
	settings, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	settings.Lflag &^= unix.ECHO
	if err := unix.IoctlSetTermios(fd, unix.TCSETS, settings); err != nil {
		t.Fatal(err)
	}
	return keyboard, terminal
}

const (
	ctrlC         = "\x03"
	ctrlZ         = "\x1a"
	ctrlBackslash = "\x1c"
)

// onTerminal starts a supervisor that leads a session of its own on a terminal, as in a container with tty: true.
func onTerminal(t *testing.T, pid1 bool) (s *supervisor, keyboard *os.File) {
	t.Helper()
	keyboard, terminal := openPTY(t)
	s = startSupervisor(t, setup{
		pid1: pid1, stdin: terminal, stdout: terminal,
		sys: syscall.SysProcAttr{Setsid: true, Setctty: true},
	})
	s.out = readLines(t, keyboard)
	return s, keyboard
}

func TestTerminalReachesTheNodeOnce(t *testing.T) {
	t.Parallel()
	for _, pid1 := range []bool{false, true} {
		s, keyboard := onTerminal(t, pid1)
		s.run(order{Args: node("record", "-end=10", "-echo")})
		s.out.after("node ready")

		fmt.Fprintln(keyboard, "hello")
		s.out.expect("node read hello")
		if err := unix.IoctlSetWinsize(int(keyboard.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 7, Col: 9}); err != nil {
			t.Fatal(err)
		}
		s.out.expect("node got 28")
		fmt.Fprint(keyboard, ctrlBackslash)
		s.out.expect("node got 3")
		s.none()
		fmt.Fprint(keyboard, ctrlC)
		s.out.expect("node got 2")
		if e := <-s.events; e.Kind != "stopping" || e.Cause != "interrupted by SIGINT" {
			t.Errorf("got the event %+v", e)
		}
		// Signals of kill(1) are forwarded also here; had one of the others been, it would have come before these.
		s.signal(syscall.SIGTERM)
		s.out.expect("node got 15")
		s.signal(syscall.SIGUSR1)
		s.out.expect("node got 10")
		if e := s.expect("exit").Exit; e.Code != 0 || e.Stop != supervise.StopSignal || e.Killed {
			t.Errorf("unexpected exit %+v", e)
		}
	}
}

func TestInterruptByKillOnATerminalIsRepeatedAsSIGTERM(t *testing.T) {
	t.Parallel()
	s, _ := onTerminal(t, false)
	s.run(order{Args: []string{"sh", "-c", "trap '' INT; echo ready; exec sleep 600"}, Grace: 4 * time.Second})
	s.out.expect("ready")
	s.signal(syscall.SIGINT)
	if e := s.expect("exit").Exit; e.Signal != syscall.SIGTERM || e.Killed {
		t.Errorf("unexpected exit %+v", e)
	}
}

func TestNodeThatDoesNotStopOnATerminalIsKilled(t *testing.T) {
	t.Parallel()
	s, keyboard := onTerminal(t, false)
	s.run(order{Args: node("record", "-end=10"), Grace: soon})
	s.out.after("node ready")
	fmt.Fprint(keyboard, ctrlC)
	if e := s.expect("exit").Exit; e.Code != 137 || !e.Killed {
		t.Errorf("unexpected exit %+v", e)
	}
	if code := s.wait(); code != 137 { // the supervisor itself has not been hit
		t.Errorf("exit code %d", code)
	}
}

// The kernel tells only the session's leader of it.
func TestHangUpReachesTheNode(t *testing.T) {
	t.Parallel()
	keyboard, terminal := openPTY(t)
	s := startSupervisor(t, setup{
		stdin: terminal, stdout: terminal, sys: syscall.SysProcAttr{Setsid: true, Setctty: true},
	})
	s.run(order{Args: []string{"sleep", "600"}})
	keyboard.Close()
	if e := s.expect("exit").Exit; e.Signal != syscall.SIGHUP {
		t.Errorf("unexpected exit %+v", e)
	}
}

// TestJobControl has a shell with job control run the supervisor, suspend and resume it.
func TestJobControl(t *testing.T) {
	t.Parallel()
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("there is no bash")
	}
	keyboard, terminal := openPTY(t)
	dir := t.TempDir()
	events, orders := filepath.Join(dir, "events"), filepath.Join(dir, "orders")
	for _, path := range []string{events, orders} {
		if err := unix.Mkfifo(path, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	shell := exec.Command(bash, "--norc", "--noprofile", "--noediting", "-i")
	shell.Env = append(os.Environ(), "PS1=", "PS2=", "HISTFILE=")
	shell.Stdin, shell.Stdout, shell.Stderr = terminal, terminal, terminal
	shell.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := shell.Start(); err != nil {
		t.Fatal(err)
	}
	terminal.Close()
	t.Cleanup(func() {
		for _, pid := range descendants(shell.Process.Pid) {
			syscall.Kill(pid, syscall.SIGKILL)
		}
		shell.Process.Kill()
		shell.Wait()
	})
	out := readLines(t, keyboard)

	fmt.Fprintf(keyboard, "%s 3>%s 4<%s 2>/dev/null\n", strings.Join(node("supervisor"), " "), events, orders)
	s := &supervisor{t: t, events: make(chan event, 100)}
	s.connect(events, orders)
	s.expect("ready")
	s.run(order{Args: node("record", "-end=10", "-echo", "-stops")})
	pids := []int{children(shell.Process.Pid)[0].pid, out.pidAfter("node ready")}

	for range 2 {
		fmt.Fprint(keyboard, ctrlZ)
		eventually(t, "both to stop", func() bool { return stopped(pids[0]) && stopped(pids[1]) })
		fmt.Fprintln(keyboard, "echo the shell is back")
		out.after("the shell is back")
		fmt.Fprintln(keyboard, "fg")
		eventually(t, "both to go on", func() bool { return inState(pids[0], "S") && inState(pids[1], "S") })
		out.after("node got 18")
		fmt.Fprintln(keyboard, "hello")
		out.expect("node read hello")
	}
	fmt.Fprint(keyboard, ctrlC)
	out.expect("node got 2")
	if e := <-s.events; e.Kind != "stopping" || e.Cause != "interrupted by SIGINT" {
		t.Errorf("got the event %+v", e)
	}
	kill(t, pids[0], syscall.SIGUSR1)
	out.expect("node got 10")
	if e := s.expect("exit").Exit; e.Code != 0 || e.Stop != supervise.StopSignal {
		t.Errorf("unexpected exit %+v", e)
	}
	s.control.Close()
	fmt.Fprintln(keyboard, "echo code $?")
	out.expect("code 0")
}
