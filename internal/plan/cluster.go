package plan

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/kubevali/kubevali/internal/facts"
	"github.com/kubevali/kubevali/internal/hint"
	"github.com/kubevali/kubevali/internal/kube"
	"github.com/kubevali/kubevali/internal/render"
)

// addCluster sets the functions that need answers of the Kubernetes API, and the one that puts them to use.
func (p *planner) addCluster(funcs map[string]any) {
	funcs["nodeExternalIP"] = func() (string, error) { return p.externalIP("IPv4 ", netip.Addr.Is4) }
	funcs["nodeExternalIP6"] = func() (string, error) { return p.externalIP("IPv6 ", isIPv6) }
	funcs["nodeAddress"] = p.nodeAddress
	funcs["getRandomNodeIP"] = p.randomNodeIP
	funcs["getNodeIPWithIndex"] = p.nodeIPWithIndex
	funcs["multiaddr"] = multiaddr
}

// node is the name of the Kubernetes node that the pod is on.
func (p *planner) node() (string, error) { return need(p, p.facts.Node, &p.missing.Node, "node") }

// addresses are those of that node.
func (p *planner) addresses() ([]kube.Address, error) {
	return need(p, p.facts.Addresses, &p.missing.Addresses, facts.PlaceholderAddresses("node"))
}

func isIPv6(a netip.Addr) bool { return a.Is6() && !a.Is4In6() }

// externalIP is the first of the Kubernetes node's external IP addresses that is of the first family of which it has any.
// wanted names the families, if not both will do.
func (p *planner) externalIP(wanted string, families ...func(netip.Addr) bool) (string, error) {
	addresses, err := p.addresses()
	if err != nil {
		return "", err
	}
	for _, inFamily := range families {
		for _, a := range addresses {
			if ip, err := netip.ParseAddr(a.Address); err == nil && a.Type == kube.ExternalIP && inFamily(ip) {
				return a.Address, nil
			}
		}
	}
	remedy := `(nodeAddress "ExternalIP" "InternalIP") takes what there is; see docs/kubernetes.md for clusters without external addresses`
	if slices.ContainsFunc(addresses, func(a kube.Address) bool { return a.Type == kube.ExternalIP }) {
		remedy = "nodeExternalIP gives the IPv4 address, nodeExternalIP6 the IPv6 one"
	}
	return "", p.noAddress(wanted+kube.ExternalIP, addresses, remedy)
}

// nodeAddress is the Kubernetes node's first address of the first type of which it has any.
func (p *planner) nodeAddress(kinds ...string) (string, error) {
	if len(kinds) == 0 {
		return "", render.Fail("expected the types to look for", `such as nodeAddress "ExternalIP" "InternalIP"; in parentheses where it is an argument itself`)
	}
	for _, kind := range kinds {
		if types := kube.AddressTypes(); !slices.Contains(types, kind) {
			remedy := hint.DidYouMean(kind, types)
			if remedy == "" {
				remedy = "there are " + strings.Join(types, ", ")
			}
			return "", render.Fail("Kubernetes nodes have no addresses of the type "+shortened(kind), remedy)
		}
	}
	addresses, err := p.addresses()
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
	return "", p.noAddress(strings.Join(kinds, " or "), addresses, "")
}

// noAddress says which addresses the Kubernetes node lacks, and which it has.
func (p *planner) noAddress(lacking string, addresses []kube.Address, remedy string) error {
	node, err := p.node()
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
	return render.Fail(fmt.Sprintf("the Kubernetes node %s has no %s; it has %s", node, lacking, strings.Join(has, ", ")), remedy)
}

func (p *planner) randomNodeIP() (string, error) {
	all, err := p.allExternalIPs("getRandomNodeIP")
	if err != nil {
		return "", err
	}
	return all[rand.New(p.Random()).IntN(len(all))], nil
}

// nodeIPWithIndex is the external address number n of all, and from the first again where there are fewer.
func (p *planner) nodeIPWithIndex(n any) (string, error) {
	i, err := strconv.Atoi(fmt.Sprint(n))
	if err != nil || i < 0 {
		return "", render.Fail("expected a number from 0, such as getNodeIPWithIndex .Index", "")
	}
	all, err := p.allExternalIPs("getNodeIPWithIndex")
	if err != nil {
		return "", err
	}
	return all[i%len(all)], nil
}

func (p *planner) allExternalIPs(function string) ([]string, error) {
	p.anyNode = function
	all, err := need(p, p.facts.ExternalIPs, &p.missing.ExternalIPs, []string{""})
	if err == nil && len(all) == 0 {
		err = render.Fail("no Kubernetes node has an ExternalIP", "see docs/kubernetes.md for clusters without external addresses")
	}
	return all, err
}

// multiaddr is an address as libp2p writes it, with the parts behind it, see
// https://github.com/multiformats/multiaddr#protocols
func multiaddr(address string, parts ...any) (string, error) {
	var text strings.Builder
	switch ip, err := netip.ParseAddr(address); {
	case err == nil && ip.Zone() != "":
		return "", render.Fail("multiaddr: "+shortened(address)+" has a zone, which means nothing to others", "")
	case err == nil && ip.Unmap().Is4():
		text.WriteString("/ip4/" + ip.Unmap().String())
	case err == nil:
		text.WriteString("/ip6/" + ip.String())
	case !isHostName(address):
		return "", render.Fail("multiaddr: "+shortened(address)+" is neither an IP address nor a host name",
			"ports follow as further values: multiaddr nodeExternalIP \"tcp\" 30333")
	default:
		text.WriteString("/dns4/" + strings.TrimSuffix(address, "."))
	}
	for _, part := range parts {
		name, ok := multiaddrPart(part)
		if !ok {
			return "", render.Fail("multiaddr: "+shortened(fmt.Sprint(part))+" cannot be a part of it",
				"a part is a word or a whole number, such as \"tcp\" or 30333")
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
