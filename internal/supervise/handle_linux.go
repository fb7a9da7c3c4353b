//go:build amd64 || arm64

package supervise

import (
	"os"
	"os/signal"
	"runtime"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The addresses of what handle_linux_*.s holds. It runs on whatever thread the kernel picks, in the middle of whatever
// that does and without Go's stack, so it makes one system call and returns.
var (
	onSignal uintptr // a signal handler, sigaction(2), that writes the signal's number to caughtFD as a byte
	onFault  uintptr // the same for what somebody sends; what the program has brought upon itself is for goHandler
	restorer uintptr // what a handler returns to; 0 where the kernel brings its own
)

// What that code reads. Both are set before the first signal can come.
var (
	//lint:ignore U1000 read in handle_linux_*.s
	caughtFD int32 // the end of a pipe, non-blocking
	//lint:ignore U1000 read in handle_linux_*.s
	goHandler uintptr // the Go runtime's handler of faults
)

// sigaction is the kernel's struct of that name on 64-bit systems; rt_sigaction(2).
type sigaction struct {
	handler, flags, restorer uintptr
	mask                     uint64
}

// Flags of sigaction(2), which are the same on all architectures here.
const (
	saSigInfo  = 0x4
	saRestorer = 0x4000000
	saOnStack  = 0x8000000
	saRestart  = 0x10000000
)

// handle is catch by way of a signal handler that writes to a pipe: a system call for each signal.
//
// The Go runtime does not notice, and need not: it resets the signals that it has a handler of its own for in a child
// before execve(2), which resets the others. Those are SIGCONT, SIGTSTP, SIGTTIN and SIGTTOU; one of them that a child gets
// between fork and execve(2) is passed on to it once more.
func handle(signals []syscall.Signal, received func(syscall.Signal)) (release func(), ok bool) {
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return nil, false
	}
	in := os.NewFile(uintptr(pipe[0]), "caught signals")
	caughtFD = int32(pipe[1])
	goHandler = change(syscall.SIGSEGV, nil).handler
	signal.Ignore(syscall.SIGPIPE) // in the eyes of Go; for the kernel it is caught like the others
	before := make([]sigaction, len(signals))
	for i, sig := range signals {
		before[i] = change(sig, catching(sig))
	}

	var relay sync.WaitGroup
	relay.Go(func() {
		// The runtime starts a thread when a goroutine is first locked to its own, as Run does. Here nobody waits for it.
		runtime.LockOSThread()
		runtime.UnlockOSThread()
		numbers := make([]byte, 64)
		for {
			n, err := in.Read(numbers)
			if err != nil {
				return
			}
			for _, sig := range numbers[:n] {
				received(syscall.Signal(sig))
			}
		}
	})
	return func() {
		for i, sig := range signals {
			change(sig, &before[i])
		}
		// The other end stays open: a handler that is not through yet must not find another file in its place.
		in.Close()
		relay.Wait()
	}, true
}

// catching is what the kernel is to do with a signal that is caught.
func catching(sig syscall.Signal) *sigaction {
	a := &sigaction{
		handler:  onSignal,
		flags:    saSigInfo | saOnStack | saRestart,
		restorer: restorer,
		mask:     ^uint64(0), // all signals, so that one is through before the next
	}
	if restorer != 0 {
		a.flags |= saRestorer
	}
	switch sig {
	case syscall.SIGILL, syscall.SIGTRAP, syscall.SIGBUS, syscall.SIGFPE, syscall.SIGSEGV, syscall.SIGSYS:
		a.handler = onFault
	}
	return a
}

// change has the kernel do something else with a signal; nil: the same. It returns what the kernel did before. This fails
// for no signal that can be caught.
func change(sig syscall.Signal, to *sigaction) (before sigaction) {
	unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(sig), uintptr(unsafe.Pointer(to)), uintptr(unsafe.Pointer(&before)),
		unsafe.Sizeof(before.mask), 0, 0)
	return before
}
