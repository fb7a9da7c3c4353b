package watchlog

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/sirupsen/logrus"
)

const (
	// A file is looked at this often while it grows, and less and less often, down to the other, when it does not.
	// Polling costs a few microseconds a look and works on every file system; waiting for inotify events would cost
	// more on a busy log and miss writers on other machines.
	minPause = 10 * time.Millisecond
	maxPause = 100 * time.Millisecond
	// linger is how long a file that has lost its name must be silent before it is given up: until then whoever
	// wrote it may not have noticed yet.
	linger = 5 * time.Second
	// maxFiles is how many generations of a log are read at a time; of more, the oldest are given up.
	maxFiles = 8
	// stopTimeout is how long to wait for a file system that does not answer.
	stopTimeout = 2 * time.Second
	// aloneTime is how long the library is left out after it has failed.
	aloneTime = time.Minute
	// bufSize is how much is read at a time. More than that is not left to the library, which holds a line in memory
	// however long it is.
	bufSize = 64 << 10
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
	out  *joiner
	log  logrus.FieldLogger
	// files are the open generations of the log, oldest first. The last one had the name when last looked.
	files []*logFile
	// left is where the file was left that is not open any more, in case it gets its name back.
	left position
	// trouble is the error that was logged last.
	trouble string
	// alone is until when the library is left out, because it failed.
	alone time.Time
	buf   []byte
}

// NewFollower returns a Follower of the file at path, and takes note of how much of it exists. What Run finds it
// writes to w, whose errors are ignored; w must not block for long.
func NewFollower(path string, w io.Writer, log logrus.FieldLogger) *Follower {
	f := &Follower{path: path, out: &joiner{w: w}, log: log.WithField("file", path), buf: make([]byte, bufSize)}
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
		defer f.closeAll()
		f.follow(ctx)
	}()
	select {
	case <-done:
		return
	case <-ctx.Done():
	}
	select {
	case <-done:
	case <-time.After(stopTimeout):
		f.log.Warn("the last lines of the log file are not watched: its file system does not answer")
	}
	f.out.cut()
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
}

// look reads what is new, and reports whether anything was.
func (f *Follower) look() bool {
	f.discover()
	// Sizes are taken from the newest file to the oldest, and read the other way round: when a new file has lines,
	// its writer has left the old one, so that the old one's last line is complete before the new one's first.
	for _, file := range slices.Backward(f.files) {
		file.measure()
	}
	now := time.Now()
	grew := false
	for _, file := range f.files {
		if file.changed && f.read(file) {
			file.active = now
			grew = true
		}
	}
	for len(f.files) > maxFiles || len(f.files) > 0 && f.files[0].silent(now) {
		f.giveUp(f.files[0])
		f.files = f.files[1:]
	}
	return grew
}

// discover finds out which file has the name.
func (f *Follower) discover() {
	err := f.adopt()
	missing := errors.Is(err, fs.ErrNotExist)
	if missing {
		f.unname()
	}
	switch {
	case err == nil:
		f.trouble = ""
		return
	case err.Error() == f.trouble:
		return
	case missing && len(f.files) > 0: // in the middle of a rotation, most likely
		return
	case missing:
		f.log.Info("waiting for the log file to appear")
	default:
		f.log.WithError(err).Warn("the log file cannot be read; it is followed as soon as it can")
	}
	f.trouble = err.Error()
}

// adopt makes the file that has the name the last of files.
func (f *Follower) adopt() error {
	info, err := os.Stat(f.path)
	if err != nil {
		return err
	}
	at := slices.IndexFunc(f.files, func(file *logFile) bool { return os.SameFile(file.info, info) })
	if at >= 0 && at == len(f.files)-1 {
		f.files[at].named = true
		return nil
	}
	f.unname()
	if at >= 0 { // renamed back
		file := f.files[at]
		file.named = true
		f.files = append(slices.Delete(f.files, at, at+1), file)
		return nil
	}
	file, err := openLog(f.path, f.left)
	if err != nil {
		return err
	}
	f.log.WithField("offset", file.offset).Debug("following the log file")
	f.files = append(f.files, file)
	return nil
}

// unname notes that no open file has the name any more.
func (f *Follower) unname() {
	for _, file := range f.files {
		if file.named {
			file.named, file.active = false, time.Now()
		}
	}
}

func (f *Follower) giveUp(file *logFile) {
	f.left = file.position
	f.out.end(file)
	file.Close()
}

func (f *Follower) closeAll() {
	for _, file := range f.files {
		file.Close()
	}
}

// read feeds what file has got up to the size it was measured, and reports whether that was anything.
func (f *Follower) read(file *logFile) bool {
	grew := false
	for {
		if file.limit < file.offset {
			f.restart(file)
		}
		if file.offset == 0 {
			file.skipHole()
		}
		chunk, err := f.fetch(file)
		if err != nil {
			f.log.WithError(err).Debug("reading the log file")
			return grew
		}
		fresh, same := bytes.CutPrefix(chunk, file.last)
		switch {
		case !same:
			f.restart(file)
			continue
		case len(fresh) == 0 || f.out.write(file, fresh) != nil:
			return grew
		}
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
	f.out.end(file)
	file.measure()
	file.rewind()
}

// fetch returns what follows the delivered part of file, preceded by the remembered end of that part: reading both at
// once is what makes sure that they belong together. It is valid until the next call.
func (f *Follower) fetch(file *logFile) ([]byte, error) {
	from := file.offset - int64(len(file.last))
	n := min(max(file.limit-from, 0), bufSize)
	if n > int64(len(file.last)) && file.limit-from <= bufSize && time.Now().After(f.alone) {
		got, err := readLines(f.buf[:0], file.procPath(), from, int(n))
		if err == nil {
			return got, nil
		}
		if !errors.Is(err, errShort) { // which a truncation explains
			f.alone = time.Now().Add(aloneTime)
			f.log.WithError(err).Debug("the log file is read without the tail library for a while")
		}
	}
	got, err := file.ReadAt(f.buf[:n], from)
	if err == io.EOF {
		err = nil
	}
	return f.buf[:got], err
}
