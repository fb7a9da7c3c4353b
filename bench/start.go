//go:build linux

package main

import (
	"context"
	"fmt"
	"os"
	"slices"
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
	runs := append(slices.Clip(b.supervisors), b.plainGo())
	took := make([][]float64, len(runs))
	var linked []float64 // how much longer kubevali takes to do nothing than the node
	for round := range warmup + rounds {
		for turn := range runs {
			i := (turn + round) % len(runs)
			d, err := b.firstInstruction(ctx, runs[i])
			if err != nil {
				return fmt.Errorf("start under %s: %w", runs[i].name, err)
			}
			if round >= warmup {
				took[i] = append(took[i], inMilliseconds(d))
			}
		}
		idle, err := b.whole(ctx, []string{b.node, "stamp"})
		if err != nil {
			return err
		}
		version, err := b.whole(ctx, []string{b.kubevali().binary, "version"})
		if err != nil {
			return err
		}
		if round >= warmup {
			linked = append(linked, inMilliseconds(version-idle))
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
	t.row("of this, what a Go program takes that does nothing else", "")[kubevaliName] =
		milliseconds(differences(took[len(runs)-1], took[0]))
	t.row("of this, what the packages take to be ready (`kubevali version`)", "")[kubevaliName] = milliseconds(linked)
	return nil
}

// plainGo is a supervisor in Go that does nothing but start the node.
func (b *bench) plainGo() supervisor {
	return supervisor{
		name: "Go", binary: b.node,
		argv: func(node []string) ([]string, error) { return append([]string{b.node, "start"}, node...), nil },
	}
}

// whole is how long a command takes from its start to its end.
func (b *bench) whole(ctx context.Context, argv []string) (time.Duration, error) {
	cmd := b.command(ctx, argv)
	start := time.Now()
	err := cmd.Run()
	return time.Since(start), err
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
