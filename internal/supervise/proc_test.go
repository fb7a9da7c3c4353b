//go:build linux

package supervise_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// lines are what comes out of a file, line by line.
type lines struct {
	t    testing.TB
	next chan string
}

func readLines(t testing.TB, from io.Reader) *lines {
	l := &lines{t: t, next: make(chan string, 10_000)}
	go func() {
		defer close(l.next)
		scanner := bufio.NewScanner(from)
		for scanner.Scan() {
			l.next <- strings.TrimRight(scanner.Text(), "\r")
		}
	}()
	return l
}

// line returns the next one.
func (l *lines) line() string {
	l.t.Helper()
	select {
	case line, ok := <-l.next:
		if !ok {
			l.t.Fatal("the output has ended")
		}
		return line
	case <-time.After(patience):
		l.t.Fatal("waited in vain for output")
	}
	return ""
}

// expect takes as many lines as are wanted, in any order.
func (l *lines) expect(want ...string) {
	l.t.Helper()
	missing := make(map[string]int)
	for _, line := range want {
		missing[line]++
	}
	for range want {
		line := l.line()
		if missing[line]--; missing[line] < 0 {
			l.t.Fatalf("got the line %q, wanted %q", line, want)
		}
	}
}

// after skips what comes before a line with the given text and returns the rest of that line.
func (l *lines) after(text string) string {
	l.t.Helper()
	for {
		if _, rest, ok := strings.Cut(l.line(), text); ok {
			return strings.TrimSpace(rest)
		}
	}
}

func (l *lines) pidAfter(text string) int {
	l.t.Helper()
	pid, err := strconv.Atoi(l.after(text))
	if err != nil {
		l.t.Fatal(err)
	}
	return pid
}

// end fails when there is more.
func (l *lines) end() {
	l.t.Helper()
	select {
	case line, ok := <-l.next:
		if ok {
			l.t.Fatalf("got the line %q, wanted none", line)
		}
	case <-time.After(patience):
		l.t.Fatal("the output does not end")
	}
}

// process is what /proc says of one; proc_pid_stat(5).
type process struct {
	pid, parent int
	state       string // one letter
}

func readProcess(pid int) (process, bool) { return readStat(pid, fmt.Sprintf("/proc/%d/stat", pid)) }

func readStat(pid int, file string) (p process, ok bool) {
	stat, err := os.ReadFile(file)
	if err != nil {
		return p, false
	}
	_, rest, _ := bytes.Cut(stat, []byte(") "))
	fields := strings.Fields(string(rest))
	p = process{pid: pid, state: fields[0]}
	p.parent, err = strconv.Atoi(fields[1])
	return p, err == nil
}

func children(parent int) (found []process) {
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil {
			continue
		}
		if p, ok := readProcess(pid); ok && p.parent == parent {
			found = append(found, p)
		}
	}
	return found
}

func descendants(pid int) (pids []int) {
	for _, p := range children(pid) {
		pids = append(append(pids, p.pid), descendants(p.pid)...)
	}
	return pids
}

// gone reports whether a process has ended; a zombie has.
func gone(pid int) bool {
	p, ok := readProcess(pid)
	return !ok || p.state == "Z"
}

// stopped reports whether all threads of a process are. One that is not yet may still read what the terminal has.
func stopped(pid int) bool {
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	for _, thread := range threads {
		if p, ok := readStat(pid, thread); !ok || p.state != "T" {
			return false
		}
	}
	return len(threads) > 0
}

// inState reports whether a process is stopped (T), sleeping (S) and so on.
func inState(pid int, state string) bool {
	p, ok := readProcess(pid)
	return ok && p.state == state
}

// logFile is the name of the file that a supervisor logs to.
type logFile string

func (f logFile) String() string {
	content, err := os.ReadFile(string(f))
	if err != nil {
		return err.Error()
	}
	return string(content)
}
