package watchlog_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/kubevali/kubevali/internal/watchlog"
)

const deadline = 30 * time.Second

// A tally checks that the lines written to it are 1, 2, 3 and so on.
type tally struct {
	mu      sync.Mutex
	partial []byte
	lines   int
	wrong   string
	grown   *sync.Cond
}

func newTally() *tally {
	c := &tally{}
	c.grown = sync.NewCond(&c.mu)
	return c
}

func (c *tally) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := len(p)
	for {
		end := bytes.IndexByte(p, '\n')
		if end < 0 {
			c.partial = append(c.partial, p...)
			break
		}
		line := string(append(c.partial, p[:end]...))
		c.partial, p = c.partial[:0], p[end+1:]
		c.lines++
		if line != strconv.Itoa(c.lines) && c.wrong == "" {
			c.wrong = fmt.Sprintf("line %d is %q", c.lines, line)
		}
	}
	c.grown.Broadcast()
	return n, nil
}

// await waits until there are n lines, or something is wrong.
func (c *tally) await(t *testing.T, n int) {
	t.Helper()
	late := time.AfterFunc(deadline, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.wrong == "" {
			c.wrong = fmt.Sprintf("%d lines, %d expected, and no more come", c.lines, n)
		}
		c.grown.Broadcast()
	})
	defer late.Stop()
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.lines < n && c.wrong == "" {
		c.grown.Wait()
	}
	if c.wrong != "" {
		t.Fatal(c.wrong)
	}
}

func (c *tally) atLeast(n int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.lines >= n || c.wrong != ""
}

// A rotator writes lines to a log and rotates it.
type rotator struct {
	*testing.T
	path  string
	file  *os.File // the log, as opened last
	out   *os.File // where lines go
	lines int
	tally *tally
}

func (r *rotator) must(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

func (r *rotator) create() {
	r.Helper()
	f, err := os.OpenFile(r.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	r.must(err)
	r.file, r.out = f, f
}

func (r *rotator) write(n int) {
	r.Helper()
	for range n {
		r.lines++
		_, err := fmt.Fprintln(r.out, r.lines)
		r.must(err)
	}
}

func (r *rotator) rename(generation int) {
	r.Helper()
	r.must(os.Rename(r.path, fmt.Sprint(r.path, ".", generation)))
}

func (r *rotator) close() {
	r.Helper()
	r.must(r.file.Close())
}

var rotations = map[string]func(r *rotator, generation int){
	"rename and create": func(r *rotator, generation int) {
		r.rename(generation)
		r.write(100)
		r.close()
		r.create()
	},
	"rename, create and tell the writer later": func(r *rotator, generation int) {
		r.rename(generation)
		old := r.file
		r.create()
		r.out = old
		r.write(2000)
		r.must(old.Close())
		r.out = r.file
	},
	"rename in the middle of a line": func(r *rotator, generation int) {
		r.lines++
		text := strconv.Itoa(r.lines) + "\n"
		_, err := io.WriteString(r.out, text[:1])
		r.must(err)
		r.rename(generation)
		_, err = io.WriteString(r.out, text[1:])
		r.must(err)
		r.close()
		r.create()
	},
	"rename without a last newline": func(r *rotator, generation int) {
		r.lines++
		_, err := fmt.Fprint(r.out, r.lines)
		r.must(err)
		r.rename(generation)
		r.close()
		r.create()
	},
	// What is written between the copy and the truncation is lost by the rotator, and what has not been read by then is
	// lost for who follows: so the writer waits for both.
	"copytruncate": func(r *rotator, generation int) {
		r.tally.await(r.T, r.lines)
		content, err := os.ReadFile(r.path)
		r.must(err)
		r.must(os.WriteFile(fmt.Sprint(r.path, ".", generation), content, 0o600))
		r.must(r.file.Truncate(0))
	},
	"deletion": func(r *rotator, generation int) {
		r.must(os.Remove(r.path))
		r.write(100)
		r.close()
		r.create()
	},
}

// Every line is counted, once and in order, however the log is rotated while it is written at full speed, or slowly
// enough for each look to find only a little.
func TestRotationUnderLoad(t *testing.T) {
	for name, rotate := range rotations {
		for _, speed := range []struct {
			name  string
			waits bool // for the Follower, after every few lines
		}{{"flood", false}, {"trickle", true}} {
			t.Run(name+"/"+speed.name, func(t *testing.T) {
				t.Parallel()
				c := newTally()
				r := &rotator{T: t, path: filepath.Join(t.TempDir(), "node.log"), tally: c}
				f := watchlog.NewFollower(r.path, c, quiet())
				ctx, cancel := context.WithCancel(t.Context())
				var run sync.WaitGroup
				run.Go(func() { f.Run(ctx) })
				defer run.Wait()
				defer cancel()

				r.create()
				for generation := range 4 {
					// A generation that nobody has looked at before it is gone would be missed.
					for first := r.lines + 1; r.lines < first+200 || !c.atLeast(first); {
						r.write(50)
						if speed.waits {
							c.await(t, r.lines)
						}
					}
					rotate(r, generation)
				}
				r.write(10)
				r.close()
				c.await(t, r.lines)
				cancel()
				run.Wait()
				if c.lines != r.lines || len(c.partial) > 0 {
					t.Errorf("%d lines and %q, want %d lines", c.lines, c.partial, r.lines)
				}
			})
		}
	}
}
