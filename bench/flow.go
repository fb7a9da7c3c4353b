//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"
)

// cost is what it took to let a log through, the node's own CPU time left out.
type cost struct {
	wall, cpu time.Duration
}

// logFlow measures what it costs to let a node's log through to /dev/null, under kubevali that watches it and in the
// shell pipe `node | cat`. (tini and dumb-init do not touch the log.)
func (b *bench) logFlow(ctx context.Context, t *table, rounds int, size int64) error {
	const pattern = `Imported new potential chain segment +number=(?P<best_block>\d+)`
	usage := filepath.Join(b.dir, "usage")
	node := []string{b.node, "log", "-bytes", strconv.FormatInt(size, 10), "-usage", usage}
	flows := []func() (cost, error){
		func() (cost, error) { return throughCat(ctx, node) },
		func() (cost, error) { return b.throughKubevali(ctx, node, usage, "") },
		func() (cost, error) { return b.throughKubevali(ctx, node, usage, pattern) },
	}
	fmt.Fprintf(os.Stderr, "bench: %.3g GB of log, %d times each way\n", float64(size)/1e9, rounds)
	costs := make([][]cost, len(flows))
	for round := range rounds {
		for turn := range flows {
			i := (turn + round) % len(flows)
			c, err := flows[i]()
			if err != nil {
				return err
			}
			costs[i] = append(costs[i], c)
		}
	}

	what := fmt.Sprintf("%.3g GB of log", float64(size)/1e9)
	for i, watched := range []struct{ what, maxTime, maxCPU string }{
		{"keyword", maxLogTime, maxLogCPU},
		{"keyword and pattern", "", maxPatternCPU},
	} {
		watching := costs[i+1]
		wall := t.row(fmt.Sprintf("%s, watched for a %s: wall time", what, watched.what), "")
		wall[bare] = "`node \\| cat`: " + seconds(each(costs[0], wallTime))
		wall[kubevaliName] = seconds(each(watching, wallTime))
		against := t.row("- against `node \\| cat`", watched.maxTime)
		against[kubevaliName] = times(ratios(each(watching, wallTime), each(costs[0], wallTime)))
		cpu := t.row("- CPU added per GB", watched.maxCPU)
		perGB := func(c cost) float64 { return c.cpu.Seconds() / (float64(size) / 1e9) }
		cpu[bare] = "`cat`: " + seconds(each(costs[0], perGB))
		cpu[kubevaliName] = seconds(each(watching, perGB))
	}
	return nil
}

// throughCat runs `node | cat >/dev/null`.
func throughCat(ctx context.Context, argv []string) (c cost, err error) {
	r, w, err := os.Pipe()
	if err != nil {
		return cost{}, err
	}
	node, cat := exec.CommandContext(ctx, argv[0], argv[1:]...), exec.CommandContext(ctx, "cat")
	node.Stdout, cat.Stdin = w, r
	start := time.Now()
	err = errors.Join(node.Start(), cat.Start())
	r.Close()
	w.Close()
	if err != nil {
		return cost{}, err
	}
	if err := errors.Join(node.Wait(), cat.Wait()); err != nil {
		return cost{}, fmt.Errorf("node | cat: %w", err)
	}
	return cost{wall: time.Since(start), cpu: cpuTime(cat)}, nil
}

// throughKubevali runs `kubevali >/dev/null` with a node that leaves its CPU time in the file usage.
func (b *bench) throughKubevali(ctx context.Context, node []string, usage, pattern string) (cost, error) {
	config, err := b.writeConfig(node, pattern, "")
	if err != nil {
		return cost{}, err
	}
	cmd := b.command(ctx, []string{b.kubevali().binary, "--config", config})
	var log bytes.Buffer
	cmd.Stderr = &log
	start := time.Now()
	if err := cmd.Run(); err != nil {
		return cost{}, fmt.Errorf("kubevali: %w\n%s", err, log.Bytes())
	}
	wall := time.Since(start)
	own, err := os.ReadFile(usage)
	if err != nil {
		return cost{}, err
	}
	nodeTime, err := strconv.ParseInt(string(own), 10, 64)
	if err != nil {
		return cost{}, err
	}
	// What wait4(2) tells of a process includes the children it has waited for.
	return cost{wall: wall, cpu: cpuTime(cmd) - time.Duration(nodeTime)}, nil
}

func cpuTime(cmd *exec.Cmd) time.Duration {
	return cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
}

func wallTime(c cost) float64 { return c.wall.Seconds() }
