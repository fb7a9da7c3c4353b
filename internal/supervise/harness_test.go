//go:build linux

package supervise_test

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/kubevali/kubevali/internal/supervise"
)

// patience is how long a test waits for what must happen: long, since only a failure takes that long.
const patience = 60 * time.Second

// eventually waits until the condition holds.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// setup says how a supervisor is started.
type setup struct {
	pid1   bool
	wrap   []string // a command line to put before the supervisor's
	stdin  *os.File
	stdout *os.File // nil: read by the test, line by line
	stderr *os.File // nil: a file
	sys    syscall.SysProcAttr
}

// supervisor is a process that runs the package.
type supervisor struct {
	t       testing.TB
	pid     int
	out     *lines // its stdout, and so the node's
	log     logFile
	events  chan event
	orders  *json.Encoder
	control *os.File
	exited  chan struct{}
	state   *os.ProcessState // valid once exited is closed
}

// startSupervisor starts one and waits until it catches signals.
func startSupervisor(t testing.TB, how setup) *supervisor {
	t.Helper()
	s := &supervisor{t: t, events: make(chan event, 1000), exited: make(chan struct{})}
	eventsOut, eventsIn := pipe(t)
	ordersOut, ordersIn := pipe(t)
	s.control = ordersIn
	s.orders = json.NewEncoder(ordersIn)

	argv := append(how.wrap, node("supervisor")...)
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.ExtraFiles = []*os.File{eventsIn, ordersOut}
	logIn, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	s.log = logFile(logIn.Name())
	cmd.Stderr = logIn
	if how.stderr != nil {
		cmd.Stderr = how.stderr
	}
	cmd.SysProcAttr = &how.sys
	if how.stdin != nil {
		cmd.Stdin = how.stdin
	}
	cmd.Stdout = how.stdout
	if how.stdout == nil {
		out, in := pipe(t)
		cmd.Stdout = in
		defer in.Close()
		s.out = readLines(t, out)
	}
	if how.pid1 {
		asPID1(cmd.SysProcAttr)
	}
	if err := cmd.Start(); err != nil {
		if how.pid1 && errors.Is(err, syscall.EPERM) {
			t.Skip("this system does not permit pid namespaces")
		}
		t.Fatal(err)
	}
	for _, file := range []*os.File{eventsIn, ordersOut, logIn} {
		file.Close()
	}
	s.pid = cmd.Process.Pid
	go s.receive(eventsOut)
	go func() {
		defer close(s.exited)
		cmd.Wait()
		s.state = cmd.ProcessState
	}()
	t.Cleanup(func() { s.cleanUp(cmd) })
	if e := s.expect("ready"); how.pid1 && e.PID != 1 {
		t.Fatalf("the supervisor is pid %d of its namespace", e.PID)
	}
	return s
}

// asPID1 makes a process the first one of a new pid namespace, and where that takes root, root of a new user namespace.
func asPID1(sys *syscall.SysProcAttr) {
	sys.Cloneflags = syscall.CLONE_NEWPID
	if os.Geteuid() == 0 {
		return
	}
	sys.Cloneflags |= syscall.CLONE_NEWUSER
	sys.UidMappings = []syscall.SysProcIDMap{{HostID: os.Geteuid(), Size: 1}}
	sys.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getegid(), Size: 1}}
}

// connect talks with a supervisor that somebody else starts, over FIFOs.
func (s *supervisor) connect(events, orders string) {
	s.t.Helper()
	in, err := os.Open(events)
	if err != nil {
		s.t.Fatal(err)
	}
	s.control, err = os.OpenFile(orders, os.O_WRONLY, 0)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { in.Close(); s.control.Close() })
	s.orders = json.NewEncoder(s.control)
	go s.receive(in)
}

func (s *supervisor) receive(from io.Reader) {
	defer close(s.events)
	decoder := json.NewDecoder(from)
	for {
		var e event
		if decoder.Decode(&e) != nil {
			return
		}
		s.events <- e
	}
}

func (s *supervisor) cleanUp(cmd *exec.Cmd) {
	s.control.Close()
	for _, pid := range descendants(s.pid) {
		syscall.Kill(pid, syscall.SIGKILL)
	}
	cmd.Process.Kill()
	<-s.exited
	if log := s.log.String(); s.t.Failed() || strings.Contains(log, "DATA RACE") {
		s.t.Errorf("the supervisor's log:\n%s", log)
	}
}

func (s *supervisor) do(o order) {
	s.t.Helper()
	if err := s.orders.Encode(o); err != nil {
		s.t.Fatal(err)
	}
}

// run starts a node and waits until it runs.
func (s *supervisor) run(o order) (pid int) {
	s.t.Helper()
	o.Do = "run"
	s.do(o)
	return s.expect("started").PID
}

// expect returns the next event of a kind, which must be the next but for stopping.
func (s *supervisor) expect(kind string) event {
	s.t.Helper()
	timeout := time.After(patience)
	for {
		select {
		case e, ok := <-s.events:
			switch {
			case ok && e.Kind == kind:
				return e
			case !ok, e.Kind != "stopping":
				s.t.Fatalf("got the event %+v instead of %s; log:\n%s", e, kind, s.log)
			}
		case <-timeout:
			s.t.Fatalf("waited in vain for the event %s; log:\n%s", kind, s.log)
		}
	}
}

// none fails when something has happened.
func (s *supervisor) none() {
	s.t.Helper()
	for {
		select {
		case e := <-s.events:
			if e.Kind != "stopping" {
				s.t.Fatalf("got the event %+v before its time", e)
			}
		default:
			return
		}
	}
}

func (s *supervisor) signal(sig syscall.Signal) {
	s.t.Helper()
	kill(s.t, s.pid, sig)
}

// wait has the supervisor end after what it is doing and returns its exit code.
func (s *supervisor) wait() int {
	s.t.Helper()
	s.control.Close()
	select {
	case <-s.exited:
	case <-time.After(patience):
		s.t.Fatalf("the supervisor does not end; log:\n%s", s.log)
	}
	return s.state.ExitCode()
}

// cancel ends the context of all of the supervisor's runs.
func (s *supervisor) cancel() {
	s.t.Helper()
	s.do(order{Do: "cancel"})
	s.expect("cancelled")
}

func (s *supervisor) measure() event {
	s.t.Helper()
	s.do(order{Do: "measure"})
	return s.expect("measured")
}

func kill(t testing.TB, pid int, sig syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(pid, sig); err != nil {
		t.Fatalf("kill(%d, %s): %v", pid, supervise.SignalName(sig), err)
	}
}

// killAtEnd ends a process that may outlive its supervisor.
func killAtEnd(t testing.TB, pid int) {
	t.Cleanup(func() { syscall.Kill(pid, syscall.SIGKILL) })
}

func pipe(t testing.TB) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	return r, w
}
