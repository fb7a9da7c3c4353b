package node

import (
	"context"
	"fmt"
	"sync"

	"github.com/sirupsen/logrus"

	"github.com/kubevali/kubevali/internal/health"
	"github.com/kubevali/kubevali/internal/monitor"
)

// probes are the server behind the pod's probes. It outlives a plan that leaves its address alone, so that no probe fails in
// between.
type probes struct {
	log     logrus.FieldLogger
	health  *health.Machine
	address string // empty: there is no server
	stop    context.CancelFunc
	serving sync.WaitGroup
}

// listen opens address, or closes the server where that is empty.
func (p *probes) listen(address string) error {
	if p.address == address {
		return nil
	}
	p.close()
	if address == "" {
		return nil
	}
	server, err := monitor.Listen(address)
	if err != nil {
		return fmt.Errorf("monitor.listen: %w", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	p.address, p.stop = address, stop
	p.serving.Go(func() {
		if err := server.Serve(ctx, p.health.Snapshot); err != nil {
			p.log.Errorf("The probes' server on %s ended: %v", address, err)
		}
	})
	return nil
}

// listenEarly is listen, for as long as the node is not prepared yet. What is wrong with the address is found again then.
func (p *probes) listenEarly(address string) {
	if err := p.listen(address); err != nil {
		p.log.Debugf("No probes yet: %v", err)
	}
}

func (p *probes) close() {
	if p.address == "" {
		return
	}
	p.stop()
	p.serving.Wait()
	p.address = ""
}
