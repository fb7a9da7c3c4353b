package entrypoint

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"

	"github.com/sirupsen/logrus"

	"github.com/kubevali/kubevali/internal/footprint"
	"github.com/kubevali/kubevali/internal/hint"
	"github.com/kubevali/kubevali/internal/kube"
	"github.com/kubevali/kubevali/internal/render"
)

// Cluster is the Kubernetes cluster: what templates are told of it, and the pod's Service in it. It is safe for concurrent
// use.
type Cluster struct {
	connect func() (Reader, error)
	log     logrus.FieldLogger

	mu     sync.Mutex // guards client
	client Reader

	making  sync.Mutex      // is held while a Service is made, and guards applied
	applied *appliedService // nil: none, or it is not to be relied on any more
}

// appliedService is a Service as it was to be, and as it is.
type appliedService struct {
	wanted  *render.Service
	found   kube.Service
	foreign bool // something else made it
}

// Reader looks things up: a *kube.Client or a *kube.Kubectl.
type Reader interface {
	Pod(ctx context.Context, namespace, name string) (kube.Pod, error)
	Node(ctx context.Context, name string) (kube.Node, error)
	Nodes(ctx context.Context) ([]kube.Node, error)
	Service(ctx context.Context, namespace, name string) (kube.Service, error)
}

// NewCluster returns a cluster that is looked for, by connect, when something is asked.
func NewCluster(connect func() (Reader, error), log logrus.FieldLogger) *Cluster {
	return &Cluster{connect: connect, log: log}
}

// Lookups answers what templates ask, and changes nothing. ctx ends the questions.
func (c *Cluster) Lookups(ctx context.Context) render.Cluster { return &lookups{cluster: c, ctx: ctx} }

// reach returns the client. A cluster that was not found is looked for again.
func (c *Cluster) reach() (Reader, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.client != nil {
		return c.client, nil
	}
	c.shrink() // what came before need not be there beside what comes: TLS and the answers
	client, err := c.connect()
	if err != nil {
		return nil, err
	}
	c.client = client
	return client, nil
}

// inPod is the client of a pod, which can make a Service.
func (c *Cluster) inPod() (*kube.Client, error) {
	reader, err := c.reach()
	if err != nil {
		return nil, err
	}
	client, ok := reader.(*kube.Client)
	if !ok {
		return nil, &hinted{errors.New("a Service is made by a pod alone"), "nodeService.enabled: false runs the node without it"}
	}
	return client, nil
}

// rest gives up what asking took, the client and memory, until something is asked again.
func (c *Cluster) rest() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.client == nil {
		return
	}
	if client, ok := c.client.(*kube.Client); ok {
		client.Close()
	}
	c.client = nil
	c.shrink()
}

func (c *Cluster) shrink() {
	if err := footprint.Shrink(); err != nil {
		c.log.Debugf("Cannot give back memory: %v", err)
	}
}

// apply makes the Service as it is to be, unless that was done since forget.
func (c *Cluster) apply(ctx context.Context, s *render.Service) (*appliedService, error) {
	c.making.Lock()
	defer c.making.Unlock()
	if c.applied != nil && reflect.DeepEqual(c.applied.wanted, s) {
		return c.applied, nil
	}
	if s.Namespace == "" {
		return nil, errNoNamespace
	}
	client, err := c.inPod()
	if err != nil {
		return nil, err
	}
	c.applied = nil
	found, outcome, err := client.Apply(ctx, serviceSpec(s))
	if err != nil {
		return nil, err
	}
	c.logOutcome(outcome, s, found)
	c.applied = &appliedService{s, found, outcome == kube.Foreign}
	return c.applied, nil
}

// nodePorts are the Service's. It is an error where the cluster was to choose one of a Service that something else made,
// and that has none.
func (a *appliedService) nodePorts() (map[string]int, error) {
	ports := nodePorts(a.found)
	for _, port := range a.wanted.Ports {
		if a.foreign && port.NodePort == 0 && ports[port.Name] == 0 {
			return nil, &hinted{fmt.Errorf("the Service %s, which was made by something else, has no port %s with a node port", a.wanted.Name, port.Name),
				"nodeService.forceUpdate: true takes it over"}
		}
	}
	return ports, nil
}

// forget makes the next apply look at the Service again: it may have changed in the meantime. It returns what is forgotten.
func (c *Cluster) forget() *appliedService {
	c.making.Lock()
	defer c.making.Unlock()
	was := c.applied
	c.applied = nil
	return was
}

func (c *Cluster) logOutcome(outcome kube.Outcome, s *render.Service, found kube.Service) {
	name := s.Name
	switch outcome {
	case kube.Created:
		c.log.Infof("Created Service %s", name)
	case kube.Updated:
		c.log.Infof("Updated Service %s", name)
	case kube.Foreign:
		c.log.Warnf("Service %s was made by something else, so it is left alone: nodeService.forceUpdate: true takes it over", name)
		for _, port := range s.Ports {
			if port.NodePort != 0 && !slices.ContainsFunc(found.Ports, func(p kube.ServicePort) bool { return p.NodePort == port.NodePort }) {
				c.log.Errorf("Service %s has no node port %d, which this pod was to have: peers cannot reach it there", name, port.NodePort)
			}
		}
	default:
		c.log.Debugf("Service %s is as it is to be", name)
	}
}

// settled is the Service with the ports that the cluster chose, if it was made, so that whoever makes it again asks for the
// same ones: the node has them on its command line.
func (c *Cluster) settled(s *render.Service) *render.Service {
	c.making.Lock()
	defer c.making.Unlock()
	if s == nil || c.applied == nil || !reflect.DeepEqual(c.applied.wanted, s) {
		return s
	}
	settled := *s
	settled.Ports = nil
	for _, port := range s.Ports {
		for _, found := range c.applied.found.Ports {
			if port.NodePort == 0 && found.Name == port.Name && found.Protocol == string(port.Protocol) {
				port.NodePort, port.TargetPort = found.NodePort, orElse(port.TargetPort, found.NodePort)
			}
		}
		settled.Ports = append(settled.Ports, port)
	}
	c.applied.wanted = &settled
	return &settled
}

func orElse(n, other int) int {
	if n == 0 {
		return other
	}
	return n
}

func serviceSpec(s *render.Service) kube.ServiceSpec {
	ports := make([]kube.ServicePort, len(s.Ports))
	for i, p := range s.Ports {
		ports[i] = kube.ServicePort{
			Name: p.Name, Protocol: string(p.Protocol), Port: p.Port, NodePort: p.NodePort, TargetPort: p.TargetPort,
		}
	}
	return kube.ServiceSpec{
		Namespace: s.Namespace, Name: s.Name, Type: string(s.Type), Ports: ports,
		Labels: s.Labels, Annotations: s.Annotations, Owner: string(s.Owner),
		ExternalTrafficPolicy: string(s.ExternalTrafficPolicy), IPFamilyPolicy: string(s.IPFamilyPolicy),
		LoadBalancerClass: s.LoadBalancerClass, ForceUpdate: s.ForceUpdate,
	}
}

// hinted is an error with a hint what to do about it.
type hinted struct {
	error
	hint string
}

func (h *hinted) Hint() string { return h.hint }

var errNoNamespace = &hinted{errors.New("the pod's namespace is not known"),
	"set POD_NAMESPACE from the field metadata.namespace, or give --namespace to render"}

func hintOf(err error) string { return hint.Of(err) }

func withHint(err error) string { return hint.Line(err) }
