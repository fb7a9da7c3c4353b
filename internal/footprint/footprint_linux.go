package footprint

import (
	"encoding/binary"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// executable is the ELF type of a program that is loaded where its headers say; elf(5), ET_EXEC.
const executable = 2

// fixed reports whether the program at path is loaded where its headers say. Any other has been relocated: pages that
// cannot be written any more hold what is not in its file, and would come back without it.
func fixed(path string) (bool, error) {
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	var header [18]byte
	if _, err := io.ReadFull(f, header[:]); err != nil {
		return false, err
	}
	return binary.NativeEndian.Uint16(header[16:]) == executable, nil
}

// releaseProgram drops the program's code and constants from memory: most of them were for the start. What is still
// needed comes back from the page cache, page by page; madvise(2), MADV_DONTNEED.
func releaseProgram() error {
	path, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return err
	}
	if ok, err := fixed("/proc/self/exe"); err != nil || !ok {
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
