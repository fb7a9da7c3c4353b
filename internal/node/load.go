package node

import (
	"context"

	"github.com/kubevali/kubevali/internal/config"
	"github.com/kubevali/kubevali/internal/facts"
	"github.com/kubevali/kubevali/internal/plan"
)

// load reads the configuration and makes the plan; ctx ends its questions to the cluster. These may take long, so listen is
// called with the monitor's address before.
func (n *node) load(ctx context.Context, listen func(address string)) (*loaded, error) {
	cfg, err := n.options.Read()
	if err != nil {
		return nil, err
	}
	f, environ, err := n.gather(cfg)
	if err != nil {
		return nil, err
	}
	n.service.pause() // it may be asking the cluster for a long time
	a := &answers{service: &n.service, ctx: ctx, was: n.service.forget(), begin: func() {
		if address, err := plan.Listen(cfg, f); err == nil {
			listen(address)
		}
	}}
	a.reader.Cluster = func() (facts.Cluster, error) { return n.service.cluster.reach() }
	made, err := n.makePlan(cfg, f, environ, a)
	if err != nil {
		return nil, &loadError{err, passes(a.problem)}
	}
	for _, warning := range made.plan.Warnings {
		n.log.Warn(warning)
	}
	return made, nil
}

// gather takes the root secrets that the configuration names out of the environment, and tells what is known of the pod by
// what is left.
func (n *node) gather(cfg *config.Config) (f facts.Facts, environ []string, err error) {
	environ, warning := n.keys.Take(n.options.Environ, plan.Roots(cfg)...)
	if warning != nil {
		n.log.Warn(warning)
	}
	if f, err = facts.FromEnviron(environ); err != nil {
		return f, nil, err
	}
	if n.seed == nil {
		n.seed = &f.Seed
	}
	f.Seed = *n.seed
	return f, environ, nil
}

// makePlan makes the plan. Where templates ask what became of the Service, it must be made first. That changes the way to a
// node that runs, so then the plan is made and checked with what the Service was before, or else placeholders, and the
// Service given back if no plan comes of it.
func (n *node) makePlan(cfg *config.Config, f facts.Facts, environ []string, a *answers) (*loaded, error) {
	made := func(source plan.Source) (l *loaded, err error) {
		l = &loaded{environ: environ}
		if l.plan, err = plan.Complete(cfg, &f, n.keys.Public, source); err == nil && n.running {
			err = check(l)
		}
		return l, err
	}
	if n.running {
		preview, err := made(a.preview)
		switch {
		case err != nil:
			n.service.resume()
			return nil, err
		case !a.previewed:
			return preview, nil
		}
		f.NodePorts, f.Balancer = nil, nil
	}
	l, err := made(a.answer)
	if err != nil {
		n.service.restore()
		return nil, err
	}
	l.plan.Service = n.service.pin(l.plan.Service)
	return l, nil
}

// answers complete the facts of one plan.
type answers struct {
	reader    facts.Reader
	service   *service
	ctx       context.Context
	begin     func() // called before the first question
	was       *made  // how the Service was before; nil: not known
	previewed bool   // something about the Service was answered by that
	problem   error  // the last one
}

// answer is a plan.Source that makes the Service as it is to be before it tells of it.
func (a *answers) answer(f *facts.Facts, m facts.Missing, s *plan.Service) {
	if m.Nodes() {
		a.nodes(f, m)
		return
	}
	a.started()
	made, err := a.service.apply(a.ctx, s)
	a.note(err)
	if m.NodePorts {
		f.NodePorts = &facts.Known[map[string]int]{Err: err}
		if err == nil {
			f.NodePorts.Value, f.NodePorts.Err = made.nodePorts()
		}
	}
	if m.Balancer {
		f.Balancer = &facts.Known[string]{Err: err}
		if err == nil {
			// Not noted: another attempt would take the Service from the node that runs once more.
			f.Balancer.Value, f.Balancer.Err = a.service.address(a.ctx, made)
		}
	}
}

// preview is a plan.Source that does not touch the Service: it tells what that was, or else placeholders.
func (a *answers) preview(f *facts.Facts, m facts.Missing, s *plan.Service) {
	if m.Nodes() {
		a.nodes(f, m)
		return
	}
	a.previewed = true
	f.Assume(m, &s.ServiceSpec)
	if a.was == nil {
		return
	}
	if m.NodePorts {
		for name, port := range a.was.found.NodePorts() {
			if _, wanted := f.NodePorts.Value[name]; wanted && port != 0 {
				f.NodePorts.Value[name] = port
			}
		}
	}
	if m.Balancer && len(a.was.found.Ingress) > 0 {
		f.Balancer.Value = a.was.found.Ingress[0]
	}
}

func (a *answers) nodes(f *facts.Facts, m facts.Missing) {
	a.started()
	a.reader.Nodes(a.ctx, f, m)
	if f.Node != nil {
		a.note(f.Node.Err)
	}
	if m.Addresses {
		a.note(f.Addresses.Err)
	}
	if m.ExternalIPs {
		a.note(f.ExternalIPs.Err)
	}
}

// started is called before each question.
func (a *answers) started() {
	if a.begin != nil {
		a.begin()
		a.begin = nil
	}
}

func (a *answers) note(err error) {
	if err != nil {
		a.problem = err
	}
}

// loadError is why there is no plan.
type loadError struct {
	error
	passes bool // the cluster did not answer as it will later, so that another attempt makes sense
}

func (e *loadError) Unwrap() error { return e.error }
