// Package node lives the life of a pod by plans: it prepares what the node needs, starts it, keeps companions beside it that
// watch and report, stops it, and says its last words. It restarts the node, and goes over to another plan when the
// configuration changes.
//
//	prepare, in order ─▶ start the node ─▶ companions beside it ─▶ stop ─▶ last words
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
//   - Nothing that a companion does can delay the node, its output or its stop; the last report gets a short time of its
//     own after the node's end.
package node

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/sirupsen/logrus"

	"github.com/kubevali/kubevali/internal/config"
	"github.com/kubevali/kubevali/internal/health"
	"github.com/kubevali/kubevali/internal/hint"
	"github.com/kubevali/kubevali/internal/keyfile"
	"github.com/kubevali/kubevali/internal/plan"
	"github.com/kubevali/kubevali/internal/prepare"
	"github.com/kubevali/kubevali/internal/supervise"
)

// CodeFailed is the exit code when kubevali itself failed before the node started, as docker run has it.
const CodeFailed = 125

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
	n := &node{options: o, log: o.Log, supervisor: supervise.New(o.Log), health: health.New()}
	defer n.supervisor.Close()
	n.probes = probes{log: o.Log, health: n.health}
	defer n.probes.close()
	n.service = service{cluster: newCluster(o), log: o.Log, ctx: n.supervisor.Stopping()}
	defer n.service.pause()
	defer n.keys.Wipe()
	if o.Reload == ReloadOnChange {
		n.file = newConfigFile(o.ConfigPath)
	}
	first, err := n.load(n.supervisor.Stopping(), n.probes.listenEarly)
	if err != nil {
		return n.failed(err)
	}
	return n.run(first)
}

// node is what outlives a plan.
type node struct {
	options    Options
	log        logrus.FieldLogger
	supervisor *supervise.Supervisor
	health     *health.Machine
	probes     probes
	service    service
	keys       keyfile.Keyring
	seed       *[32]byte   // of all random values of templates; they stay the same as long as the node runs
	file       *configFile // nil unless it is watched
	ran        bool        // the present plan has started a node
	running    bool        // a node has been started, so that a Service may lead to it
	shrink     sync.Once   // at the first start of the node
}

// loaded is a plan, and the environment that its node inherits.
type loaded struct {
	plan    *plan.Plan
	environ []string
}

// run carries out one plan after the other. A new plan that does not even start is given up for the one before it, with
// which the node was running.
func (n *node) run(present *loaded) (int, error) {
	var previous *loaded
	for {
		n.ran = false
		code, err := n.carryOut(present)
		n.service.lenient = false
		if n.ran {
			previous = nil
		}
		var change *planChange
		switch {
		case errors.As(err, &change):
			previous, present = present, change.next
		case err != nil && previous != nil:
			n.log.Errorf("The new configuration does not work, so the node goes on with the old one: %s", hint.Line(err))
			previous, present = nil, previous
			n.service.lenient = true
		default:
			return code, err
		}
	}
}

// carryOut runs the node by one plan. The error is a *planChange when another plan has come up.
func (n *node) carryOut(l *loaded) (int, error) {
	if err := n.prepare(l); err != nil {
		return n.failed(err)
	}
	if n.file == nil {
		n.keys.Wipe() // no other plan will ask
	}
	n.service.cluster.rest()
	s, err := newSession(n, l)
	if err != nil {
		return CodeFailed, err
	}
	defer s.close()
	return s.run()
}

// prepare does what must be done before the node starts. What can fail without having changed anything comes first, and
// last what cannot be taken back: the keys.
func (n *node) prepare(l *loaded) error {
	if err := check(l); err != nil {
		return err
	}
	return prepare.Run(n.supervisor.Stopping(), n.log,
		prepare.Step{Name: "probes", Run: func(context.Context) error { return n.probes.listen(l.plan.Monitor.Listen) }},
		prepare.Step{Name: "Service", Run: func(ctx context.Context) error { return n.service.keep(ctx, l.plan.Service) }},
		prepare.Files(l.plan.Files, n.log),
		prepare.Keys(l.plan.Keys, &n.keys, n.log),
	)
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

func startCode(err error) int {
	var start *supervise.StartError
	if errors.As(err, &start) && start.Code != 0 {
		return start.Code
	}
	return CodeFailed
}

// startError says which key of the configuration is to blame for a node that cannot be started.
func startError(err error) error {
	var start *supervise.StartError
	switch {
	case !errors.As(err, &start):
		return err
	case strings.Contains(start.Reason, "working directory"):
		return fmt.Errorf("nodeTemplate.workingDir: %w", err)
	}
	return fmt.Errorf("nodeTemplate.command: %w", err)
}
