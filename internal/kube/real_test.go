package kube_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/kubevali/kubevali/internal/hint"
	"github.com/kubevali/kubevali/internal/kube"
)

// The tests in this file run against the real cluster of the kubeconfig that KUBEVALI_TEST_KUBECONFIG names, as a user
// who may do everything there. They need kubectl.

type realCluster struct {
	t          *testing.T
	kubeconfig string
	namespace  string
	client     *kube.Client
}

func newRealCluster(t *testing.T) *realCluster {
	t.Helper()
	kubeconfig := os.Getenv("KUBEVALI_TEST_KUBECONFIG")
	if kubeconfig == "" {
		t.Skip("KUBEVALI_TEST_KUBECONFIG names no kubeconfig")
	}
	r := &realCluster{t: t, kubeconfig: kubeconfig, namespace: fmt.Sprintf("kubevali-client-%d", time.Now().UnixNano())}
	r.kubectl("", "create", "namespace", r.namespace)
	t.Cleanup(func() { r.kubectl("", "delete", "namespace", r.namespace, "--wait=false") })
	r.kubectl("", "create", "serviceaccount", "admin")
	r.kubectl("", "create", "clusterrolebinding", r.namespace, "--clusterrole=cluster-admin", "--serviceaccount="+r.namespace+":admin")
	t.Cleanup(func() { r.kubectl("", "delete", "clusterrolebinding", r.namespace) })
	r.client = r.as(r.kubectl("", "create", "token", "admin"))
	return r
}

// as returns a client of a pod whose service account has that token.
func (r *realCluster) as(token string) *kube.Client {
	r.t.Helper()
	var view struct {
		Clusters []struct {
			Cluster struct {
				Server    string `json:"server"`
				Authority []byte `json:"certificate-authority-data"`
			} `json:"cluster"`
		} `json:"clusters"`
	}
	if err := json.Unmarshal([]byte(r.kubectl("", "config", "view", "--raw", "--minify", "--flatten", "-o", "json")), &view); err != nil {
		r.t.Fatal(err)
	}
	cluster := view.Clusters[0].Cluster
	dir := account(r.t, map[string]string{"token": token, "ca.crt": string(cluster.Authority)})
	return newClient(r.t, inPod(r.t, strings.TrimPrefix(cluster.Server, "https://"), dir), kube.Options{})
}

// desk is the operator's kubectl.
func (r *realCluster) desk() *kube.Kubectl {
	return kube.NewKubectl(append(os.Environ(), "KUBECONFIG="+r.kubeconfig))
}

func (r *realCluster) kubectl(stdin string, args ...string) string {
	r.t.Helper()
	cmd := exec.Command("kubectl", append([]string{"--kubeconfig", r.kubeconfig, "-n", r.namespace}, args...)...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		r.t.Fatalf("kubectl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// pod makes a pod that a StatefulSet could have made. It never runs, since there is no such image.
func (r *realCluster) pod(name string) {
	r.t.Helper()
	r.kubectl(fmt.Sprintf(`{"apiVersion":"v1","kind":"Pod","metadata":{"name":%q,"labels":{"statefulset.kubernetes.io/pod-name":%[1]q,"app":"x"}},
		"spec":{"terminationGracePeriodSeconds":0,"containers":[{"name":"x","image":"localhost/none:1","imagePullPolicy":"Never"}]}}`, name), "create", "-f", "-")
}

func (r *realCluster) spec(pod string, ports ...kube.ServicePort) kube.ServiceSpec {
	return kube.ServiceSpec{
		Namespace: r.namespace, Name: pod, Type: kube.NodePort, Ports: ports,
		Owner: kube.OwnedByPod, ExternalTrafficPolicy: "Local",
	}
}

// freePort returns a node port that nothing in the cluster has.
func (r *realCluster) freePort() int {
	r.t.Helper()
	r.kubectl("", "create", "service", "nodeport", "free", "--tcp=80")
	free, err := strconv.Atoi(r.field("free", "{.spec.ports[0].nodePort}"))
	if err != nil {
		r.t.Fatal(err)
	}
	r.kubectl("", "delete", "service", "free")
	return free
}

func (r *realCluster) apply(s kube.ServiceSpec, want kube.Outcome) kube.Service {
	r.t.Helper()
	svc, outcome, err := r.client.Apply(r.t.Context(), s)
	if err != nil {
		r.t.Fatalf("Apply: %s", hint.Line(err))
	}
	if outcome != want {
		r.t.Errorf("Apply: %v, want %v", outcome, want)
	}
	return svc
}

// unchanged checks that another Apply of the same finds nothing to do.
func (r *realCluster) unchanged(s kube.ServiceSpec) kube.Service {
	r.t.Helper()
	return r.apply(s, kube.Unchanged)
}

func (r *realCluster) field(name, path string) string {
	r.t.Helper()
	return r.kubectl("", "get", "service", name, "-o", "jsonpath="+path)
}

func (r *realCluster) fails(s kube.ServiceSpec, message, remedy string) error {
	r.t.Helper()
	_, _, err := r.client.Apply(r.t.Context(), s)
	checkError(r.t, err, message, remedy)
	return err
}

func port(name, protocol string, port, nodePort, targetPort int) kube.ServicePort {
	return kube.ServicePort{Name: name, Protocol: protocol, Port: port, NodePort: nodePort, TargetPort: targetPort}
}

func TestRealChosenPorts(t *testing.T) {
	r := newRealCluster(t)
	r.pod("geth-0")
	s := r.spec("geth-0", port("p2p", "TCP", 30303, 0, 0))
	first := r.apply(s, kube.Created).Ports[0]
	if first.NodePort == 0 || first.TargetPort != first.NodePort || first.Port != 30303 {
		t.Errorf("one chosen port: %+v", first)
	}
	r.unchanged(s)

	s.Ports = append(s.Ports, port("p2p-udp", "UDP", 30303, 0, 0))
	both := r.apply(s, kube.Updated).Ports
	if len(both) != 2 || both[0] != first || both[1].NodePort != first.NodePort || both[1].TargetPort != first.NodePort {
		t.Errorf("UDP added to %+v: %+v", first, both)
	}
	r.unchanged(s)

	s.Ports[0].Name, s.Ports[1].Name = "a", "b"
	if renamed := r.apply(s, kube.Updated).Ports; renamed[0].NodePort != first.NodePort {
		t.Errorf("renamed: %+v", renamed)
	}
	s.Ports = []kube.ServicePort{port("rpc", "TCP", 8545, 0, 8545)}
	if other := r.apply(s, kube.Updated).Ports; len(other) != 1 || other[0].TargetPort != 8545 || other[0].NodePort == 0 {
		t.Errorf("another port: %+v", other)
	}
	r.unchanged(s)

	r.pod("geth-1")
	s = r.spec("geth-1", port("p2p", "TCP", 30303, 0, 0), port("p2p-udp", "UDP", 30303, 0, 0))
	if both := r.apply(s, kube.Created).Ports; both[0].NodePort != both[1].NodePort || both[1].TargetPort != both[1].NodePort {
		t.Errorf("both created: %+v", both)
	}
	r.unchanged(s)
	if got := r.field("geth-1", "{.spec.selector}{.spec.publishNotReadyAddresses}{.spec.externalTrafficPolicy}"); got != `{"statefulset.kubernetes.io/pod-name":"geth-1"}trueLocal` {
		t.Errorf("spec: %s", got)
	}
}

func TestRealFixedPorts(t *testing.T) {
	r := newRealCluster(t)
	r.pod("geth-0")
	first, second := r.freePort(), r.freePort()
	s := r.spec("geth-0", port("p2p", "TCP", first, first, 0), port("p2p-udp", "UDP", first, first, 0))
	if got := r.apply(s, kube.Created).Ports; !slices.Equal(got, []kube.ServicePort{
		port("p2p", "TCP", first, first, first), port("p2p-udp", "UDP", first, first, first),
	}) {
		t.Errorf("%+v", got)
	}
	r.unchanged(s)
	s.Ports = []kube.ServicePort{port("p2p", "TCP", second, second, 0)}
	if got := r.apply(s, kube.Updated).Ports; !slices.Equal(got, []kube.ServicePort{port("p2p", "TCP", second, second, second)}) {
		t.Errorf("moved: %+v", got)
	}
	s.Ports = []kube.ServicePort{port("p2p", "TCP", 30303, second, 30303)}
	if got := r.apply(s, kube.Updated).Ports; !slices.Equal(got, s.Ports) {
		t.Errorf("the same node port with another port: %+v", got)
	}
	r.unchanged(s)

	r.pod("geth-1")
	taken := r.spec("geth-1", port("p2p", "TCP", second, second, 0))
	r.fails(taken, fmt.Sprintf("spec.ports[0].nodePort: Invalid value: %d: provided port is already allocated", second), "another Service, or another port, has this node port")
	taken.Ports[0].NodePort = 1024
	r.fails(taken, `provided port is not in the valid range. The range of valid ports is 30000-32767`, "--service-node-port-range")
}

func TestRealForeign(t *testing.T) {
	r := newRealCluster(t)
	r.pod("geth-0")
	r.kubectl(`{"apiVersion":"v1","kind":"Service","metadata":{"name":"geth-0","labels":{"team":"a"}},"spec":{"selector":{"app":"x","more":"y"},
		"ports":[{"name":"p2p","port":80,"targetPort":"http"},{"name":"udp","port":30303,"protocol":"UDP","targetPort":1}]}}`, "apply", "-f", "-")
	s := r.spec("geth-0", port("p2p", "TCP", 30303, 0, 0), port("p2p-udp", "UDP", 30303, 0, 0))
	version := r.field("geth-0", "{.metadata.resourceVersion}")
	if svc := r.apply(s, kube.Foreign); svc.Managed() || len(svc.Ports) != 2 || svc.Ports[0].TargetPort != 0 {
		t.Errorf("foreign: %+v", svc)
	}
	if r.field("geth-0", "{.metadata.resourceVersion}") != version {
		t.Error("a foreign Service was touched")
	}
	s.ForceUpdate = true
	svc := r.apply(s, kube.Updated)
	if len(svc.Ports) != 2 || svc.Ports[0].NodePort != svc.Ports[1].NodePort || !svc.Managed() {
		t.Errorf("taken over: %+v", svc)
	}
	if got := r.field("geth-0", "{.spec.selector}{.metadata.labels}"); got != `{"statefulset.kubernetes.io/pod-name":"geth-0"}{"app.kubernetes.io/managed-by":"kubevali","team":"a"}` {
		t.Errorf("taken over: %s", got)
	}
	s.ForceUpdate = false
	r.unchanged(s)
}

// What is taken over may be of any type.
func TestRealForeignTypes(t *testing.T) {
	r := newRealCluster(t)
	for i, spec := range []string{
		`{"ports":[{"name":"p2p","port":80}]}`,
		`{"type":"ExternalName","externalName":"example.com"}`,
		`{"type":"NodePort","ports":[{"name":"p2p","port":80}],"externalTrafficPolicy":"Local"}`,
		`{"type":"LoadBalancer","ports":[{"name":"p2p","port":80}],"externalTrafficPolicy":"Local","allocateLoadBalancerNodePorts":false}`,
	} {
		for j, nodePort := range []int{0, r.freePort()} {
			name := fmt.Sprintf("geth-%d%d", i, j)
			r.pod(name)
			r.kubectl(fmt.Sprintf(`{"apiVersion":"v1","kind":"Service","metadata":{"name":%q},"spec":%s}`, name, spec), "create", "-f", "-")
			s := r.spec(name, port("p2p", "TCP", 30303, nodePort, 0))
			s.ForceUpdate = true
			svc := r.apply(s, kube.Updated)
			if p := svc.Ports[0]; len(svc.Ports) != 1 || p.TargetPort != p.NodePort || nodePort != 0 && p.NodePort != nodePort || svc.Type != kube.NodePort {
				t.Errorf("%s, node port %d: %+v", spec, nodePort, svc)
			}
			r.unchanged(s)
			r.kubectl("", "delete", "service", name)
		}
	}
}

func TestRealOldService(t *testing.T) {
	r := newRealCluster(t)
	r.pod("geth-0")
	nodePort := r.freePort()
	old := fmt.Sprintf(`{"apiVersion":"v1","kind":"Service","metadata":{"name":"geth-0","labels":{"app":"x","statefulset.kubernetes.io/pod-name":"geth-0"},
		"annotations":{"kubeva.li/managed-by":"kubevali"}},"spec":{"type":"NodePort","selector":{"app":"x","statefulset.kubernetes.io/pod-name":"geth-0"},
		"ports":[{"name":"p2p","port":30333,"nodePort":%d,"targetPort":%[1]d}]}}`, nodePort)
	r.kubectl(old, "create", "--field-manager=kubevali", "-f", "-")
	// The short form of a configuration.
	s := r.spec("geth-0", port("p2p", "TCP", 30333, nodePort, 0))
	if got := r.apply(s, kube.Updated).Ports; !slices.Equal(got, []kube.ServicePort{port("p2p", "TCP", 30333, nodePort, nodePort)}) {
		t.Errorf("%+v", got)
	}
	r.unchanged(s)
	// The same node port with a name of the old port on another one.
	s.Ports = []kube.ServicePort{port("p2p", "TCP", nodePort, nodePort, 0), port("p2p-udp", "UDP", nodePort, nodePort, 0)}
	if got := r.apply(s, kube.Updated).Ports; len(got) != 2 || got[0] != port("p2p", "TCP", nodePort, nodePort, nodePort) {
		t.Errorf("%+v", got)
	}
	r.unchanged(s)
	if got := r.field("geth-0", "{.spec.selector}"); got != `{"statefulset.kubernetes.io/pod-name":"geth-0"}` {
		t.Errorf("selector %s", got)
	}
	s.Ports = s.Ports[1:]
	if got := r.apply(s, kube.Updated).Ports; len(got) != 1 {
		t.Errorf("%+v", got)
	}
	r.unchanged(s)
}

func TestRealOwner(t *testing.T) {
	r := newRealCluster(t)
	r.kubectl(`{"apiVersion":"apps/v1","kind":"StatefulSet","metadata":{"name":"geth"},"spec":{"serviceName":"geth","replicas":1,
		"selector":{"matchLabels":{"app":"x"}},"template":{"metadata":{"labels":{"app":"x"}},
		"spec":{"terminationGracePeriodSeconds":0,"containers":[{"name":"x","image":"localhost/none:1","imagePullPolicy":"Never"}]}}}}`, "create", "-f", "-")
	eventually(t, func() bool {
		_, err := r.client.Pod(t.Context(), r.namespace, "geth-0")
		return err == nil
	})
	s := r.spec("geth-0", port("p2p", "TCP", 30303, 0, 0))
	s.Owner = kube.OwnedByStatefulSet
	s.Labels = map[string]string{"chain": "sepolia"}
	s.Annotations = map[string]string{"x/y": "z"}
	nodePort := r.apply(s, kube.Created).Ports[0].NodePort
	owners := func() string {
		return r.field("geth-0", "{range .metadata.ownerReferences[*]}{.kind}/{.name} {end}")
	}
	if got := owners(); got != "StatefulSet/geth" {
		t.Errorf("owners %q", got)
	}
	s.Owner, s.Labels, s.Annotations = kube.OwnedByPod, nil, nil
	r.apply(s, kube.Updated)
	if got := owners(); got != "Pod/geth-0" {
		t.Errorf("owners %q", got)
	}
	if got := r.field("geth-0", "{.metadata.labels}{.metadata.annotations}"); got != `{"app.kubernetes.io/managed-by":"kubevali"}{"kubeva.li/managed-by":"kubevali"}` {
		t.Errorf("labels and annotations %s", got)
	}
	s.Owner = kube.OwnedByNone
	if got := r.apply(s, kube.Updated).Ports[0].NodePort; got != nodePort {
		t.Errorf("node port %d became %d", nodePort, got)
	}
	if got := owners(); got != "" {
		t.Errorf("owners %q", got)
	}
	s.Owner = kube.OwnedByPod
	r.apply(s, kube.Updated)
	r.kubectl("", "scale", "statefulset", "geth", "--replicas=0")
	eventually(t, func() bool {
		_, err := r.client.Service(t.Context(), r.namespace, "geth-0")
		return kube.NotFound(err)
	})

	r.pod("alone-0")
	s = r.spec("alone-0", port("p2p", "TCP", 30303, 0, 0))
	s.Owner = kube.OwnedByStatefulSet
	r.fails(s, `the pod "alone-0" belongs to no StatefulSet`, "")
	r.kubectl("", "label", "pod", "alone-0", "statefulset.kubernetes.io/pod-name-")
	r.fails(s, `has no label statefulset.kubernetes.io/pod-name: alone-0`, "StatefulSet")
}

// A pod that comes back under its name takes its Service over from the pod before, whose Service the garbage collector
// is about to delete.
func TestRealPodReplaced(t *testing.T) {
	r := newRealCluster(t)
	for range 5 {
		r.pod("geth-0")
		s := r.spec("geth-0", port("p2p", "TCP", 30303, 0, 0))
		if _, _, err := r.client.Apply(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		time.Sleep(500 * time.Millisecond) // for the garbage collector to be wrong in
		uid := r.kubectl("", "get", "pod", "geth-0", "-o", "jsonpath={.metadata.uid}")
		if owner := r.field("geth-0", "{.metadata.ownerReferences[*].uid}"); owner != uid {
			t.Errorf("the Service goes with %s, want %s", owner, uid)
		}
		r.kubectl("", "delete", "pod", "geth-0", "--grace-period=0", "--force")
	}
}

func TestRealHeadless(t *testing.T) {
	r := newRealCluster(t)
	r.pod("geth-0")
	r.kubectl(`{"apiVersion":"v1","kind":"Service","metadata":{"name":"geth-0"},"spec":{"clusterIP":"None","selector":{"app":"x"}}}`, "create", "-f", "-")
	s := r.spec("geth-0", port("p2p", "TCP", 30303, 0, 0))
	s.ForceUpdate = true
	r.fails(s, "may not be set to 'None' for NodePort services", "delete the Service")
}

func TestRealDeletion(t *testing.T) {
	r := newRealCluster(t)
	r.pod("geth-0")
	s := r.spec("geth-0", port("p2p", "TCP", 30303, 0, 0))
	before := r.apply(s, kube.Created)
	r.kubectl("", "patch", "service", "geth-0", "--type=merge", "-p", `{"metadata":{"finalizers":["example.com/wait"]}}`)
	r.kubectl("", "delete", "service", "geth-0", "--wait=false")
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, _, err := r.client.Apply(ctx, s); err == nil {
		t.Error("a Service in deletion was applied")
	}
	r.kubectl("", "patch", "service", "geth-0", "--type=merge", "-p", `{"metadata":{"finalizers":null}}`)
	if after := r.apply(s, kube.Created); after.UID() == before.UID() {
		t.Error("not a new Service")
	}
}

func TestRealLoadBalancer(t *testing.T) {
	r := newRealCluster(t)
	r.pod("geth-0")
	s := r.spec("geth-0", port("p2p", "TCP", 30303, 0, 30303), port("p2p-udp", "UDP", 30303, 0, 30303))
	s.Type, s.LoadBalancerClass = kube.LoadBalancer, "example.com/none"
	if got := r.apply(s, kube.Created).Ports; got[0].TargetPort != 30303 || got[1].TargetPort != 30303 {
		t.Errorf("%+v", got)
	}
	r.unchanged(s)
	_, err := r.client.AwaitAddress(t.Context(), r.namespace, "geth-0", 100*time.Millisecond)
	checkError(t, err, "its load balancer has no address after 100ms", "kubectl describe service")
	r.kubectl("", "patch", "service", "geth-0", "--subresource=status", "--type=merge", "-p",
		`{"status":{"loadBalancer":{"ingress":[{"hostname":"lb.example.com"}]}}}`)
	if got, err := r.client.AwaitAddress(t.Context(), r.namespace, "geth-0", time.Second); got != "lb.example.com" || err != nil {
		t.Errorf("AwaitAddress = %q, %v", got, err)
	}
	chosen := []int{r.unchanged(s).Ports[0].NodePort, r.unchanged(s).Ports[1].NodePort}
	s.Ports[0].Name, s.Ports[1].Name = "a", "b"
	if got := r.apply(s, kube.Updated).Ports; got[0].NodePort != chosen[0] || got[1].NodePort != chosen[1] {
		t.Errorf("renamed: %+v, want the node ports %v", got, chosen)
	}
	s.LoadBalancerClass = "example.com/other"
	r.fails(s, "may not change once set", "delete the Service")
	s.Type, s.LoadBalancerClass = kube.NodePort, ""
	s.Ports[0].TargetPort, s.Ports[1].TargetPort = 0, 0
	if got := r.apply(s, kube.Updated).Ports; got[0].TargetPort != got[0].NodePort || got[0].NodePort != got[1].NodePort {
		t.Errorf("a NodePort again: %+v", got)
	}
	r.unchanged(s)
}
