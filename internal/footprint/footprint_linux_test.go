package footprint

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

func TestShrinkLowersTheResidentProgram(t *testing.T) {
	if ok, err := fixed("/proc/self/exe"); err != nil || !ok {
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
	const maps = `00400000-00401000 r--p 00000000 fe:00 42 /bin/node
00401000-00a00000 r-xp 00001000 fe:00 42 /bin/node
00a00000-00b00000 rw-p 00600000 fe:00 42 /bin/node
c000000000-c000400000 rw-p 00000000 00:00 0
7f0000000000-7f0000001000 r-xp 00000000 fe:00 43 /lib/libc.so.6
7ffc00000000-7ffc00021000 rw-p 00000000 00:00 0 [stack]
`
	parts, err := program(strings.NewReader(maps), "/bin/node")
	if err != nil {
		t.Fatal(err)
	}
	if len(parts) != 2 || parts[0].start != 0x400000 || parts[1].start != 0x401000 || parts[1].end != 0xa00000 {
		t.Errorf("found %+v", parts)
	}
	if _, err := program(strings.NewReader("x-y r--p 0 0:0 1 /bin/node\n"), "/bin/node"); err == nil {
		t.Error("no error for a line that is none")
	}
}
