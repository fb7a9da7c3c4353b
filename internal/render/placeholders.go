package render

import "cmp"

// Placeholders is a Cluster for rendering without one: addresses that are set aside for documentation (RFC 5737, RFC 3849)
// and node ports from the begin of the usual range.
type Placeholders struct{}

const (
	placeholderIP           = "192.0.2.1"
	placeholderIPv6         = "2001:db8::1"
	placeholderLoadBalancer = "203.0.113.1"
	placeholderNodePort     = 30000
)

// NodeOf is a name that tells which pod it stands for.
func (Placeholders) NodeOf(_, pod string) (string, error) { return "node-of-" + pod, nil }

// NodeAddresses has one address of every type, and an external one of each family.
func (Placeholders) NodeAddresses(node string) ([]NodeAddress, error) {
	return []NodeAddress{
		{externalIP, placeholderIP}, {externalIP, placeholderIPv6}, {internalIP, placeholderIP}, {hostname, node},
		{externalDNS, node + ".example.com"}, {internalDNS, node + ".example.internal"},
	}, nil
}

// ExternalIPs is that of a single node.
func (Placeholders) ExternalIPs() ([]string, error) { return []string{placeholderIP}, nil }

// NodePorts are, where they are not fixed, the first free ones from 30000 and the pod's ordinal on. As the cluster does, it
// gives ports of the same number the same node port.
func (Placeholders) NodePorts(s *Service) (map[string]int, error) {
	byName, byPort, taken := make(map[string]int), make(map[int]int), make(map[int]bool)
	for _, port := range s.Ports {
		if port.NodePort != 0 {
			byPort[port.Port], taken[port.NodePort] = port.NodePort, true
		}
	}
	next := placeholderNodePort
	if n, err := ordinal(s.Name); err == nil {
		next += n
	}
	for _, port := range s.Ports {
		for byPort[port.Port] == 0 {
			if !taken[next] {
				byPort[port.Port] = next
			}
			next++
		}
		byName[port.Name] = cmp.Or(port.NodePort, byPort[port.Port])
	}
	return byName, nil
}

// LoadBalancer is an IP address.
func (Placeholders) LoadBalancer(*Service) (string, error) { return placeholderLoadBalancer, nil }
