// Package prepare does what must be done before the node starts, step by step: files, P2P keys, and what others add as
// steps of their own. It runs steps, and decides nothing about the node.
//
// Invariants: steps run in order, one at a time; the first failure ends the preparation; a step that is done already is
// found so and changes nothing; a done context ends the preparation between two steps at the latest.
package prepare

import (
	"context"
	"fmt"
	"io/fs"

	"github.com/sirupsen/logrus"

	"github.com/kubevali/kubevali/internal/atomicfile"
	"github.com/kubevali/kubevali/internal/plan"
)

// Step prepares something.
type Step struct {
	Name string
	// Run does it, or finds it done. It ends early when ctx is done.
	Run func(ctx context.Context) error
}

// Run runs the steps. Where ctx ends it, the error is the cause.
func Run(ctx context.Context, log logrus.FieldLogger, steps ...Step) error {
	for _, step := range steps {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		log.Debugf("Preparing %s", step.Name)
		if err := step.Run(ctx); err != nil {
			return err
		}
	}
	return context.Cause(ctx)
}

// Files writes the plan's files.
func Files(files []plan.File, log logrus.FieldLogger) Step {
	return Step{"files", func(ctx context.Context) error {
		for _, f := range files {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if err := writeFile(f, log); err != nil {
				return fmt.Errorf("nodeTemplate.files: %w", err)
			}
		}
		return nil
	}}
}

func writeFile(f plan.File, log logrus.FieldLogger) error {
	write := atomicfile.Write
	if f.IfNotExists {
		write = atomicfile.Create
	}
	changed, err := write(f.Path, f.Content, fs.FileMode(f.Mode))
	switch {
	case err != nil:
		return err
	case changed:
		log.Infof("Wrote %s", f.Path)
	default:
		log.Debugf("Left %s as it was", f.Path)
	}
	return nil
}
