//go:build unix

package supervise

import (
	"os"

	"golang.org/x/sys/unix"
)

func openTerminal() terminal {
	const stdin = 0
	group, err := unix.IoctlGetInt(stdin, unix.TIOCGPGRP)
	if err != nil || group != unix.Getpgrp() {
		return terminal{}
	}
	session, err := unix.Getsid(0)
	return terminal{foreground: true, sessionLeader: err == nil && session == os.Getpid()}
}
