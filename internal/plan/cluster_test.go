package plan_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/kubevali/kubevali/internal/hint"
	"github.com/kubevali/kubevali/internal/kube"
	"github.com/kubevali/kubevali/internal/plan"
)

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
			w := cluster.world()
			made := mustMake(t, "nodeTemplate:\n  command: [node]\n  args: {x: '"+test.template+"'}\n"+test.section, w)
			if got := made.Command[2]; got != test.want {
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
	w := cluster.world()
	mustMake(t, "nodeTemplate: {command: [node, '{{ if false }}{{ nodeExternalIP }}{{ end }}']}\nnodeService: {enabled: true, nodePortTemplate: 1}", w)
	if len(cluster.asked) > 0 {
		t.Errorf("the cluster was asked for %q", cluster.asked)
	}
	w.Node = nil
	made := mustMake(t, `
nodeTemplate:
  command: [node, '{{ nodeExternalIP }}', '{{ .Node.Name }}', '{{ nodeAddress "Hostname" }}', '{{ getRandomNodeIP }} {{ getRandomNodeIP }}']
  env: {A: '{{ getNodeIPWithIndex 0 }}'}
`, w)
	if want := []string{"pod chains/sts-2", "node machine-9", "nodes"}; !slices.Equal(cluster.asked, want) {
		t.Errorf("the cluster was asked for %q, want %q", cluster.asked, want)
	}
	for _, ip := range strings.Fields(made.Command[4]) {
		if !slices.Contains(cluster.all, ip) {
			t.Errorf("%q is no address of a node", ip)
		}
	}
	if made.Command[2] != "machine-9" {
		t.Errorf("the node is %q", made.Command[2])
	}
}

// A pod of the fleet is on a Kubernetes node of its own.
func TestSiblingsAreOnOtherNodes(t *testing.T) {
	cluster := dualStack()
	w := cluster.world()
	mustMake(t, "nodeTemplate: {command: ['{{ nodeExternalIP }}']}", w.ForPod("sts-0"))
	if want := []string{"pod chains/sts-0", "node machine-9"}; !slices.Equal(cluster.asked, want) {
		t.Errorf("the cluster was asked for %q, want %q", cluster.asked, want)
	}
}

func TestClusterErrors(t *testing.T) {
	none := &fakeCluster{addresses: []kube.Address{{Type: "InternalIP", Address: "10.0.0.2"}, {Type: "Hostname", Address: "machine-7"}}}
	onlyIPv6 := &fakeCluster{addresses: []kube.Address{{Type: "ExternalIP", Address: "2001:db8::7"}}}
	forbidden := &fakeCluster{err: fmt.Errorf("wrapped: %w", hint.New("may not get nodes", "what to do"))}
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
			expectErrors(t, "nodeTemplate:\n  command: [node]\n  args: {x: '"+test.template+"'}\n"+test.section, test.cluster.world(), test.wants...)
		})
	}
}

// Probes render monitor.listen, too, and have no cluster.
func TestListenAsksNobody(t *testing.T) {
	w := dualStack().world()
	expectErrors(t, "nodeTemplate: {command: [node]}\nmonitor: {listen: '{{ nodeExternalIP }}:1'}", w, "cannot be asked here", "probes")
	nobody := w
	nobody.Node = nil
	const byNode = "nodeTemplate: {command: [node], index: '{{ len .Node.Name }}'}\nmonitor: {listen: ':%s'}"
	expectErrors(t, fmt.Sprintf(byNode, "{{ .Index }}"), nobody, "kubevali.yaml:2:19: monitor.listen: the Kubernetes API cannot be asked here")
	if _, err := plan.Listen(parse(t, fmt.Sprintf(byNode, "{{ .Index }}")), nobody.Facts); err == nil {
		t.Error("no error for an index that nobody can know")
	}
	if got, err := plan.Listen(parse(t, fmt.Sprintf(byNode, "1")), nobody.Facts); got != ":1" || err != nil {
		t.Errorf("an address that needs no index: got %q, %v", got, err)
	}
	made := mustMake(t, "nodeTemplate: {command: ['{{ nodeExternalIP }}']}\nmonitor: {listen: '{{ .Node.Name }}:1'}", w)
	if made.Monitor.Listen != "machine-7:1" || made.Command[0] != "198.51.100.7" {
		t.Errorf("listens at %s, runs %q", made.Monitor.Listen, made.Command)
	}
}

// A namespace that nobody told is not looked into.
func TestGuessedNamespaceIsNotTold(t *testing.T) {
	w := sts2()
	w.NamespaceGuessed = true
	made := mustMake(t, "nodeTemplate: {command: ['{{ .Pod.Namespace }}']}\nnodeService: {enabled: true, nodePortTemplate: 30000}", w)
	if made.Service.Namespace != "" || made.Command[0] != "chains" {
		t.Errorf("the Service is in namespace %q, and a template got %q", made.Service.Namespace, made.Command[0])
	}
}

// Placeholders answer everything, so that a fleet can be looked at without a cluster.
func TestPlaceholders(t *testing.T) {
	w := sts2()
	w.Node, w.source = nil, plan.Placeholders
	made := mustMake(t, `
nodeTemplate:
  command: ['{{ nodeExternalIP }}', '{{ nodeExternalIP6 }}', '{{ .Node.Name }}', '{{ getRandomNodeIP }}', '{{ getNodeIPWithIndex 7 }}']
  args:
    ports: '{{ .Service.NodePort "p2p" }} {{ .Service.NodePort "p2p-udp" }} {{ .Service.NodePort "ws" }}'
    address: '{{ multiaddr .Service.Address "tcp" (.Service.Port "p2p") }}'
nodeService: {enabled: true, ports: {p2p: {protocols: [TCP, UDP], port: 30303}, ws: {port: 9944}}}
`, w)
	want := []string{"192.0.2.1", "2001:db8::1", "node-of-sts-2", "192.0.2.1", "192.0.2.1",
		"--address", "/ip4/192.0.2.1/tcp/30002", "--ports", "30002 30002 30003"}
	if !slices.Equal(made.Command, want) {
		t.Errorf("got %q, want %q", made.Command, want)
	}
	for _, kind := range []string{"ExternalIP", "InternalIP", "Hostname", "ExternalDNS", "InternalDNS"} {
		if made := mustMake(t, `nodeTemplate: {command: ['{{ nodeAddress "`+kind+`" }}']}`, w); made.Command[0] == "" {
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
		w := dualStack().world()
		file := fmt.Sprintf("nodeTemplate: {command: ['%s']}\nnodeService: {enabled: true, %s}", test.command, test.service)
		got := strings.Join(mustMake(t, file, w).Warnings, "\n")
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
		w := withKeys()
		w.Pod = pod
		got := strings.Join(mustMake(t, file, w).Warnings, "\n")
		if want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%s: warnings %q, want %q", pod, got, want)
		}
	}
}
