package entrypoint

import (
	"os"

	"github.com/kubevali/kubevali/internal/config"
	"github.com/kubevali/kubevali/internal/render"
	"github.com/kubevali/kubevali/internal/supervise"
)

// command is the plan's node as a process, with nobody watching its output.
func command(plan *render.Plan, environ []string) supervise.Command {
	rules := restarts{rules: plan.Process}
	c := supervise.Command{
		Args:        plan.Command,
		Env:         plan.Environ(environ),
		Dir:         plan.WorkingDir,
		Stdout:      &supervise.Output{To: file(plan.Stdout)},
		Stderr:      &supervise.Output{To: file(plan.Stderr)},
		StopSignal:  plan.Process.StopSignal,
		GracePeriod: plan.Process.StopGracePeriod,
	}
	if plan.Process.SignalGroup {
		c.Target = supervise.TargetGroup
	}
	if rules.possible() {
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
