package kube

import (
	"fmt"
	"strings"
)

// maxMessage is how much of an answer's message an error repeats, in bytes.
const maxMessage = 1000

// forbidden says who may not do what, from the words of Kubernetes' authorizer, as in
//
//	nodes "node-1" is forbidden: User "system:serviceaccount:chains:geth" cannot get resource "nodes" in API group ""
//	at the cluster scope
//
// Admission, quotas and webhooks forbid in other words, which are left as they are.
func (e *Error) forbidden(message string) {
	_, rest, ok := strings.Cut(message, `User "`)
	user, rest, ok2 := strings.Cut(rest, `" cannot `)
	verb, rest, ok3 := strings.Cut(rest, ` resource "`)
	resource, _, ok4 := strings.Cut(rest, `"`)
	if !ok || !ok2 || !ok3 || !ok4 {
		return
	}
	who := fmt.Sprintf("the user %s", user)
	if strings.HasPrefix(user, "system:serviceaccount:") {
		who = fmt.Sprintf("the service account %s", user)
	}
	role, scope := "ClusterRole", "cluster-wide"
	if e.Namespace != "" {
		role, scope = "Role", fmt.Sprintf("in namespace %q", e.Namespace)
	}
	e.Message = fmt.Sprintf("%s may not %q %q (%s)", who, verb, resource, scope)
	e.Remedy = fmt.Sprintf(`add - {apiGroups: [""], resources: [%s], verbs: [%s]} to the rules of a %s that is bound to it`,
		resource, verbsFor(resource, verb), role)
	if e.Namespace != "" {
		e.Remedy += fmt.Sprintf(" in namespace %q", e.Namespace)
	}
	if user == "system:anonymous" {
		e.Remedy = "the request carried no credentials that the API server knows; " + e.Remedy
	}
}

// verbsFor lists all verbs that will be missed together, so that they are not found missing one by one.
func verbsFor(resource, verb string) string {
	if resource == "services" && (verb == "create" || verb == "patch") {
		return "get, create, patch"
	}
	return verb
}

// credentialsHint is for credentials that are not accepted.
func (c *Client) credentialsHint() string {
	switch {
	case c.cluster.inPod:
		return "see whether the ServiceAccount still exists; after it was deleted and created again, its pods need a restart"
	case c.cluster.plugin != nil:
		return "log in again with what the credential plugin " + c.cluster.plugin.Command + " belongs to"
	}
	return "they may have expired: fetch a new kubeconfig, or log in again"
}

// nameHint says where the name of an object comes from.
func nameHint(resource string) string {
	switch resource {
	case "pods":
		return "the pod's name and namespace come from POD_NAME (else HOSTNAME, which on the host network is the machine's) " +
			"and POD_NAMESPACE: set both from the downward API (fieldPath: metadata.name and metadata.namespace)"
	case "nodes":
		return "the node's name comes from NODE_NAME: set it from the downward API (fieldPath: spec.nodeName)"
	}
	return ""
}

// invalidHint is for a Service that the API server does not take.
func invalidHint(message string) string {
	switch {
	case strings.Contains(message, "provided port is already allocated"):
		return "another Service, or another port, has this node port (kubectl get services --all-namespaces shows them): " +
			"choose another one, or leave it to the cluster"
	case strings.Contains(message, "provided port is not in the valid range"):
		return "choose a node port in that range, or leave it to the cluster; " +
			"the API server's --service-node-port-range sets the range"
	case strings.Contains(message, "field is immutable"), strings.Contains(message, "may not change once set"),
		strings.Contains(message, "may not be set to 'None'"):
		return "that cannot be changed: delete the Service, and it is made anew"
	}
	// The first field that is wrong; there may be several in brackets: [metadata.labels: …, spec.ports[0].name: …]
	_, what, _ := strings.Cut(message, "is invalid: ")
	path, _, _ := strings.Cut(strings.TrimPrefix(what, "["), ": ")
	for _, field := range []struct{ path, key, rule string }{
		{"metadata.labels", "labels", ": a value has at most 63 letters, digits, -, _ and ., begins and ends with a letter or digit, " +
			"or is empty; other text can go into nodeService.annotations"},
		{"metadata.annotations", "annotations", ": a key is a name or a DNS name, / and a name, and all of them together have at most 256 KiB"},
		{"spec.ports", "ports", ""},
		{"spec.loadBalancerClass", "loadBalancerClass", ""},
		{"spec.ipFamilyPolicy", "ipFamilyPolicy", ""},
	} {
		if strings.HasPrefix(path, field.path) {
			return "see nodeService." + field.key + field.rule
		}
	}
	return ""
}

// explain drops the words with which the API names the object once more, and what is too long for a line.
func explain(message string) string {
	message = strings.Join(strings.Fields(message), " ")
	if len(message) > maxMessage {
		message = strings.ToValidUTF8(message[:maxMessage], "") + "…"
	}
	for _, begin := range []string{`Service "`, `services "`, `nodes "`, `pods "`} {
		if !strings.HasPrefix(message, begin) {
			continue
		}
		for _, verb := range []string{"is invalid: ", "is forbidden: "} {
			if _, what, ok := strings.Cut(message, `" `+verb); ok {
				return what
			}
		}
	}
	return message
}

func singular(resource string) string { return strings.TrimSuffix(resource, "s") }
