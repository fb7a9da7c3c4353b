//go:build linux

package supervise_test

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kubevali/kubevali/internal/supervise"
)

// read takes everything that comes out of a file.
func read(t *testing.T, from io.Reader) sum {
	t.Helper()
	s := newSink()
	if _, err := io.Copy(s, from); err != nil {
		t.Error(err)
	}
	return s.sum()
}

// withOutput starts a supervisor whose stdout the test reads by itself.
func withOutput(t *testing.T) (*supervisor, *os.File) {
	t.Helper()
	r, w := pipe(t)
	s := startSupervisor(t, setup{stdout: w})
	w.Close()
	return s, r
}

func writer(size int64, more ...string) []string {
	return node("write", append([]string{fmt.Sprintf("-size=%d", size)}, more...)...)
}

func TestOutputComesThroughAsItIs(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		size   int64
		binary bool
	}{
		{"one line of 100 MiB without an end", 100 << 20, false},
		{"NUL bytes", 3<<20 + 1, true},
		{"nothing", 0, false},
		{"a byte", 1, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s, out := withOutput(t)
			s.run(order{Args: writer(test.size, fmt.Sprintf("-binary=%v", test.binary), "-code=4"), Watch: watchEach})
			s.control.Close() // the output ends with the supervisor
			want := outputSum(test.size, test.binary)
			if got := read(t, out); got != want {
				t.Errorf("came out: %+v, went in: %+v", got, want)
			}
			e := s.expect("exit")
			if e.Exit.Code != 4 {
				t.Errorf("unexpected exit %+v", e.Exit)
			}
			if e.Watched[0] != want {
				t.Errorf("was watched: %+v, went in: %+v", e.Watched[0], want)
			}
		})
	}
}

// unread is how many bytes wait in a pipe.
func unread(t *testing.T, pipe *os.File) (n int) {
	t.Helper()
	conn, err := pipe.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	conn.Control(func(fd uintptr) { n, err = unix.IoctlGetInt(int(fd), unix.TIOCINQ) })
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// A reader that is slower than the node, and still has most of the output before it when the node has ended.
func TestSlowReaderLosesNothing(t *testing.T) {
	t.Parallel()
	const size = 600 << 10 // more than fits into the pipes and the pump together
	s, out := withOutput(t)
	s.run(order{Args: writer(size), Watch: watchEach, Hold: time.Millisecond})
	full := func() bool { return unread(t, out) >= 60<<10 }
	eventually(t, "the pipe to be full", full)
	if n := len(children(s.pid)); n != 1 {
		t.Fatalf("the node has ended with nothing read")
	}

	got := newSink()
	piece := make([]byte, 1021)
	for {
		n, err := out.Read(piece)
		got.Write(piece[:n])
		if err != nil {
			break
		}
		if got.bytes == int64(n) {
			s.control.Close() // the output ends with the supervisor
		}
		eventually(t, "the pipe to be full again, or all to be written", func() bool {
			return full() || got.bytes+int64(unread(t, out)) == size
		})
		if got.bytes == size {
			break
		}
	}
	if want := outputSum(size, false); got.sum() != want {
		t.Errorf("came out: %+v, went in: %+v", got.sum(), want)
	}
	if e := s.expect("exit"); e.Exit.Code != 0 || e.Watched[0] != got.sum() {
		t.Errorf("unexpected exit %+v", e)
	}
}

func TestClosedStdoutDoesNotDisturbTheNode(t *testing.T) {
	t.Parallel()
	const size = 5 << 20
	s, out := withOutput(t)
	out.Close()
	s.run(order{Args: writer(size, "-code=7"), Watch: watchEach})
	e := s.expect("exit")
	if e.Exit.Code != 7 || e.Exit.Signal != 0 {
		t.Errorf("unexpected exit %+v", e.Exit)
	}
	if want := outputSum(size, false); e.Watched[0] != want {
		t.Errorf("was watched: %+v, went in: %+v", e.Watched[0], want)
	}
	if log := s.log.String(); strings.Count(log, "broken pipe; the node runs on") != 1 {
		t.Errorf("the log does not say so once:\n%s", log)
	}
	if code := s.wait(); code != 7 {
		t.Errorf("exit code %d", code)
	}
}

func TestClosedLogDoesNotDisturbTheNode(t *testing.T) {
	t.Parallel()
	r, w := pipe(t)
	s := startSupervisor(t, setup{stdout: w, stderr: w})
	w.Close()
	r.Close()
	s.run(order{Args: writer(1<<20, "-code=7"), Watch: watchShared}) // logs that its output cannot be passed on
	if e := s.expect("exit"); e.Exit.Code != 7 || e.Watched[0].Bytes != 1<<20 {
		t.Errorf("unexpected exit %+v", e)
	}
	if code := s.wait(); code != 7 {
		t.Errorf("exit code %d", code)
	}
}

func TestFullDiskDoesNotDisturbTheNode(t *testing.T) {
	t.Parallel()
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	const size = 1 << 20
	s := startSupervisor(t, setup{stdout: full})
	s.run(order{Args: writer(size, "-code=7"), Watch: watchEach})
	e := s.expect("exit")
	if want := outputSum(size, false); e.Exit.Code != 7 || e.Watched[0] != want {
		t.Errorf("unexpected exit %+v", e)
	}
	if log := s.log.String(); strings.Count(log, "no space left on device; the node runs on") != 1 {
		t.Errorf("the log does not say so once:\n%s", log)
	}
}

func TestNonBlockingStdout(t *testing.T) {
	t.Parallel()
	const size = 3 << 20
	var ends [2]int
	if err := unix.Pipe2(ends[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	if err := unix.SetNonblock(ends[1], true); err != nil {
		t.Fatal(err)
	}
	out, in := os.NewFile(uintptr(ends[0]), "out"), os.NewFile(uintptr(ends[1]), "in")
	defer out.Close()
	s := startSupervisor(t, setup{stdout: in})
	in.Close()
	s.run(order{Args: writer(size), Watch: watchEach})
	eventually(t, "the pipe to be full", func() bool { return unread(t, out) == 64<<10 })
	s.control.Close() // the output ends with the supervisor
	if got, want := read(t, out), outputSum(size, false); got != want {
		t.Errorf("came out: %+v, went in: %+v", got, want)
	}
}

func TestPipeThatAnotherProcessHoldsOpen(t *testing.T) {
	t.Parallel()
	t.Run("silent", func(t *testing.T) {
		t.Parallel()
		s := startSupervisor(t, setup{})
		s.run(order{Args: []string{"sh", "-c", "sleep 600 & echo left $!; printf last; exit 5"}, Watch: watchEach})
		killAtEnd(t, s.out.pidAfter("left"))
		if e := s.expect("exit"); e.Exit.Code != 5 {
			t.Errorf("unexpected exit %+v", e)
		}
		s.wait()
		s.out.expect("last")
		s.out.end()
	})
	t.Run("talkative", func(t *testing.T) {
		t.Parallel()
		s, out := withOutput(t)
		s.run(order{Args: []string{"sh", "-c", "echo first; yes & exit 5"}, Watch: watchEach})
		done := make(chan sum)
		begin := make([]byte, len("first\n"))
		if _, err := io.ReadFull(out, begin); err != nil || string(begin) != "first\n" {
			t.Errorf("came out: %q, %v", begin, err)
		}
		go func() { done <- read(t, out) }()
		if e := s.expect("exit"); e.Exit.Code != 5 {
			t.Errorf("unexpected exit %+v", e)
		}
		s.wait()
		<-done
	})
	t.Run("for a while", func(t *testing.T) {
		t.Parallel()
		stdin, end := pipe(t)
		s := startSupervisor(t, setup{stdin: stdin})
		s.run(order{Args: []string{"sh", "-c", "exec 3<&0; cat <&3 & echo ready; exit 5"}, Watch: watchEach, Hold: time.Minute})
		s.out.expect("ready")
		eventually(t, "the node to end", func() bool {
			now := children(s.pid)
			return len(now) == 1 && readName(now[0].pid) == "cat"
		})
		s.none()
		fmt.Fprintln(end, "later")
		s.out.expect("later")
		end.Close()
		if e := s.expect("exit"); e.Exit.Code != 5 {
			t.Errorf("unexpected exit %+v", e)
		}
	})
}

func readName(pid int) string {
	name, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	return strings.TrimSpace(string(name))
}

func TestReaderThatDoesNotReadIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	const size = 200 << 10 // fits into the pipes and the pump
	s, out := withOutput(t)
	s.run(order{Args: writer(size, "-code=9"), Watch: watchEach, Hold: time.Millisecond, Unread: 20 * time.Millisecond})
	e := s.expect("exit")
	if e.Exit.Code != 9 {
		t.Errorf("unexpected exit %+v", e.Exit)
	}
	// As long as this process lives, the output is there for a reader who comes to life again. Nobody watches it any more.
	r := io.LimitReader(out, size)
	if got, want := read(t, r), outputSum(size, false); got != want {
		t.Errorf("came out: %+v, went in: %+v", got, want)
	}
	eventually(t, "the pump to end", func() bool {
		now := s.measure()
		if now.Watched[0] != e.Watched[0] {
			t.Fatalf("was watched after Run: %+v, then %+v", e.Watched[0], now.Watched[0])
		}
		return !strings.Contains(now.Stacks, "(*pump)")
	})
}

func TestReaderIsWaitedForAsLongAsItReads(t *testing.T) {
	t.Parallel()
	const limit = 3 * time.Second
	for _, test := range []struct {
		name  string
		pause time.Duration // of the reader, between two chunks
		waits bool
	}{
		{"slow", limit - time.Millisecond, true},
		{"too slow", limit + time.Millisecond, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				done := []chan struct{}{make(chan struct{}), make(chan struct{})}
				progress := make(chan struct{}, 1)
				var reader sync.WaitGroup
				defer reader.Wait()
				reader.Go(func() {
					for _, ended := range done {
						for range 5 {
							time.Sleep(test.pause)
							select {
							case progress <- struct{}{}:
							default:
							}
						}
						close(ended)
					}
				})
				if got := supervise.Drained(done, progress, limit); got != test.waits {
					t.Errorf("the output was waited for: %v", got)
				}
			})
		})
	}
}

func TestLastLinesOfShortRuns(t *testing.T) {
	t.Parallel()
	const runs = 100
	s := startSupervisor(t, setup{})
	for i := range runs {
		s.run(order{Args: []string{"sh", "-c", fmt.Sprintf("echo run %d; echo dying >&2; exit 3", i)}, Watch: watchEach})
		if e := s.expect("exit"); e.Exit.Code != 3 || e.Watched[1].Bytes != int64(len("dying\n")) {
			t.Fatalf("unexpected exit %+v", e)
		}
		s.out.expect(fmt.Sprintf("run %d", i))
	}
	s.wait()
	s.out.end()
	if n := strings.Count(s.log.String(), "dying"); n != runs {
		t.Errorf("%d of %d last lines have come out on stderr", n, runs)
	}
}

func TestSharedPipeKeepsTheOrder(t *testing.T) {
	t.Parallel()
	s := startSupervisor(t, setup{})
	s.run(order{
		Args:  []string{"sh", "-c", "i=0; while [ $i -lt 1000 ]; do echo out $i; echo err $i >&2; i=$((i+1)); done"},
		Watch: watchShared,
	})
	for i := range 1000 {
		s.out.expect(fmt.Sprintf("out %d", i))
		s.out.expect(fmt.Sprintf("err %d", i))
	}
	s.expect("exit")
}
