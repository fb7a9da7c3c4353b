package node

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"syscall"

	"github.com/sirupsen/logrus"

	"github.com/kubevali/kubevali/internal/health"
	"github.com/kubevali/kubevali/internal/hint"
	"github.com/kubevali/kubevali/internal/monitor"
)

// probes are the server behind the pod's probes. It outlives a plan that leaves its address alone, so that no probe fails in
// between. Whoever asks before it serves waits.
type probes struct {
	log     logrus.FieldLogger
	health  *health.Machine
	address string
	server  *monitor.Server    // bound to address; nil: there is none
	stop    context.CancelFunc // nil until it serves
	serving sync.WaitGroup
}

// listen binds address, or closes the server where that is empty.
func (p *probes) listen(address string) error {
	if p.server != nil && p.address == address {
		return nil
	}
	p.close()
	if address == "" {
		return nil
	}
	server, err := monitor.Listen(address)
	if errors.Is(err, syscall.EADDRINUSE) {
		err = hint.With(err, "pods on the host network share its ports: give each one of its own, such as "+
			`':{{ add 49944 .Index }}'; "" switches the probes off`)
	}
	if err != nil {
		return fmt.Errorf("monitor.listen: %w", err)
	}
	p.address, p.server = address, server
	return nil
}

// serve answers from now on.
func (p *probes) serve() {
	if p.server == nil || p.stop != nil {
		return
	}
	var ctx context.Context
	ctx, p.stop = context.WithCancel(context.Background())
	server, address := p.server, p.address
	p.serving.Go(func() {
		if err := server.Serve(ctx, p.health.Snapshot); err != nil {
			p.log.Errorf("The probes' server on %s ended: %v", address, err)
		}
	})
}

// serveEarly is for as long as the node is not prepared yet. What is wrong with the address is found again then.
func (p *probes) serveEarly(address string) {
	if err := p.listen(address); err != nil {
		p.log.Debugf("No probes yet: %v", err)
		return
	}
	p.serve()
}

func (p *probes) close() {
	switch {
	case p.stop != nil:
		p.stop()
		p.serving.Wait()
	case p.server != nil:
		_ = p.server.Close() // it has served nobody
	}
	p.server, p.stop = nil, nil
}
