package kube

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/kubevali/kubevali/internal/backoff"
)

// AwaitAddress waits until the load balancer of a Service has an address and returns the first: an IP address, or a host
// name where the cluster knows no IP address. It needs the verb get on services in the namespace. The API server may be
// away for a while within the timeout, whatever the client's patience.
func (c *Client) AwaitAddress(ctx context.Context, namespace, name string, timeout time.Duration) (string, error) {
	r := request{verb: "get", resource: "services", namespace: namespace, name: name}
	waiting, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	for polls := (backoff.Backoff{First: time.Second, Max: 5 * time.Second}); ; {
		s, err := c.Service(waiting, namespace, name)
		switch {
		case err == nil && len(s.Ingress) > 0:
			return s.Ingress[0], nil
		case err == nil && s.Type != LoadBalancer:
			return "", r.error(fmt.Sprintf("it is of type %s, which gets no load balancer", s.Type))
		case err != nil && !temporary(err):
			return "", err
		}
		if sleep(waiting, polls.Next()) == nil {
			continue
		}
		if ctx.Err() != nil {
			return "", r.cancelled(ctx)
		}
		if err != nil {
			return "", err
		}
		late := r.error(fmt.Sprintf("its load balancer has no address after %s", timeout))
		late.Remedy = "kubectl describe service shows what the load balancer's controller says; " +
			"without events there is none in the cluster"
		late.temporary, late.err = true, context.DeadlineExceeded
		return "", late
	}
}

func temporary(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Temporary()
}
