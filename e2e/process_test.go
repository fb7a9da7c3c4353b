package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long an event may take to come: long enough for a machine busy with other things.
const patience = 90 * time.Second

// output collects what a process writes.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer // guarded by mu
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// process is a kubevali that runs a node.
type process struct {
	monitor string // host:port of the probes
	stdout  output // where the node's log goes
	stderr  output // kubevali's own log

	cmd    *exec.Cmd
	exited chan struct{} // closed when the process is gone and its output complete
}

// start runs kubevali with the configuration file at config, whose monitor listens on the address monitor. When the
// test ends, nothing of it is left.
func start(t *testing.T, config, monitor string, env ...string) *process {
	t.Helper()
	mark := "KUBEVALI_E2E=" + t.TempDir()
	p := &process{monitor: monitor, exited: make(chan struct{})}
	p.cmd = exec.Command(built.kubevali, "--config", config)
	p.cmd.Env = append(append(os.Environ(), mark), env...)
	p.cmd.Stdout, p.cmd.Stderr = &p.stdout, &p.stderr
	p.cmd.WaitDelay = 10 * time.Second
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.exited)
		p.cmd.Wait() // its error is the exit code, which the test asks for
	}()
	t.Cleanup(func() {
		killMarked(t, mark)
		<-p.exited
		if t.Failed() {
			t.Logf("kubevali's log:\n%s", p.stderr.String())
			t.Logf("the node's log:\n%s", p.stdout.String())
		}
	})
	return p
}

// signal sends sig to kubevali.
func (p *process) signal(t *testing.T, sig syscall.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil {
		t.Fatalf("send %v to kubevali: %v", sig, err)
	}
}

// exitCode waits for kubevali's end and returns its exit code.
func (p *process) exitCode(t *testing.T) int {
	t.Helper()
	select {
	case <-p.exited:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(patience):
		t.Fatal("kubevali did not exit")
		return -1
	}
}

// health is what /healthz?verbose tells.
type health struct {
	State   string            `json:"state"`
	Matches uint64            `json:"matches"`
	Values  map[string]string `json:"values"`
	PID     int               `json:"pid"`
}

// health asks /healthz?verbose. ok is false while nothing answers, or after it stopped.
func (p *process) health() (h health, status int, ok bool) {
	client := http.Client{Timeout: 5 * time.Second}
	resp, err := client.Get("http://" + p.monitor + "/healthz?verbose")
	if err != nil {
		return health{}, 0, false
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&h); err != nil {
		return health{}, resp.StatusCode, false
	}
	return h, resp.StatusCode, true
}

// block is the number of the best block as the pattern found it; 0 while there is none.
func (h health) block(t *testing.T) int {
	t.Helper()
	text := h.Values["best_block"]
	if text == "" {
		return 0
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("best_block: %v", err)
	}
	return n
}

// eventually waits until condition holds.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// freeAddress returns an address of this machine that nothing listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// gone says whether no process has the number pid any more.
func gone(pid int) bool {
	return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH)
}

// killMarked kills the processes whose environment holds mark: kubevali and, should it have left any, its orphans.
func killMarked(t *testing.T, mark string) {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		t.Error(err)
	}
	for _, file := range files {
		environ, err := os.ReadFile(file)
		if err != nil || !bytes.Contains(environ, []byte(mark+"\x00")) {
			continue
		}
		pid, err := strconv.Atoi(strings.Split(file, "/")[2])
		if err != nil {
			continue
		}
		t.Logf("kill the leftover process %d", pid)
		syscall.Kill(pid, syscall.SIGKILL)
	}
}
