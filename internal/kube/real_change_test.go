package kube_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/kubevali/kubevali/internal/kube"
)

// asIs is all of a Service but who manages its fields.
func (r *realCluster) asIs(name string) string {
	r.t.Helper()
	var service map[string]any
	if err := json.Unmarshal([]byte(r.kubectl("", "get", "service", name, "-o", "json")), &service); err != nil {
		r.t.Fatal(err)
	}
	delete(service["metadata"].(map[string]any), "resourceVersion")
	data, _ := json.Marshal(service)
	return string(data)
}

// What the API server refuses leaves the Service as it was, whoever made it.
func TestRealRefusedChangesNothing(t *testing.T) {
	r := newRealCluster(t)
	r.pod("other-0")
	taken := r.apply(r.spec("other-0", port("p2p", "TCP", 1, 0, 0)), kube.Created).Ports[0].NodePort
	free := r.freePort()
	for i, manager := range []string{"", "kubevali", "helm"} { // "": this client
		name := fmt.Sprintf("geth-%d", i)
		r.pod(name)
		first := r.spec(name, port("p2p", "TCP", 30333, free, 0))
		if manager == "" {
			r.apply(first, kube.Created)
		} else {
			r.kubectl(fmt.Sprintf(`{"apiVersion":"v1","kind":"Service","metadata":{"name":%q,"labels":{"app":"x"}},"spec":{"type":"NodePort",
				"selector":{"app":"x"},"ports":[{"name":"p2p","port":30333,"nodePort":%d,"targetPort":%[2]d}]}}`, name, free), "create", "--field-manager="+manager, "-f", "-")
		}
		before := r.asIs(name)
		s := r.spec(name, port("p2p", "TCP", free, free, 0))
		s.ForceUpdate = true
		for range 2 {
			s.Ports[0].NodePort = taken
			r.fails(s, "provided port is already allocated", "another Service")
			s.Ports[0].NodePort, s.Labels = free, map[string]string{"chain": "main net"}
			r.fails(s, `metadata.labels: Invalid value: "main net"`, "")
			s.Labels = nil
			if after := r.asIs(name); after != before {
				t.Errorf("made by %q:\n%s\nwas\n%s", manager, after, before)
			}
		}
		if got := r.apply(s, kube.Updated).Ports; !slices.Equal(got, []kube.ServicePort{port("p2p", "TCP", free, free, free)}) {
			t.Errorf("made by %q: %+v", manager, got)
		}
		r.unchanged(s)
		r.kubectl("", "delete", "service", name)
	}
}

// Ports that somebody else has a part in go as well; what else they set stays.
func TestRealSharedPorts(t *testing.T) {
	r := newRealCluster(t)
	r.pod("geth-0")
	s := r.spec("geth-0", port("p2p", "TCP", 30303, 0, 0), port("rpc", "TCP", 8545, 0, 8545))
	r.apply(s, kube.Created)
	r.kubectl("", "patch", "service", "geth-0", "--field-manager=kubectl-edit", "-p", `{"metadata":{"labels":{"team":"a"}},
		"spec":{"sessionAffinity":"ClientIP","ports":[{"port":8545,"targetPort":8546},{"name":"more","port":1}]}}`)
	s.Ports = []kube.ServicePort{port("rpc", "TCP", 8547, 0, 8545)}
	if got := r.apply(s, kube.Updated).Ports; len(got) != 1 || got[0].Port != 8547 || got[0].TargetPort != 8545 {
		t.Errorf("%+v", got)
	}
	if got := r.field("geth-0", "{.metadata.labels}{.spec.sessionAffinity}"); got != `{"app.kubernetes.io/managed-by":"kubevali","team":"a"}ClientIP` {
		t.Errorf("of others: %s", got)
	}
	r.unchanged(s)
}

// What Apply brought it takes away again, when it is not described any more.
func TestRealCreatedFieldsGo(t *testing.T) {
	r := newRealCluster(t)
	r.pod("geth-0")
	s := r.spec("geth-0", port("p2p", "TCP", 30303, 0, 0), port("rpc", "TCP", 8545, 0, 8545))
	s.Labels, s.Annotations = map[string]string{"chain": "x"}, map[string]string{"a/b": "c"}
	r.apply(s, kube.Created)
	s.Labels, s.Annotations, s.Ports = nil, nil, s.Ports[:1]
	if got := r.apply(s, kube.Updated).Ports; len(got) != 1 {
		t.Errorf("%+v", got)
	}
	if got := r.field("geth-0", "{.metadata.labels}{.metadata.annotations}"); got != `{"app.kubernetes.io/managed-by":"kubevali"}{"kubeva.li/managed-by":"kubevali"}` {
		t.Errorf("labels and annotations %s", got)
	}
	r.unchanged(s)
}

// A Service that appears after Apply has looked for it belongs to whoever made it.
func TestRealAppears(t *testing.T) {
	r := newRealCluster(t)
	r.pod("geth-0")
	r.client.Before(func(q *http.Request) {
		if q.Method == http.MethodPost && !strings.Contains(r.kubectl("", "get", "services", "-o", "name"), "geth-0") {
			r.kubectl("", "create", "service", "clusterip", "geth-0", "--tcp=80")
		}
	})
	s := r.spec("geth-0", port("p2p", "TCP", 30303, 0, 0))
	if svc := r.apply(s, kube.Foreign); svc.Managed() || len(svc.Ports) != 1 || svc.Ports[0].Port != 80 {
		t.Errorf("%+v", svc)
	}
	s.ForceUpdate = true
	if svc := r.apply(s, kube.Updated); !svc.Managed() || len(svc.Ports) != 1 {
		t.Errorf("%+v", svc)
	}
}

// The fields and hints say what to change, from the messages of a real API server.
func TestRealInvalid(t *testing.T) {
	r := newRealCluster(t)
	r.pod("geth-0")
	for _, tc := range []struct {
		change                 func(*kube.ServiceSpec)
		message, remedy, field string
	}{
		{func(s *kube.ServiceSpec) { s.Labels = map[string]string{"chain": "main net"} }, `metadata.labels: Invalid value: "main net"`, "", "metadata.labels"},
		{func(s *kube.ServiceSpec) { s.Labels = map[string]string{"a b": "x"} }, `metadata.labels: Invalid value: "a b"`, "", "metadata.labels"},
		{func(s *kube.ServiceSpec) { s.Labels = map[string]string{"a": strings.Repeat("x", 64)} }, `must be no more than 63 bytes`, "", "metadata.labels"},
		{func(s *kube.ServiceSpec) { s.Annotations = map[string]string{"a b": "x"} }, `metadata.annotations: Invalid value: "a b"`, "", "metadata.annotations"},
		{func(s *kube.ServiceSpec) { s.Annotations = map[string]string{"a": strings.Repeat("x", 256<<10)} }, `metadata.annotations: Too long`, "", "metadata.annotations"},
		{func(s *kube.ServiceSpec) { s.Ports[0].Name = "P2P" }, `spec.ports[0].name: Invalid value: "P2P"`, "", "spec.ports[0].name"},
		{func(s *kube.ServiceSpec) { s.Ports = append(s.Ports, port("b", "TCP", 30303, 0, 0)) }, `spec.ports[1]: Duplicate value`, "", "spec.ports[1].nodePort"},
		{func(s *kube.ServiceSpec) { s.Ports = append(s.Ports, port("p2p", "TCP", 1, 0, 0)) }, `spec.ports[1].name: Duplicate value`, "", "spec.ports[1].name"},
		{func(s *kube.ServiceSpec) { s.Ports[0].Port = 70000 }, `spec.ports[0].port: Invalid value: 70000`, "", "spec.ports[0].port"},
		{func(s *kube.ServiceSpec) { s.Type, s.LoadBalancerClass = kube.LoadBalancer, "A b" }, `spec.loadBalancerClass: Invalid value: "A b"`, "", "spec.loadBalancerClass"},
		{func(s *kube.ServiceSpec) { s.IPFamilyPolicy = "Both" }, `spec.ipFamilyPolicy: Unsupported value: "Both"`, "", "spec.ipFamilyPolicy"},
		{func(s *kube.ServiceSpec) { s.ExternalTrafficPolicy = "Remote" }, `spec.externalTrafficPolicy: Unsupported value: "Remote"`, "", "spec.externalTrafficPolicy"},
	} {
		s := r.spec("geth-0", port("p2p", "TCP", 30303, 0, 0))
		tc.change(&s)
		checkField(t, r.fails(s, tc.message, tc.remedy), tc.field)
	}
}
