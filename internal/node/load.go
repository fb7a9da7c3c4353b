package node

import (
	"context"
	"sync"

	"github.com/sirupsen/logrus"

	"github.com/kubevali/kubevali/internal/config"
	"github.com/kubevali/kubevali/internal/facts"
	"github.com/kubevali/kubevali/internal/keyfile"
	"github.com/kubevali/kubevali/internal/plan"
)

// loader makes plans of the configuration. It is for one goroutine at a time.
type loader struct {
	read       func() (*config.Config, error)
	environ    []string // this process's own, without root secrets
	accountDir string   // where the pod's service account is
	service    *service
	log        logrus.FieldLogger
	keys       keyfile.Keyring
	seed       *[32]byte // of all random values of templates: they stay the same as long as the node runs
	running    bool      // a node has been started, so that a Service may lead to it
}

// load reads the configuration and makes the plan; ctx ends its questions to the cluster. These may take long, so the monitor's
// address is told before the first one.
func (l *loader) load(ctx context.Context, tell func(address string)) (*loaded, error) {
	cfg, err := l.read()
	if err != nil {
		return nil, err
	}
	f, err := l.gather(cfg)
	if err != nil {
		return nil, err
	}
	l.service.pause() // it may be asking the cluster for a long time
	a := &answers{service: l.service, ctx: ctx, was: l.service.forget(), begin: sync.OnceFunc(func() {
		if address, err := plan.Listen(cfg, f); err == nil {
			tell(address)
		}
	})}
	a.reader.Cluster = func() (facts.Cluster, error) { return l.service.cluster.reach() }
	made, err := l.makePlan(cfg, f, a)
	if err != nil {
		return nil, &loadError{err, passes(a.problem)}
	}
	for _, warning := range made.plan.Warnings {
		l.log.Warn(warning)
	}
	return made, nil
}

// loadError is why there is no plan.
type loadError struct {
	error
	passes bool // the cluster did not answer as it will later, so that another attempt makes sense
}

func (e *loadError) Unwrap() error { return e.error }

// gather takes the root secrets that the configuration names out of the environment, and tells what is known of the pod by
// what is left.
func (l *loader) gather(cfg *config.Config) (facts.Facts, error) {
	environ, warning := l.keys.Take(l.environ, plan.Roots(cfg)...)
	if warning != nil {
		l.log.Warn(warning)
	}
	l.environ = environ
	f, err := facts.FromEnviron(environ, l.accountDir)
	if err != nil {
		return f, err
	}
	if l.seed == nil {
		seed := f.Seed
		l.seed = &seed
	}
	f.Seed = *l.seed
	return f, nil
}

// makePlan makes the plan. Where templates ask what became of the Service, it must be made first. That changes the way to a
// node that runs, so then the plan is made and checked with what the Service was before, or else placeholders, and the
// Service given back if no plan comes of it.
func (l *loader) makePlan(cfg *config.Config, f facts.Facts, a *answers) (*loaded, error) {
	makeBy := func(source plan.Source) (*loaded, error) {
		made, err := plan.Complete(cfg, &f, l.keys.Public, source)
		next := &loaded{made, l.environ}
		if err == nil && l.running {
			err = check(next)
		}
		return next, err
	}
	if l.running {
		preview, err := makeBy(a.preview)
		switch {
		case err != nil:
			l.service.made = a.was // nothing has touched it
			l.service.resume()
			return nil, err
		case !a.previewed:
			return preview, nil
		}
		f.NodePorts, f.Balancer = nil, nil
	}
	next, err := makeBy(a.answer)
	if err != nil {
		l.service.restore()
		return nil, err
	}
	next.plan.Service = l.service.pin(next.plan.Service)
	return next, nil
}

// answers complete the facts of one plan.
type answers struct {
	reader    facts.Reader
	service   *service
	ctx       context.Context
	begin     func() // called before each question
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
	a.begin()
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
	a.begin()
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

func (a *answers) note(err error) {
	if err != nil {
		a.problem = err
	}
}
