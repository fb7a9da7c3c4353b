package entrypoint

import (
	"context"
	"fmt"
	"sync"

	"github.com/kubevali/kubevali/internal/hint"
	"github.com/kubevali/kubevali/internal/monitor"
)

// monitorServer is the server behind the probes. It outlives a plan that leaves its address alone, so that no probe
// fails in between.
type monitorServer struct {
	address string
	stop    context.CancelFunc
	done    sync.WaitGroup
}

// listen opens addr, or closes the server where addr is empty.
func (r *runner) listen(addr string) error {
	if r.monitor != nil && r.monitor.address == addr {
		return nil
	}
	r.closeMonitor()
	if addr == "" {
		return nil
	}
	server, err := monitor.Listen(addr)
	if err != nil {
		return fmt.Errorf("monitor.listen: %s", hint.Line(err))
	}
	ctx, stop := context.WithCancel(context.Background())
	r.monitor = &monitorServer{address: addr, stop: stop}
	r.monitor.done.Go(func() {
		if err := server.Serve(ctx, r.state.Snapshot); err != nil {
			r.Log.Errorf("The probes' server on %s ended: %v", addr, err)
		}
	})
	return nil
}

// listenEarly is listen, for as long as the node is not prepared yet. What is wrong with the address is found again then.
func (r *runner) listenEarly(addr string) {
	if err := r.listen(addr); err != nil {
		r.Log.Debugf("No probes yet: %v", err)
	}
}

func (r *runner) closeMonitor() {
	if r.monitor == nil {
		return
	}
	r.monitor.stop()
	r.monitor.done.Wait()
	r.monitor = nil
}
