//go:build linux

package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

const (
	startPatience = time.Minute      // for the first success ping
	stopPatience  = 20 * time.Second // for the end after SIGTERM
	memoryTime    = 5 * time.Second  // how long a supervisor does its work before its memory counts
)

// sizeAndMemory measures what needs no quiet machine, and returns the limits that kubevali breaks.
func (b *bench) sizeAndMemory(ctx context.Context, t *table) (over []string, err error) {
	size := t.row("binary", fmt.Sprintf("≤ %.0f MB", maxBinary/1e6))
	hold := fmt.Sprintf("≤ %d MiB", maxResident>>20)
	idle := t.row("resident memory, a line each 200 ms", hold)
	busy := t.row("resident memory at its highest, log as fast as can be", hold)
	fmt.Fprintln(os.Stderr, "bench: size and memory")
	for _, s := range b.supervisors {
		if s.binary == "" {
			continue
		}
		info, err := os.Stat(s.binary)
		if err != nil {
			return nil, err
		}
		size[s.name] = bytesOf(info.Size())
		var fits bool
		if idle[s.name], busy[s.name], fits, err = b.idleAndBusy(ctx, s); err != nil {
			return nil, err
		}
		if s.name != kubevaliName {
			continue
		}
		if info.Size() > maxBinary {
			over = append(over, "binary "+size[s.name])
		}
		if !fits {
			over = append(over, "resident memory "+idle[s.name]+", at its highest "+busy[s.name])
		}
	}
	const asked = "the same, after asking the Kubernetes API"
	idleAsked, busyAsked := t.row(asked+", a line each 200 ms", hold), t.row(asked+", at its highest", hold)
	var fits bool
	if idleAsked[kubevaliName], busyAsked[kubevaliName], fits, err = b.idleAndBusy(ctx, b.kubevaliInCluster()); err != nil {
		return nil, err
	}
	if !fits {
		over = append(over, "resident memory with Kubernetes in use "+idleAsked[kubevaliName]+", at its highest "+busyAsked[kubevaliName])
	}
	return over, nil
}

// idleAndBusy measures the memory of s beside a quiet node, and its highest beside one that is not; fits says whether both
// are within the limit.
func (b *bench) idleAndBusy(ctx context.Context, s supervisor) (idle, busy string, fits bool, err error) {
	now, _, err := b.memory(ctx, s, []string{b.node, "log", "-every", "200ms"})
	if err != nil {
		return "", "", false, fmt.Errorf("memory of %s, idle: %w", s.name, err)
	}
	_, highest, err := b.memory(ctx, s, []string{b.node, "log"})
	if err != nil {
		return "", "", false, fmt.Errorf("memory of %s, busy: %w", s.name, err)
	}
	return mebibytes(now), mebibytes(highest), now <= maxResident && highest <= maxResident, nil
}

// memory runs node under s for a while and returns the resident memory of s itself, at the end and at its highest.
func (b *bench) memory(ctx context.Context, s supervisor, node []string) (now, highest int64, err error) {
	argv, err := s.argv(node)
	if err != nil {
		return 0, 0, err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	successes := b.checks.successes.Load()
	cmd := b.command(ctx, argv)
	var log bytes.Buffer
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		return 0, 0, err
	}
	if s.name == kubevaliName {
		err = b.exercise(ctx, successes)
	} else {
		err = pause(ctx, memoryTime)
	}
	if err == nil {
		now, highest, err = residentOf(cmd.Process.Pid)
	}
	stop()
	cmd.Wait() // ended by the signal that stop sent
	if err != nil {
		err = fmt.Errorf("%w\n%s", err, log.Bytes())
	}
	return now, highest, err
}

// exercise waits until kubevali has reported success, and then asks its probes for a while, as a kubelet does.
func (b *bench) exercise(ctx context.Context, successes int64) error {
	deadline := time.Now().Add(startPatience)
	for b.checks.successes.Load() == successes {
		if time.Now().After(deadline) {
			return fmt.Errorf("no success ping in %v", startPatience)
		}
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			return err
		}
	}
	for end := time.Now().Add(memoryTime); time.Now().Before(end); {
		resp, err := http.Get("http://" + b.monitor + "/livez")
		if err != nil {
			return err
		}
		resp.Body.Close()
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// residentOf adds up the resident memory of the process pid and of those of its descendants that run the same program.
func residentOf(pid int) (now, highest int64, err error) {
	program, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
	if err != nil {
		return 0, 0, err
	}
	for _, pid := range append([]int{pid}, descendants(pid)...) {
		if other, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid)); err != nil || other != program {
			continue
		}
		status, err := readStatus(pid)
		if err != nil {
			return 0, 0, err
		}
		now += status["VmRSS"] << 10
		highest += status["VmHWM"] << 10
	}
	return now, highest, nil
}

// descendants lists the children of pid, their children, and so on.
func descendants(pid int) []int {
	var all []int
	files, _ := filepath.Glob("/proc/[0-9]*") // the pattern is well-formed
	for _, file := range files {
		child, err := strconv.Atoi(filepath.Base(file))
		if err != nil {
			continue
		}
		status, err := readStatus(child)
		if err != nil || status["PPid"] != int64(pid) {
			continue
		}
		all = append(append(all, child), descendants(child)...)
	}
	return all
}

// readStatus reads the numbers of /proc/PID/status (proc_pid_status(5)); those of memory are in KiB.
func readStatus(pid int) (map[string]int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return nil, err
	}
	status := map[string]int64{}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(line, ":")
		fields := strings.Fields(value)
		if len(fields) == 0 {
			continue
		}
		if n, err := strconv.ParseInt(fields[0], 10, 64); err == nil {
			status[name] = n
		}
	}
	return status, nil
}
