package kube_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/kubevali/kubevali/internal/hint"
	"github.com/kubevali/kubevali/internal/kube"
)

func TestForbidden(t *testing.T) {
	for _, tc := range []struct{ name, api, message, remedy string }{
		{
			name:    "service account in a namespace",
			api:     `pods "geth-0" is forbidden: User "system:serviceaccount:chains:geth" cannot get resource "pods" in API group "" in the namespace "chains"`,
			message: `cannot get pod "chains/geth-0": the service account system:serviceaccount:chains:geth may not "get" "pods" (in namespace "chains")`,
			remedy: `it takes a Role with - {apiGroups: [""], resources: [pods], verbs: [get]} in namespace "chains", and a RoleBinding to it ` +
				`whose subject is ServiceAccount geth in namespace chains`,
		},
		{
			name:    "another verb than the request's",
			api:     `services "geth-0" is forbidden: User "jane" cannot create resource "services" in API group "" in the namespace "chains"`,
			message: `the user jane may not "create" "services" (in namespace "chains")`,
			remedy: `it takes a Role with - {apiGroups: [""], resources: [services], verbs: [get, create, patch]} in namespace "chains", ` +
				`and a RoleBinding to it whose subject is User jane`,
		},
		{
			name:    "all that Services take, whichever is missing",
			api:     `services "geth-0" is forbidden: User "jane" cannot get resource "services" in API group "" in the namespace "chains"`,
			message: `the user jane may not "get" "services" (in namespace "chains")`,
			remedy:  `it takes a Role with - {apiGroups: [""], resources: [services], verbs: [get, create, patch]} in namespace`,
		},
		{
			name:    "a user with almost a service account's name",
			api:     `pods "geth-0" is forbidden: User "system:serviceaccount:geth" cannot get resource "pods" in API group "" in the namespace "chains"`,
			message: "the user system:serviceaccount:geth may not",
			remedy:  "whose subject is User system:serviceaccount:geth",
		},
		{
			name:    "nobody",
			api:     `pods "geth-0" is forbidden: User "system:anonymous" cannot get resource "pods" in API group "" in the namespace "chains"`,
			message: "the user system:anonymous may not",
			remedy:  "the request carried no credentials that the API server knows: see whether kubectl's context names a user",
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
			checkError(t, err, tc.message, tc.remedy)
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
	if remedy := hint.Of(err); strings.Contains(remedy, "services") {
		t.Errorf("a look-up alone takes no Services: %s", remedy)
	}
}

func TestInvalid(t *testing.T) {
	for _, tc := range []struct{ api, field, remedy string }{
		{`spec.ports[0].nodePort: Invalid value: 31304: provided port is already allocated`, "spec.ports[0].nodePort", "another Service, or another port"},
		{`spec.ports[0].nodePort: Invalid value: 1024: provided port is not in the valid range. The range of valid ports is 30000-32767`,
			"spec.ports[0].nodePort", "--service-node-port-range"},
		{`spec.loadBalancerClass: Invalid value: "example.com/other": may not change once set`, "spec.loadBalancerClass", "delete the Service"},
		{`metadata.labels: Invalid value: "a b": a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.'`,
			"metadata.labels", ""},
		{`[metadata.annotations: Invalid value: "a b": name part must consist of …, spec.ports[0].name: Invalid value: "P2P": a lowercase RFC 1123`,
			"metadata.annotations", ""},
		{`spec.ports[0].port: Invalid value: 70000: must be between 1 and 65535, inclusive`, "spec.ports[0].port", ""},
		{`spec.ipFamilyPolicy: Invalid value: "RequireDualStack": this cluster is not configured for dual-stack services`, "spec.ipFamilyPolicy", ""},
	} {
		_, err := inlineClient(t, refuses(422, "Invalid", `Service "geth-0" is invalid: `+tc.api), kube.Options{}).Service(t.Context(), "chains", "geth-0")
		checkError(t, err, `cannot get service "chains/geth-0": `+tc.api, tc.remedy)
		checkField(t, err, tc.field)
	}
}
