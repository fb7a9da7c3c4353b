package watchlog

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
)

func TestReadLines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(path, []byte("one\n\ntwo\r\nhalf"), 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := openLog(path, position{})
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
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
		{"more than there is", 5, 20, "", io.ErrUnexpectedEOF},
		{"beyond the end", 99, 1, "", io.ErrUnexpectedEOF},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := file.readLines([]byte("kept "), c.from, c.n)
			if !errors.Is(err, c.err) {
				t.Errorf("%v, want %v", err, c.err)
			}
			if err == nil && string(got) != "kept "+c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
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
		if got, err := pipe.readLines(nil, 0, 1); err == nil {
			t.Errorf("%q", got)
		}
	})
}
