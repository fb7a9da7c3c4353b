package entrypoint

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/kubevali/kubevali/internal/atomicfile"
	"github.com/kubevali/kubevali/internal/healthcheck"
	"github.com/kubevali/kubevali/internal/hint"
	"github.com/kubevali/kubevali/internal/render"
	"github.com/kubevali/kubevali/internal/secret"
)

// prepare does what must be done before the node starts. What can fail without having changed anything comes first, and
// last what cannot be taken back: the keys. A signal that asks to stop ends it early, with an error.
func (r *runner) prepare(plan *render.Plan) error {
	if err := r.check(plan); err != nil {
		return err
	}
	if err := r.listen(plan.Monitor.Listen); err != nil {
		return err
	}
	stopping := r.supervisor.Stopping()
	if err := r.service.keep(stopping, plan.Service); err != nil {
		return err
	}
	for _, f := range plan.Files {
		if stopping.Err() != nil {
			return context.Cause(stopping)
		}
		if err := r.writeFile(f); err != nil {
			return err
		}
	}
	return r.Keys.Write(stopping, plan.Keys, r.Log)
}

// Check reports what is wrong with a plan that can be told without this pod and this machine.
func Check(plan *render.Plan) error {
	if plan.Watchlog == nil || plan.Watchlog.HealthcheckID == "" {
		return nil
	}
	if err := healthcheck.CheckID(secret.Text(plan.Watchlog.HealthcheckID)); err != nil {
		return fmt.Errorf("watchlog: %s", hint.Line(err))
	}
	return nil
}

// check does so with this machine at hand: can the plan's program be started? That cannot be told where the working
// directory does not exist yet, since one of the plan's files may make it.
func (r *runner) check(plan *render.Plan) error {
	if err := Check(plan); err != nil {
		return err
	}
	if _, err := os.Stat(plan.WorkingDir); plan.WorkingDir != "" && errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return command(plan, r.environ).Check()
}

func (r *runner) writeFile(f render.File) error {
	write := atomicfile.Write
	if f.IfNotExists {
		write = atomicfile.Create
	}
	changed, err := write(f.Path, f.Content, f.Mode)
	if err != nil {
		return fmt.Errorf("nodeTemplate.files: %w", err)
	}
	if changed {
		r.Log.Infof("Wrote %s", f.Path)
	} else {
		r.Log.Debugf("Left %s as it was", f.Path)
	}
	return nil
}
