package kube_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/kubevali/kubevali/internal/kube"
)

func TestRealLookups(t *testing.T) {
	r := newRealCluster(t)
	r.pod("geth-0")
	r.apply(r.spec("geth-0", port("p2p", "TCP", 30303, 0, 0)), kube.Created)
	r.kubectl("", "create", "service", "clusterip", "web", "--tcp=80:http")
	answers := map[string]string{}
	for name, who := range map[string]reader{"client": r.client, "kubectl": r.desk()} {
		nodes, err := who.Nodes(t.Context())
		if err != nil || len(nodes) == 0 || len(nodes[0].Addresses) == 0 {
			t.Fatalf("%s: Nodes = %+v, %v", name, nodes, err)
		}
		node, err := who.Node(t.Context(), nodes[0].Name)
		if err != nil || !slices.Equal(node.Addresses, nodes[0].Addresses) {
			t.Errorf("%s: Node = %+v, %v; Nodes = %+v", name, node, err, nodes)
		}
		pod, err := who.Pod(t.Context(), r.namespace, "geth-0")
		if err != nil || pod.UID == "" || pod.Labels["app"] != "x" {
			t.Errorf("%s: Pod = %+v, %v", name, pod, err)
		}
		service, err := who.Service(t.Context(), r.namespace, "geth-0")
		if err != nil || len(service.Ports) != 1 || service.Ports[0].NodePort == 0 || !service.Managed() {
			t.Errorf("%s: Service = %+v, %v", name, service, err)
		}
		web, err := who.Service(t.Context(), r.namespace, "web")
		if err != nil || len(web.Ports) != 1 || web.Ports[0].TargetPort != 0 || web.Managed() {
			t.Errorf("%s: Service = %+v, %v", name, web, err)
		}
		answers[name] = fmt.Sprintf("%+v %+v %+v %+v", nodes, pod, service, web)
		_, err = who.Node(t.Context(), "nowhere")
		checkError(t, err, `cannot get node "nowhere": it does not exist`, "")
		_, err = who.Pod(t.Context(), r.namespace, "nobody-0")
		checkError(t, err, fmt.Sprintf(`cannot get pod "%s/nobody-0": it does not exist`, r.namespace), "")
		if _, err = who.Service(t.Context(), r.namespace, "nothing"); !kube.NotFound(err) {
			t.Errorf("%s: Service: %v", name, err)
		}
	}
	if answers["client"] != answers["kubectl"] {
		t.Errorf("%s\n%s", answers["client"], answers["kubectl"])
	}
}

func TestRealForbidden(t *testing.T) {
	r := newRealCluster(t)
	r.pod("geth-0")
	r.kubectl("", "create", "serviceaccount", "geth")
	token := r.kubectl("", "create", "token", "geth")
	account := "the service account system:serviceaccount:" + r.namespace + ":geth may not "
	scope := fmt.Sprintf("(in namespace %q)", r.namespace)
	r.client = r.as(token)
	_, err := r.client.Node(t.Context(), "node-1")
	checkError(t, err, `cannot get node "node-1": `+account+`"get" "nodes" (cluster-wide)`,
		`it takes a ClusterRole with - {apiGroups: [""], resources: [nodes], verbs: [get]}, and a ClusterRoleBinding to it `+
			`whose subject is ServiceAccount geth in namespace `+r.namespace)
	_, err = r.client.Nodes(t.Context())
	checkError(t, err, `cannot list nodes: `+account+`"list" "nodes" (cluster-wide)`, `resources: [nodes], verbs: [list]}`)
	s := r.spec("geth-0", port("p2p", "TCP", 30303, 0, 0))
	r.fails(s, account+`"get" "pods" `+scope, `it takes a Role with - {apiGroups: [""], resources: [pods], verbs: [get]} `+
		`and - {apiGroups: [""], resources: [services], verbs: [get, create, patch]} in namespace`)

	r.kubectl("", "create", "role", "geth", "--verb=get", "--resource=pods,services")
	r.kubectl("", "create", "rolebinding", "geth", "--role=geth", "--serviceaccount="+r.namespace+":geth")
	eventually(t, func() bool {
		_, err := r.client.Service(t.Context(), r.namespace, "geth-0")
		return kube.NotFound(err)
	})
	r.fails(s, account+`"create" "services" `+scope, `resources: [services], verbs: [get, create, patch]}`)
	r.kubectl("", "create", "role", "geth2", "--verb=create", "--resource=services")
	r.kubectl("", "create", "rolebinding", "geth2", "--role=geth2", "--serviceaccount="+r.namespace+":geth")
	eventually(t, func() bool {
		_, _, err := r.client.Apply(t.Context(), s)
		return err != nil && strings.Contains(err.Error(), `may not "patch" "services"`)
	})
	r.kubectl("", "create", "role", "geth3", "--verb=patch", "--resource=services")
	r.kubectl("", "create", "rolebinding", "geth3", "--role=geth3", "--serviceaccount="+r.namespace+":geth")
	eventually(t, func() bool {
		_, _, err := r.client.Apply(t.Context(), s)
		return err == nil
	})

	r.client = r.as("no.such.token")
	r.fails(s, "does not accept the credentials of the pod's service account", "ServiceAccount still exists")
}
