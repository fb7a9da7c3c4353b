package watchlog

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"

	"github.com/hpcloud/tail"
)

func TestReadLines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(path, []byte("one\n\ntwo\r\nhalf"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		from int64
		n    int
		want string
		err  error
	}{
		{"nothing", 4, 0, "", nil},
		{"from the beginning", 0, 4, "one\n", nil},
		{"up to before a newline", 0, 3, "one", nil},
		{"empty line", 4, 1, "\n", nil},
		{"from the middle of a line", 2, 5, "e\n\ntw", nil},
		{"all", 0, 14, "one\n\ntwo\r\nhalf", nil},
		{"more than there is", 5, 20, "", errShort},
		{"beyond the end", 99, 1, "", errShort},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := readLines([]byte("kept "), path, c.from, c.n)
			if !errors.Is(err, c.err) {
				t.Errorf("%v, want %v", err, c.err)
			}
			if err == nil && string(got) != "kept "+c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
	if _, err := readLines(nil, path+".absent", 0, 1); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("absent file: %v", err)
	}
}

// What cannot be read by lines, here a pipe, which cannot seek, ends in an error and not in waiting.
func TestReadLinesOfPipe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		defer w.Close()
		pipe := &logFile{File: r}
		if got, err := readLines(nil, pipe.procPath(), 0, 1); err == nil {
			t.Errorf("%q", got)
		}
	})
}

// When the library hangs in a read, stopping it takes a while and no more, and what it comes up with later is taken
// from it.
func TestStopTailThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hung := &tail.Tail{Lines: make(chan *tail.Line)}
		if err := stopTail(hung); !errors.Is(err, errStuck) {
			t.Errorf("%v, want %v", err, errStuck)
		}
		for range 3 {
			hung.Lines <- tail.NewLine("late")
		}
		close(hung.Lines)
	})
}
