//go:build linux

// Command node stands in for a blockchain node in measurements. It does one thing as cheaply as can be:
//
//	node stamp                       print CLOCK_MONOTONIC in nanoseconds, and exit
//	node start COMMAND...            start a command, and exit when it has ended
//	node log [-bytes N] [-usage F]   write N bytes of log as fast as they are taken (0: for ever), and at the end
//	                                 its own CPU time in nanoseconds to the file F
//	node log -every D                write one line each D, for ever
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "node:", err)
		os.Exit(1)
	}
}

const usage = "stamp, start or log?"

func run(args []string) error {
	if len(args) == 0 {
		return errors.New(usage)
	}
	switch args[0] {
	case "stamp":
		return stamp()
	case "start":
		return start(args[1:])
	case "log":
		return log(args[1:])
	default:
		return fmt.Errorf("%q: %s", args[0], usage)
	}
}

func stamp() error {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		return err
	}
	_, err := fmt.Println(now.Nano())
	return err
}

func start(argv []string) error {
	pid, err := syscall.ForkExec(argv[0], argv, &syscall.ProcAttr{Env: os.Environ(), Files: []uintptr{0, 1, 2}})
	if err != nil {
		return err
	}
	_, err = syscall.Wait4(pid, nil, 0, nil)
	return err
}

func log(args []string) error {
	flags := flag.NewFlagSet("log", flag.ContinueOnError)
	size := flags.Int64("bytes", 0, "how much to write; 0: no end")
	every := flags.Duration("every", 0, "write one line each this long; 0: as fast as can be")
	usage := flags.String("usage", "", "where to write the CPU time used")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *every > 0 {
		return trickle(*every)
	}
	if err := flood(*size); err != nil {
		return err
	}
	if *usage == "" {
		return nil
	}
	return writeUsage(*usage)
}

// The lines of a round: one in five tells of a new block.
var lines = []string{
	"INFO [11-20|14:36:03.414] Starting work on payload                 id=0x03b4989126a2dc17\n",
	"INFO [11-20|14:36:03.415] Updated payload                          id=0x03b4989126a2dc17 number=BLOCK hash=402a0a..f9a04c txs=214 withdrawals=16 gas=14,214,211 fees=0.0214 root=a897cc..9fb549 elapsed=\"273.417µs\"\n",
	"INFO [11-20|14:36:03.415] Imported new potential chain segment     number=BLOCK hash=402a0a..f9a04c blocks=1 txs=214 mgas=14.214 elapsed=\"607.975µs\" mgasps=23.379 triediffs=5.44KiB triedirty=0.00B\n",
	"2026-11-20 14:36:03 ✨ Imported #BLOCK (0x9d1c…21f3)\n",
	"2026-11-20 14:36:05 💤 Idle (50 peers), best: #BLOCK (0x9d1c…21f3), finalized #19214208 (0x41aa…0be1), ⬇ 312.4kiB/s ⬆ 214.9kiB/s\n",
}

// line is the nth line of the log.
func line(n int) string {
	block := strconv.Itoa(10_000_000 + n/len(lines))
	return strings.ReplaceAll(lines[n%len(lines)], "BLOCK", block)
}

func trickle(every time.Duration) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for n := 0; ; n++ {
		if _, err := os.Stdout.WriteString(line(n)); err != nil {
			return err
		}
		<-tick.C
	}
}

func flood(size int64) error {
	const chunkSize = 1 << 20
	var chunk []byte
	for n := 0; len(chunk) < chunkSize; n++ {
		chunk = append(chunk, line(n)...)
	}
	for left := size; size == 0 || left > 0; left -= int64(len(chunk)) {
		if size > 0 && left < int64(len(chunk)) {
			chunk = chunk[:left]
		}
		if _, err := os.Stdout.Write(chunk); err != nil {
			return err
		}
	}
	return nil
}

func writeUsage(path string) error {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return err
	}
	cpu := usage.Utime.Nano() + usage.Stime.Nano()
	return os.WriteFile(path, []byte(strconv.FormatInt(cpu, 10)), 0o600)
}
