//go:build unix && !linux

package supervise

import (
	"errors"
	"os"
	"syscall"
)

func becomeSubreaper() error { return errors.ErrUnsupported }

func sysProcAttr(t terminal) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: !t.foreground}
}

func widen(*os.File) {}
