package facts_test

import (
	"maps"
	"reflect"
	"strings"
	"testing"

	"github.com/kubevali/kubevali/internal/facts"
	"github.com/kubevali/kubevali/internal/kube"
)

// What the cluster would make of ports, some of which are fixed.
func TestPlaceholderPorts(t *testing.T) {
	tests := []struct {
		name  string
		ports []kube.ServicePort
		want  map[string]int
	}{
		{"from the pod's ordinal on", []kube.ServicePort{{Name: "a", Port: 1}, {Name: "b", Port: 2}}, map[string]int{"a": 30001, "b": 30002}},
		{"TCP and UDP of one port", []kube.ServicePort{{Name: "a", Protocol: "TCP", Port: 1, NodePort: 32330}, {Name: "b", Protocol: "UDP", Port: 1}},
			map[string]int{"a": 32330, "b": 32330}},
		{"TCP and UDP, the second fixed", []kube.ServicePort{{Name: "a", Protocol: "TCP", Port: 1}, {Name: "b", Protocol: "UDP", Port: 1, NodePort: 32330}},
			map[string]int{"a": 32330, "b": 32330}},
		{"beside a fixed one", []kube.ServicePort{{Name: "a", Port: 1}, {Name: "b", Port: 2, NodePort: 30001}}, map[string]int{"a": 30002, "b": 30001}},
	}
	for _, test := range tests {
		var f facts.Facts
		f.Assume(facts.Missing{NodePorts: true}, &kube.ServiceSpec{Name: "sts-1", Ports: test.ports})
		if f.NodePorts == nil || !maps.Equal(f.NodePorts.Value, test.want) {
			t.Errorf("%s: got %+v, want %v", test.name, f.NodePorts, test.want)
		}
	}
	var f facts.Facts
	f.Assume(facts.Missing{NodePorts: true}, &kube.ServiceSpec{Name: "laptop", Ports: []kube.ServicePort{{Name: "a", Port: 1}}})
	if f.NodePorts.Value["a"] != 30000 {
		t.Errorf("a pod without an ordinal got %+v", f.NodePorts)
	}
}

// Only what is missing is assumed, and what is known stays.
func TestAssume(t *testing.T) {
	service := &kube.ServiceSpec{Name: "sts-1"}
	f := facts.Facts{Pod: "sts-1"}
	if f.Assume(facts.Missing{}, service); !reflect.DeepEqual(f, facts.Facts{Pod: "sts-1"}) {
		t.Errorf("with nothing missing: %+v", f)
	}
	if f.Assume(facts.Missing{Node: true}, service); f.Node.Value != "node-of-sts-1" || f.Addresses != nil || f.ExternalIPs != nil {
		t.Errorf("got %+v", f)
	}
	f.Node.Value = "machine-7"
	f.Assume(facts.Missing{Addresses: true, ExternalIPs: true, Balancer: true, NodePorts: true}, nil)
	if f.Node.Value != "machine-7" || len(f.ExternalIPs.Value) != 1 || f.NodePorts != nil || f.Balancer != nil {
		t.Errorf("got %+v", f)
	}
	if f.Assume(facts.Missing{Balancer: true}, service); f.Balancer.Value != "203.0.113.1" || f.NodePorts != nil {
		t.Errorf("the load balancer is %+v, the ports %+v", f.Balancer, f.NodePorts)
	}
	types := make(map[string]int)
	for _, a := range f.Addresses.Value {
		types[a.Type]++
		if a.Type == kube.Hostname && a.Address != "machine-7" || a.Type == kube.InternalDNS && a.Address != "machine-7.example.internal" {
			t.Errorf("got %+v", a)
		}
	}
	for _, kind := range kube.AddressTypes() {
		if want := 1 + strings.Count(kind, kube.ExternalIP); types[kind] != want { // an IPv4 one and an IPv6 one
			t.Errorf("there are %d addresses of the type %s, want %d", types[kind], kind, want)
		}
	}
}
