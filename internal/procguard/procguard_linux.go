package procguard

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"
)

// Undumpable has the kernel refuse other processes that do not have CAP_SYS_PTRACE to read this one's memory or
// environment or to trace it, and write no core dump of it: PR_SET_DUMPABLE of prctl(2). Its children are not affected, as
// execve(2) starts over.
func Undumpable() error {
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("prctl(PR_SET_DUMPABLE): %w", err)
	}
	return nil
}

// EraseEnv overwrites the values of the named variables where the kernel put them when the process started, and from
// where it shows them as /proc/PID/environ. os.Getenv goes on to know them: Go has copies. Call it before [Undumpable],
// which closes /proc/self/mem to all but root.
func EraseEnv(names ...string) error {
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
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) <= envStart+1 {
		return 0, 0, errors.New("/proc/self/stat does not tell where the environment is")
	}
	start, err = strconv.ParseInt(string(fields[envStart]), 10, 64)
	if err != nil {
		return 0, 0, err
	}
	end, err = strconv.ParseInt(string(fields[envStart+1]), 10, 64)
	if err != nil {
		return 0, 0, err
	}
	if start == 0 || end < start {
		return 0, 0, errors.New("/proc/self/stat does not tell where the environment is")
	}
	return start, end, nil
}
