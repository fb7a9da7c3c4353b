package watchlog

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
	"time"

	"github.com/hpcloud/tail"
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
	file := &logFile{File: f, position: position{info: info}, active: time.Now()}
	if os.SameFile(left.info, info) {
		file.position = left
	}
	if file.last == nil { // nothing of it has been read yet
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

// fetch returns what follows the delivered part of the file, preceded by the remembered end of that part: reading both
// at once is what makes sure that they belong together. It may use buf.
func (l *logFile) fetch(buf []byte) ([]byte, error) {
	from := l.offset - int64(len(l.last))
	n := max(l.limit-from, 0)
	if n > int64(len(l.last)) && n <= int64(len(buf)) { // more may be one endless line, which tail would hold in memory
		if got, err := l.readLines(buf[:0], from, int(n)); err == nil {
			return got, nil
		}
	}
	got, err := l.ReadAt(buf[:min(n, int64(len(buf)))], from)
	if err == io.EOF {
		err = nil
	}
	return buf[:got], err
}

// readLines appends to buf the n bytes that begin at offset from, as github.com/hpcloud/tail reads them.
//
// The library does not tell a line that has ended from one that has not yet. Its place does: as long as the line's end is
// short of what the file is known to contain, there is a newline.
func (l *logFile) readLines(buf []byte, from int64, n int) ([]byte, error) {
	t, err := tail.TailFile(fmt.Sprintf("/proc/self/fd/%d", l.Fd()), tail.Config{ // follows renaming and deletion
		Location:  &tail.SeekInfo{Offset: from, Whence: io.SeekStart},
		MustExist: true,                  // opens here and now; otherwise a watcher would wait for the file
		Logger:    tail.DiscardingLogger, // only its Printf is used
	})
	if err != nil {
		return buf, err
	}
	end := len(buf) + n
	for line := range t.Lines {
		if len(buf) == end { // the file has grown meanwhile
			t.Kill(nil)
			continue // since the library waits until its line is taken
		}
		buf = append(buf, line.Text[:min(len(line.Text), end-len(buf))]...)
		if len(buf) < end {
			buf = append(buf, '\n')
		}
	}
	if err := t.Wait(); err != nil {
		return buf, err
	}
	if len(buf) < end {
		return buf, io.ErrUnexpectedEOF
	}
	return buf, nil
}
