package render_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/kubevali/kubevali/internal/config"
	"github.com/kubevali/kubevali/internal/render"
)

// fakeCluster answers with what it holds and notes what it was asked.
type fakeCluster struct {
	node      string
	addresses []render.NodeAddress
	all       []string
	ports     map[string]int
	balancer  string
	err       error

	asked []string
}

func (c *fakeCluster) NodeOf(namespace, pod string) (string, error) {
	c.asked = append(c.asked, "pod "+namespace+"/"+pod)
	return c.node, c.err
}

func (c *fakeCluster) NodeAddresses(node string) ([]render.NodeAddress, error) {
	c.asked = append(c.asked, "node "+node)
	return c.addresses, c.err
}

func (c *fakeCluster) ExternalIPs() ([]string, error) {
	c.asked = append(c.asked, "nodes")
	return c.all, c.err
}

func (c *fakeCluster) NodePorts(s *render.Service) (map[string]int, error) {
	c.asked = append(c.asked, "ports of "+s.Namespace+"/"+s.Name)
	return c.ports, c.err
}

func (c *fakeCluster) LoadBalancer(s *render.Service) (string, error) {
	c.asked = append(c.asked, "address of "+s.Namespace+"/"+s.Name)
	return c.balancer, c.err
}

func dualStack() *fakeCluster {
	return &fakeCluster{
		node: "machine-9",
		addresses: []render.NodeAddress{
			{"InternalIP", "10.0.0.2"}, {"ExternalIP", "2001:db8::7"}, {"ExternalIP", "198.51.100.7"}, {"Hostname", "machine-7"},
		},
		all: []string{"198.51.100.7", "198.51.100.8", "198.51.100.9"},
	}
}

func TestClusterFunctions(t *testing.T) {
	const service = "nodeService: {enabled: true, ports: {p2p: {protocols: [TCP, UDP], port: 30303}, ws: {nodePort: 30444}}}"
	const balancer = "nodeService: {enabled: true, type: LoadBalancer, ports: {p2p: {port: 30303}}}"
	node := []string{"node machine-7"}
	tests := []struct {
		template, section, want string
		asked                   []string
	}{
		{`{{ .Node.Name }}`, "", "machine-7", nil},
		{`{{ nodeExternalIP }}`, "", "198.51.100.7", node},
		{`{{ nodeExternalIP6 }}`, "", "2001:db8::7", node},
		{`{{ nodeAddress "ExternalIP" }}`, "", "2001:db8::7", node},
		{`{{ nodeAddress "ExternalDNS" "InternalIP" "ExternalIP" }}`, "", "10.0.0.2", node},
		{`{{ nodeAddress "Hostname" }} {{ nodeExternalIP }} {{ nodeExternalIP6 }}`, "", "machine-7 198.51.100.7 2001:db8::7", node},
		{`{{ getNodeIPWithIndex .Index }} {{ getNodeIPWithIndex (add .Index 2) }}`, "", "198.51.100.9 198.51.100.8", []string{"nodes"}},
		{`{{ multiaddr nodeExternalIP "tcp" 30333 "p2p" "Qm" }}`, "", "/ip4/198.51.100.7/tcp/30333/p2p/Qm", node},
		{`{{ multiaddr nodeExternalIP6 }}`, "", "/ip6/2001:db8::7", node},
		{`{{ multiaddr "::ffff:192.0.2.1" "/udp/" (add 1 2) "quic-v1" }}`, "", "/ip4/192.0.2.1/udp/3/quic-v1", nil},
		{`{{ multiaddr "lb-1.example.com." "tcp" "1" }}`, "", "/dns4/lb-1.example.com/tcp/1", nil},
		{`{{ .Service.NodePort "ws" }} {{ .Service.Port "ws" }}`, service, "30444 30444", nil},
		{`{{ .Service.NodePort "p2p" }} {{ .Service.Port "p2p-udp" }}`, service, "31000 31000", []string{"ports of chains/sts-2"}},
		{`{{ .Service.Address }}`, service, "198.51.100.7", node},
		{`{{ .Service.Address }} {{ .Service.Port "p2p" }} {{ .Service.Address }}`, balancer, "lb.example.com 30303 lb.example.com", []string{"address of chains/sts-2"}},
		{`{{ .Service.NodePort "p2p" }}`, balancer, "31000", []string{"ports of chains/sts-2"}},
		{`{{ .Service | quote }} {{ .Node | quote }} {{ .Pod | quote }}`, service,
			`"the Service's data" "the Kubernetes node's data" "the pod's data"`, nil},
		{`{{ with "x" }}{{ $.Service.NodePort "ws" }}{{ end }}`, service, "30444", nil},
	}
	for _, test := range tests {
		t.Run(test.template, func(t *testing.T) {
			cluster := dualStack()
			cluster.ports, cluster.balancer = map[string]int{"p2p": 31000, "p2p-udp": 31000, "ws": 30444}, "lb.example.com"
			facts := sts2()
			facts.Cluster = cluster
			plan := mustRender(t, "nodeTemplate:\n  command: [node]\n  args: {x: '"+test.template+"'}\n"+test.section, facts)
			if got := plan.Command[2]; got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
			if !slices.Equal(cluster.asked, test.asked) {
				t.Errorf("the cluster was asked for %q, want %q", cluster.asked, test.asked)
			}
		})
	}
}

// What no template asks for is not asked for, and what several ask for, once.
func TestClusterIsAskedOnce(t *testing.T) {
	cluster := dualStack()
	facts := sts2()
	facts.Cluster = cluster
	mustRender(t, "nodeTemplate: {command: [node, '{{ if false }}{{ nodeExternalIP }}{{ end }}']}\nnodeService: {enabled: true, nodePortTemplate: 1}", facts)
	if len(cluster.asked) > 0 {
		t.Errorf("the cluster was asked for %q", cluster.asked)
	}
	facts.Node = ""
	plan := mustRender(t, `
nodeTemplate:
  command: [node, '{{ nodeExternalIP }}', '{{ .Node.Name }}', '{{ nodeAddress "Hostname" }}', '{{ getRandomNodeIP }} {{ getRandomNodeIP }}']
  env: {A: '{{ getNodeIPWithIndex 0 }}'}
`, facts)
	if want := []string{"pod chains/sts-2", "node machine-9", "nodes"}; !slices.Equal(cluster.asked, want) {
		t.Errorf("the cluster was asked for %q, want %q", cluster.asked, want)
	}
	for _, ip := range strings.Fields(plan.Command[4]) {
		if !slices.Contains(cluster.all, ip) {
			t.Errorf("%q is no address of a node", ip)
		}
	}
	if plan.Command[2] != "machine-9" {
		t.Errorf("the node is %q", plan.Command[2])
	}
}

// A pod of the fleet is on a Kubernetes node of its own.
func TestSiblingsAreOnOtherNodes(t *testing.T) {
	cluster := dualStack()
	facts := sts2()
	facts.Cluster = cluster
	mustRender(t, "nodeTemplate: {command: ['{{ nodeExternalIP }}']}", facts.ForPod("sts-0"))
	if want := []string{"pod chains/sts-0", "node machine-9"}; !slices.Equal(cluster.asked, want) {
		t.Errorf("the cluster was asked for %q, want %q", cluster.asked, want)
	}
}

type hintedError struct{ error }

func (hintedError) Hint() string { return "what to do" }

func TestClusterErrors(t *testing.T) {
	none := &fakeCluster{addresses: []render.NodeAddress{{"InternalIP", "10.0.0.2"}, {"Hostname", "machine-7"}}}
	onlyIPv6 := &fakeCluster{addresses: []render.NodeAddress{{"ExternalIP", "2001:db8::7"}}}
	forbidden := &fakeCluster{err: fmt.Errorf("wrapped: %w", hintedError{errors.New("may not get nodes")})}
	const service = "nodeService: {enabled: true, ports: {p2p: {port: 30303}}}"
	tests := []struct {
		template, section string
		cluster           *fakeCluster
		wants             []string
	}{
		{`{{ nodeExternalIP }}`, "", none, []string{"machine-7 has no IPv4 ExternalIP; it has InternalIP 10.0.0.2, Hostname machine-7", `nodeAddress "ExternalIP" "InternalIP"`}},
		{`{{ nodeExternalIP }}`, "", onlyIPv6, []string{"no IPv4 ExternalIP; it has ExternalIP 2001:db8::7", "nodeExternalIP6 the IPv6 one"}},
		{`{{ nodeExternalIP }}`, "", &fakeCluster{}, []string{"it has no address at all"}},
		{`{{ nodeAddress "ExternalIP" "ExternalDNS" }}`, "", none, []string{"has no ExternalIP or ExternalDNS"}},
		{`{{ nodeAddress "ExternalIp" }}`, "", none, []string{`no addresses of the type "ExternalIp"`, `did you mean "ExternalIP"?`}},
		{`{{ nodeAddress }}`, "", none, []string{"expected the types to look for"}},
		{`{{ nodeExternalIP }}`, "", forbidden, []string{"may not get nodes", "what to do"}},
		{`{{ getRandomNodeIP }}`, "", none, []string{"no Kubernetes node has an ExternalIP"}},
		{`{{ getNodeIPWithIndex -1 }}`, "", none, []string{"expected a number from 0"}},
		{`{{ getNodeIPWithIndex "one" }}`, "", none, []string{"expected a number from 0"}},
		{`{{ multiaddr "10.0.0.1:30333" }}`, "", none, []string{`"10.0.0.1:30333" is neither an IP address nor a host name`, "further values"}},
		{`{{ multiaddr "fe80::1%eth0" }}`, "", none, []string{"has a zone"}},
		{`{{ multiaddr "" }}`, "", none, []string{"neither an IP address nor"}},
		{`{{ multiaddr "10.0.0.1" "tcp" "" }}`, "", none, []string{`"" cannot be a part of it`, "a whole number"}},
		{`{{ multiaddr "10.0.0.1" "tcp//1" }}`, "", none, []string{"cannot be a part of it"}},
		{`{{ multiaddr "10.0.0.1" "30 333" }}`, "", none, []string{"cannot be a part of it"}},
		{`{{ multiaddr "10.0.0.1" (list 1 2) }}`, "", none, []string{"cannot be a part of it"}},
		{`{{ multiaddr "10.0.0.1" 1e6 }}`, "", none, []string{"cannot be a part of it"}},
		{`{{ multiaddr "192.0.2.300" }}`, "", none, []string{"neither an IP address nor a host name"}},
		{`{{ multiaddr "30333" }}`, "", none, []string{"neither an IP address nor a host name"}},
		{`{{ multiaddr "-" }}`, "", none, []string{"neither an IP address nor a host name"}},
		{`{{ range list 1 }}{{ .Service.Address }}{{ end }}`, service, none, []string{"$.Service"}},
		{`{{ .Service }}`, service, none, []string{"a group of values"}},
		{`{{ .Service.NodePort "p2" }}`, service, none, []string{`nodeService.ports has no port "p2"`, `did you mean "p2p"?`}},
		{`{{ .Service.NodePort "p2p" }}`, service, none, []string{"port p2p of the Service sts-2 has no node port"}},
		{`{{ .Service.NodePort "p2p" }}`, service, forbidden, []string{"may not get nodes", "what to do"}},
		{`{{ .Service.Address }}`, service, none, []string{"has no ExternalIP; it has InternalIP"}},
	}
	for _, test := range tests {
		t.Run(test.template, func(t *testing.T) {
			facts := sts2()
			facts.Cluster = test.cluster
			expectErrors(t, "nodeTemplate:\n  command: [node]\n  args: {x: '"+test.template+"'}\n"+test.section, facts, test.wants...)
		})
	}
}

func TestServiceIsSettledBeforeItIsAsked(t *testing.T) {
	for _, section := range []string{
		"monitor: {listen: ':{{ .Service.NodePort \"p2p\" }}'}\n",
		"nodeService: {enabled: true, ports: {p2p: {nodePort: '{{ .Service.NodePort \"p2p\" }}'}}}\n",
	} {
		expectErrors(t, "nodeTemplate: {command: [node]}\n"+section, sts2(), "the Service cannot be asked for here")
	}
}

func TestServicePorts(t *testing.T) {
	tests := []struct {
		name, section string
		want          []render.ServicePort
	}{
		{"fixed", "ports: {p2p: {nodePort: '{{ add 30303 .Index }}'}}", []render.ServicePort{{"p2p", "TCP", 30305, 30305, 30305}}},
		{"chosen", "ports: {p2p: {port: 30303}}", []render.ServicePort{{"p2p", "TCP", 30303, 0, 0}}},
		{"both protocols", "ports: {p2p: {protocols: [UDP, TCP], nodePort: 30303, port: 1, targetPort: 2}}",
			[]render.ServicePort{{"p2p", "UDP", 1, 30303, 2}, {"p2p-tcp", "TCP", 1, 30303, 2}}},
		{"in order of names", "ports: {b: {port: 2}, a: {port: 1}}", []render.ServicePort{{"a", "TCP", 1, 0, 0}, {"b", "TCP", 2, 0, 0}}},
		{"load balancer", "type: LoadBalancer, ports: {p2p: {port: 30303}}", []render.ServicePort{{"p2p", "TCP", 30303, 0, 30303}}},
		{"short", "nodePortTemplate: 30400", []render.ServicePort{{"p2p", "TCP", 30333, 30400, 30400}}},
		{"same number, other protocol", "ports: {a: {nodePort: 30303}, b: {protocols: [UDP], nodePort: 30303}}",
			[]render.ServicePort{{"a", "TCP", 30303, 30303, 30303}, {"b", "UDP", 30303, 30303, 30303}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			plan := mustRender(t, "nodeTemplate: {command: [node]}\nnodeService: {enabled: true, "+test.section+"}", sts2())
			if !slices.Equal(plan.Service.Ports, test.want) {
				t.Errorf("got %+v, want %+v", plan.Service.Ports, test.want)
			}
		})
	}
}

func TestServiceErrors(t *testing.T) {
	nobody := sts2()
	nobody.Pod = ""
	tests := []struct {
		section string
		facts   render.Facts
		wants   []string
	}{
		{"ports: {a: {port: 1}, b: {port: 1}}", sts2(), []string{"port 1/TCP is that of a, too"}},
		{"ports: {a: {port: 1, nodePort: 30000}, b: {port: 2, nodePort: 30000}}", sts2(), []string{"node port 30000 is that of a, too"}},
		{"ports: {a: {port: 1, nodePort: 30000}, b: {port: 2, nodePort: 30000, protocols: [UDP]}}", sts2(), []string{"node port 30000 is that of a, too"}},
		{"ports: {a: {port: '{{ fail \"no port\" }}'}}", sts2(), []string{"no port"}},
		{"nodePortTemplate: 30000, labels: {a: 'not a label!'}", sts2(), []string{`"not a label!" cannot be the value of a label`}},
		{"ports: {a: {port: 1, protocols: [TCP, UDP]}, a-udp: {port: 2}}", sts2(), []string{"two ports have the name a-udp"}},
		{"ports: {a: {port: '{{ \"\" }}'}}", sts2(), []string{"neither port nor nodePort gives a number"}},
		{"ports: {a: {nodePort: '{{ .Pod.Name }}'}}", sts2(), []string{"expected a number from 1 to 65535", "sts-2"}},
		{"nodePortTemplate: 30000", nobody, []string{"the Service has the pod's name, which is not known", "POD_NAME"}},
	}
	for _, test := range tests {
		t.Run(test.section, func(t *testing.T) {
			expectErrors(t, "nodeTemplate: {command: [node]}\nnodeService: {enabled: true, "+test.section+"}", test.facts, test.wants...)
		})
	}
}

// What the cluster would make of ports, some of which are fixed.
func TestPlaceholderPorts(t *testing.T) {
	ports := func(s ...render.ServicePort) map[string]int {
		got, err := render.Placeholders{}.NodePorts(&render.Service{Name: "sts-1", Ports: s})
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	if got := ports(render.ServicePort{"a", "TCP", 1, 32330, 0}, render.ServicePort{"b", "UDP", 1, 0, 0}); got["b"] != 32330 {
		t.Errorf("TCP and UDP of one port got %v", got)
	}
	if got := ports(render.ServicePort{"a", "TCP", 1, 0, 0}, render.ServicePort{"b", "TCP", 2, 30001, 0}); got["a"] != 30002 {
		t.Errorf("a port beside a fixed one got %v", got)
	}
	if address, err := (render.Placeholders{}).LoadBalancer(nil); err != nil || address != "203.0.113.1" {
		t.Errorf("the load balancer is %q, %v", address, err)
	}
}

// Probes render monitor.listen, too, and have no cluster.
func TestListenAsksNobody(t *testing.T) {
	facts := sts2()
	facts.Cluster = dualStack()
	expectErrors(t, "nodeTemplate: {command: [node]}\nmonitor: {listen: '{{ nodeExternalIP }}:1'}", facts, "cannot be asked here", "probes")
	plan := mustRender(t, "nodeTemplate: {command: ['{{ nodeExternalIP }}']}\nmonitor: {listen: '{{ .Node.Name }}:1'}", facts)
	if plan.Monitor.Listen != "machine-7:1" || plan.Command[0] != "198.51.100.7" {
		t.Errorf("listens at %s, runs %q", plan.Monitor.Listen, plan.Command)
	}
}

// A namespace that nobody told is not looked into.
func TestGuessedNamespaceIsNotTold(t *testing.T) {
	cluster := dualStack()
	facts := sts2()
	facts.Cluster, facts.NamespaceGuessed, facts.Node = cluster, true, ""
	plan := mustRender(t, "nodeTemplate: {command: ['{{ nodeExternalIP }}']}\nnodeService: {enabled: true, nodePortTemplate: 30000}", facts)
	if cluster.asked[0] != "pod /sts-2" || plan.Service.Namespace != "" {
		t.Errorf("asked for %q, for the Service in namespace %q", cluster.asked, plan.Service.Namespace)
	}
}

func TestServiceLabelsAndAnnotations(t *testing.T) {
	plan := mustRender(t, `
nodeTemplate: {command: [node]}
nodeService:
  enabled: true
  type: LoadBalancer
  owner: Pod
  externalTrafficPolicy: Cluster
  loadBalancerClass: internal
  ipFamilyPolicy: PreferDualStack
  ports: {p2p: {port: 30303}}
  labels: {index: ' {{ .Index }} '}
  annotations: {example.com/name: 'node {{ .Index }}'}
`, sts2())
	s := plan.Service
	if s.Labels["index"] != "2" || s.Annotations["example.com/name"] != "node 2" || s.Type != config.ServiceLoadBalancer ||
		s.Owner != config.OwnerPod || s.ExternalTrafficPolicy != config.TrafficCluster || s.LoadBalancerClass != "internal" ||
		s.IPFamilyPolicy != "PreferDualStack" {
		t.Errorf("got %+v", s)
	}
}

// Placeholders answer everything, so that a fleet can be looked at without a cluster.
func TestPlaceholders(t *testing.T) {
	facts := sts2()
	facts.Node, facts.Cluster = "", render.Placeholders{}
	plan := mustRender(t, `
nodeTemplate:
  command: ['{{ nodeExternalIP }}', '{{ nodeExternalIP6 }}', '{{ .Node.Name }}', '{{ getRandomNodeIP }}', '{{ getNodeIPWithIndex 7 }}']
  args:
    ports: '{{ .Service.NodePort "p2p" }} {{ .Service.NodePort "p2p-udp" }} {{ .Service.NodePort "ws" }}'
    address: '{{ multiaddr .Service.Address "tcp" (.Service.Port "p2p") }}'
nodeService: {enabled: true, ports: {p2p: {protocols: [TCP, UDP], port: 30303}, ws: {port: 9944}}}
`, facts)
	want := []string{"192.0.2.1", "2001:db8::1", "node-of-sts-2", "192.0.2.1", "192.0.2.1",
		"--address", "/ip4/192.0.2.1/tcp/30002", "--ports", "30002 30002 30003"}
	if !slices.Equal(plan.Command, want) {
		t.Errorf("got %q, want %q", plan.Command, want)
	}
	for _, kind := range []string{"ExternalIP", "InternalIP", "Hostname", "ExternalDNS", "InternalDNS"} {
		if plan := mustRender(t, `nodeTemplate: {command: ['{{ nodeAddress "`+kind+`" }}']}`, facts); plan.Command[0] == "" {
			t.Errorf("there is no %s", kind)
		}
	}
}

// A Service that only the pod's own Kubernetes node answers for, and the address of any node, do not go together.
func TestWarnings(t *testing.T) {
	const local, cluster = "nodePortTemplate: 30333", "externalTrafficPolicy: Cluster, nodePortTemplate: 30333"
	tests := []struct {
		command, service, want string
	}{
		{"{{ getRandomNodeIP }}", local, "getRandomNodeIP may name"},
		{"{{ getNodeIPWithIndex 1 }}", local, "getNodeIPWithIndex may name"},
		{"{{ getRandomNodeIP }}", cluster, ""},
		{"{{ nodeExternalIP }}", local, ""},
		{"{{ if false }}{{ getRandomNodeIP }}{{ end }}x", local, ""},
		{"{{ getRandomNodeIP }}", "type: LoadBalancer, ports: {p2p: {port: 1}}", ""},
		{"node", local, ""},
	}
	for _, test := range tests {
		facts := sts2()
		facts.Cluster = dualStack()
		file := fmt.Sprintf("nodeTemplate: {command: ['%s']}\nnodeService: {enabled: true, %s}", test.command, test.service)
		got := strings.Join(mustRender(t, file, facts).Warnings, "\n")
		if test.want == "" && got != "" || !strings.Contains(got, test.want) {
			t.Errorf("%s with %s: warnings %q, want %q", test.command, test.service, got, test.want)
		}
	}
}

// A pod that the others do not count among their peers.
func TestWarnsBeyondTheFleet(t *testing.T) {
	const file = `
nodeTemplate: {command: [node]}
p2pKeys: {node: {rootSecret: {env: ROOT}, type: ed25519, format: hex, path: /keys/node}}
fleet: {replicas: 3}
`
	for pod, want := range map[string]string{"sts-2": "", "sts-3": "sts-3 is beyond fleet.replicas (3)"} {
		facts := withKeys()
		facts.Pod = pod
		got := strings.Join(mustRender(t, file, facts).Warnings, "\n")
		if want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%s: warnings %q, want %q", pod, got, want)
		}
	}
}
