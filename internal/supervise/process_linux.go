package supervise

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// becomeSubreaper makes orphaned descendants children of this process; prctl(2). PID 1 gets them anyway.
func becomeSubreaper() error {
	return unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
}

// sysProcAttr gives the child a process group of its own, save on a terminal. It has the kernel send the child SIGTERM
// should this process die without having stopped it: two nodes on one database are worse than none.
func sysProcAttr(t terminal) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: !t.foreground, Pdeathsig: syscall.SIGTERM}
}

// widen gives a pipe room for pipeSize bytes; fcntl(2). A user who has very many pipes open is refused: the pipe then
// stays as it is.
func widen(pipe *os.File) {
	unix.FcntlInt(pipe.Fd(), unix.F_SETPIPE_SZ, pipeSize)
}
