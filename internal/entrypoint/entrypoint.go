// Package entrypoint carries out a plan: it prepares what the node needs, such as keys and a Service, runs it, watches its
// logs, reports its health, restarts it, and goes over to another plan when the configuration changes.
//
// It wires the packages that do these things, each of which knows none of the others, and decides only what happens next.
//
// Invariants:
//
//   - There is at most one node process at a time.
//   - A failure before the node's start leaves no node running; its exit code is CodeFailed, or what
//     supervise.StartError says.
//   - A Service that leads to a running node is changed only for a plan that can be carried out, as far as can be told, and
//     changed back where it cannot.
//   - Nothing that health reports or probes do can delay the node, its output or its stop; the last ping gets a short
//     time of its own after the node's end.
package entrypoint

import (
	"context"
	"errors"
	"sync"

	"github.com/sirupsen/logrus"

	"github.com/kubevali/kubevali/internal/health"
	"github.com/kubevali/kubevali/internal/render"
	"github.com/kubevali/kubevali/internal/supervise"
)

// CodeFailed is the exit code when kubevali itself failed before the node started, as docker run has it.
const CodeFailed = 125

// Options say what to run, and how.
type Options struct {
	Read       func() (Configuration, error)
	ConfigPath string // the file behind Read
	Reload     Reload
	Keys       Keys            // what the configuration's plans are made with
	Cluster    *Cluster        // the same; always there, and asked only where a plan does
	Environ    func() []string // what the node inherits, name=value; asked once Read has taken out root secrets
	Version    string          // kubevali's own, for the User-Agent of pings
	Log        logrus.FieldLogger
}

// Reload says what a change of the configuration file means to a running node.
type Reload int

const (
	ReloadNever    Reload = iota // nothing
	ReloadOnChange               // a different plan replaces the node
)

// Run runs the node that Load plans until it has ended for good and returns the exit code for this process: the node's
// own, 128+n where signal n ended it, or, with an error, CodeFailed or the code of a *supervise.StartError.
func Run(o Options) (code int, err error) {
	r := &runner{Options: o, supervisor: supervise.New(o.Log), state: health.New(), service: serviceKeeper{cluster: o.Cluster}}
	defer r.supervisor.Close()
	r.service.ctx = r.supervisor.Stopping()
	defer r.service.pause()
	defer r.Keys.wipe()
	defer r.closeMonitor()
	if o.Reload == ReloadOnChange {
		r.config = newConfigFile(o.ConfigPath)
	}
	plan, err := r.load(r.supervisor.Stopping(), r.listenEarly)
	if err != nil {
		return r.failed(err)
	}
	return r.run(plan)
}

// runner is what outlives a plan.
type runner struct {
	Options
	environ    []string
	supervisor *supervise.Supervisor
	config     *configFile    // nil unless it is watched
	monitor    *monitorServer // nil while there is none
	service    serviceKeeper
	state      *health.Machine // what the monitor tells of
	shrink     sync.Once       // at the first start of the node
	planned    bool            // there has been a plan
	ran        bool            // the present plan has started a node
}

// run carries out one plan after the other. A new plan that does not even start is given up for the one before it, with
// which the node was running.
func (r *runner) run(plan *render.Plan) (int, error) {
	var previous *render.Plan
	for {
		r.ran = false
		code, err := r.carryOut(plan)
		r.service.lenient = false
		if r.ran {
			previous = nil
		}
		var change *planChange
		switch {
		case errors.As(err, &change):
			previous, plan = plan, change.next
		case err != nil && previous != nil:
			r.Log.Errorf("The new configuration does not work, so the node goes on with the old one: %s", withHint(err))
			previous, plan = nil, previous
			r.service.lenient = true
		default:
			return code, err
		}
	}
}

// carryOut runs the node by one plan. The error is a *planChange when another plan has come up.
func (r *runner) carryOut(plan *render.Plan) (int, error) {
	err := r.prepare(plan)
	if err == nil {
		err = context.Cause(r.supervisor.Stopping())
	}
	if err != nil {
		return r.failed(err)
	}
	if r.config == nil {
		r.Keys.wipe() // no other plan will ask
	}
	r.Cluster.rest()
	s, err := newSession(r, plan)
	if err != nil {
		return CodeFailed, err
	}
	r.planned = true
	defer s.close()
	return s.run()
}

// failed is what becomes of an error before the node's start. Where a signal asked to stop, that is the reason.
func (r *runner) failed(err error) (int, error) {
	if interrupt := r.interrupted(); interrupt != nil {
		r.Log.Infof("Not starting the node: %v", interrupt)
		return 128 + int(interrupt.Signal), nil
	}
	return startCode(err), err
}

// interrupted returns the signal that asked to stop, or nil.
func (r *runner) interrupted() *supervise.Interrupt {
	var interrupt *supervise.Interrupt
	errors.As(context.Cause(r.supervisor.Stopping()), &interrupt)
	return interrupt
}
