package node

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/kubevali/kubevali/internal/hint"
	"github.com/kubevali/kubevali/internal/kube"
	"github.com/kubevali/kubevali/internal/plan"
)

// service sees to it that the pod's Service is as the plan has it. Where the Kubernetes API is away the node does not wait
// for long: a validator that runs without its Service is better than one that does not run. A goroutine goes on trying
// beside it. All but that goroutine pause it before they use what is below, so that only one is at work at a time.
type service struct {
	cluster *cluster
	log     logrus.FieldLogger
	ctx     context.Context // done when the process is to stop

	made    *made         // how it was made last; nil: it was not, or that is not to be relied on any more
	last    *plan.Service // that is there, or that is tried for; nil: none is wanted
	pending bool          // it is tried for

	stop context.CancelFunc // ends the attempts
	work sync.WaitGroup
}

// made is a Service as it was to be, and as it is.
type made struct {
	wanted  *plan.Service
	found   kube.Service
	foreign bool // something else made it
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
// wait. With lenient, which is for a node that ran with this Service, no such error keeps it from going on.
func (k *service) keep(ctx context.Context, s *plan.Service, lenient bool) error {
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
	_, err := k.apply(limited, s)
	switch {
	case err == nil:
		k.last, k.pending = s, false
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case !passes(err) && !lenient:
		k.resume()
		return err
	}
	k.log.Errorf("%s; the node goes on without its Service, which is tried again beside it", hint.Line(err))
	k.last, k.pending = s, true
	k.resume()
	return nil
}

// passes reports whether an error may pass by itself.
func passes(err error) bool {
	var answer *kube.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &answer) && answer.Temporary()
}

// apply makes the Service as it is to be, unless that was done since forget.
func (k *service) apply(ctx context.Context, s *plan.Service) (*made, error) {
	if k.made != nil && reflect.DeepEqual(k.made.wanted, s) {
		return k.made, nil
	}
	if s.Namespace == "" {
		return nil, hint.New("nodeService: the pod's namespace is not known", "set POD_NAMESPACE from the field metadata.namespace")
	}
	client, err := k.cluster.reach()
	if err != nil {
		return nil, fmt.Errorf("nodeService: %w", err)
	}
	k.made = nil
	found, outcome, err := client.Apply(ctx, s.ServiceSpec)
	if err != nil {
		return nil, serviceError(err)
	}
	k.logOutcome(outcome, s, found)
	k.made = &made{s, found, outcome == kube.Foreign}
	return k.made, nil
}

// serviceError says which key of the configuration is to blame for a Service that the API refuses, and what to set it to.
func serviceError(err error) error {
	var refused *kube.Error
	switch {
	case !errors.As(err, &refused):
		return fmt.Errorf("nodeService: %w", err)
	case kube.NotFound(err): // the pod: a Service that is not there is made
		return hint.With(fmt.Errorf("nodeService: %w", err), "set POD_NAME and POD_NAMESPACE from the fields metadata.name and metadata.namespace")
	}
	for _, of := range []struct{ field, key, remedy string }{
		{"metadata.namespace", "", "set POD_NAMESPACE from the field metadata.namespace"},
		{"metadata.name", "", "set POD_NAME from the field metadata.name"},
		{"metadata.ownerReferences", ".owner", "set it to Pod or None"},
		{"metadata.labels", ".labels", "a value has at most 63 letters, digits, -, _ and ., begins and ends with a letter or digit, or is " +
			"empty; other text can go into nodeService.annotations"},
		{"metadata.annotations", ".annotations", "a key is a name or a DNS name, / and a name, and all of them together have at most 256 KiB"},
		{"spec.ports", ".ports", ""},
		{"spec.loadBalancerClass", ".loadBalancerClass", ""},
		{"spec.ipFamilyPolicy", ".ipFamilyPolicy", ""},
	} {
		if strings.HasPrefix(refused.Field, of.field) {
			return hint.With(fmt.Errorf("nodeService%s: %w", of.key, err), cmp.Or(of.remedy, refused.Hint()))
		}
	}
	return fmt.Errorf("nodeService: %w", err)
}

func (k *service) logOutcome(outcome kube.Outcome, s *plan.Service, found kube.Service) {
	switch outcome {
	case kube.Created:
		k.log.Infof("Created Service %s", s.Name)
	case kube.Updated:
		k.log.Infof("Updated Service %s", s.Name)
	case kube.Foreign:
		k.log.Warnf("Service %s was made by something else, so it is left alone: nodeService.forceUpdate: true takes it over", s.Name)
		for _, port := range s.Ports {
			if port.NodePort != 0 && !slices.ContainsFunc(found.Ports, func(p kube.ServicePort) bool { return p.NodePort == port.NodePort }) {
				k.log.Errorf("Service %s has no node port %d, which this pod was to have: peers cannot reach it there", s.Name, port.NodePort)
			}
		}
	default:
		k.log.Debugf("Service %s is as it is to be", s.Name)
	}
}

// nodePorts are the Service's. It is an error where the cluster was to choose one of a Service that something else made,
// and that has none.
func (m *made) nodePorts() (map[string]int, error) {
	ports := m.found.NodePorts()
	for _, port := range m.wanted.Ports {
		if m.foreign && port.NodePort == 0 && ports[port.Name] == 0 {
			return nil, hint.New(fmt.Sprintf("the Service %s, which was made by something else, has no port %s with a node port",
				m.wanted.Name, port.Name), "nodeService.forceUpdate: true takes it over")
		}
	}
	return ports, nil
}

// address waits for the address of the Service's load balancer.
func (k *service) address(ctx context.Context, m *made) (string, error) {
	if len(m.found.Ingress) > 0 {
		return m.found.Ingress[0], nil
	}
	s := m.wanted
	k.log.Infof("Waiting up to %s for the address of the load balancer of Service %s", s.AddressTimeout, s.Name)
	client, err := k.cluster.reach()
	if err != nil {
		return "", err
	}
	address, err := client.AwaitAddress(ctx, s.Namespace, s.Name, time.Duration(s.AddressTimeout))
	if err == nil {
		m.found.Ingress = []string{address}
	}
	return address, err
}

// pin makes a Service that was made the one with the ports that the cluster chose, so that whoever makes it again asks for
// the same ones.
func (k *service) pin(s *plan.Service) *plan.Service {
	if s == nil || k.made == nil || !reflect.DeepEqual(k.made.wanted, s) {
		return s
	}
	k.made.wanted = s.Pinned(k.made.found.NodePorts())
	return k.made.wanted
}

// forget makes the next apply look at the Service again: it may have changed in the meantime. It returns what is forgotten.
func (k *service) forget() *made {
	was := k.made
	k.made = nil
	return was
}

// pause ends the attempts and waits for their end.
func (k *service) pause() {
	if k.stop != nil {
		k.stop()
	}
	k.work.Wait()
}

// resume goes on with the attempts, if there is still something to attempt.
func (k *service) resume() {
	if k.pending {
		k.try(serviceRetry)
	}
}

// restore gives the node that runs its Service back, which a plan that came to nothing may have changed.
func (k *service) restore() {
	if k.last == nil {
		return
	}
	k.pending = true
	k.forget()
	k.try(0)
}

// try tries for the Service beside the node, after a pause, in place of other attempts.
func (k *service) try(pause time.Duration) {
	k.pause()
	var ctx context.Context
	ctx, k.stop = context.WithCancel(k.ctx)
	k.work.Go(func() { k.retry(ctx, pause) })
}

// retry tries until the Service is there. It does not give up, as what is in the way may be mended while the node runs,
// but says so only once.
func (k *service) retry(ctx context.Context, pause time.Duration) {
	said := ""
	for ; ; pause = serviceRetry {
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		_, err := k.apply(ctx, k.last)
		k.cluster.rest()
		switch {
		case err == nil:
			k.pending = false
			return
		case ctx.Err() != nil:
			return
		case err.Error() != said && !passes(err):
			said = err.Error()
			k.log.Errorf("%s; it is tried again each %s", hint.Line(err), serviceRetry)
		}
	}
}
