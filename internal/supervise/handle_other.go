//go:build unix && !(linux && (amd64 || arm64))

package supervise

import "syscall"

func handle([]syscall.Signal, func(syscall.Signal)) (release func(), ok bool) { return nil, false }
