package config

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// NodeService describes the Service of this pod alone. It has the pod's name.
type NodeService struct {
	// Create the Service, and keep it as described here.
	Enabled bool `yaml:"enabled"`
	// Take over a Service of this name that something else created.
	ForceUpdate bool `yaml:"forceUpdate"`
	// What kind of Service: a port of the Kubernetes nodes (NodePort), or an address of its own (LoadBalancer).
	Type ServiceType `yaml:"type"`
	// The node port, a number, where there is one TCP port only, called p2p. In place of ports.
	NodePortTemplate Template `yaml:"nodePortTemplate"`
	// The ports by name. Names are those of a Service's ports: lower-case letters, digits and dashes.
	Ports map[string]ServicePort `yaml:"ports"`
	// With what the Service goes away: the pod's StatefulSet, the pod itself, or nothing.
	Owner ServiceOwner `yaml:"owner"`
	// Whether only the Kubernetes node of the pod answers (Local; peers keep their addresses), or all do (Cluster).
	ExternalTrafficPolicy TrafficPolicy `yaml:"externalTrafficPolicy"`
	// Whether the Service answers by IPv4, IPv6 or both. Empty: as the cluster does with Services.
	IPFamilyPolicy IPFamilyPolicy `yaml:"ipFamilyPolicy"`
	// The kind of load balancer, where the cluster has several. Cannot be changed later.
	LoadBalancerClass string `yaml:"loadBalancerClass"`
	// Labels of the Service, by name.
	Labels map[string]Template `yaml:"labels"`
	// Annotations of the Service, by name, such as those that load balancers are set up with.
	Annotations map[string]Template `yaml:"annotations"`
	// How long to wait for the load balancer's address, where a template asks for it.
	AddressTimeout Duration `yaml:"addressTimeout"`
}

// ServicePort describes a port of the Service.
type ServicePort struct {
	// What is spoken on the port: TCP, UDP or both.
	Protocols []Protocol `yaml:"protocols"`
	// The port of the Kubernetes nodes, a number. Empty: the cluster chooses one.
	NodePort Template `yaml:"nodePort"`
	// The Service's own port, a number. Empty: the same as nodePort.
	Port Template `yaml:"port"`
	// The port that the chain node listens on, a number. Empty: the node port, also where the cluster has chosen it; for
	// load balancers the same as port.
	TargetPort Template `yaml:"targetPort"`
}

// DefaultServicePort returns what a port has whose description is empty, were an empty one allowed.
func DefaultServicePort() ServicePort { return ServicePort{Protocols: []Protocol{TCP}} }

func (s *NodeService) check(f *findings) {
	const path = "nodeService."
	f.within(path+"addressTimeout", s.AddressTimeout, second, day)
	f.metadataNames(path+"labels", slices.Sorted(maps.Keys(s.Labels)), "app.kubernetes.io/managed-by")
	f.metadataNames(path+"annotations", slices.Sorted(maps.Keys(s.Annotations)), "kubeva.li/managed-by")
	switch {
	case len(s.Ports) > 0 && s.NodePortTemplate.Text != "":
		f.failAt(path+"nodePortTemplate", &Error{
			Message: "nodeService.ports is also set", Hint: "move it there, as p2p.nodePort",
		})
	case s.Enabled && len(s.Ports) == 0 && s.NodePortTemplate.Text == "" && f.sound(path+"nodePortTemplate"):
		f.failAt(path+"ports", &Error{
			Message: "required, because nodeService.enabled is true", Hint: "such as p2p: {nodePort: '{{ add 30333 .Index }}'}",
		})
	}
	if s.LoadBalancerClass != "" && s.Type != ServiceLoadBalancer {
		f.failAt(path+"loadBalancerClass", &Error{
			Message: "is for load balancers only", Hint: "set nodeService.type: LoadBalancer",
		})
	}
	for _, name := range slices.Sorted(maps.Keys(s.Ports)) {
		port := s.Ports[name]
		port.check(f, name)
	}
}

func (p *ServicePort) check(f *findings, name string) {
	path := join("nodeService.ports", name)
	if !isPortName(name) {
		f.failAt(path, &Error{Message: "a port's name has up to 59 lower-case letters, digits and dashes, the latter not at its ends"})
	}
	if len(p.Protocols) == 0 {
		f.failAt(path+".protocols", &Error{Message: "expected TCP, UDP or both"})
	}
	for i, protocol := range p.Protocols {
		if protocol == "" || slices.Contains(p.Protocols[:i], protocol) {
			f.failAt(index(path+".protocols", i), &Error{Message: "expected TCP, UDP or both, each once"})
		}
	}
	const needed = "required where nodePort leaves the choice to the cluster"
	if p.NodePort.Text == "" && p.Port.Text == "" {
		f.failAt(path+".port", &Error{Message: needed, Hint: "such as port: 30303"})
	}
	f.portNumber(path+".nodePort", p.NodePort)
	f.portNumber(path+".port", p.Port)
	f.portNumber(path+".targetPort", p.TargetPort)
}

// metadataNames reports names of labels or annotations that cannot be, or are kubevali's own, see
// https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set
func (f *findings) metadataNames(path string, names []string, own string) {
	valid := regexp.MustCompile(`^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$`)
	for _, name := range names {
		switch {
		case name == own:
			f.failAt(join(path, name), &Error{Message: "kubevali sets this one by itself", Hint: "remove it"})
		case !valid.MatchString(name):
			f.failAt(join(path, name), &Error{Message: "not a name of a label or annotation", Hint: "such as example.com/name"})
		}
	}
}

// portNumber reports a port that is no number, where that can be told before rendering.
func (f *findings) portNumber(path string, port Template) {
	text := strings.TrimSpace(port.Text)
	if text == "" || strings.Contains(text, "{{") {
		return
	}
	if n, err := strconv.Atoi(text); err != nil || n < 1 || n > 65535 {
		f.failAt(path, &Error{Message: "expected a number from 1 to 65535, found " + quote(text)})
	}
}

// isPortName follows the rule for names of a Service's ports, DNS labels, and leaves room for "-udp", see
// https://kubernetes.io/docs/concepts/services-networking/service/#multi-port-services
func isPortName(name string) bool {
	const longest, letters = 59, "abcdefghijklmnopqrstuvwxyz0123456789-"
	return name != "" && len(name) <= longest && strings.Trim(name, letters) == "" &&
		!strings.HasPrefix(name, "-") && !strings.HasSuffix(name, "-")
}
