package node

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"time"

	"github.com/kubevali/kubevali/internal/config"
	"github.com/kubevali/kubevali/internal/healthcheck"
	"github.com/kubevali/kubevali/internal/plan"
	"github.com/kubevali/kubevali/internal/supervise"
)

// CodeFailed is the exit code when kubevali itself failed before the node started, as docker run has it.
const CodeFailed = 125

// loaded is a plan, and the environment that its node inherits.
type loaded struct {
	plan    *plan.Plan
	environ []string
}

// Check reports what is wrong with a plan that can be told without this pod and this machine.
func Check(p *plan.Plan) error {
	if p.Watchlog == nil || p.Watchlog.HealthcheckID == "" {
		return nil
	}
	if _, err := healthcheck.ParseID(p.Watchlog.HealthcheckID); err != nil {
		return fmt.Errorf("watchlog.healthcheckID: %w", err)
	}
	return nil
}

// check does so with this machine at hand: can the plan's program be started? That cannot be told where the working
// directory does not exist yet, since one of the plan's files may make it.
func check(l *loaded) error {
	if err := Check(l.plan); err != nil {
		return err
	}
	if _, err := os.Stat(l.plan.WorkingDir); l.plan.WorkingDir != "" && errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return startError(l.command().Check())
}

// startError says which key of the configuration is to blame for a node that cannot be started.
func startError(err error) error {
	var start *supervise.StartError
	switch {
	case !errors.As(err, &start):
		return err
	case start.Dir != "":
		return fmt.Errorf("nodeTemplate.workingDir: %w", err)
	case start.Code == 0:
		return err // it is not the program's fault
	}
	return fmt.Errorf("nodeTemplate.command: %w", err)
}

func startCode(err error) int {
	var start *supervise.StartError
	if errors.As(err, &start) && start.Code != 0 {
		return start.Code
	}
	return CodeFailed
}

// command is the plan's node as a process, with nobody watching its output.
func (l *loaded) command() supervise.Command {
	p := l.plan
	c := supervise.Command{
		Args:        p.Command,
		Env:         p.Environ(l.environ),
		Dir:         p.WorkingDir,
		Stdout:      &supervise.Output{To: file(p.NodeStdout)},
		Stderr:      &supervise.Output{To: file(p.NodeStderr)},
		StopSignal:  syscall.Signal(p.Process.StopSignal),
		GracePeriod: time.Duration(p.Process.StopGracePeriod),
	}
	if p.Process.SignalGroup {
		c.Target = supervise.TargetGroup
	}
	if p.Process.Restart != config.RestartNever || p.Process.OnUnhealthy == config.UnhealthyRestart {
		c.Leftovers = supervise.KillLeftovers
	}
	return c
}

func file(s config.Stream) *os.File {
	if s == config.Stderr {
		return os.Stderr
	}
	return os.Stdout
}
