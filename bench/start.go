//go:build linux

package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// startTime measures how much later the node's first instruction comes than without a supervisor. The node is a program
// that tells the time and exits; what it and this program add themselves is in the bare run as well and cancels out.
func (b *bench) startTime(ctx context.Context, t *table, rounds int) error {
	const warmup = 5 // rounds that bring the programs into memory
	fmt.Fprintf(os.Stderr, "bench: %d starts of each\n", rounds)
	took := make([][]float64, len(b.supervisors))
	for round := range warmup + rounds {
		for turn := range b.supervisors {
			i := (turn + round) % len(b.supervisors)
			d, err := b.firstInstruction(ctx, b.supervisors[i])
			if err != nil {
				return fmt.Errorf("start under %s: %w", b.supervisors[i].name, err)
			}
			if round >= warmup {
				took[i] = append(took[i], inMilliseconds(d))
			}
		}
	}

	total := t.row("start of the supervisor to the node's first instruction", "")
	added := t.row("of this, added before the node's `execve`", maxStart)
	for i, s := range b.supervisors {
		total[s.name] = milliseconds(took[i])
		if s.binary != "" {
			added[s.name] = milliseconds(differences(took[i], took[0]))
		}
	}
	return nil
}

func (b *bench) firstInstruction(ctx context.Context, s supervisor) (time.Duration, error) {
	argv, err := s.argv([]string{b.node, "stamp"})
	if err != nil {
		return 0, err
	}
	cmd := b.command(ctx, argv)
	start, err := monotonic()
	if err != nil {
		return 0, err
	}
	out, err := cmd.Output()
	if err != nil {
		return 0, err
	}
	stamp, err := strconv.ParseInt(strings.TrimSpace(string(out)), 10, 64)
	if err != nil {
		return 0, err
	}
	return time.Duration(stamp - start), nil
}

// monotonic is the clock that the node tells, in nanoseconds.
func monotonic() (int64, error) {
	var now unix.Timespec
	err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now)
	return now.Nano(), err
}
