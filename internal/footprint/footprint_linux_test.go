package footprint

import (
	"bytes"
	"encoding/binary"
	"os"
	"regexp"
	"strconv"
	"testing"
)

func TestShrinkLowersTheResidentProgram(t *testing.T) {
	program, err := os.Open("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	defer program.Close()
	if parts, err := fixedParts(program); err != nil || len(parts) == 0 {
		t.Skipf("this test is a relocated program, which is left alone (%v)", err)
	}
	before := residentFile(t)
	if err := Shrink(); err != nil {
		t.Fatal(err)
	}
	if after := residentFile(t); after >= before {
		t.Errorf("%d KiB of files in memory, and %d KiB before", after, before)
	}
}

// residentFile is how much of this process's memory holds pages of files, in KiB.
func residentFile(t *testing.T) int {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`RssFile:\s+(\d+) kB`).FindSubmatch(status)
	if m == nil {
		t.Skip("this kernel does not tell RssFile (before Linux 4.5)")
	}
	n, err := strconv.Atoi(string(m[1]))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestOnlyTheUnwritablePartsOfTheProgram(t *testing.T) {
	const relocatable, note, executableFlag, readable = 3, 4, 1, 4
	program := func(kind uint16) []byte {
		h := header{Type: kind, Parts: 128, PartSize: 64, PartCount: 4}
		h.Ident[4] = class64
		var file bytes.Buffer
		for _, content := range []any{
			h, make([]byte, 128-binary.Size(h)),
			part{Type: note, Flags: readable, Address: 0x400f78, Size: 0x64}, make([]byte, 8),
			part{Type: load, Flags: readable | executableFlag, Address: 0x400000, Size: 0x1000}, make([]byte, 8),
			part{Type: load, Flags: readable, Address: 0x401000, Size: 0x2000}, make([]byte, 8),
			part{Type: load, Flags: readable | writable, Address: 0x403000, Size: 0x1000},
		} {
			if err := binary.Write(&file, binary.NativeEndian, content); err != nil {
				t.Fatal(err)
			}
		}
		return file.Bytes()
	}

	parts, err := fixedParts(bytes.NewReader(program(executable)))
	if err != nil {
		t.Fatal(err)
	}
	if len(parts) != 2 || parts[0].Address != 0x400000 || parts[1].Address != 0x401000 || parts[1].Size != 0x2000 {
		t.Errorf("found %+v", parts)
	}
	if parts, err := fixedParts(bytes.NewReader(program(relocatable))); err != nil || len(parts) > 0 {
		t.Errorf("found %+v in a program that is relocated (%v)", parts, err)
	}
	if _, err := fixedParts(bytes.NewReader(program(executable)[:200])); err == nil {
		t.Error("no error for a file that is cut off")
	}
}
