package entrypoint

import (
	"context"

	"github.com/kubevali/kubevali/internal/render"
)

// Configuration is a configuration that has been read, and makes this pod's plan.
type Configuration interface {
	// Listen is the monitor's address, for which nothing is asked.
	Listen() (string, error)
	// Plan is the whole plan, by what a cluster answers.
	Plan(render.Cluster) (*render.Plan, error)
}

// load reads the configuration and makes the plan; ctx ends its questions to the cluster. These may take long, so listen is
// called with the monitor's address before.
func (r *runner) load(ctx context.Context, listen func(address string)) (*render.Plan, error) {
	cfg, err := r.Read()
	if err != nil {
		return nil, err
	}
	if r.environ == nil {
		r.environ = r.Environ()
	}
	r.service.pause() // it may be asking the cluster for a long time
	was := r.Cluster.forget()
	l := &lookups{cluster: r.Cluster, ctx: ctx, before: func() {
		if address, err := cfg.Listen(); err == nil {
			listen(address)
		}
	}}
	plan, err := r.plan(cfg, l, was)
	if err != nil {
		return nil, &loadError{err, passes(l.problem)}
	}
	for _, warning := range plan.Warnings {
		r.Log.Warn(warning)
	}
	return plan, nil
}

// plan makes the plan. Where templates ask what became of the Service, it must be made first. That changes the way to a
// node that runs, so then the plan is made and checked with what the Service was before, or else placeholders, and the
// Service given back if no plan comes of it.
func (r *runner) plan(cfg Configuration, l *lookups, was *appliedService) (*render.Plan, error) {
	if r.planned {
		first := &preview{lookups: l, was: was}
		plan, err := cfg.Plan(first)
		if err == nil && first.asked {
			err = r.check(plan)
		}
		if err != nil {
			r.service.resume()
			return nil, err
		}
		if !first.asked {
			return plan, nil
		}
	}
	plan, err := cfg.Plan(applying{l})
	if err == nil && r.planned {
		err = r.check(plan)
	}
	if err != nil {
		r.service.restore()
		return nil, err
	}
	plan.Service = r.Cluster.settled(plan.Service)
	return plan, nil
}

// loadError is why there is no plan.
type loadError struct {
	error
	passes bool // the cluster did not answer as it will later, so that another attempt makes sense
}

func (e *loadError) Unwrap() error { return e.error }
