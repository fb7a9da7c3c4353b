package footprint

import (
	"os"

	"golang.org/x/sys/unix"
)

// releaseProgram drops the program's code and constants from memory: most of them were for the start. What is still
// needed comes back from the page cache, page by page; madvise(2), MADV_DONTNEED.
func releaseProgram() error {
	path, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return err
	}
	maps, err := os.Open("/proc/self/maps")
	if err != nil {
		return err
	}
	defer maps.Close()
	parts, err := program(maps, path)
	if err != nil {
		return err
	}
	for _, m := range parts {
		// The wrapper takes a slice, and these bytes are none of Go's.
		if _, _, errno := unix.Syscall(unix.SYS_MADVISE, m.start, m.end-m.start, unix.MADV_DONTNEED); errno != 0 {
			return os.NewSyscallError("madvise", errno)
		}
	}
	return nil
}
