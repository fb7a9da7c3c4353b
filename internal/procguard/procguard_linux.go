// Package procguard keeps what this process knows from other processes of the same user, of which the node is one. It
// does not encrypt or lock memory, and root with all capabilities sees everything anyway. Off Linux it does nothing.
package procguard

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Hide has the kernel refuse other processes that do not have CAP_SYS_PTRACE to read this one's memory or environment or
// to trace it, and write no core dump of it: PR_SET_DUMPABLE of prctl(2). Its children are not affected, as execve(2)
// starts over. Before that it overwrites the values of the named variables where the kernel put them when the process
// started, and from where it shows them as /proc/PID/environ. os.Getenv goes on to know them: Go has copies. The error
// says that other processes may still read this one's memory.
func Hide(names ...string) error {
	erased := erase(names) // first, as what follows closes /proc/self/mem to all but root
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return errors.Join(fmt.Errorf("prctl(PR_SET_DUMPABLE): %w", err), erased)
	}
	return nil
}

func erase(names []string) error {
	if len(names) == 0 {
		return nil
	}
	start, end, err := environBounds()
	if err != nil {
		return err
	}
	mem, err := os.OpenFile("/proc/self/mem", os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer mem.Close()
	block := make([]byte, end-start)
	defer clear(block)
	if _, err := mem.ReadAt(block, start); err != nil {
		return err
	}
	at := start
	for entry := range bytes.SplitAfterSeq(block, []byte{0}) {
		name, value, _ := bytes.Cut(bytes.TrimSuffix(entry, []byte{0}), []byte("="))
		if slices.Contains(names, string(name)) {
			clear(value)
			if _, err := mem.WriteAt(entry, at); err != nil {
				return err
			}
		}
		at += int64(len(entry))
	}
	return nil
}

// environBounds returns where the environment begins and ends in this process's memory: env_start and env_end of
// proc_pid_stat(5).
func environBounds() (start, end int64, err error) {
	const envStart = 50 - 3 // the manual counts from 1, and the field after the command's name is the third
	stat, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		return 0, 0, err
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) > envStart+1 {
		start, _ = strconv.ParseInt(fields[envStart], 10, 64)
		end, _ = strconv.ParseInt(fields[envStart+1], 10, 64)
	}
	if start <= 0 || end < start {
		return 0, 0, errors.New("/proc/self/stat does not tell where the environment is")
	}
	return start, end, nil
}
