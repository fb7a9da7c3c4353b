package supervise

import (
	"errors"
	"io"
	"os"
	"sync"
	"syscall"

	"github.com/sirupsen/logrus"
	"golang.org/x/sys/unix"
)

// Output is where one or both of a child's output streams go.
type Output struct {
	To *os.File
	// Watch gets a copy of every chunk after it was written to To, cut anywhere. It must be quick, must not keep the
	// slice, and its result is ignored. It is not called any more when Run has returned. Nil: the child inherits To, and
	// this process never sees its output.
	Watch io.Writer
}

const (
	// chunkSize is what the pump reads at a time.
	chunkSize = 128 << 10
	// pieceSize is what it writes at a time: only between two writes can it be seen that a slow reader reads.
	pieceSize = 64 << 10
	// pipeSize is what the child can write ahead of the pump. With Linux' default of 64 KiB the two wait for each other
	// most of the time, and moving a gigabyte takes twice as long.
	pipeSize = 256 << 10
)

// pump moves one pipe's bytes to a file as they come. It holds at most one chunk: a slow reader slows the child, as it
// would without a pump; a reader that went away does not, the bytes are then watched and dropped.
type pump struct {
	from     *os.File
	to       int
	log      logrus.FieldLogger
	broken   bool          // to is closed for good
	failing  bool          // the last write to it failed
	progress chan struct{} // gets a value when something was moved, if there is room for it
	done     chan struct{} // closed when run returns

	mu    sync.Mutex
	watch io.Writer // guarded by mu
}

// newPump returns a pump, not running yet, and the end of its pipe that the child gets.
func newPump(out *Output, log logrus.FieldLogger, progress chan struct{}) (p *pump, child *os.File, err error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	widen(w)
	return &pump{
		from: r, to: int(out.To.Fd()), watch: out.Watch, log: log, progress: progress, done: make(chan struct{}),
	}, w, nil
}

// run moves everything up to the end of file or the read deadline. The pipe may still be full at the deadline: of what
// the child itself has written, when the reader is slow, or of what another process goes on to write. A pipe's worth is
// all that can be the child's.
func (p *pump) run() {
	defer close(p.done)
	defer p.from.Close()
	chunk := make([]byte, chunkSize)
	for {
		n, err := p.from.Read(chunk)
		p.move(chunk[:n])
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			p.moveRest(chunk)
			return
		case err != nil:
			return
		}
	}
}

func (p *pump) moveRest(chunk []byte) {
	for left := pipeSize; left > 0; {
		n := p.readNow(chunk)
		if n <= 0 {
			return
		}
		p.move(chunk[:n])
		left -= n
	}
}

// readNow reads what is there, whatever the deadline says. os.Pipe has made the descriptor non-blocking.
func (p *pump) readNow(chunk []byte) (n int) {
	conn, err := p.from.SyscallConn()
	if err != nil {
		return 0
	}
	conn.Control(func(fd uintptr) {
		for {
			n, err = unix.Read(int(fd), chunk)
			if !errors.Is(err, syscall.EINTR) {
				return
			}
		}
	})
	return n
}

func (p *pump) move(chunk []byte) {
	if len(chunk) == 0 {
		return
	}
	p.write(chunk)
	p.show(chunk)
	p.advanced()
}

func (p *pump) advanced() {
	select {
	case p.progress <- struct{}{}:
	default:
	}
}

func (p *pump) show(chunk []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.watch.Write(chunk)
}

// abandon leaves the pump to itself. Should it get on with its writing some day, Watch is no longer there for it.
func (p *pump) abandon() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.watch = io.Discard
}

// write passes b on. It cannot use os.File.Write, which knows nothing of a standard stream that another process made
// non-blocking behind this one's back.
func (p *pump) write(b []byte) {
	for len(b) > 0 && !p.broken {
		n, err := unix.Write(p.to, b[:min(len(b), pieceSize)])
		if n > 0 {
			b = b[n:]
			p.failing = false
			p.advanced()
		}
		switch {
		case err == nil || errors.Is(err, syscall.EINTR):
		case errors.Is(err, syscall.EAGAIN):
			unix.Poll([]unix.PollFd{{Fd: int32(p.to), Events: unix.POLLOUT}}, -1)
		default:
			p.failed(err)
			return
		}
	}
}

// failed notes that a chunk could not be written. A full disk may have room for the next one; a closed pipe stays
// closed.
func (p *pump) failed(err error) {
	p.broken = errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.EBADF)
	if !p.failing {
		p.log.Warnf("The node's output cannot be passed on: %v; the node runs on", err)
	}
	p.failing = true
}
