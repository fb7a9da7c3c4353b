package render

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/kubevali/kubevali/internal/config"
	"github.com/kubevali/kubevali/internal/hint"
)

// Service is the Service of this pod alone, as it is to be. It has the pod's name.
type Service struct {
	Namespace             string // empty where it is not known
	Name                  string
	Type                  config.ServiceType
	Ports                 []ServicePort // at least one, by name
	Owner                 config.ServiceOwner
	ExternalTrafficPolicy config.TrafficPolicy
	IPFamilyPolicy        config.IPFamilyPolicy
	LoadBalancerClass     string
	Labels, Annotations   map[string]string // besides kubevali's own
	AddressTimeout        time.Duration     // how long a load balancer's address is waited for
	ForceUpdate           bool
}

// ServicePort is a port of a Service.
type ServicePort struct {
	Name       string
	Protocol   config.Protocol
	Port       int
	NodePort   int // 0: the cluster chooses
	TargetPort int // 0: the node port, once the cluster has chosen it
}

const (
	// The port that kubevali v0.4 gave its Services, under the name of the only one that they had.
	defaultServicePort     = 30333
	defaultServicePortName = "p2p"

	maxPort  = 65535
	portHint = "such as '{{ add 30333 .Index }}'"
)

// settleService plans the Service and lets templates ask for it from here on.
func (p *planner) settleService() *Service {
	cfg := &p.cfg.NodeService
	if !cfg.Enabled {
		p.data.service = func() (serviceData, error) {
			return serviceData{}, &failure{"this pod has no Service of its own", "set nodeService.enabled: true"}
		}
		return nil
	}
	failed := len(p.errs)
	s := &Service{
		Namespace:             p.facts.knownNamespace(),
		Name:                  p.facts.Pod,
		Type:                  cfg.Type,
		Owner:                 cfg.Owner,
		ExternalTrafficPolicy: cfg.ExternalTrafficPolicy,
		IPFamilyPolicy:        cfg.IPFamilyPolicy,
		LoadBalancerClass:     cfg.LoadBalancerClass,
		Labels:                p.named(cfg.Labels, p.labelValue),
		Annotations:           p.named(cfg.Annotations, func(t config.Template) string { text, _ := p.execute(t); return text }),
		AddressTimeout:        time.Duration(cfg.AddressTimeout),
		ForceUpdate:           cfg.ForceUpdate,
		Ports:                 p.servicePorts(cfg),
	}
	if s.Name == "" {
		p.reportAt("nodeService.enabled", &failure{"the Service has the pod's name, which is not known",
			"set POD_NAME from the field metadata.name"})
	}
	ok, data := len(p.errs) == failed, p.serviceData(s)
	p.data.service = func() (serviceData, error) {
		if !ok {
			return serviceData{}, errReported
		}
		return data, nil
	}
	return s
}

// labelValue renders the value of a label, see
// https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set
func (p *planner) labelValue(source config.Template) string {
	value := p.word(source)
	if !regexp.MustCompile(`^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$`).MatchString(value) {
		p.report(source, 1, &failure{shortened(value) + " cannot be the value of a label",
			"it has up to 63 letters, digits, dashes, dots and underscores, with a letter or digit at both ends"})
	}
	return value
}

func (p *planner) named(templates map[string]config.Template, render func(config.Template) string) map[string]string {
	texts := make(map[string]string, len(templates))
	for _, name := range slices.Sorted(maps.Keys(templates)) {
		texts[name] = render(templates[name])
	}
	return texts
}

func (p *planner) servicePorts(cfg *config.NodeService) []ServicePort {
	if len(cfg.Ports) == 0 {
		n, _ := p.number(cfg.NodePortTemplate, 1, maxPort, portHint)
		return []ServicePort{{defaultServicePortName, config.TCP, defaultServicePort, n, n}}
	}
	var ports []ServicePort
	for _, name := range slices.Sorted(maps.Keys(cfg.Ports)) {
		described := cfg.Ports[name]
		nodePort, ok := p.port(described.NodePort)
		own, ownOK := p.port(described.Port)
		target, targetOK := p.port(described.TargetPort)
		if !ok || !ownOK || !targetOK {
			continue
		}
		port := ServicePort{Name: name, NodePort: nodePort, Port: cmp.Or(own, nodePort), TargetPort: target}
		switch {
		case port.TargetPort != 0:
		case cfg.Type == config.ServiceLoadBalancer:
			port.TargetPort = port.Port
		default:
			port.TargetPort = port.NodePort
		}
		for i, protocol := range described.Protocols {
			if port.Protocol = protocol; i > 0 {
				port.Name = name + "-" + strings.ToLower(string(protocol))
			}
			ports = append(ports, port)
		}
	}
	p.checkServicePorts(ports)
	return ports
}

// port is the number of a port, 0 where the text is empty.
func (p *planner) port(source config.Template) (n int, ok bool) {
	text, ok := p.trimmed(source)
	if !ok || text == "" {
		return 0, ok
	}
	return p.numberIn(source, text, 1, maxPort, portHint)
}

// checkServicePorts reports ports that Kubernetes would refuse together.
func (p *planner) checkServicePorts(ports []ServicePort) {
	for i, a := range ports {
		at := "nodeService.ports." + a.Name
		if a.Port == 0 {
			p.reportAt(at, &failure{"neither port nor nodePort gives a number", "port: 30303 leaves the node port to the cluster"})
			continue
		}
		for _, b := range ports[:i] {
			switch {
			case a.Name == b.Name:
				p.reportAt(at, &failure{"two ports have the name " + a.Name, "the second of a port's protocols is added to its name"})
			case a.Protocol == b.Protocol && a.Port == b.Port:
				p.reportAt(at, &failure{fmt.Sprintf("port %d/%s is that of %s, too", a.Port, a.Protocol, b.Name), ""})
			case a.NodePort == b.NodePort && a.NodePort != 0 && a.Port != b.Port:
				p.reportAt(at, &failure{fmt.Sprintf("node port %d is that of %s, too", a.NodePort, b.Name),
					"only TCP and UDP on the same port can share one"})
			}
		}
	}
}

// find returns the port of that name.
func (s *Service) find(name string) (ServicePort, error) {
	names := make([]string, len(s.Ports))
	for i, port := range s.Ports {
		if port.Name == name {
			return port, nil
		}
		names[i] = port.Name
	}
	hint := hint.DidYouMean(name, names)
	if hint == "" {
		hint = "there are " + strings.Join(names, ", ")
	}
	return ServicePort{}, &failure{"nodeService.ports has no port " + shortened(name), hint}
}

// serviceData is the Service as templates see it.
type serviceData struct {
	service   *Service
	engine    *engine
	nodePorts func() (map[string]int, error)
	balancer  func() (string, error)
}

func (p *planner) serviceData(s *Service) serviceData {
	return serviceData{
		service: s,
		engine:  p.engine,
		nodePorts: sync.OnceValues(func() (map[string]int, error) {
			return ask(p.lookups, func(c Cluster) (map[string]int, error) { return c.NodePorts(s) })
		}),
		balancer: sync.OnceValues(func() (string, error) {
			return ask(p.lookups, func(c Cluster) (string, error) { return c.LoadBalancer(s) })
		}),
	}
}

// Format keeps addresses in memory out of texts.
func (serviceData) Format(s fmt.State, _ rune) { io.WriteString(s, "the Service's data") }

// NodePort is the node port of one of the ports, read back where the cluster chose it.
func (d serviceData) NodePort(name string) (int, error) {
	port, err := d.service.find(name)
	if err != nil || port.NodePort != 0 {
		return port.NodePort, err
	}
	chosen, err := d.nodePorts()
	if err != nil {
		return 0, err
	}
	if chosen[name] == 0 {
		return 0, &failure{fmt.Sprintf("port %s of the Service %s has no node port", name, d.service.Name), ""}
	}
	return chosen[name], nil
}

// Port is what peers dial: the node port, or a load balancer's own.
func (d serviceData) Port(name string) (int, error) {
	if d.service.Type == config.ServiceLoadBalancer {
		port, err := d.service.find(name)
		return port.Port, err
	}
	return d.NodePort(name)
}

// Address is what peers dial: the load balancer's IP address or host name, or else the Kubernetes node's external one, IPv4
// before IPv6, as most clusters have it with Services.
func (d serviceData) Address() (string, error) {
	if d.service.Type == config.ServiceLoadBalancer {
		return d.balancer()
	}
	return d.engine.externalIP("", netip.Addr.Is4, isIPv6)
}

// warnings finds what Kubernetes does not refuse, but peers do not find.
func (p *planner) warnings(plan *Plan) []string {
	return append(p.beyondFleet(plan), p.elsewhere(plan.Service)...)
}

// beyondFleet is about a pod that its siblings do not know.
func (p *planner) beyondFleet(plan *Plan) []string {
	if p.keys == nil || p.keys.replicas == 0 || len(plan.Keys) == 0 {
		return nil
	}
	n, err := ordinal(plan.Pod)
	if err != nil || n < p.keys.replicas {
		return nil
	}
	return []string{fmt.Sprintf("%s is beyond fleet.replicas (%d), so the other pods do not count it among their peers", plan.Pod, p.keys.replicas)}
}

// elsewhere is about a Service that does not answer where the node says that it does.
func (p *planner) elsewhere(s *Service) []string {
	if p.anyNodeBy == "" || s == nil || s.Type != config.ServiceNodePort || s.ExternalTrafficPolicy != config.TrafficLocal {
		return nil
	}
	return []string{p.anyNodeBy + " may name a Kubernetes node that does not lead to this pod: announce nodeExternalIP, or set " +
		"nodeService.externalTrafficPolicy: Cluster"}
}
