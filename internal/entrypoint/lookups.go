package entrypoint

import (
	"context"
	"fmt"

	"github.com/kubevali/kubevali/internal/kube"
	"github.com/kubevali/kubevali/internal/render"
)

// lookups is a render.Cluster that changes nothing: of Services it tells what is there. It is for one goroutine, and asks
// only once for what is the same in several renderings.
type lookups struct {
	cluster *Cluster
	ctx     context.Context
	before  func() // called before the first question; nil: nothing is
	problem error  // the last one

	addresses map[string][]render.NodeAddress // by node
	nodes     map[string]string               // by namespace/pod
}

func ask[T any](l *lookups, question func(Reader) (T, error)) (answer T, err error) {
	l.begin()
	client, err := l.cluster.reach()
	if err == nil {
		answer, err = question(client)
	}
	l.note(err)
	return answer, err
}

// begin is called before each question.
func (l *lookups) begin() {
	if l.before != nil {
		l.before()
		l.before = nil
	}
}

func (l *lookups) note(err error) {
	if err != nil {
		l.problem = err
	}
}

// NodeOf returns the name of the Kubernetes node that a pod is on.
func (l *lookups) NodeOf(namespace, pod string) (string, error) {
	if namespace == "" {
		return "", errNoNamespace
	}
	if node := l.nodes[namespace+"/"+pod]; node != "" {
		return node, nil
	}
	found, err := ask(l, func(client Reader) (kube.Pod, error) { return client.Pod(l.ctx, namespace, pod) })
	switch {
	case err != nil:
		return "", err
	case found.Node == "":
		return "", &hinted{fmt.Errorf("the pod %s is on no Kubernetes node yet", pod), "kubectl describe pod says what it waits for"}
	}
	if l.nodes == nil {
		l.nodes = make(map[string]string)
	}
	l.nodes[namespace+"/"+pod] = found.Node
	return found.Node, nil
}

// NodeAddresses returns the addresses of a Kubernetes node.
func (l *lookups) NodeAddresses(node string) ([]render.NodeAddress, error) {
	if addresses, ok := l.addresses[node]; ok {
		return addresses, nil
	}
	found, err := ask(l, func(client Reader) (kube.Node, error) { return client.Node(l.ctx, node) })
	if err != nil {
		return nil, err
	}
	var addresses []render.NodeAddress
	for _, a := range found.Addresses {
		addresses = append(addresses, render.NodeAddress(a))
	}
	if l.addresses == nil {
		l.addresses = make(map[string][]render.NodeAddress)
	}
	l.addresses[node] = addresses
	return addresses, nil
}

// ExternalIPs returns the external IP addresses of all Kubernetes nodes.
func (l *lookups) ExternalIPs() ([]string, error) {
	nodes, err := ask(l, func(client Reader) ([]kube.Node, error) { return client.Nodes(l.ctx) })
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

// NodePorts returns the node ports that a Service has.
func (l *lookups) NodePorts(s *render.Service) (map[string]int, error) {
	found, err := l.service(s)
	return nodePorts(found), err
}

// LoadBalancer returns the IP address or host name that a Service's load balancer has.
func (l *lookups) LoadBalancer(s *render.Service) (string, error) {
	found, err := l.service(s)
	if err == nil && len(found.Ingress) == 0 {
		err = &hinted{fmt.Errorf("the load balancer of the Service %s has no address yet", s.Name), "--offline shows a placeholder"}
	}
	if err != nil {
		return "", err
	}
	return found.Ingress[0], nil
}

func (l *lookups) service(s *render.Service) (kube.Service, error) {
	if s.Namespace == "" {
		return kube.Service{}, errNoNamespace
	}
	found, err := ask(l, func(client Reader) (kube.Service, error) { return client.Service(l.ctx, s.Namespace, s.Name) })
	if kube.NotFound(err) {
		err = &hinted{fmt.Errorf("the Service %s does not exist yet in namespace %s: the pod itself makes it", s.Name, s.Namespace),
			"--offline shows a placeholder"}
	}
	return found, err
}

func nodePorts(s kube.Service) map[string]int {
	ports := make(map[string]int, len(s.Ports))
	for _, port := range s.Ports {
		ports[port.Name] = port.NodePort
	}
	return ports
}

// preview is lookups that do not touch the Service: they tell what it was, or else placeholders.
type preview struct {
	*lookups
	was   *appliedService // nil: not known
	asked bool            // for the Service
}

// NodePorts returns the ports that the Service had, and placeholders for others.
func (p *preview) NodePorts(s *render.Service) (map[string]int, error) {
	p.asked = true
	ports, err := render.Placeholders{}.NodePorts(s)
	if p.was == nil {
		return ports, err
	}
	for name, port := range nodePorts(p.was.found) {
		if _, wanted := ports[name]; wanted && port != 0 {
			ports[name] = port
		}
	}
	return ports, err
}

// LoadBalancer returns a placeholder.
func (p *preview) LoadBalancer(s *render.Service) (string, error) {
	p.asked = true
	return render.Placeholders{}.LoadBalancer(s)
}

// applying is lookups that make the Service as it is to be before they tell of it.
type applying struct{ *lookups }

// NodePorts returns the ports that the Service has got.
func (a applying) NodePorts(s *render.Service) (map[string]int, error) {
	applied, err := a.apply(s)
	if err != nil {
		return nil, err
	}
	return applied.nodePorts()
}

func (a applying) apply(s *render.Service) (*appliedService, error) {
	a.begin()
	applied, err := a.cluster.apply(a.ctx, s)
	a.note(err)
	return applied, err
}

// LoadBalancer waits for the address of the Service's load balancer.
func (a applying) LoadBalancer(s *render.Service) (string, error) {
	applied, err := a.apply(s)
	switch {
	case err != nil:
		return "", err
	case len(applied.found.Ingress) > 0:
		return applied.found.Ingress[0], nil
	}
	a.cluster.log.Infof("Waiting up to %s for the address of the load balancer of Service %s", s.AddressTimeout, s.Name)
	client, err := a.cluster.inPod()
	if err != nil {
		return "", err
	}
	// Not noted: another attempt would take the Service from the node that runs once more.
	return client.AwaitAddress(a.ctx, s.Namespace, s.Name, s.AddressTimeout)
}
