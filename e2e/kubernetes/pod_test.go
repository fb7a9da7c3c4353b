package kubernetes

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// mainContainer is the name of the container that runs kubevali and the node.
const mainContainer = "node"

// log returns what the pod's main container has written; nothing while it has not started.
func (n namespace) log(t *testing.T, pod string, flags ...string) string {
	t.Helper()
	text, err := n.try(t, append([]string{"logs", pod, "-c", mainContainer}, flags...)...)
	if err != nil {
		return err.Error()
	}
	return text
}

// awaitLog waits until the log of the pod's main container, or that of the one before its restart, has all these words.
func (n namespace) awaitLog(t *testing.T, pod string, words ...string) (log string) {
	t.Helper()
	eventually(t, fmt.Sprintf("%s says %q", pod, words), func() (bool, string) {
		for _, flags := range [][]string{nil, {"--previous"}} {
			if log = n.log(t, pod, flags...); hasAll(log, words) {
				return true, log
			}
		}
		return false, n.log(t, pod)
	})
	return log
}

func hasAll(text string, words []string) bool {
	for _, word := range words {
		if !strings.Contains(text, word) {
			return false
		}
	}
	return true
}

// follower is a `kubectl logs --follow`.
type follower struct {
	out    bytes.Buffer // to be read when done is closed
	err    error        // likewise
	begun  sync.Once
	begin  chan struct{} // closed when the first of the log has come
	done   chan struct{}
	cancel context.CancelFunc
}

// Write takes what kubectl prints.
func (f *follower) Write(p []byte) (int, error) {
	f.begun.Do(func() { close(f.begin) })
	return f.out.Write(p)
}

// follow collects the log of the pod's main container, which has written something, up to the container's end.
func (n namespace) follow(t *testing.T, pod string) *follower {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	f := &follower{begin: make(chan struct{}), done: make(chan struct{}), cancel: cancel}
	cmd := exec.CommandContext(ctx, "kubectl", "--namespace="+string(n), "logs", "--follow", pod, "-c", mainContainer)
	cmd.Stdout, cmd.Stderr = f, f
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(f.done)
		f.err = cmd.Wait()
	}()
	t.Cleanup(func() {
		cancel()
		<-f.done
	})
	select {
	case <-f.begin:
	case <-time.After(patience):
		t.Fatalf("%s has no log to follow", pod)
	}
	return f
}

// whole waits for the container's end and returns its log.
func (f *follower) whole(t *testing.T) string {
	t.Helper()
	select {
	case <-f.done:
	case <-time.After(patience):
		f.cancel()
		<-f.done
		t.Fatalf("the log does not end:\n%s", f.out.String())
	}
	if f.err != nil {
		t.Fatalf("kubectl logs --follow: %v\n%s", f.err, f.out.String())
	}
	return f.out.String()
}

// argv is the node's command line, from the line that kubevali writes when it starts the node.
func argv(t *testing.T, log string) []string {
	t.Helper()
	_, rest, ok := strings.Cut(log, "Starting node: ")
	if !ok {
		t.Fatalf("the log has no `Starting node:`\n%s", log)
	}
	rest, _, _ = strings.Cut(rest, "\n")
	var args []string
	for rest = strings.TrimSpace(rest); rest != ""; rest = strings.TrimSpace(rest) {
		quoted, err := strconv.QuotedPrefix(rest)
		if err != nil {
			t.Fatalf("%v: %s", err, rest)
		}
		arg, err := strconv.Unquote(quoted)
		if err != nil {
			t.Fatalf("%v: %s", err, quoted)
		}
		args, rest = append(args, arg), rest[len(quoted):]
	}
	return args
}

// flagValue is the value of a flag on a command line, empty where there is none.
func flagValue(args []string, flag string) string {
	for i, arg := range args {
		if name, value, ok := strings.Cut(arg, "="); ok && name == flag {
			return value
		}
		if arg == flag && i+1 < len(args) {
			return args[i+1]
		}
	}
	return ""
}

// process is what the kernel tells about a process.
type process struct {
	rss, peak int           // resident memory now and at most, KiB
	started   time.Duration // since the machine's start, to 10 ms
}

// process looks for a pod's process by its name. ok is false where this machine does not run the cluster's nodes.
func (o *resource) process(t *testing.T, name string) (p process, ok bool) {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cgroup")
	if err != nil {
		t.Fatal(err)
	}
	uid := o.Metadata.UID
	for _, file := range files {
		dir := filepath.Dir(file)
		cgroup, _ := os.ReadFile(file)
		if !bytes.Contains(cgroup, []byte(uid)) && !bytes.Contains(cgroup, []byte(strings.ReplaceAll(uid, "-", "_"))) {
			continue
		}
		status, err := os.ReadFile(filepath.Join(dir, "status"))
		if err != nil {
			continue // it has just ended
		}
		fields := map[string]string{}
		for line := range strings.Lines(string(status)) {
			key, value, _ := strings.Cut(line, ":")
			fields[key] = strings.TrimSuffix(strings.TrimSpace(value), " kB")
		}
		if fields["Name"] != name {
			continue
		}
		stat, err := os.ReadFile(filepath.Join(dir, "stat"))
		if err != nil {
			continue
		}
		return process{number(t, fields["VmRSS"]), number(t, fields["VmHWM"]), startTime(t, string(stat))}, true
	}
	return process{}, false
}

// startTime is the field starttime of /proc/PID/stat, see proc_pid_stat(5).
func startTime(t *testing.T, stat string) time.Duration {
	t.Helper()
	const index, ticksPerSecond = 22 - 3, 100 // the third field follows the name in parentheses
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	return time.Duration(number(t, fields[index])) * time.Second / ticksPerSecond
}

func number(t *testing.T, text string) int {
	t.Helper()
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
