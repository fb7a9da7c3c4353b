// Package node lives the life of a pod by plans: it prepares what the node needs, starts it, keeps companions beside it that
// watch and report, stops it, and says its last words. It restarts the node, and goes over to another plan when the
// configuration changes.
//
//	prepare, in order ─▶ start the node ─▶ companions beside it ─▶ stop ─▶ last words
//
// It wires the packages that do these things, each of which knows none of the others, and decides only what happens next.
// Its files, from top to bottom: node.go goes from plan to plan, session.go from run to run of one plan, watcher.go and
// load.go make the plans; what they use comes below: the Service, the process, its logs, the probes.
//
// Invariants:
//
//   - There is at most one node process at a time.
//   - A failure before the node's start leaves no node running; its exit code is CodeFailed, or what
//     supervise.StartError says.
//   - A Service that leads to a running node is changed only for a plan that can be carried out, as far as can be told, and
//     changed back where it cannot.
//   - Nothing that a companion does can delay the node, its output or its stop; the last report gets a short time of its
//     own after the node's end.
//   - What can wait until the node runs, waits.
package node

import (
	"context"
	"errors"

	"github.com/sirupsen/logrus"

	"github.com/kubevali/kubevali/internal/config"
	"github.com/kubevali/kubevali/internal/health"
	"github.com/kubevali/kubevali/internal/hint"
	"github.com/kubevali/kubevali/internal/prepare"
	"github.com/kubevali/kubevali/internal/supervise"
)

// Options say what to run, and how.
type Options struct {
	Read       func() (*config.Config, error) // reads the configuration, anew each time
	ConfigPath string                         // the file behind Read
	Reload     Reload
	Environ    []string // this process's own, name=value
	AccountDir string   // where the pod's service account is, see kube.InPod
	Version    string   // kubevali's own, for the User-Agent of requests
	Log        logrus.FieldLogger
}

// Reload says what a change of the configuration file means to a running node.
type Reload int

const (
	ReloadNever    Reload = iota // nothing
	ReloadOnChange               // a different plan replaces the node
)

// Run runs the node that the configuration describes until it has ended for good and returns the exit code for this
// process: the node's own, 128+n where signal n ended it, or, with an error, CodeFailed or the code of a
// *supervise.StartError.
func Run(o Options) (code int, err error) {
	n := &node{log: o.Log, version: o.Version, supervisor: supervise.New(o.Log), health: health.New()}
	defer n.supervisor.Close()
	n.probes = probes{log: o.Log, health: n.health}
	defer n.probes.close()
	n.service = service{cluster: newCluster(o.Environ, o.AccountDir, o.Version, o.Log), log: o.Log, ctx: n.supervisor.Stopping()}
	defer n.service.pause()
	n.loader = loader{read: o.Read, environ: o.Environ, accountDir: o.AccountDir, service: &n.service, log: o.Log}
	defer n.loader.keys.Wipe()
	if o.Reload == ReloadOnChange {
		n.watcher = newWatcher(o.ConfigPath, &n.loader)
	}
	first, err := n.loader.load(n.supervisor.Stopping(), n.probes.serveEarly)
	if err != nil {
		return n.failed(err)
	}
	return n.run(first)
}

// node is what outlives a plan.
type node struct {
	log        logrus.FieldLogger
	version    string
	supervisor *supervise.Supervisor
	health     *health.Machine
	probes     probes
	service    service
	loader     loader
	watcher    *watcher // nil unless the configuration is watched
	ran        bool     // the present plan has started a node
}

// run carries out one plan after the other. A new plan that does not even start is given up for the one before it, with
// which the node was running.
func (n *node) run(present *loaded) (int, error) {
	var previous *loaded
	proven := false // the node was running by the present plan
	for {
		n.ran = false
		code, err := n.carryOut(present, proven)
		if n.ran {
			previous = nil
		}
		var change *planChange
		switch {
		case errors.As(err, &change):
			previous, present, proven = present, change.next, false
		case err != nil && previous != nil:
			n.log.Errorf("The new configuration does not work, so the node goes on with the old one: %s", hint.Line(err))
			previous, present, proven = nil, previous, true
		default:
			return code, err
		}
	}
}

// carryOut runs the node by one plan. The error is a *planChange when another plan has come up.
func (n *node) carryOut(l *loaded, proven bool) (int, error) {
	if err := n.prepare(l, proven); err != nil {
		return n.failed(err)
	}
	if n.watcher == nil {
		n.loader.keys.Wipe() // no other plan will ask
	}
	s, err := newSession(n, l)
	if err != nil {
		return CodeFailed, err
	}
	defer s.close()
	return s.run()
}

// prepare does what must be done before the node starts. What can fail without having changed anything comes first, and
// last what cannot be taken back: the keys.
func (n *node) prepare(l *loaded, proven bool) error {
	if err := check(l); err != nil {
		return err
	}
	return prepare.Run(n.supervisor.Stopping(), n.log,
		prepare.Step{Name: "probes", Run: func(context.Context) error { return n.probes.listen(l.plan.Monitor.Listen) }},
		prepare.Step{Name: "Service", Run: func(ctx context.Context) error { return n.keepService(ctx, l, proven) }},
		prepare.Files(l.plan.Files, n.log),
		prepare.Keys(l.plan.Keys, &n.loader.keys, n.log),
	)
}

func (n *node) keepService(ctx context.Context, l *loaded, proven bool) error {
	if l.plan.Service != nil {
		n.probes.serve() // this may take long
	}
	return n.service.keep(ctx, l.plan.Service, proven)
}

// failed is what becomes of an error before the node's start. Where a signal asked to stop, that is the reason.
func (n *node) failed(err error) (int, error) {
	if interrupt := n.interrupted(); interrupt != nil {
		n.log.Infof("Not starting the node: %v", interrupt)
		return 128 + int(interrupt.Signal), nil
	}
	return startCode(err), err
}

// interrupted returns the signal that asked to stop, or nil.
func (n *node) interrupted() *supervise.Interrupt {
	var interrupt *supervise.Interrupt
	errors.As(context.Cause(n.supervisor.Stopping()), &interrupt)
	return interrupt
}
