package kube_test

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kubevali/kubevali/internal/kube"
)

func TestForbidden(t *testing.T) {
	for _, tc := range []struct{ name, api, message, hint string }{
		{
			name:    "service account in a namespace",
			api:     `pods "geth-0" is forbidden: User "system:serviceaccount:chains:geth" cannot get resource "pods" in API group "" in the namespace "chains"`,
			message: `cannot get pod "chains/geth-0": the service account system:serviceaccount:chains:geth may not "get" "pods" (in namespace "chains")`,
			hint: `it takes a Role with - {apiGroups: [""], resources: [pods], verbs: [get]} in namespace "chains", and a RoleBinding to it ` +
				`whose subject is ServiceAccount geth in namespace chains`,
		},
		{
			name:    "another verb than the request's",
			api:     `services "geth-0" is forbidden: User "jane" cannot create resource "services" in API group "" in the namespace "chains"`,
			message: `the user jane may not "create" "services" (in namespace "chains")`,
			hint: `it takes a Role with - {apiGroups: [""], resources: [services], verbs: [get, create, patch]} in namespace "chains", ` +
				`and a RoleBinding to it whose subject is User jane`,
		},
		{
			name:    "all that Services take, whichever is missing",
			api:     `services "geth-0" is forbidden: User "jane" cannot get resource "services" in API group "" in the namespace "chains"`,
			message: `the user jane may not "get" "services" (in namespace "chains")`,
			hint:    `it takes a Role with - {apiGroups: [""], resources: [services], verbs: [get, create, patch]} in namespace`,
		},
		{
			name:    "a user with almost a service account's name",
			api:     `pods "geth-0" is forbidden: User "system:serviceaccount:geth" cannot get resource "pods" in API group "" in the namespace "chains"`,
			message: "the user system:serviceaccount:geth may not",
			hint:    "whose subject is User system:serviceaccount:geth",
		},
		{
			name:    "nobody",
			api:     `pods "geth-0" is forbidden: User "system:anonymous" cannot get resource "pods" in API group "" in the namespace "chains"`,
			message: "the user system:anonymous may not",
			hint: "the request carried no credentials that the API server knows: " +
				"see whether the context names a user and an https:// server (kubeconfig /etc/kubeconfig, context c)",
		},
		{
			name:    "quota",
			api:     `services "geth-0" is forbidden: exceeded quota: q, requested: services.nodeports=1, used: services.nodeports=0, limited: services.nodeports=0`,
			message: `cannot get pod "chains/geth-0": exceeded quota: q, requested`,
		},
		{
			name:    "webhook",
			api:     "admission webhook \"x.example.com\" denied the request:\n\n  not on Fridays\n",
			message: `cannot get pod "chains/geth-0": admission webhook "x.example.com" denied the request: not on Fridays`,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := inlineClient(t, refuses(403, "Forbidden", tc.api), kube.Options{}).Pod(t.Context(), "chains", "geth-0")
			checkError(t, err, tc.message, tc.hint)
		})
	}
}

// Somebody who may do nothing is told at once all that the Service takes.
func TestApplyForbidden(t *testing.T) {
	f := newFakeAPI()
	c := inlineClient(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/pods/") {
			refuses(403, "Forbidden", `pods "geth-0" is forbidden: User "system:serviceaccount:chains:geth" cannot get resource "pods" `+
				`in API group "" in the namespace "chains"`)(w, r)
			return
		}
		f.ServeHTTP(w, r)
	}), kube.Options{})
	_, _, err := c.Apply(t.Context(), spec(port("p2p", "TCP", 30303, 30303, 0)))
	checkError(t, err, `may not "get" "pods" (in namespace "chains")`,
		`it takes a Role with - {apiGroups: [""], resources: [pods], verbs: [get]} `+
			`and - {apiGroups: [""], resources: [services], verbs: [get, create, patch]} in namespace "chains", `+
			`and a RoleBinding to it whose subject is ServiceAccount geth in namespace chains`)
	_, err = c.Pod(t.Context(), "chains", "geth-0")
	if hint := kube.Hint(err); strings.Contains(hint, "services") {
		t.Errorf("a look-up alone takes no Services: %s", hint)
	}
}

// What gives an object's name is another thing in a pod than at somebody's desk.
func TestNameHints(t *testing.T) {
	missing := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { answerStatus(w, 404, "NotFound", "not found") })
	clients := map[string]*kube.Client{"outside": inlineClient(t, missing, kube.Options{})}
	inPod := []string{"KUBERNETES_SERVICE_HOST", "10.96.0.1", "KUBERNETES_SERVICE_PORT", "443"}
	kubeconfig := filepath.Join(t.TempDir(), "config")
	writeFile(t, kubeconfig, kubeconfigFor("https://api.example.com", "", `token: "x"`))
	for name, where := range map[string]struct {
		env   []string
		files map[string]string
	}{
		"in a pod":                   {inPod, map[string]string{"token": "s3cret-token"}},
		"in a pod with a kubeconfig": {append(inPod, "KUBECONFIG", kubeconfig), nil},
	} {
		cluster, err := kube.LocateWith(environ(where.env...), account(t, where.files))
		if err != nil {
			t.Fatal(err)
		}
		if clients[name], err = kube.NewClient(cluster, kube.Options{Transport: inline{missing}}); err != nil {
			t.Fatal(err)
		}
	}
	pod := func(namespace, name string) func(*kube.Client) error {
		return func(c *kube.Client) error { _, err := c.Pod(t.Context(), namespace, name); return err }
	}
	node := func(name string) func(*kube.Client) error {
		return func(c *kube.Client) error { _, err := c.Node(t.Context(), name); return err }
	}
	for _, tc := range []struct {
		name           string
		ask            func(*kube.Client) error
		message        string
		inPod, outside string
	}{
		{"no such pod", pod("chains", "geth-0"), "it does not exist",
			"set POD_NAME and POD_NAMESPACE from the fields metadata.name and metadata.namespace",
			"--pod and --namespace say which pod; --offline shows placeholders until it exists"},
		{"no such node", node("node-1"), "it does not exist",
			"set NODE_NAME from the field spec.nodeName",
			"NODE_NAME says which node; --offline shows placeholders until it exists"},
		{"not a pod's name", pod("chains", "Geth_0"), "that is not a name",
			"set POD_NAME and POD_NAMESPACE from the fields metadata.name and metadata.namespace",
			"--pod and --namespace say which pod"},
		{"not a node's name", node("Node_1"), "that is not a name",
			"set NODE_NAME from the field spec.nodeName", "NODE_NAME says which node"},
		{"not a namespace", pod("Chains_", "geth-0"), "that is not a namespace",
			"set POD_NAMESPACE from the field metadata.namespace", "--namespace says which namespace"},
	} {
		for where, client := range clients {
			t.Run(tc.name+" "+where, func(t *testing.T) {
				want := tc.inPod
				if where == "outside" {
					want = tc.outside
				}
				err := tc.ask(client)
				checkError(t, err, tc.message, want)
				if hint := kube.Hint(err); hint != want {
					t.Errorf("hint %q\nwant %q", hint, want)
				}
			})
		}
	}
}

func TestInvalid(t *testing.T) {
	for api, hint := range map[string]string{
		`Service "geth-0" is invalid: spec.ports[0].nodePort: Invalid value: 31304: provided port is already allocated`:                                                         "another Service, or another port",
		`Service "geth-0" is invalid: spec.ports[0].nodePort: Invalid value: 1024: provided port is not in the valid range. The range of valid ports is 30000-32767`:            "--service-node-port-range",
		`Service "geth-0" is invalid: spec.loadBalancerClass: Invalid value: "example.com/other": may not change once set`:                                                      "delete the Service",
		`Service "geth-0" is invalid: metadata.labels: Invalid value: "a b": a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.'`:      "see nodeService.labels: a value has at most 63",
		`Service "geth-0" is invalid: [metadata.annotations: Invalid value: "a b": name part must consist of …, spec.ports[0].name: Invalid value: "P2P": a lowercase RFC 1123`: "see nodeService.annotations",
		`Service "geth-0" is invalid: spec.ports[0].port: Invalid value: 70000: must be between 1 and 65535, inclusive`:                                                         "see nodeService.ports",
		`Service "geth-0" is invalid: spec.ipFamilyPolicy: Invalid value: "RequireDualStack": this cluster is not configured for dual-stack services`:                           "see nodeService.ipFamilyPolicy",
		`Service "geth-0" is invalid: spec.selector: Invalid value: "x": what?`:                                                                                                 "",
	} {
		_, err := inlineClient(t, refuses(422, "Invalid", api), kube.Options{}).Service(t.Context(), "chains", "geth-0")
		_, message, _ := strings.Cut(api, "is invalid: ")
		checkError(t, err, `cannot get service "chains/geth-0": `+message, hint)
	}
}
