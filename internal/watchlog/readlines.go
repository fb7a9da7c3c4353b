package watchlog

import (
	"errors"
	"io"
	"time"

	"github.com/hpcloud/tail"
)

var (
	errShort = errors.New("the file ended early")
	errMute  = errors.New("there is something to read, but no lines come")
	errStuck = errors.New("reading does not stop")
)

// readLines appends the n bytes of the file at path that begin at offset from to buf. It has github.com/hpcloud/tail
// read them, line by line, and leaves nothing of it behind, save when the file system hangs.
//
// The library does not tell a line that has ended from one that has not yet. Its place does: as long as the line's
// end is short of what the file is known to contain, there is a newline.
func readLines(buf []byte, path string, from int64, n int) ([]byte, error) {
	t, err := tail.TailFile(path, tail.Config{
		Location:  &tail.SeekInfo{Offset: from, Whence: io.SeekStart},
		MustExist: true,                  // opens here and now; otherwise a watcher would wait for the file
		Logger:    tail.DiscardingLogger, // only its Printf is used
	})
	if err != nil {
		return buf, err
	}
	end := len(buf) + n
	timeout := time.After(stopTimeout)
	for len(buf) < end && err == nil {
		select {
		case line, ok := <-t.Lines:
			if !ok {
				err = errShort
				break
			}
			buf = append(buf, line.Text[:min(len(line.Text), end-len(buf))]...)
			if len(buf) < end {
				buf = append(buf, '\n')
			}
		case <-timeout:
			err = errMute
		}
	}
	return buf, errors.Join(err, stopTail(t))
}

// stopTail stops t and waits until it has stopped, but not for ever.
func stopTail(t *tail.Tail) error {
	t.Kill(nil)
	timeout := time.After(stopTimeout)
	lines := t.Lines
	for {
		select {
		case _, ok := <-lines:
			if !ok {
				lines = nil
			}
		case <-t.Dead():
			return nil
		case <-timeout:
			// Whenever its read returns it must not find that nobody takes the line.
			go func() {
				for range t.Lines {
				}
			}()
			return errStuck
		}
	}
}
