package entrypoint

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"time"

	"github.com/kubevali/kubevali/internal/kube"
	"github.com/kubevali/kubevali/internal/render"
)

// serviceKeeper sees to it that the pod's Service is as the plan has it. Where the Kubernetes API is away the node does
// not wait for long: a validator that runs without its Service is better than one that does not run. The keeper goes on
// trying beside it.
type serviceKeeper struct {
	cluster *Cluster
	ctx     context.Context // done when the process is to stop
	last    *render.Service // that is there, or that the keeper is after; nil: none is wanted
	pending bool            // the keeper is after it
	lenient bool            // a node that ran goes on whatever becomes of its Service

	stop context.CancelFunc // ends the attempts
	work sync.WaitGroup
}

const (
	// serviceWait is how long the node's start waits for the Service. The API server's restart, say, for a new version of a
	// single control plane node, takes about half a minute.
	serviceWait = 45 * time.Second
	// serviceRetry is the pause between attempts later on, each of which is patient itself.
	serviceRetry = 15 * time.Second
)

// keep makes the Service, or leaves that to a goroutine of its own where the API does not answer. An error says why it will
// not come about without a change, such as a missing right. nil wants no Service; what is there is left alone. ctx ends the
// wait.
func (k *serviceKeeper) keep(ctx context.Context, s *render.Service) error {
	k.pause()
	if s == nil {
		k.last, k.pending = nil, false
		return nil
	}
	if reflect.DeepEqual(k.last, s) {
		// It was there, or is being tried for: a node that is started anew need not wait for the same.
		k.pending = true
		k.try(0)
		return nil
	}
	limited, cancel := context.WithTimeout(ctx, serviceWait)
	defer cancel()
	_, err := k.cluster.apply(limited, s)
	switch {
	case err == nil:
		k.last, k.pending = s, false
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case !passes(err) && !k.lenient:
		k.resume()
		return fmt.Errorf("nodeService: %w", err)
	}
	k.cluster.log.Errorf("nodeService: %s; the node goes on without its Service, which is tried again beside it", withHint(err))
	k.last, k.pending = s, true
	k.resume()
	return nil
}

// passes reports whether an error may pass by itself.
func passes(err error) bool {
	var answer *kube.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &answer) && answer.Temporary()
}

// pause ends the attempts and waits for their end.
func (k *serviceKeeper) pause() {
	if k.stop != nil {
		k.stop()
	}
	k.work.Wait()
}

// resume goes on with the attempts, if there is still something to attempt.
func (k *serviceKeeper) resume() {
	if k.pending {
		k.try(serviceRetry)
	}
}

// restore gives the node that runs its Service back, which a plan that came to nothing may have changed.
func (k *serviceKeeper) restore() {
	if k.last == nil {
		return
	}
	k.cluster.forget()
	k.pending = true
	k.try(0)
}

// try tries for the Service beside the node, after a pause, in place of other attempts.
func (k *serviceKeeper) try(pause time.Duration) {
	k.pause()
	var ctx context.Context
	ctx, k.stop = context.WithCancel(k.ctx)
	k.work.Go(func() { k.retry(ctx, k.last, pause) })
}

// retry tries until the Service is there. It does not give up, as what is in the way may be mended while the node runs,
// but says so only once.
func (k *serviceKeeper) retry(ctx context.Context, s *render.Service, pause time.Duration) {
	said := ""
	for ; ; pause = serviceRetry {
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		_, err := k.cluster.apply(ctx, s)
		k.cluster.rest()
		switch {
		case err == nil:
			k.pending = false
			return
		case ctx.Err() != nil:
			return
		case err.Error() != said && !passes(err):
			said = err.Error()
			k.cluster.log.Errorf("nodeService: %s; it is tried again each %s", withHint(err), serviceRetry)
		}
	}
}
