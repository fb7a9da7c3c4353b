package render

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/kubevali/kubevali/internal/hint"
)

// Cluster answers what templates ask of Kubernetes. It is asked only for what a template asks for, and only once for each
// thing per rendering. Its errors may have a method Hint() string.
type Cluster interface {
	// NodeOf returns the name of the Kubernetes node that a pod is on. The namespace is empty where it is not known.
	NodeOf(namespace, pod string) (node string, err error)
	// NodeAddresses returns the addresses of a Kubernetes node, in its own order.
	NodeAddresses(node string) ([]NodeAddress, error)
	// ExternalIPs returns the external IP addresses of all Kubernetes nodes, in order of the nodes' names.
	ExternalIPs() ([]string, error)
	// NodePorts returns the node ports of a Service by the names of its ports.
	NodePorts(*Service) (map[string]int, error)
	// LoadBalancer returns the IP address or host name of a Service's load balancer.
	LoadBalancer(*Service) (address string, err error)
}

// NodeAddress is one of a Kubernetes node's addresses.
type NodeAddress struct{ Type, Address string }

// The types of a Kubernetes node's addresses, see
// https://kubernetes.io/docs/reference/node/node-status/#addresses
const (
	externalIP  = "ExternalIP"
	internalIP  = "InternalIP"
	hostname    = "Hostname"
	externalDNS = "ExternalDNS"
	internalDNS = "InternalDNS"
)

var addressTypes = []string{externalIP, internalIP, hostname, externalDNS, internalDNS}

// lookups are the questions to the cluster, each with its answer once it has been asked.
type lookups struct {
	facts    *Facts
	problems []*failure // what went wrong

	node        func() (string, error)
	addresses   func() ([]NodeAddress, error)
	externalIPs func() ([]string, error)
}

func newLookups(f *Facts) *lookups {
	l := &lookups{facts: f}
	l.node = sync.OnceValues(func() (string, error) {
		if f.Node != "" {
			return f.Node, nil
		}
		if f.Pod == "" {
			return "", &failure{"neither the Kubernetes node's name nor the pod's is known", nodeNameHint}
		}
		return ask(l, func(c Cluster) (string, error) { return c.NodeOf(f.knownNamespace(), f.Pod) })
	})
	l.addresses = sync.OnceValues(func() ([]NodeAddress, error) {
		node, err := l.node()
		if err != nil {
			return nil, err
		}
		return ask(l, func(c Cluster) ([]NodeAddress, error) { return c.NodeAddresses(node) })
	})
	l.externalIPs = sync.OnceValues(func() ([]string, error) { return ask(l, Cluster.ExternalIPs) })
	return l
}

const nodeNameHint = "set NODE_NAME from the field spec.nodeName"

// ask puts a question to the cluster.
func ask[T any](l *lookups, question func(Cluster) (T, error)) (answer T, err error) {
	if l.facts.Cluster == nil {
		return answer, &failure{"the Kubernetes API cannot be asked here", "monitor.listen, for one, must be known to probes, " +
			"which ask nobody: use .Index, or a variable"}
	}
	if answer, err = question(l.facts.Cluster); err == nil {
		return answer, nil
	}
	f := &failure{message: err.Error()}
	var hinted interface{ Hint() string }
	if errors.As(err, &hinted) {
		f.hint = hinted.Hint()
	}
	return answer, l.problem(f)
}

// problem is f, or an earlier failure of that kind.
func (l *lookups) problem(f *failure) *failure {
	if i := slices.IndexFunc(l.problems, func(earlier *failure) bool { return *earlier == *f }); i >= 0 {
		return l.problems[i]
	}
	l.problems = append(l.problems, f)
	return f
}

// addCluster sets the functions that ask the Kubernetes API, and the one that puts its answers to use.
func (e *engine) addCluster(funcs map[string]any) {
	funcs["nodeExternalIP"] = func() (string, error) { return e.externalIP("IPv4 ", netip.Addr.Is4) }
	funcs["nodeExternalIP6"] = func() (string, error) { return e.externalIP("IPv6 ", isIPv6) }
	funcs["nodeAddress"] = e.nodeAddress
	funcs["getRandomNodeIP"] = e.randomNodeIP
	funcs["getNodeIPWithIndex"] = e.nodeIPWithIndex
	funcs["multiaddr"] = multiaddr
}

func isIPv6(a netip.Addr) bool { return a.Is6() && !a.Is4In6() }

// externalIP is the first of the Kubernetes node's external IP addresses that is of the first family of which it has any.
// wanted names the families, if not both will do.
func (e *engine) externalIP(wanted string, families ...func(netip.Addr) bool) (string, error) {
	addresses, err := e.lookups.addresses()
	if err != nil {
		return "", err
	}
	for _, inFamily := range families {
		for _, a := range addresses {
			if ip, err := netip.ParseAddr(a.Address); err == nil && a.Type == externalIP && inFamily(ip) {
				return a.Address, nil
			}
		}
	}
	hint := `(nodeAddress "ExternalIP" "InternalIP") takes what there is; see docs/kubernetes.md for clusters without external addresses`
	if slices.ContainsFunc(addresses, func(a NodeAddress) bool { return a.Type == externalIP }) {
		hint = "nodeExternalIP gives the IPv4 address, nodeExternalIP6 the IPv6 one"
	}
	return "", e.noAddress(wanted+externalIP, addresses, hint)
}

// nodeAddress is the Kubernetes node's first address of the first type of which it has any.
func (e *engine) nodeAddress(kinds ...string) (string, error) {
	if len(kinds) == 0 {
		return "", &failure{"expected the types to look for", `such as nodeAddress "ExternalIP" "InternalIP"; in parentheses where it is an argument itself`}
	}
	for _, kind := range kinds {
		if !slices.Contains(addressTypes, kind) {
			hint := hint.DidYouMean(kind, addressTypes)
			if hint == "" {
				hint = "there are " + strings.Join(addressTypes, ", ")
			}
			return "", &failure{"Kubernetes nodes have no addresses of the type " + shortened(kind), hint}
		}
	}
	addresses, err := e.lookups.addresses()
	if err != nil {
		return "", err
	}
	for _, kind := range kinds {
		for _, a := range addresses {
			if a.Type == kind {
				return a.Address, nil
			}
		}
	}
	return "", e.noAddress(strings.Join(kinds, " or "), addresses, "")
}

// noAddress says which addresses the Kubernetes node lacks, and which it has.
func (e *engine) noAddress(lacking string, addresses []NodeAddress, hint string) error {
	node, err := e.lookups.node()
	if err != nil {
		return err
	}
	has := make([]string, len(addresses))
	for i, a := range addresses {
		has[i] = a.Type + " " + a.Address
	}
	if len(has) == 0 {
		has = []string{"no address at all"}
	}
	return &failure{fmt.Sprintf("the Kubernetes node %s has no %s; it has %s", node, lacking, strings.Join(has, ", ")), hint}
}

func (e *engine) randomNodeIP() (string, error) {
	all, err := e.allExternalIPs("getRandomNodeIP")
	if err != nil {
		return "", err
	}
	return all[rand.New(e.random()).IntN(len(all))], nil
}

// nodeIPWithIndex is the external address number n of all, and from the first again where there are fewer.
func (e *engine) nodeIPWithIndex(n any) (string, error) {
	i, err := strconv.Atoi(fmt.Sprint(n))
	if err != nil || i < 0 {
		return "", &failure{"expected a number from 0, such as getNodeIPWithIndex .Index", ""}
	}
	all, err := e.allExternalIPs("getNodeIPWithIndex")
	if err != nil {
		return "", err
	}
	return all[i%len(all)], nil
}

func (e *engine) allExternalIPs(function string) ([]string, error) {
	e.anyNodeBy = function
	all, err := e.lookups.externalIPs()
	if err == nil && len(all) == 0 {
		err = &failure{"no Kubernetes node has an ExternalIP", "see docs/kubernetes.md for clusters without external addresses"}
	}
	return all, err
}

// multiaddr is an address as libp2p writes it, with the parts behind it, see
// https://github.com/multiformats/multiaddr#protocols
func multiaddr(address string, parts ...any) (string, error) {
	var text strings.Builder
	switch ip, err := netip.ParseAddr(address); {
	case err == nil && ip.Zone() != "":
		return "", &failure{"multiaddr: " + shortened(address) + " has a zone, which means nothing to others", ""}
	case err == nil && ip.Unmap().Is4():
		text.WriteString("/ip4/" + ip.Unmap().String())
	case err == nil:
		text.WriteString("/ip6/" + ip.String())
	case !isHostName(address):
		return "", &failure{"multiaddr: " + shortened(address) + " is neither an IP address nor a host name",
			"ports follow as further values: multiaddr nodeExternalIP \"tcp\" 30333"}
	default:
		text.WriteString("/dns4/" + strings.TrimSuffix(address, "."))
	}
	for _, part := range parts {
		name, ok := multiaddrPart(part)
		if !ok {
			return "", &failure{"multiaddr: " + shortened(fmt.Sprint(part)) + " cannot be a part of it",
				"a part is a word or a whole number, such as \"tcp\" or 30333"}
		}
		text.WriteString("/" + name)
	}
	return text.String(), nil
}

// multiaddrPart is a part, or several with slashes in between, as a text.
func multiaddrPart(part any) (text string, ok bool) {
	switch part.(type) {
	case string, int, int64:
		text = strings.Trim(fmt.Sprint(part), "/")
	}
	odd := func(r rune) bool { return r <= ' ' || r > '~' }
	return text, text != "" && !strings.Contains(text, "//") && !strings.ContainsFunc(text, odd)
}

// isHostName follows RFC 1123, section 2.1, by which the last label is no number, and allows the underscores that some
// names have.
func isHostName(text string) bool {
	const longest = 253
	labels := strings.Split(strings.TrimSuffix(text, "."), ".")
	if len(text) > longest || strings.Trim(labels[len(labels)-1], "0123456789") == "" {
		return false
	}
	return !slices.ContainsFunc(labels, func(label string) bool { return !isLabel(label) })
}

func isLabel(text string) bool {
	odd := func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_'
	}
	return text != "" && text[0] != '-' && text[len(text)-1] != '-' && !strings.ContainsFunc(text, odd)
}
