package kube

import (
	"encoding/json"
	"slices"
)

// portKey is by what the API tells the ports of a Service apart when it merges them.
type portKey struct {
	port     int
	protocol string
}

func (p ServicePort) key() portKey { return portKey{p.Port, p.Protocol} }

// wirePort is a port as the API has it. Zero values are left out.
type wirePort struct {
	Name       string          `json:"name,omitempty"`
	Protocol   string          `json:"protocol,omitempty"`
	Port       int             `json:"port"`
	NodePort   int             `json:"nodePort,omitempty"`
	TargetPort json.RawMessage `json:"targetPort,omitempty"` // a number, or the name of a container's port
}

func readPort(raw json.RawMessage) ServicePort {
	var w wirePort
	if json.Unmarshal(raw, &w) != nil {
		return ServicePort{} // it has been decoded before, so it is JSON; only its shape can be unheard of
	}
	p := ServicePort{Name: w.Name, Protocol: w.Protocol, Port: w.Port, NodePort: w.NodePort}
	if json.Unmarshal(w.TargetPort, &p.TargetPort) != nil {
		p.TargetPort = 0
	}
	return p
}

// resolve puts in what the cluster chose: node ports, and target ports that follow them. What is not known yet stays 0.
func resolve(wanted []ServicePort, t ServiceType, live []ServicePort) []ServicePort {
	ports := slices.Clone(wanted)
	for i := range ports {
		p := &ports[i]
		if t == LoadBalancer {
			if p.TargetPort == 0 {
				p.TargetPort = p.Port
			}
			continue
		}
		if p.NodePort == 0 {
			p.NodePort = chosen(*p, wanted, live)
		}
		if p.TargetPort == 0 {
			p.TargetPort = p.NodePort
		}
	}
	return ports
}

// chosen returns the node port of a port that leaves it to the cluster. TCP and UDP on one port get one node port, since
// peers are told one number for both; the API sees to that only when it creates a Service.
func chosen(p ServicePort, wanted, live []ServicePort) int {
	for _, q := range wanted {
		if q.Port != p.Port {
			continue
		}
		if q.NodePort != 0 {
			return q.NodePort
		}
		for _, l := range live {
			if l.key() == q.key() && l.NodePort != 0 {
				return l.NodePort
			}
		}
	}
	return 0
}

func hasKey(ports []ServicePort, p ServicePort) bool {
	return slices.ContainsFunc(ports, func(q ServicePort) bool { return q.key() == p.key() })
}
