package footprint

import (
	"encoding/binary"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// header is how a program's file begins on 64-bit systems; elf(5), Elf64_Ehdr.
type header struct {
	Ident         [16]byte
	Type, Machine uint16
	Version       uint32
	Entry         uint64
	Parts         uint64 // where in the file the parts are listed
	Sections      uint64
	Flags         uint32
	Size          uint16
	PartSize      uint16
	PartCount     uint16
}

// part is one that is loaded into memory; elf(5), Elf64_Phdr.
type part struct {
	Type, Flags         uint32
	Offset, Address, _  uint64
	SizeInFile, Size, _ uint64
}

// Values of what is above.
const (
	class64    = 2 // of Ident[4]
	executable = 2 // a Type: loaded where the file says
	load       = 1 // a part's Type
	writable   = 2 // one of its Flags
)

// fixedParts lists the parts of a program that always have the file's content in memory. A program that is not loaded where
// its file says has none: pages that cannot be written any more hold addresses there that are not in the file.
func fixedParts(program io.ReaderAt) ([]part, error) {
	var h header
	if err := read(program, 0, &h); err != nil {
		return nil, err
	}
	if h.Ident[4] != class64 || h.Type != executable {
		return nil, nil
	}
	var fixed []part
	for i := range h.PartCount {
		var p part
		if err := read(program, h.Parts+uint64(i)*uint64(h.PartSize), &p); err != nil {
			return nil, err
		}
		if p.Type == load && p.Flags&writable == 0 {
			fixed = append(fixed, p)
		}
	}
	return fixed, nil
}

func read(file io.ReaderAt, at uint64, to any) error {
	return binary.Read(io.NewSectionReader(file, int64(at), int64(binary.Size(to))), binary.NativeEndian, to)
}

// releaseProgram drops the program's code and constants from memory: most of them were for the start. What is still
// needed comes back from the page cache, page by page; madvise(2), MADV_DONTNEED.
func releaseProgram() error {
	program, err := os.Open("/proc/self/exe")
	if err != nil {
		return err
	}
	defer program.Close()
	parts, err := fixedParts(program)
	if err != nil {
		return err
	}
	for _, p := range parts {
		// The wrapper takes a slice, and these bytes are none of Go's.
		if _, _, errno := unix.Syscall(unix.SYS_MADVISE, uintptr(p.Address), uintptr(p.Size), unix.MADV_DONTNEED); errno != 0 {
			return os.NewSyscallError("madvise", errno)
		}
	}
	return nil
}
