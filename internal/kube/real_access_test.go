package kube_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kubevali/kubevali/internal/kube"
)

func TestRealNodes(t *testing.T) {
	r := newRealCluster(t)
	nodes, err := r.client.Nodes(t.Context())
	if err != nil || len(nodes) == 0 || len(nodes[0].Addresses) == 0 {
		t.Fatalf("Nodes = %+v, %v", nodes, err)
	}
	node, err := r.client.Node(t.Context(), nodes[0].Name)
	if err != nil || !slices.Equal(node.Addresses, nodes[0].Addresses) {
		t.Errorf("Node = %+v, %v; Nodes = %+v", node, err, nodes)
	}
	_, err = r.client.Node(t.Context(), "nowhere")
	checkError(t, err, `cannot get node "nowhere": it does not exist`, "NODE_NAME")
	_, err = r.client.Pod(t.Context(), r.namespace, "nobody-0")
	checkError(t, err, fmt.Sprintf(`cannot get pod "%s/nobody-0": it does not exist`, r.namespace), "--pod")
	_, err = r.client.Service(t.Context(), r.namespace, "nothing")
	if !kube.NotFound(err) {
		t.Errorf("Service: %v", err)
	}
}

func TestRealForbidden(t *testing.T) {
	r := newRealCluster(t)
	r.pod("geth-0")
	r.kubectl("", "create", "serviceaccount", "geth")
	token := r.kubectl("", "create", "token", "geth")
	var view struct {
		Clusters []struct {
			Cluster map[string]any `json:"cluster"`
		} `json:"clusters"`
	}
	if err := json.Unmarshal([]byte(r.kubectl("", "config", "view", "--raw", "--minify", "--flatten", "-o", "json")), &view); err != nil {
		t.Fatal(err)
	}
	cluster, _ := json.Marshal(view.Clusters[0].Cluster)
	kubeconfig := func(token string) string {
		path := filepath.Join(t.TempDir(), "config")
		writeFile(t, path, fmt.Sprintf(`{"current-context":"c","contexts":[{"name":"c","context":{"cluster":"k","user":"u"}}],
			"clusters":[{"name":"k","cluster":%s}],"users":[{"name":"u","user":{"token":%q}}]}`, cluster, token))
		return path
	}
	account := "the service account system:serviceaccount:" + r.namespace + ":geth may not "
	scope := fmt.Sprintf("(in namespace %q)", r.namespace)
	r.client = r.as(kubeconfig(token))
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
	r.fails(s, account+`"patch" "services" `+scope, `resources: [services], verbs: [get, create, patch]}`)
	r.kubectl("", "create", "role", "geth2", "--verb=patch", "--resource=services")
	r.kubectl("", "create", "rolebinding", "geth2", "--role=geth2", "--serviceaccount="+r.namespace+":geth")
	eventually(t, func() bool {
		_, _, err := r.client.Apply(t.Context(), s)
		return err != nil && strings.Contains(err.Error(), `may not "create" "services"`)
	})
	r.kubectl("", "create", "role", "geth3", "--verb=create", "--resource=services")
	r.kubectl("", "create", "rolebinding", "geth3", "--role=geth3", "--serviceaccount="+r.namespace+":geth")
	eventually(t, func() bool {
		_, _, err := r.client.Apply(t.Context(), s)
		return err == nil
	})

	r.client = r.as(kubeconfig("no.such.token"))
	r.fails(s, "does not accept the credentials of kubeconfig", "expired")
}
