package entrypoint

import (
	"context"
	"fmt"
	"reflect"
	"sync"

	"github.com/sirupsen/logrus"

	"github.com/kubevali/kubevali/internal/footprint"
	"github.com/kubevali/kubevali/internal/kube"
	"github.com/kubevali/kubevali/internal/render"
)

// Access says what a Cluster may do.
type Access int

const (
	ReadOnly  Access = iota // look things up
	ReadWrite               // also make the pod's Service as it is to be
)

// Cluster is the Kubernetes cluster as plans see it. It is a render.Cluster, and safe for concurrent use.
type Cluster struct {
	Connect func() (*kube.Client, error) // called when something is asked for the first time
	Access  Access
	Log     logrus.FieldLogger
	// Before is called before something is asked for the first time; nil: nothing is.
	Before func()

	ctx     context.Context // ends whatever is being asked; nil: nothing does
	once    sync.Once
	client  *kube.Client
	problem error // why there is no client

	mu      sync.Mutex      // guards applied, and with it that only one goroutine at a time makes a Service
	applied *appliedService // the last one
}

// appliedService is a Service as it was to be, and as it is.
type appliedService struct {
	wanted *render.Service
	found  kube.Service
}

// NodeOf returns the name of the Kubernetes node that a pod is on.
func (c *Cluster) NodeOf(namespace, pod string) (string, error) {
	found, err := ask(c, func(client *kube.Client) (kube.Pod, error) { return client.Pod(c.context(), namespace, pod) })
	if err == nil && found.Node == "" {
		err = &hinted{fmt.Errorf("the pod %s is on no Kubernetes node yet", pod), ""}
	}
	return found.Node, err
}

// NodeAddresses returns the addresses of a Kubernetes node.
func (c *Cluster) NodeAddresses(node string) ([]render.NodeAddress, error) {
	found, err := ask(c, func(client *kube.Client) (kube.Node, error) { return client.Node(c.context(), node) })
	addresses := make([]render.NodeAddress, len(found.Addresses))
	for i, a := range found.Addresses {
		addresses[i] = render.NodeAddress(a)
	}
	return addresses, err
}

// ExternalIPs returns the external IP addresses of all Kubernetes nodes.
func (c *Cluster) ExternalIPs() ([]string, error) {
	nodes, err := ask(c, func(client *kube.Client) ([]kube.Node, error) { return client.Nodes(c.context()) })
	var addresses []string
	for _, node := range nodes {
		for _, a := range node.Addresses {
			if a.Type == "ExternalIP" {
				addresses = append(addresses, a.Address)
			}
		}
	}
	return addresses, err
}

// NodePorts returns the node ports of a Service, which with ReadWrite is made first.
func (c *Cluster) NodePorts(s *render.Service) (map[string]int, error) {
	found, err := c.service(s)
	ports := make(map[string]int, len(found.Ports))
	for _, port := range found.Ports {
		ports[port.Name] = port.NodePort
	}
	return ports, err
}

// LoadBalancer returns the IP address or host name of a Service's load balancer. With ReadWrite the Service is made first,
// and its address waited for.
func (c *Cluster) LoadBalancer(s *render.Service) (string, error) {
	found, err := c.service(s)
	switch {
	case err != nil:
		return "", err
	case len(found.Ingress) > 0:
		return found.Ingress[0], nil
	case c.Access == ReadOnly:
		return "", &hinted{fmt.Errorf("the load balancer of the Service %s has no address yet", s.Name), ""}
	}
	c.Log.Infof("Waiting up to %s for the address of the load balancer of Service %s", s.AddressTimeout, s.Name)
	return ask(c, func(client *kube.Client) (string, error) {
		return client.AwaitAddress(c.context(), s.Namespace, s.Name, s.AddressTimeout)
	})
}

// service is the Service as it is, which with ReadWrite is as it is to be.
func (c *Cluster) service(s *render.Service) (kube.Service, error) {
	if c.Access == ReadWrite {
		found, err := c.apply(c.context(), s)
		return found, withHint(err)
	}
	return ask(c, func(client *kube.Client) (kube.Service, error) {
		found, err := client.Service(c.context(), s.Namespace, s.Name)
		if kube.NotFound(err) {
			err = &hinted{fmt.Errorf("the Service %s does not exist yet in namespace %s: the pod itself makes it", s.Name, s.Namespace),
				"--offline shows a placeholder"}
		}
		return found, err
	})
}

// apply makes the Service as it is to be, unless this was done before.
func (c *Cluster) apply(ctx context.Context, s *render.Service) (kube.Service, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.applied != nil && reflect.DeepEqual(c.applied.wanted, s) {
		return c.applied.found, nil
	}
	client, err := c.connect()
	if err != nil {
		return kube.Service{}, err
	}
	found, outcome, err := client.Apply(ctx, serviceSpec(s))
	if err != nil {
		return kube.Service{}, err
	}
	c.logOutcome(outcome, s.Name)
	c.applied = &appliedService{s, found}
	return found, nil
}

func (c *Cluster) logOutcome(outcome kube.Outcome, name string) {
	switch outcome {
	case kube.Created:
		c.Log.Infof("Created Service %s", name)
	case kube.Updated:
		c.Log.Infof("Updated Service %s", name)
	case kube.Foreign:
		c.Log.Warnf("Service %s was made by something else, so it is left alone: nodeService.forceUpdate: true takes it over", name)
	default:
		c.Log.Debugf("Service %s is as it is to be", name)
	}
}

func (c *Cluster) connect() (*kube.Client, error) {
	c.once.Do(func() {
		if c.Before != nil {
			c.Before()
		}
		c.client, c.problem = c.Connect()
	})
	return c.client, c.problem
}

// context ends whatever is being asked.
func (c *Cluster) context() context.Context {
	if c.ctx == nil {
		return context.Background()
	}
	return c.ctx
}

// close gives up what asking took, connections and memory, until something is asked again.
func (c *Cluster) close() {
	if c.client == nil {
		return
	}
	c.client.Close()
	if err := footprint.Shrink(); err != nil {
		c.Log.Debugf("Cannot give back memory: %v", err)
	}
}

func ask[T any](c *Cluster, question func(*kube.Client) (T, error)) (answer T, err error) {
	client, err := c.connect()
	if err != nil {
		return answer, withHint(err)
	}
	answer, err = question(client)
	return answer, withHint(err)
}

// hinted is an error with a hint, as render.Cluster has it.
type hinted struct {
	error
	hint string
}

func (h *hinted) Hint() string  { return h.hint }
func (h *hinted) Unwrap() error { return h.error }

func withHint(err error) error {
	if hint := kube.Hint(err); hint != "" {
		return &hinted{err, hint}
	}
	return err
}

func serviceSpec(s *render.Service) kube.ServiceSpec {
	ports := make([]kube.ServicePort, len(s.Ports))
	for i, p := range s.Ports {
		ports[i] = kube.ServicePort{
			Name: p.Name, Protocol: string(p.Protocol), Port: p.Port, NodePort: p.NodePort, TargetPort: p.TargetPort,
		}
	}
	return kube.ServiceSpec{
		Namespace: s.Namespace, Name: s.Name, Pod: s.Name, Type: kube.ServiceType(s.Type), Ports: ports,
		Labels: s.Labels, Annotations: s.Annotations, Owner: kube.Ownership(s.Owner),
		ExternalTrafficPolicy: string(s.ExternalTrafficPolicy), IPFamilyPolicy: string(s.IPFamilyPolicy),
		LoadBalancerClass: s.LoadBalancerClass, ForceUpdate: s.ForceUpdate,
	}
}
