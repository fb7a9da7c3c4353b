package config

import (
	"maps"
	"slices"
	"strings"
)

// NodeService describes the Service of this pod alone. It has the pod's name.
type NodeService struct {
	// Create the Service, and keep it as described here.
	Enabled bool `yaml:"enabled"`
	// Take over a Service of the same name that was created by something else. Else it is left alone.
	ForceUpdate bool `yaml:"forceUpdate"`
	// NodePort: a port of the Kubernetes nodes. LoadBalancer: an address of its own, which the cloud must provide.
	Type ServiceType `yaml:"type" default:"NodePort"`
	// The ports, by names of your choice: lower-case letters, digits and dashes. One of ports and nodePortTemplate is
	// required when enabled.
	//
	//	ports:
	//	  discovery:
	//	    protocols: [TCP, UDP]
	//	    port: 30303
	Ports map[string]ServicePort `yaml:"ports" item:"p2p"`
	// The same for a single TCP port called p2p: its node port, a number.
	//
	//	nodePortTemplate: '{{ add 30333 .Index }}'
	NodePortTemplate Template `yaml:"nodePortTemplate"`
	// With what the Service goes. StatefulSet: the address and ports stay the same as long as the StatefulSet exists, also
	// while it is scaled down. Pod: it goes with each pod and comes back with the next. None: somebody removes it.
	Owner ServiceOwner `yaml:"owner" default:"StatefulSet"`
	// Local: only the pod's own Kubernetes node answers, and peers' addresses are seen as they are. Cluster: every node
	// does, but the peers seem to be nodes.
	ExternalTrafficPolicy TrafficPolicy `yaml:"externalTrafficPolicy" default:"Local"`
	// SingleStack, PreferDualStack or RequireDualStack: whether it answers by IPv4, IPv6 or both. Empty: as the cluster
	// does.
	//
	//	ipFamilyPolicy: PreferDualStack
	IPFamilyPolicy IPFamilyPolicy `yaml:"ipFamilyPolicy"`
	// Which of several kinds of load balancer, such as service.k8s.aws/nlb; for type LoadBalancer only. Cannot be changed
	// later.
	LoadBalancerClass string `yaml:"loadBalancerClass"`
	// Labels of the Service, by name.
	//
	//	labels:
	//	  example.com/chain: darwinia
	Labels map[string]Template `yaml:"labels"`
	// Annotations of the Service, by name, such as those that load balancers are set up with.
	//
	//	annotations:
	//	  service.beta.kubernetes.io/aws-load-balancer-type: nlb
	Annotations map[string]Template `yaml:"annotations"`
	// How long to wait for a load balancer's address, where a template asks for .Service.Address.
	AddressTimeout Duration `yaml:"addressTimeout" default:"5m"`
}

// ServicePort describes a port of the Service.
type ServicePort struct {
	// TCP, UDP or both. With both there are two ports of the same number; the second has -udp behind its name.
	Protocols []Protocol `yaml:"protocols" default:"TCP"`
	// The port of the Kubernetes nodes, a number. Empty: the cluster chooses; .Service.NodePort "p2p" is the one that it
	// chose.
	//
	//	nodePort: '{{ add 30333 .Index }}'
	NodePort Template `yaml:"nodePort"`
	// The Service's own port, a number. Empty: the same as nodePort; required where that is empty, too.
	Port Template `yaml:"port"`
	// The port that the node listens on, a number. Empty: the node port, whoever chose it, since most nodes announce the
	// port that they listen on. For load balancers: the same as port.
	TargetPort Template `yaml:"targetPort"`
}

func (s *NodeService) check(f *findings) {
	const path = "nodeService."
	f.within(path+"addressTimeout", s.AddressTimeout, second, day)
	f.metadataNames(path+"labels", slices.Sorted(maps.Keys(s.Labels)), "app.kubernetes.io/managed-by")
	f.metadataNames(path+"annotations", slices.Sorted(maps.Keys(s.Annotations)), "kubeva.li/managed-by")
	switch {
	case len(s.Ports) > 0 && s.NodePortTemplate.Text != "":
		f.failAt(path+"nodePortTemplate", "nodeService.ports is also set", "move it there, as p2p.nodePort")
	case s.Enabled && len(s.Ports) == 0 && s.NodePortTemplate.Text == "" && f.sound(path+"nodePortTemplate"):
		f.failAt(path+"ports", "required, because nodeService.enabled is true", "such as p2p: {nodePort: '{{ add 30333 .Index }}'}")
	}
	if s.LoadBalancerClass != "" && s.Type != ServiceLoadBalancer {
		f.failAt(path+"loadBalancerClass", "is for load balancers only", "set nodeService.type: LoadBalancer")
	}
	for _, name := range slices.Sorted(maps.Keys(s.Ports)) {
		port := s.Ports[name]
		port.check(f, name)
	}
}

func (p *ServicePort) check(f *findings, name string) {
	path := join("nodeService.ports", name)
	// Names of a Service's ports are DNS labels; this leaves room for "-udp", see
	// https://kubernetes.io/docs/concepts/services-networking/service/#multi-port-services
	if !isName(name, "-", lower+digits, 59) {
		f.failAt(path, "a port's name has up to 59 lower-case letters, digits and dashes, the latter not at its ends", "")
	}
	if len(p.Protocols) == 0 {
		f.failAt(path+".protocols", "expected TCP, UDP or both", "")
	}
	for i, protocol := range p.Protocols {
		if protocol == "" || slices.Contains(p.Protocols[:i], protocol) {
			f.failAt(index(path+".protocols", i), "expected TCP, UDP or both, each once", "")
		}
	}
	if p.NodePort.Text == "" && p.Port.Text == "" {
		f.failAt(path+".port", "required where nodePort leaves the choice to the cluster", "such as port: 30303")
	}
	f.number(path+".nodePort", p.NodePort, "from 1 to 65535", 1, 65535)
	f.number(path+".port", p.Port, "from 1 to 65535", 1, 65535)
	f.number(path+".targetPort", p.TargetPort, "from 1 to 65535", 1, 65535)
}

// metadataNames reports names of labels or annotations that cannot be, or are kubevali's own, see
// https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set
func (f *findings) metadataNames(path string, names []string, own string) {
	for _, name := range names {
		prefix, rest, found := strings.Cut(name, "/")
		if !found {
			prefix, rest = "none", name
		}
		switch {
		case name == own:
			f.failAt(join(path, name), "kubevali sets this one by itself", "remove it")
		case !isName(prefix, "-.", lower+digits, 253) || !isName(rest, "-_.", letters+digits, 63):
			f.failAt(join(path, name), "not a name of a label or annotation", "such as example.com/name")
		}
	}
}

const (
	lower   = "abcdefghijklmnopqrstuvwxyz"
	letters = lower + "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	digits  = "0123456789"
)

// isName says whether a name has from one to so many of these characters, with none of marks at its ends.
func isName(name, marks, others string, longest int) bool {
	return name != "" && len(name) <= longest && strings.Trim(name, marks+others) == "" && strings.Trim(name, marks) == name
}
