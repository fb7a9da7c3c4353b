package plan_test

import (
	"slices"
	"testing"

	"github.com/kubevali/kubevali/internal/kube"
)

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
		want          []kube.ServicePort
	}{
		{"fixed", "ports: {p2p: {nodePort: '{{ add 30303 .Index }}'}}", []kube.ServicePort{{Name: "p2p", Protocol: "TCP", Port: 30305, NodePort: 30305, TargetPort: 30305}}},
		{"chosen", "ports: {p2p: {port: 30303}}", []kube.ServicePort{{Name: "p2p", Protocol: "TCP", Port: 30303, NodePort: 0, TargetPort: 0}}},
		{"both protocols", "ports: {p2p: {protocols: [UDP, TCP], nodePort: 30303, port: 1, targetPort: 2}}",
			[]kube.ServicePort{{Name: "p2p", Protocol: "UDP", Port: 1, NodePort: 30303, TargetPort: 2}, {Name: "p2p-tcp", Protocol: "TCP", Port: 1, NodePort: 30303, TargetPort: 2}}},
		{"in order of names", "ports: {b: {port: 2}, a: {port: 1}}", []kube.ServicePort{{Name: "a", Protocol: "TCP", Port: 1, NodePort: 0, TargetPort: 0}, {Name: "b", Protocol: "TCP", Port: 2, NodePort: 0, TargetPort: 0}}},
		{"load balancer", "type: LoadBalancer, ports: {p2p: {port: 30303}}", []kube.ServicePort{{Name: "p2p", Protocol: "TCP", Port: 30303, NodePort: 0, TargetPort: 30303}}},
		{"short", "nodePortTemplate: 30400", []kube.ServicePort{{Name: "p2p", Protocol: "TCP", Port: 30333, NodePort: 30400, TargetPort: 30400}}},
		{"same number, other protocol", "ports: {a: {nodePort: 30303}, b: {protocols: [UDP], nodePort: 30303}}",
			[]kube.ServicePort{{Name: "a", Protocol: "TCP", Port: 30303, NodePort: 30303, TargetPort: 30303}, {Name: "b", Protocol: "UDP", Port: 30303, NodePort: 30303, TargetPort: 30303}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			made := mustMake(t, "nodeTemplate: {command: [node]}\nnodeService: {enabled: true, "+test.section+"}", sts2())
			if !slices.Equal(made.Service.Ports, test.want) {
				t.Errorf("got %+v, want %+v", made.Service.Ports, test.want)
			}
		})
	}
}

func TestServiceErrors(t *testing.T) {
	nobody := sts2()
	nobody.Pod = ""
	tests := []struct {
		section string
		w       world
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
			expectErrors(t, "nodeTemplate: {command: [node]}\nnodeService: {enabled: true, "+test.section+"}", test.w, test.wants...)
		})
	}
}

func TestServiceLabelsAndAnnotations(t *testing.T) {
	made := mustMake(t, `
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
	s := made.Service
	if s.Labels["index"] != "2" || s.Annotations["example.com/name"] != "node 2" || s.Type != kube.LoadBalancer ||
		s.Owner != kube.OwnedByPod || s.ExternalTrafficPolicy != "Cluster" || s.LoadBalancerClass != "internal" ||
		s.IPFamilyPolicy != "PreferDualStack" {
		t.Errorf("got %+v", s)
	}
}

func TestPinned(t *testing.T) {
	made := mustMake(t, `
nodeTemplate: {command: [node]}
nodeService: {enabled: true, ports: {a: {port: 1}, b: {nodePort: 30444}, c: {port: 3, targetPort: 33}, d: {port: 4}}}
`, sts2()).Service
	before := slices.Clone(made.Ports)
	pinned := made.Pinned(map[string]int{"a": 31000, "b": 31001, "c": 31002, "x": 31003})
	want := []kube.ServicePort{
		{Name: "a", Protocol: "TCP", Port: 1, NodePort: 31000, TargetPort: 31000},
		{Name: "b", Protocol: "TCP", Port: 30444, NodePort: 30444, TargetPort: 30444},
		{Name: "c", Protocol: "TCP", Port: 3, NodePort: 31002, TargetPort: 33},
		{Name: "d", Protocol: "TCP", Port: 4},
	}
	if !slices.Equal(pinned.Ports, want) || pinned.NodePort != 31000 || pinned.Name != "sts-2" {
		t.Errorf("got %+v, want %+v", pinned, want)
	}
	if !slices.Equal(made.Ports, before) || made.NodePort != 0 {
		t.Errorf("the Service itself became %+v", made)
	}
}
