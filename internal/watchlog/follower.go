package watchlog

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"github.com/sirupsen/logrus"
)

const (
	// A file is looked at this often while it grows, and less and less often, down to the other, when it does not.
	// Polling costs a few microseconds a look and works on every file system; waiting for inotify events would cost
	// more on a busy log and miss writers on other machines.
	minPause = 10 * time.Millisecond
	maxPause = 100 * time.Millisecond
	// keepOpen is how long a file that has lost its name must be silent before it is given up: until then whoever
	// wrote it may not have noticed yet.
	keepOpen    = 5 * time.Second
	maxFiles    = 8               // generations of a log that are read at a time; of more, the oldest are given up
	stopTimeout = 2 * time.Second // for a file system that does not answer
	bufSize     = 64 << 10        // how much is read at a time
)

// A Follower feeds what is appended to one log file to a writer, through rotations of any kind: each byte once, in
// order, and a newline wherever one file ends in the middle of a line and another goes on.
//
// A file that exists when the Follower is made is followed from its end, one that appears later from its beginning.
// A file that has been renamed or deleted is read on until it has been silent for some seconds. One that has been
// truncated is read from its beginning, a hole there left out; what was written just before and not seen yet is lost
// with it.
//
// It notices a rotation at its next look, every 10 ms while lines come and every 100 ms else. A file that comes and
// goes in between is not seen.
type Follower struct {
	path string
	w    io.Writer
	log  logrus.FieldLogger
	cut  atomic.Bool // no write may begin any more

	files      []*logFile // the open generations of the log, oldest first
	named      *logFile   // the last of them, while it has the name path; else nil
	left       position   // of the file that was closed last, in case it gets its name back
	unfinished *logFile   // the one that was handed on last, when that ended within a line; else nil
	lastError  string     // that was logged
	buf        []byte
}

// NewFollower returns a Follower of the file at path, and takes note of how much of it exists. What Run finds it
// writes to w, whose errors are ignored; w must not block for long.
func NewFollower(path string, w io.Writer, log logrus.FieldLogger) *Follower {
	f := &Follower{path: path, w: w, log: log.WithField("file", path), buf: make([]byte, bufSize)}
	if info, err := os.Stat(path); err == nil {
		f.left = position{info: info, offset: info.Size()}
	}
	return f
}

// Run follows until ctx is done, reads what is there by then, and returns: at the latest 2 s after ctx is done, even
// when the file system or the writer hangs. No write begins after it has returned.
func (f *Follower) Run(ctx context.Context) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f.follow(ctx)
	}()
	<-ctx.Done()
	select {
	case <-done:
	case <-time.After(stopTimeout):
		f.log.Warn("the last lines of the log file are not watched: its file system does not answer")
	}
	f.cut.Store(true)
}

func (f *Follower) follow(ctx context.Context) {
	pause := minPause
	for ctx.Err() == nil {
		if f.look() {
			pause = minPause
		} else {
			pause = min(2*pause, maxPause)
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
	}
	f.look()
	for _, file := range f.files {
		file.Close()
	}
}

// look reads what is new, and reports whether anything was.
func (f *Follower) look() (grew bool) {
	f.complain(f.discover())
	// Sizes are taken from the newest file to the oldest, and read the other way round: when a new file has lines,
	// its writer has left the old one, so that the old one's last line is complete before the new one's first.
	for _, file := range slices.Backward(f.files) {
		file.measure()
	}
	now := time.Now()
	for _, file := range f.files {
		if file.changed && f.read(file) {
			file.active = now
			grew = true
		}
	}
	for len(f.files) > 0 {
		oldest := f.files[0]
		abandoned := oldest != f.named && now.Sub(oldest.active) > keepOpen
		if !abandoned && len(f.files) <= maxFiles {
			break
		}
		f.left = oldest.position
		f.endLine(oldest)
		oldest.Close()
		f.files = f.files[1:]
	}
	return grew
}

// discover makes the file that has the name the last of files.
func (f *Follower) discover() error {
	info, err := os.Stat(f.path)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			f.unname()
		}
		return err
	}
	if f.named != nil && os.SameFile(f.named.info, info) {
		return nil
	}
	f.unname()
	at := slices.IndexFunc(f.files, func(file *logFile) bool { return os.SameFile(file.info, info) })
	if at >= 0 { // it was renamed back
		f.named = f.files[at]
		f.files = slices.Delete(f.files, at, at+1)
	} else {
		file, err := openLog(f.path, f.left)
		if err != nil {
			return err
		}
		f.log.WithField("offset", file.offset).Debug("following the log file")
		f.named = file
	}
	f.files = append(f.files, f.named)
	return nil
}

// unname notes that none of files has the name any more.
func (f *Follower) unname() {
	if f.named != nil {
		f.named.active = time.Now()
		f.named = nil
	}
}

// complain logs that the file cannot be found or opened, once as long as it is for the same reason.
func (f *Follower) complain(err error) {
	missing := errors.Is(err, fs.ErrNotExist)
	switch {
	case err == nil:
		f.lastError = ""
		return
	case err.Error() == f.lastError, missing && len(f.files) > 0: // in the middle of a rotation, most likely
		return
	case missing:
		f.log.Info("waiting for the log file to appear")
	default:
		f.log.WithError(err).Warn("the log file cannot be read; it is followed as soon as it can")
	}
	f.lastError = err.Error()
}

// read feeds what file has got up to the size it was measured, and reports whether that was anything.
func (f *Follower) read(file *logFile) (grew bool) {
	for {
		if file.limit < file.offset {
			f.restart(file)
		}
		if file.offset == 0 {
			file.skipHole()
		}
		chunk, err := file.fetch(f.buf)
		if err != nil {
			f.log.WithError(err).Debug("reading the log file")
			return grew
		}
		fresh, same := bytes.CutPrefix(chunk, file.last)
		switch {
		case !same:
			f.restart(file)
			continue
		case len(fresh) == 0 || f.cut.Load():
			return grew
		}
		f.write(file, fresh)
		grew = true
		file.advance(fresh)
		if file.offset >= file.limit {
			return true
		}
	}
}

// restart begins at the beginning of a file that has been truncated.
func (f *Follower) restart(file *logFile) {
	f.log.Debug("the log file has been truncated")
	f.endLine(file)
	file.measure()
	file.rewind()
}

// write hands on p, which comes from file and is not empty.
func (f *Follower) write(file *logFile, p []byte) {
	if f.unfinished != file {
		f.endLine(f.unfinished)
	}
	f.w.Write(p)
	f.unfinished = nil
	if p[len(p)-1] != '\n' {
		f.unfinished = file
	}
}

// endLine finishes the line that file left unfinished, if it did.
func (f *Follower) endLine(file *logFile) {
	if file != nil && file == f.unfinished && !f.cut.Load() {
		f.w.Write([]byte{'\n'})
		f.unfinished = nil
	}
}
