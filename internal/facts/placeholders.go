package facts

import (
	"cmp"

	"github.com/kubevali/kubevali/internal/kube"
)

// The placeholders are addresses that are set aside for documentation (RFC 5737, RFC 3849) and node ports from the begin
// of the usual range.
const (
	placeholderIP       = "192.0.2.1"
	placeholderIPv6     = "2001:db8::1"
	placeholderBalancer = "203.0.113.1"
	placeholderNodePort = 30000
)

// Assume completes facts without a cluster, by placeholders. service may be nil where nothing about it is missing.
func (f *Facts) Assume(m Missing, service *kube.ServiceSpec) {
	if (m.Node || m.Addresses) && f.Node == nil {
		f.Node = &Known[string]{Value: "node-of-" + f.Pod} // tells which pod it stands for
	}
	if m.Addresses {
		f.Addresses = &Known[[]kube.Address]{Value: PlaceholderAddresses(f.Node.Value)}
	}
	if m.ExternalIPs {
		f.ExternalIPs = &Known[[]string]{Value: []string{placeholderIP}}
	}
	if service == nil {
		return // its description depends on what is assumed only now
	}
	if m.NodePorts {
		f.NodePorts = &Known[map[string]int]{Value: placeholderPorts(service)}
	}
	if m.Balancer {
		f.Balancer = &Known[string]{Value: placeholderBalancer}
	}
}

// PlaceholderAddresses has one address of every type, and an external one of each family.
func PlaceholderAddresses(node string) []kube.Address {
	return []kube.Address{
		{Type: kube.ExternalIP, Address: placeholderIP}, {Type: kube.ExternalIP, Address: placeholderIPv6},
		{Type: kube.InternalIP, Address: placeholderIP}, {Type: kube.Hostname, Address: node},
		{Type: kube.ExternalDNS, Address: node + ".example.com"}, {Type: kube.InternalDNS, Address: node + ".example.internal"},
	}
}

// placeholderPorts are, where they are not fixed, the first free ones from 30000 and the pod's ordinal on. As the cluster
// does, it gives ports of the same number the same node port.
func placeholderPorts(s *kube.ServiceSpec) map[string]int {
	byName, byPort, taken := make(map[string]int), make(map[int]int), make(map[int]bool)
	for _, port := range s.Ports {
		if port.NodePort != 0 {
			byPort[port.Port], taken[port.NodePort] = port.NodePort, true
		}
	}
	ordinal, _ := Ordinal(s.Name) // 0 where it has none
	next := placeholderNodePort + ordinal
	for _, port := range s.Ports {
		for byPort[port.Port] == 0 {
			if !taken[next] {
				byPort[port.Port] = next
			}
			next++
		}
		byName[port.Name] = cmp.Or(port.NodePort, byPort[port.Port])
	}
	return byName
}
