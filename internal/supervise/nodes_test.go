//go:build linux

package supervise_test

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// recordRole writes a line for each signal that it gets, and ends at one of them.
func recordRole(args []string) int {
	flags := flag.NewFlagSet("record", flag.ExitOnError)
	name := flags.String("name", "node", "what its lines begin with")
	end := flags.Int("end", int(syscall.SIGTERM), "the signal to end at")
	code := flags.Int("code", 0, "the exit code")
	grandchild := flags.Bool("grandchild", false, "start another one, which ends at SIGTERM, in the same group")
	echo := flags.Bool("echo", false, "say what comes on stdin, too")
	stops := flags.Bool("stops", false, "let SIGTSTP stop it")
	flags.Parse(args)

	got := make(chan os.Signal, 1000)
	for _, sig := range forwardable() {
		if sig != syscall.SIGTSTP || !*stops {
			signal.Notify(got, sig)
		}
	}
	if *grandchild {
		cmd := exec.Command(testBinary(), "role:record", "-name=grandchild")
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		if err := cmd.Start(); err != nil {
			panic(err)
		}
		go cmd.Wait()
	}
	fmt.Printf("%s ready %d\n", *name, os.Getpid())
	if *echo {
		go func() {
			in := bufio.NewScanner(os.Stdin)
			for in.Scan() {
				fmt.Printf("%s read %s\n", *name, in.Text())
			}
		}()
	}
	for sig := range got {
		fmt.Printf("%s got %d\n", *name, sig)
		if sig == syscall.Signal(*end) {
			return *code
		}
	}
	return 0
}

// forwardable is every signal but those that cannot be caught, those that are a Go program's own, and those of C
// libraries.
func forwardable() (set []syscall.Signal) {
	for n := syscall.Signal(1); n <= 64; n++ {
		switch n {
		case syscall.SIGKILL, syscall.SIGSTOP, syscall.SIGCHLD, syscall.SIGPIPE, syscall.SIGURG, syscall.SIGPROF, 32, 33, 34:
			continue
		}
		set = append(set, n)
	}
	return set
}

// blockSize has no divisor in common with the sizes of chunks and pipes.
const blockSize = 1<<20 - 7

// output writes size bytes that differ everywhere, without a newline, and with NUL bytes where binary.
func output(w io.Writer, size int64, binary bool) {
	block := make([]byte, blockSize)
	state := uint32(1)
	for i := range block {
		state = state*1664525 + 1013904223
		block[i] = byte(state >> 24)
		if !binary {
			block[i] = 'a' + block[i]%26
		}
	}
	for n := int64(0); n < size; n += blockSize {
		copy(block, fmt.Sprintf("%016d", n))
		if _, err := w.Write(block[:min(blockSize, size-n)]); err != nil {
			os.Exit(99)
		}
	}
}

func outputSum(size int64, binary bool) sum {
	s := newSink()
	output(s, size, binary)
	return s.sum()
}

func writeRole(args []string) int {
	flags := flag.NewFlagSet("write", flag.ExitOnError)
	size := flags.Int64("size", 0, "in bytes")
	binary := flags.Bool("binary", false, "NUL bytes and the like")
	fast := flags.Bool("fast", false, "the same 64 KiB of log lines over and over, in one write each")
	code := flags.Int("code", 0, "the exit code")
	flags.Parse(args)
	if !*fast {
		output(os.Stdout, *size, *binary)
		return *code
	}
	line := "2024-01-01 00:00:00 Imported #123456 (0x1234...5678), 31 peers, best hash 0xabcdef0123456789\n"
	chunk := []byte(strings.Repeat(line, 1+64<<10/len(line)))[:64<<10]
	for n := int64(0); n < *size; n += int64(len(chunk)) {
		if _, err := os.Stdout.Write(chunk); err != nil {
			return 99
		}
	}
	return *code
}

// orphansRole makes orphans, all of which end when it does: they read from a pipe that only it can write to.
func orphansRole(args []string) int {
	flags := flag.NewFlagSet("orphans", flag.ExitOnError)
	count := flags.Int("count", 100, "how many")
	code := flags.Int("code", 42, "the exit code")
	flags.Parse(args)
	r, w, err := os.Pipe()
	if err != nil {
		panic(err)
	}
	cmd := exec.Command("sh", "-c", fmt.Sprintf(`i=0; while [ $i -lt %d ]; do (cat <&3 >/dev/null &); i=$((i+1)); done`, *count))
	cmd.ExtraFiles = []*os.File{r}
	if err := cmd.Run(); err != nil {
		panic(err)
	}
	fmt.Println("ready")
	io.Copy(io.Discard, os.Stdin)
	runtime.KeepAlive(w)
	return *code
}

// statRole tells which files its standard streams are, and fails when it would have to wait for them in a way that most
// programs do not know.
func statRole([]string) int {
	for fd := range 3 {
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
		if err != nil || flags&unix.O_NONBLOCK != 0 {
			return 1
		}
		fmt.Println(identity(uintptr(fd)))
	}
	return 0
}

func identity(fd uintptr) string {
	var stat unix.Stat_t
	if err := unix.Fstat(int(fd), &stat); err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%d:%d", stat.Dev, stat.Ino)
}
