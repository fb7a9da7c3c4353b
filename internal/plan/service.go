package plan

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/kubevali/kubevali/internal/config"
	"github.com/kubevali/kubevali/internal/hint"
	"github.com/kubevali/kubevali/internal/kube"
	"github.com/kubevali/kubevali/internal/render"
)

const (
	// The port that kubevali v0.4 gave its Services, under the name of the only one that they had.
	defaultServicePort     = 30333
	defaultServicePortName = "p2p"

	maxPort  = 65535
	portHint = "such as '{{ add 30333 .Index }}'"
)

func serviceTooEarly() (serviceData, error) {
	return serviceData{}, render.Fail("the Service cannot be asked for here", "it is settled after nodeTemplate.index, "+
		"monitor.listen, p2pKeys and nodeService itself")
}

// settleService plans the Service. It is nil where there is to be none, and where it cannot be known yet; ask is how
// templates get it.
func (p *planner) settleService() (s *Service, ask func() (serviceData, error)) {
	cfg := &p.cfg.NodeService
	if !cfg.Enabled {
		return nil, func() (serviceData, error) {
			return serviceData{}, render.Fail("this pod has no Service of its own", "set nodeService.enabled: true")
		}
	}
	s, whole := p.describeService(cfg)
	if whole {
		return s, func() (serviceData, error) { return serviceData{s, p}, nil }
	}
	return nil, func() (serviceData, error) { return serviceData{}, render.ErrReported }
}

// describeService returns the Service as it is to be, and whether that is all of it.
func (p *planner) describeService(cfg *config.NodeService) (s *Service, whole bool) {
	whole = true
	text := func(source config.Template, render func(config.Template) (string, bool)) string {
		value, ok := render(source)
		whole = whole && ok
		return value
	}
	named := func(templates map[string]config.Template, render func(config.Template) (string, bool)) map[string]string {
		texts := make(map[string]string, len(templates))
		for _, name := range slices.Sorted(maps.Keys(templates)) {
			texts[name] = text(templates[name], render)
		}
		return texts
	}
	s = &Service{AddressTimeout: cfg.AddressTimeout}
	s.ServiceSpec = kube.ServiceSpec{
		Namespace:             p.facts.KnownNamespace(),
		Name:                  p.facts.Pod,
		Type:                  string(cfg.Type),
		Owner:                 string(cfg.Owner),
		ExternalTrafficPolicy: string(cfg.ExternalTrafficPolicy),
		IPFamilyPolicy:        string(cfg.IPFamilyPolicy),
		LoadBalancerClass:     cfg.LoadBalancerClass,
		Labels:                named(cfg.Labels, p.labelValue),
		Annotations:           named(cfg.Annotations, p.execute),
		ForceUpdate:           cfg.ForceUpdate,
	}
	ports, ok := p.servicePorts(cfg)
	if s.Name == "" {
		ok = false
		p.failAt("nodeService.enabled", render.Fail("the Service has the pod's name, which is not known", "set POD_NAME from the field metadata.name"))
	}
	if s.Ports = ports; ok && whole {
		s.NodePort = ports[0].NodePort
	}
	return s, whole && ok
}

// labelValue renders the value of a label, see
// https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set
func (p *planner) labelValue(source config.Template) (value string, ok bool) {
	value, ok = p.trimmed(source)
	if ok && !isLabelValue(value) {
		p.fail(source, shortened(value)+" cannot be the value of a label",
			"it has up to 63 letters, digits, dashes, dots and underscores, with a letter or digit at both ends")
		return "", false
	}
	return value, ok
}

func isLabelValue(text string) bool {
	const longest, inside = 63, "-_."
	odd := func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune(inside, r)
	}
	return len(text) <= longest && !strings.ContainsFunc(text, odd) && strings.Trim(text, inside) == text
}

func (p *planner) servicePorts(cfg *config.NodeService) (ports []kube.ServicePort, whole bool) {
	if len(cfg.Ports) == 0 {
		n, ok := p.number(cfg.NodePortTemplate, 1, maxPort, portHint)
		return []kube.ServicePort{{Name: defaultServicePortName, Protocol: string(config.TCP), Port: defaultServicePort, NodePort: n, TargetPort: n}}, ok
	}
	whole = true
	for _, name := range slices.Sorted(maps.Keys(cfg.Ports)) {
		described := cfg.Ports[name]
		nodePort, ok := p.port(described.NodePort)
		own, ownOK := p.port(described.Port)
		target, targetOK := p.port(described.TargetPort)
		if !ok || !ownOK || !targetOK {
			whole = false
			continue
		}
		port := kube.ServicePort{Name: name, NodePort: nodePort, Port: cmp.Or(own, nodePort), TargetPort: target}
		switch {
		case port.TargetPort != 0:
		case cfg.Type == config.ServiceLoadBalancer:
			port.TargetPort = port.Port
		default:
			port.TargetPort = port.NodePort
		}
		for i, protocol := range described.Protocols {
			if port.Protocol = string(protocol); i > 0 {
				port.Name = name + "-" + strings.ToLower(port.Protocol)
			}
			ports = append(ports, port)
		}
	}
	return ports, p.checkServicePorts(ports) && whole
}

// port is the number of a port, 0 where the text is empty.
func (p *planner) port(source config.Template) (n int, ok bool) {
	if source.Text == "" {
		return 0, true
	}
	if text, ok := p.trimmed(source); !ok || text == "" {
		return 0, ok
	}
	return p.number(source, 1, maxPort, portHint)
}

// checkServicePorts reports ports that Kubernetes would refuse together.
func (p *planner) checkServicePorts(ports []kube.ServicePort) (ok bool) {
	failed := p.Failed()
	for i, a := range ports {
		at := "nodeService.ports." + a.Name
		if a.Port == 0 {
			p.failAt(at, render.Fail("neither port nor nodePort gives a number", "port: 30303 leaves the node port to the cluster"))
			continue
		}
		for _, b := range ports[:i] {
			switch {
			case a.Name == b.Name:
				p.failAt(at, render.Fail("two ports have the name "+a.Name, "the second of a port's protocols is added to its name"))
			case a.Protocol == b.Protocol && a.Port == b.Port:
				p.failAt(at, render.Fail(fmt.Sprintf("port %d/%s is that of %s, too", a.Port, a.Protocol, b.Name), ""))
			case a.NodePort == b.NodePort && a.NodePort != 0 && a.Port != b.Port:
				p.failAt(at, render.Fail(fmt.Sprintf("node port %d is that of %s, too", a.NodePort, b.Name),
					"only TCP and UDP on the same port can share one"))
			}
		}
	}
	return p.Failed() == failed
}

// serviceData is the Service as templates see it.
type serviceData struct {
	service *Service
	planner *planner
}

// Format keeps addresses in memory out of texts.
func (serviceData) Format(s fmt.State, _ rune) { io.WriteString(s, "the Service's data") }

// find returns the port of that name.
func (d serviceData) find(name string) (kube.ServicePort, error) {
	names := make([]string, len(d.service.Ports))
	for i, port := range d.service.Ports {
		if port.Name == name {
			return port, nil
		}
		names[i] = port.Name
	}
	remedy := hint.DidYouMean(name, names)
	if remedy == "" {
		remedy = "there are " + strings.Join(names, ", ")
	}
	return kube.ServicePort{}, render.Fail("nodeService.ports has no port "+shortened(name), remedy)
}

// NodePort is the node port of one of the ports, read back where the cluster chose it.
func (d serviceData) NodePort(name string) (int, error) {
	port, err := d.find(name)
	if err != nil || port.NodePort != 0 {
		return port.NodePort, err
	}
	chosen, err := need(d.planner, d.planner.facts.NodePorts, &d.planner.missing.NodePorts, map[string]int{name: 1})
	if err != nil {
		return 0, err
	}
	if chosen[name] == 0 {
		return 0, render.Fail(fmt.Sprintf("port %s of the Service %s has no node port", name, d.service.Name), "")
	}
	return chosen[name], nil
}

// Port is what peers dial: the node port, or a load balancer's own.
func (d serviceData) Port(name string) (int, error) {
	if d.service.Type == string(config.ServiceLoadBalancer) {
		port, err := d.find(name)
		return port.Port, err
	}
	return d.NodePort(name)
}

// Address is what peers dial: the load balancer's IP address or host name, or else the Kubernetes node's external one, IPv4
// before IPv6, as most clusters have it with Services.
func (d serviceData) Address() (string, error) {
	if d.service.Type == string(config.ServiceLoadBalancer) {
		return need(d.planner, d.planner.facts.Balancer, &d.planner.missing.Balancer, "balancer")
	}
	return d.planner.externalIP("", netip.Addr.Is4, isIPv6)
}
