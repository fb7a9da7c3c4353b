package watchlog_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/kubevali/kubevali/internal/watchlog"
)

func quiet() logrus.FieldLogger {
	log := logrus.New()
	log.SetOutput(io.Discard)
	return log
}

// A stage is a log file, whoever writes it, and a Follower, in fake time: after settle all has been read.
type stage struct {
	*testing.T
	path string
	mu   sync.Mutex
	got  bytes.Buffer
}

func (s *stage) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.got.Write(p)
}

// settle lets the Follower look until it has seen everything.
func (s *stage) settle() {
	time.Sleep(time.Second)
	synctest.Wait()
}

func (s *stage) expect(want string) {
	s.Helper()
	s.settle()
	s.mu.Lock()
	defer s.mu.Unlock()
	if got := s.got.String(); got != want {
		s.Errorf("followed %q, want %q", clip([]byte(got)), clip([]byte(want)))
	}
}

func (s *stage) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// open returns the log file as its writer opens it.
func (s *stage) open() *os.File {
	s.Helper()
	f, err := os.OpenFile(s.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	s.must(err)
	s.Cleanup(func() { f.Close() })
	return f
}

func (s *stage) append(text string) {
	s.Helper()
	f := s.open()
	_, err := f.WriteString(text)
	s.must(err)
	s.must(f.Close())
}

func (s *stage) rename() {
	s.Helper()
	s.must(os.Rename(s.path, s.path+".1"))
}

func (s *stage) truncate() {
	s.Helper()
	s.must(os.Truncate(s.path, 0))
}

func TestFollower(t *testing.T) {
	long := strings.Repeat("0123456789abcdef", 1<<16) // 1 MiB
	for _, c := range []struct {
		name   string
		before string
		story  func(s *stage)
		want   string
	}{
		{"from the end", "old\n", func(s *stage) { s.settle(); s.append("new\n") }, "new\n"},
		{"from the end of an unfinished line", "old", func(s *stage) { s.append("er\nnew\n") }, "er\nnew\n"},
		{"late creation", "", func(s *stage) { s.settle(); s.append("one\n"); s.settle(); s.append("two\n") }, "one\ntwo\n"},
		{"late creation with its folder", "", func(s *stage) {
			s.must(os.Remove(filepath.Dir(s.path)))
			s.settle()
			s.must(os.Mkdir(filepath.Dir(s.path), 0o700))
			s.append("one\n")
		}, "one\n"},
		{"unfinished lines are read at once", "", func(s *stage) {
			s.append("on")
			s.expect("on")
			s.append("e\n\n\ntwo")
		}, "one\n\n\ntwo"},
		{"any bytes", "", func(s *stage) { s.append("\x00\xff\r\n"); s.settle(); s.append("\r\r\n\x00") }, "\x00\xff\r\n\r\r\n\x00"},
		{"long lines", "", func(s *stage) { s.append(long); s.settle(); s.append(long + "\nend\n") }, long + long + "\nend\n"},
		{"rename and create", "old\n", func(s *stage) {
			s.append("one\n")
			s.settle()
			s.append("two\n")
			s.rename()
			s.append("three\n")
			s.settle()
			s.append("four\n")
		}, "one\ntwo\nthree\nfour\n"},
		{"rename and create before anything was read", "old\n", func(s *stage) {
			s.settle()
			s.append("one\nhalf")
			s.rename()
			s.append("two\n")
		}, "one\nhalf\ntwo\n"},
		{"last line without newline", "", func(s *stage) {
			s.append("half")
			s.settle()
			s.rename()
			s.expect("half")
			time.Sleep(10 * time.Second) // long enough to give the old file up
		}, "half\n"},
		{"writer that goes on in the renamed file", "", func(s *stage) {
			old := s.open()
			fmt.Fprintln(old, "one")
			s.settle()
			s.rename()
			s.append("") // created by the rotator
			for i := range 20 {
				s.settle()
				fmt.Fprintln(old, "late", i)
			}
			s.append("two\n")
		}, "one\n" + numbered("late", 20) + "two\n"},
		{"writer that has been silent and goes on in the renamed file", "", func(s *stage) {
			old := s.open()
			fmt.Fprintln(old, "one")
			time.Sleep(time.Minute)
			s.rename()
			s.append("") // created by the rotator
			s.settle()
			fmt.Fprintln(old, "late")
		}, "one\nlate\n"},
		{"both generations in one look", "", func(s *stage) {
			old := s.open()
			s.settle()
			fmt.Fprintln(old, "one")
			s.rename()
			s.append("two\n")
		}, "one\ntwo\n"},
		{"deletion and late creation", "old\n", func(s *stage) {
			s.append("one\n")
			s.settle()
			s.must(os.Remove(s.path))
			s.settle()
			s.append("two\n")
			s.settle()
			s.must(os.Remove(s.path))
			time.Sleep(time.Minute)
			s.append("three\n")
		}, "one\ntwo\nthree\n"},
		{"writer that goes on in the deleted file", "", func(s *stage) {
			old := s.open()
			s.settle()
			s.must(os.Remove(s.path))
			fmt.Fprintln(old, "one")
		}, "one\n"},
		{"copytruncate", "old\n", func(s *stage) {
			writer := s.open()
			for i := range 3 {
				fmt.Fprintln(writer, "before", i, long[:100*(3-i)])
				s.settle()
				s.truncate()
				fmt.Fprintln(writer, "after", i)
				s.settle()
			}
		}, "before 0 " + long[:300] + "\nafter 0\nbefore 1 " + long[:200] + "\nafter 1\nbefore 2 " + long[:100] + "\nafter 2\n"},
		{"copytruncate that is not seen for its size", "", func(s *stage) {
			writer := s.open()
			fmt.Fprintln(writer, "before")
			s.settle()
			s.truncate()
			fmt.Fprint(writer, numbered("after", 50))
		}, "before\n" + numbered("after", 50)},
		{"truncated and grown to the same size", "", func(s *stage) {
			s.append("before\n")
			s.settle()
			s.truncate()
			s.append("again!\n")
			s.must(os.Chtimes(s.path, time.Time{}, time.Now().Add(time.Hour)))
		}, "before\nagain!\n"},
		{"truncated within a line", "", func(s *stage) { s.append("half"); s.settle(); s.truncate(); s.append("one\n") }, "half\none\n"},
		{"truncated before it was read", "old\n", func(s *stage) { s.truncate(); s.append("n\n") }, "n\n"},
		{"writer without O_APPEND", "", func(s *stage) {
			f, err := os.Create(s.path)
			s.must(err)
			fmt.Fprint(f, long)
			s.settle()
			s.truncate()
			s.settle()
			fmt.Fprint(f, "\none\n")
			s.must(f.Close())
		}, long + "\n" + strings.Repeat("\x00", len(long)%4096) + "\none\n"},
		{"renamed away and back", "old\n", func(s *stage) {
			s.append("one\n")
			s.settle()
			s.rename()
			s.settle()
			s.must(os.Rename(s.path+".1", s.path))
			s.append("two\n")
			s.settle()
			s.rename()
			time.Sleep(time.Minute)
			s.must(os.Rename(s.path+".1", s.path))
			s.append("three\n")
		}, "one\ntwo\nthree\n"},
		{"renamed back over its successor", "", func(s *stage) {
			s.append("one\n")
			s.settle()
			s.rename()
			s.append("two\n")
			s.settle()
			s.must(os.Rename(s.path+".1", s.path))
			s.append("three\n")
			s.settle()
			s.rename()
			s.append("four\n")
		}, "one\ntwo\nthree\nfour\n"},
		{"symbolic link to another file", "", func(s *stage) {
			first, second := s.path+".a", s.path+".b"
			s.must(os.WriteFile(first, []byte("one\n"), 0o600))
			s.must(os.WriteFile(second, []byte("two\n"), 0o600))
			s.must(os.Symlink(first, s.path))
			s.settle()
			s.must(os.Symlink(second, s.path+".new"))
			s.must(os.Rename(s.path+".new", s.path))
		}, "one\ntwo\n"},
		{"folder replaced by a file", "old\n", func(s *stage) {
			s.append("one\n")
			s.settle()
			dir := filepath.Dir(s.path)
			s.must(os.Rename(dir, dir+".away"))
			s.must(os.WriteFile(dir, nil, 0o600))
			s.settle()
			s.must(os.Remove(dir))
			s.must(os.Rename(dir+".away", dir))
			s.append("two\n")
		}, "one\ntwo\n"},
		{"not a file", "", func(s *stage) {
			s.must(os.Mkdir(s.path, 0o700))
			s.settle()
			s.must(os.Remove(s.path))
			s.append("one\n")
		}, "one\n"},
		{"many generations", "", func(s *stage) {
			for i := range 30 {
				s.append(fmt.Sprintln("line", i))
				s.settle()
				s.must(os.Rename(s.path, fmt.Sprint(s.path, ".", i)))
			}
		}, numbered("line", 30)},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "logs")
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			files := openFiles(t)
			synctest.Test(t, func(t *testing.T) { // fails when a goroutine is left behind
				s := &stage{T: t, path: filepath.Join(dir, "node.log")}
				if c.before != "" {
					s.append(c.before)
				}
				f := watchlog.NewFollower(s.path, s, quiet())
				ctx, cancel := context.WithCancel(t.Context())
				var run sync.WaitGroup
				run.Go(func() { f.Run(ctx) })
				c.story(s)
				s.expect(c.want)
				cancel()
				run.Wait()
				s.append("not followed any more\n")
				s.expect(c.want)
			})
			if now := openFiles(t); now > files {
				t.Errorf("%d open files, %d before", now, files)
			}
		})
	}
}

// numbered returns n lines that begin with word.
func numbered(word string, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintln(&b, word, i)
	}
	return b.String()
}

func openFiles(t *testing.T) int {
	t.Helper()
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(files)
}

// What is written before the end is asked for is read, even when the Follower would not have looked by then.
func TestFollowerReadsOnToTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &stage{T: t, path: filepath.Join(t.TempDir(), "node.log")}
		f := watchlog.NewFollower(s.path, s, quiet())
		s.append("between\n")
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		f.Run(ctx)
		if got := s.got.String(); got != "between\n" {
			t.Errorf("%q", got)
		}
	})
}

// A writer that hangs does not keep Run from returning.
func TestFollowerWithWriterThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &stage{T: t, path: filepath.Join(t.TempDir(), "node.log")}
		r, w := io.Pipe()
		f := watchlog.NewFollower(s.path, w, quiet())
		s.append("one\n")
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		begin := time.Now()
		f.Run(ctx)
		if took := time.Since(begin); took < time.Minute || took > 2*time.Minute {
			t.Errorf("returned after %s", took)
		}
		s.append("two\n")
		r.Close() // the write returns
	})
}
