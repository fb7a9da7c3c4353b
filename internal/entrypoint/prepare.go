package entrypoint

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/kubevali/kubevali/internal/atomicfile"
	"github.com/kubevali/kubevali/internal/render"
)

// prepare does what must be done before the node starts. What can fail without having changed anything comes first: the
// program, then the address for the probes, then keys, of which one that is another pod's ends it all, then the files. A
// signal that asks to stop ends it early, with an error.
func (r *runner) prepare(plan *render.Plan) error {
	if err := r.check(plan); err != nil {
		return err
	}
	if err := r.listen(plan.Monitor.Listen); err != nil {
		return err
	}
	stopping := r.supervisor.Stopping()
	if err := r.Keys.Write(stopping, plan.Keys, r.Log); err != nil {
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
	if plan.Service != nil {
		r.Log.Warnf("nodeService: this version does not create Services; for peers to reach this node there must be one: "+
			"kubectl create service nodeport %s --tcp=%[2]d --node-port=%[2]d", plan.Pod, plan.Service.NodePort)
	}
	return nil
}

// check reports whether the plan's program can be started. That cannot be told where the working directory does not exist
// yet, since one of the plan's files may make it.
func (r *runner) check(plan *render.Plan) error {
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
