package kube

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
)

const (
	// maxMessage is how much of an answer's message an error repeats, in bytes.
	maxMessage = 1000
	// serviceVerbs are all that a Service takes. They are named together, so that they are not found missing one by one.
	serviceVerbs = "get, create, patch"
	// accountPrefix begins the users that are service accounts; a namespace, a colon and a name follow.
	accountPrefix = "system:serviceaccount:"
)

// status is the API's word for what did not work (metav1.Status).
type status struct {
	Kind    string `json:"kind"`
	Reason  string `json:"reason"`
	Message string `json:"message"`
	Details struct {
		RetryAfterSeconds int `json:"retryAfterSeconds"`
		Causes            []struct {
			Field string `json:"field"`
		} `json:"causes"`
	} `json:"details"`
}

// refusal is what the API answers in place of an object.
func (r request) refusal(code int, s status) *Error {
	e := r.error(explain(s.Message))
	e.Code, e.Reason = code, s.Reason
	switch {
	case code == http.StatusForbidden:
		r.forbidden(e, s.Message)
	case code == http.StatusNotFound && !strings.HasPrefix(s.Message, "namespaces "):
		e.Message = "it does not exist"
	case code == http.StatusUnprocessableEntity:
		if len(s.Details.Causes) > 0 {
			e.Field = s.Details.Causes[0].Field
		}
		e.Remedy = invalidHint(e.Field, s.Message)
	}
	return e
}

// forbidden says who may not do what, from the words of Kubernetes' authorizer, as in
//
//	nodes "node-1" is forbidden: User "system:serviceaccount:chains:geth" cannot get resource "nodes" in API group ""
//	at the cluster scope
//
// and what it takes. Admission, quotas and webhooks forbid in other words, which are left as they are.
func (r request) forbidden(e *Error, message string) {
	said := regexp.MustCompile(`User "([^"]+)" cannot (\S+) resource "([^"]+)"`).FindStringSubmatch(message)
	if said == nil {
		return
	}
	user, verb, resource := said[1], said[2], said[3]
	who, subject := "the user "+user, "User "+user
	if namespace, name, ok := strings.Cut(strings.TrimPrefix(user, accountPrefix), ":"); ok && strings.HasPrefix(user, accountPrefix) {
		who, subject = "the service account "+user, fmt.Sprintf("ServiceAccount %s in namespace %s", name, namespace)
	}
	role, scope := "ClusterRole", "cluster-wide"
	if r.namespace != "" {
		role, scope = "Role", fmt.Sprintf("in namespace %q", r.namespace)
	}
	e.Message = fmt.Sprintf("%s may not %q %q (%s)", who, verb, resource, scope)
	if user == "system:anonymous" { // whom nobody should give rights
		e.Remedy = "the request carried no credentials that the API server knows: see whether kubectl's context names a user"
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

// invalidHint is for a Service that the API server does not take.
func invalidHint(field, message string) string {
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
	case strings.HasPrefix(field, "metadata.labels"):
		return "a label's value has at most 63 letters, digits, -, _ and ., begins and ends with a letter or digit, " +
			"or is empty; other text can go into an annotation"
	case strings.HasPrefix(field, "metadata.annotations"):
		return "an annotation's key is a name or a DNS name, / and a name, and all annotations together have at most 256 KiB"
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
