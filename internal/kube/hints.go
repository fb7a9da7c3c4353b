package kube

import (
	"fmt"
	"strings"
)

// maxMessage is how much of an answer's message an error repeats, in bytes.
const maxMessage = 1000

// serviceVerbs are all that a Service takes. They are named together, so that they are not found missing one by one.
const serviceVerbs = "get, create, patch"

// forbidden says who may not do what, from the words of Kubernetes' authorizer, as in
//
//	nodes "node-1" is forbidden: User "system:serviceaccount:chains:geth" cannot get resource "nodes" in API group ""
//	at the cluster scope
//
// and what it takes. Admission, quotas and webhooks forbid in other words, which are left as they are.
func (c *Client) forbidden(r request, e *Error, message string) {
	_, rest, ok := strings.Cut(message, `User "`)
	user, rest, ok2 := strings.Cut(rest, `" cannot `)
	verb, rest, ok3 := strings.Cut(rest, ` resource "`)
	resource, _, ok4 := strings.Cut(rest, `"`)
	if !ok || !ok2 || !ok3 || !ok4 {
		return
	}
	who, subject := "the user "+user, "User "+user
	if account, ok := strings.CutPrefix(user, "system:serviceaccount:"); ok {
		if namespace, name, ok := strings.Cut(account, ":"); ok {
			who, subject = "the service account "+user, fmt.Sprintf("ServiceAccount %s in namespace %s", name, namespace)
		}
	}
	role, scope := "ClusterRole", "cluster-wide"
	if r.namespace != "" {
		role, scope = "Role", fmt.Sprintf("in namespace %q", r.namespace)
	}
	e.Message = fmt.Sprintf("%s may not %q %q (%s)", who, verb, resource, scope)
	if user == "system:anonymous" { // whom nobody should give rights
		e.Remedy = "the request carried no credentials that the API server knows: " +
			"see whether the context names a user and an https:// server (" + c.cluster.source + ")"
		return
	}
	verbs := verb
	if resource == "services" {
		verbs = serviceVerbs
	}
	rules := rule(resource, verbs)
	if r.forService {
		rules += " and " + rule("services", serviceVerbs)
	}
	if r.namespace != "" {
		rules += " " + scope
	}
	e.Remedy = fmt.Sprintf("it takes a %s with %s, and a %[1]sBinding to it whose subject is %[3]s", role, rules, subject)
}

// rule is an item of a role's rules.
func rule(resource, verbs string) string {
	return fmt.Sprintf(`- {apiGroups: [""], resources: [%s], verbs: [%s]}`, resource, verbs)
}

// credentialsHint is for credentials that are not accepted.
func (c *Client) credentialsHint() string {
	switch {
	case c.cluster.account:
		return "see whether the ServiceAccount still exists; after it was deleted and created again, its pods need a restart"
	case c.cluster.plugin != nil:
		return "log in again with what the credential plugin " + c.cluster.plugin.Command + " belongs to"
	}
	return "they may have expired: fetch a new kubeconfig, or log in again"
}

// nameHint says where the name of an object comes from.
func (c *Cluster) nameHint(resource string) string {
	switch {
	case resource == "pods" && c.inPod:
		return "set POD_NAME and POD_NAMESPACE from the fields metadata.name and metadata.namespace"
	case resource == "pods":
		return "--pod and --namespace say which pod"
	case resource == "nodes" && c.inPod:
		return "set NODE_NAME from the field spec.nodeName"
	case resource == "nodes":
		return "NODE_NAME says which node"
	}
	return ""
}

// namespaceHint says where the namespace comes from.
func (c *Cluster) namespaceHint() string {
	if c.inPod {
		return "set POD_NAMESPACE from the field metadata.namespace"
	}
	return "--namespace says which namespace"
}

// missingHint is for an object that does not exist. Somebody at a desk may ask for it before it does.
func (c *Cluster) missingHint(resource string) string {
	hint := c.nameHint(resource)
	if hint != "" && !c.inPod {
		hint += "; --offline shows placeholders until it exists"
	}
	return hint
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
