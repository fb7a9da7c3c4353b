package watchlog

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// fingerprint is how many delivered bytes are compared with the file before more is read from it.
const fingerprint = 512

// A position is how far a file has been delivered.
type position struct {
	info   fs.FileInfo // says which file
	offset int64       // everything before it has been delivered
	last   []byte      // the bytes in front of offset, at most fingerprint of them
}

// A logFile is one generation of a log. Its open descriptor keeps the inode, so that no other file can be mistaken
// for it.
type logFile struct {
	*os.File
	position
	named  bool      // path named it when last looked
	active time.Time // when it grew last, or lost its name

	// As measured last.
	limit    int64
	modified time.Time
	changed  bool
}

// openLog opens the file at path, to be read from where it was left, if it is the file left is about, and else from its
// beginning.
func openLog(path string, left position) (*logFile, error) {
	// O_NONBLOCK, since a file that has become a pipe would have to wait for its writer.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("not a regular file")
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	file := &logFile{File: f, position: position{info: info}, named: true, active: time.Now()}
	if left.info == nil || !os.SameFile(left.info, info) {
		return file, nil
	}
	file.offset, file.last = left.offset, bytes.Clone(left.last)
	if file.last == nil && file.offset <= info.Size() {
		file.last = make([]byte, min(file.offset, fingerprint))
		if _, err := f.ReadAt(file.last, file.offset-int64(len(file.last))); err != nil {
			file.rewind()
		}
	}
	return file, nil
}

// measure notes the size of the file, and whether it may have changed since it was measured last.
func (l *logFile) measure() {
	info, err := l.Stat()
	if err != nil {
		l.changed = false
		return
	}
	l.changed = info.Size() != l.offset || !info.ModTime().Equal(l.modified)
	l.limit, l.modified = info.Size(), info.ModTime()
}

// advance notes that fresh has been delivered.
func (l *logFile) advance(fresh []byte) {
	l.offset += int64(len(fresh))
	l.last = appendLast(l.last, fresh, fingerprint)
}

// rewind goes to the beginning.
func (l *logFile) rewind() {
	l.offset, l.last = 0, nil
}

// skipHole goes from the beginning to the first data: a writer that goes on at its old offset after a truncation leaves
// a hole as large as the old file.
func (l *logFile) skipHole() {
	if data, err := l.Seek(0, unix.SEEK_DATA); err == nil && data <= l.limit {
		l.offset = data
	}
}

// silent reports whether the file has neither name nor writer any more.
func (l *logFile) silent(now time.Time) bool {
	return !l.named && now.Sub(l.active) > linger
}

// procPath returns a name of the open file that follows it through renaming and deletion.
func (l *logFile) procPath() string {
	return fmt.Sprintf("/proc/self/fd/%d", l.Fd())
}

// A joiner writes what comes from several files to one writer, and keeps their lines apart. All but cut is for one
// goroutine.
type joiner struct {
	w      io.Writer
	from   *logFile // whose line is unfinished, nil for none
	closed atomic.Bool
}

var errCut = errors.New("nothing is written any more")

// write writes p, which comes from file and is not empty. Its only error is errCut.
func (j *joiner) write(file *logFile, p []byte) error {
	if j.from != file {
		j.end(j.from)
	}
	if j.closed.Load() {
		return errCut
	}
	j.w.Write(p)
	j.from = nil
	if p[len(p)-1] != '\n' {
		j.from = file
	}
	return nil
}

// end finishes the line that file left unfinished, if it did.
func (j *joiner) end(file *logFile) {
	if file != nil && file == j.from && !j.closed.Load() {
		j.w.Write([]byte{'\n'})
		j.from = nil
	}
}

// cut makes sure that no more writes begin.
func (j *joiner) cut() {
	j.closed.Store(true)
}
