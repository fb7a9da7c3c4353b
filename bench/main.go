//go:build linux

// Command bench measures kubevali on this machine, side by side with a bare child process, with tini and with dumb-init
// (Debian packages of these names; a missing one is left out), and prints a Markdown table. Runs to be compared take
// turns, so that a machine that slows down slows them all; figures are medians with the lowest and the highest.
//
//	go run ./bench          all figures; some minutes, on a machine that does nothing else
//	go run ./bench -gate    binary size and memory alone, which need no quiet machine; fails when over the limit
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
)

// The limits that kubevali is to hold.
const (
	maxBinary     = 18e6     // bytes
	maxResident   = 14 << 20 // bytes
	maxStart      = "≤ 4 ms"
	maxLogTime    = "≤ 1.2 times"
	maxLogCPU     = "≤ 0.4 s"
	maxPatternCPU = "≤ 1.2 s"
)

type options struct {
	kubevali string
	gate     bool
	starts   int
	logs     int
	logBytes int64
}

func main() {
	var o options
	flag.StringVar(&o.kubevali, "kubevali", "", "the kubevali binary to measure (default: built from this tree, stripped)")
	flag.BoolVar(&o.gate, "gate", false, "measure size and memory only, and fail when over the limit")
	flag.IntVar(&o.starts, "starts", 200, "how many starts to measure")
	flag.IntVar(&o.logs, "logs", 7, "how many times to let the log run through")
	flag.Int64Var(&o.logBytes, "log-bytes", 2e9, "the length of that log")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	b, err := newBench(ctx, o.kubevali)
	if err != nil {
		return err
	}
	defer b.close()

	t := newTable(b.supervisors)
	over, err := b.sizeAndMemory(ctx, t)
	if err != nil {
		return err
	}
	if !o.gate {
		if err := b.startTime(ctx, t, o.starts); err != nil {
			return err
		}
		if err := b.logFlow(ctx, t, o.logs, o.logBytes); err != nil {
			return err
		}
	}
	fmt.Printf("%d cores, %s/%s, %s\n\n%s", runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version(), t)
	if o.gate && len(over) > 0 {
		return fmt.Errorf("over the limit: %s", strings.Join(over, "; "))
	}
	return nil
}

// bench is what all measurements share.
type bench struct {
	dir         string // for binaries and configurations; removed at the end
	node        string // the stand-in node
	checks      *healthchecks
	cluster     *cluster
	monitor     string // host:port for kubevali's probes
	supervisors []supervisor
}

// supervisor is one way to run a node.
type supervisor struct {
	name   string
	binary string // "" for no supervisor at all
	// argv is the command line that runs the given one.
	argv func(node []string) ([]string, error)
}

func newBench(ctx context.Context, kubevali string) (*bench, error) {
	dir, err := os.MkdirTemp("", "kubevali-bench-")
	if err != nil {
		return nil, err
	}
	b := &bench{dir: dir, node: filepath.Join(dir, "node")}
	if err := b.prepare(ctx, kubevali); err != nil {
		b.close()
		return nil, err
	}
	return b, nil
}

func (b *bench) prepare(ctx context.Context, kubevali string) (err error) {
	if err := build(ctx, b.node, "github.com/kubevali/kubevali/bench/node"); err != nil {
		return err
	}
	if kubevali == "" {
		kubevali = filepath.Join(b.dir, "kubevali")
		if err := build(ctx, kubevali, "github.com/kubevali/kubevali/cmd/kubevali"); err != nil {
			return err
		}
	}
	if b.checks, err = newHealthchecks(b.dir); err != nil {
		return err
	}
	if b.cluster, err = newCluster(b.dir); err != nil {
		return err
	}
	if b.monitor, err = freeAddress(); err != nil {
		return err
	}
	b.supervisors = append(b.supervisors, supervisor{
		name: bare,
		argv: func(node []string) ([]string, error) { return node, nil },
	})
	for _, name := range []string{"tini", "dumb-init"} {
		path, err := exec.LookPath(name)
		if err != nil {
			fmt.Fprintf(os.Stderr, "bench: no %s here (apt-get install %s)\n", name, name)
			continue
		}
		b.supervisors = append(b.supervisors, supervisor{
			name:   name,
			binary: path,
			argv:   func(node []string) ([]string, error) { return append([]string{path, "--"}, node...), nil },
		})
	}
	b.supervisors = append(b.supervisors, supervisor{
		name:   kubevaliName,
		binary: kubevali,
		argv: func(node []string) ([]string, error) {
			config, err := b.writeConfig(node, "", "")
			return []string{kubevali, "--config", config}, err
		},
	})
	return nil
}

func (b *bench) kubevali() supervisor {
	return b.supervisors[len(b.supervisors)-1]
}

// kubevaliInCluster is kubevali with all that asks the Kubernetes API turned on.
func (b *bench) kubevaliInCluster() supervisor {
	s := b.kubevali()
	s.argv = func(node []string) ([]string, error) {
		config, err := b.writeConfig(node, "", inCluster)
		return b.cluster.inPod([]string{s.binary, "--config", config}), err
	}
	return s
}

func (b *bench) close() {
	if b.cluster != nil {
		b.cluster.close()
	}
	if b.checks != nil {
		b.checks.close()
	}
	os.RemoveAll(b.dir)
}

// build makes a static, stripped binary of the package pkg, as releases are.
func build(ctx context.Context, output, pkg string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-tags", "nethttpomithttp2", "-trimpath", "-ldflags", "-s -w", "-o", output, pkg)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build %s: %w\n%s", pkg, err, out)
	}
	return nil
}

// command is a run of argv with what kubevali needs around it, that ends with ctx at the latest.
func (b *bench) command(ctx context.Context, argv []string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env = append(append(os.Environ(), b.cluster.env...), "POD_NAME=bench-0", "POD_NAMESPACE=bench", "SSL_CERT_FILE="+b.checks.certificate)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = stopPatience
	return cmd
}
