package entrypoint

import (
	"context"
	"errors"
	"fmt"
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
	last    *render.Service // that keep was called with
	stop    context.CancelFunc
	work    sync.WaitGroup
}

const (
	// serviceWait is how long the node's start waits for the Service. The API server's restart, say, for a new version of a
	// single control plane node, takes about half a minute.
	serviceWait = 45 * time.Second
	// serviceRetry is the pause between attempts later on, each of which is patient itself.
	serviceRetry = 15 * time.Second
)

// keep makes the Service, or leaves that to a goroutine of its own where the API does not answer. An error says why it will
// not come about without a change, such as a missing right. nil wants no Service; what is there is left alone.
func (k *serviceKeeper) keep(ctx context.Context, s *render.Service) error {
	k.close()
	k.last = s
	if s == nil {
		return nil
	}
	limited, cancel := context.WithTimeout(ctx, serviceWait)
	defer cancel()
	_, err := k.cluster.apply(limited, s)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case !passes(err):
		return fmt.Errorf("nodeService: %w", err)
	}
	k.cluster.Log.Errorf("nodeService: %v; the node starts without its Service, which is tried again beside it", err)
	ctx, k.stop = context.WithCancel(ctx)
	k.work.Go(func() { k.retry(ctx, s) })
	return nil
}

// passes reports whether an error may pass by itself.
func passes(err error) bool {
	var answer *kube.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &answer) && answer.Temporary()
}

func (k *serviceKeeper) retry(ctx context.Context, s *render.Service) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(serviceRetry):
		}
		_, err := k.cluster.apply(ctx, s)
		if err == nil {
			k.cluster.close()
			return
		}
		if ctx.Err() != nil {
			return
		}
		k.cluster.Log.Errorf("nodeService: %v", err)
		if !passes(err) {
			return
		}
	}
}

// close ends the attempts.
func (k *serviceKeeper) close() {
	if k.stop != nil {
		k.stop()
	}
	k.work.Wait()
}
