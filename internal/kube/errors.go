package kube

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// ErrNoCluster says, of an error of Kubectl, that there is nothing to ask: no kubectl, or no cluster that it knows. Such an
// error is no *Error.
var ErrNoCluster = errors.New("no Kubernetes cluster at hand")

// Error says which request did not work and why, in the operator's terms.
type Error struct {
	// Code is the HTTP status, 0 when there was no answer.
	Code int
	// Field is what is wrong with the object, where that can be told, as metadata.labels or spec.ports[0].nodePort.
	// metadata.name and metadata.namespace are what was asked for, which cannot be names.
	Field string
	// Message is what is wrong, without the request.
	Message string
	// Remedy is what to do about it, "" where there is nothing to say that could be said here.
	Remedy string

	request    string // as get pod "chains/geth-0"
	temporary  bool
	retryAfter time.Duration
	err        error
}

// Error returns one line, without the hint.
func (e *Error) Error() string { return "cannot " + e.request + ": " + e.Message }

// Hint returns the remedy.
func (e *Error) Hint() string { return e.Remedy }

// Unwrap returns what ended the request from inside, as a context's error. Nil for the API's answers.
func (e *Error) Unwrap() error { return e.err }

// Temporary says that the same may work later: there was no answer, or one that says so, or time was up.
func (e *Error) Temporary() bool { return e.temporary }

// NotFound says whether err is the API server's word that the object does not exist.
func NotFound(err error) bool { return isCode(err, http.StatusNotFound) }

func isCode(err error, code int) bool {
	var e *Error
	return errors.As(err, &e) && e.Code == code
}

// error makes an error one of the request.
func (r request) error(e Error) *Error {
	switch {
	case r.verb == "list":
		e.request = "list " + r.resource
	case r.namespace != "":
		e.request = fmt.Sprintf("%s %s %q", r.verb, strings.TrimSuffix(r.resource, "s"), r.namespace+"/"+r.name)
	default:
		e.request = fmt.Sprintf("%s %s %q", r.verb, strings.TrimSuffix(r.resource, "s"), r.name)
	}
	return &e
}

// ended is a request that the caller's context ended. last is what stood in its way; nil: nothing.
func (r request) ended(ctx context.Context, last *Error) *Error {
	e := r.error(Error{Message: "given up: " + ctx.Err().Error()})
	late := errors.Is(ctx.Err(), context.DeadlineExceeded)
	if late && last != nil && last.temporary {
		e = last // says more than that time was up
	}
	e.err, e.temporary = ctx.Err(), late
	return e
}

const (
	checkServer = "see what sets KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT: the kubelet does, unless the pod's spec has others"
	// maxRetryAfter bounds what an answer can ask for, in seconds.
	maxRetryAfter = 60
	// maxMessage is how much of an answer's message an error repeats, in bytes.
	maxMessage = 1000
	// serviceVerbs are all that a Service takes. They are named together, so that they are not found missing one by one.
	serviceVerbs = "get, create, patch"
	// accountPrefix begins the users that are service accounts; a namespace, a colon and a name follow.
	accountPrefix = "system:serviceaccount:"
)

// unreachable is a request without an answer.
func (c *Client) unreachable(r request, err error) *Error {
	e := r.error(Error{
		Message:   fmt.Sprintf("no answer from the Kubernetes API at %s: %s", c.cluster.Server(), describe(err)),
		Remedy:    "see whether the API server is up, and whether a NetworkPolicy keeps the pod from " + c.cluster.address,
		temporary: true,
	})
	var certificate *tls.CertificateVerificationError
	var noTLS tls.RecordHeaderError
	if errors.As(err, &certificate) || errors.As(err, &noTLS) {
		e.Remedy, e.temporary = "see whether "+filepath.Join(c.cluster.accountDir, rootsFile)+" is this cluster's; "+checkServer, false
	}
	return e
}

// describe says what went wrong on the way to the server, without local ports, which differ each time.
func describe(err error) string {
	var dns *net.DNSError
	var op *net.OpError
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return "it took too long"
	case errors.As(err, &dns) && dns.IsNotFound:
		return "no such host: " + dns.Name
	case errors.As(err, &dns):
		return "the look-up of " + dns.Name + " failed"
	case errors.As(err, &op) && op.Timeout():
		return "no connection in time"
	case errors.As(err, &op):
		return op.Err.Error()
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "the connection was closed"
	}
	return err.Error()
}

var tooLarge = fmt.Sprintf("the answer is larger than %d MiB", maxAnswer>>20)

// unreadable is a success whose body cannot be decoded.
func (c *Client) unreadable(r request, code int, body *io.LimitedReader, err error) *Error {
	var syntax *json.SyntaxError
	var wrong *json.UnmarshalTypeError
	switch {
	case body.N <= 0:
		return r.error(Error{Code: code, Message: tooLarge})
	case errors.As(err, &syntax), errors.As(err, &wrong):
		message := c.cluster.Server() + " does not answer as a Kubernetes API server does"
		return r.error(Error{Code: code, Message: message, Remedy: checkServer})
	}
	return r.error(Error{Code: code, Message: "the answer broke off: " + describe(err), temporary: true})
}

// status is the API's word for what did not work (metav1.Status).
type status struct {
	Kind    string
	Message string
	Details struct{ Causes []struct{ Field string } }
}

// judge turns an answer other than 200 and 201 into an error.
func (c *Client) judge(r request, resp *http.Response, body io.Reader) *Error {
	var s status
	if err := json.NewDecoder(body).Decode(&s); err != nil || s.Kind != "Status" {
		s = status{}
	}
	if s.Message == "" {
		s.Message = resp.Status
	}
	e := r.refusal(resp.StatusCode, s)
	switch code := resp.StatusCode; {
	case code >= 300 && code < 400:
		e.Message = "the API server at " + c.cluster.Server() + " answers with a redirect, which is not followed"
		e.Remedy = checkServer
	case code == http.StatusUnauthorized:
		e.Message = "the API server at " + c.cluster.Server() + " does not accept the credentials of " + account
		e.Remedy = "see whether the ServiceAccount still exists; after it was deleted and created again, its pods need a restart"
	case code == http.StatusNotFound && s.Kind == "":
		e.Message = c.cluster.Server() + " does not answer as a Kubernetes API server does (404)"
		e.Remedy = checkServer
	case code == http.StatusRequestTimeout, code == http.StatusTooManyRequests,
		code == http.StatusInternalServerError, code == http.StatusBadGateway,
		code == http.StatusServiceUnavailable, code == http.StatusGatewayTimeout:
		e.Message = "the API server at " + c.cluster.Server() + " answers: " + e.Message
		seconds, _ := strconv.Atoi(resp.Header.Get("Retry-After")) // API servers send no dates
		e.temporary, e.retryAfter = true, time.Duration(min(max(seconds, 0), maxRetryAfter))*time.Second
	}
	return e
}

// refusal is what the API answers in place of an object.
func (r request) refusal(code int, s status) *Error {
	e := r.error(Error{Code: code, Message: explain(s.Message)})
	switch {
	case code == http.StatusForbidden:
		r.forbidden(e, s.Message)
	case code == http.StatusNotFound && !strings.HasPrefix(s.Message, "namespaces "):
		e.Message = "it does not exist"
	case code == http.StatusUnprocessableEntity:
		e.Remedy = invalidHint(s.Message)
		if len(s.Details.Causes) > 0 {
			e.Field = s.Details.Causes[0].Field
		}
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
	user, verbs, resource := said[1], said[2], said[3]
	who, subject := "the user "+user, "User "+user
	if account, ok := strings.CutPrefix(user, accountPrefix); ok {
		if namespace, name, ok := strings.Cut(account, ":"); ok {
			who, subject = "the service account "+user, fmt.Sprintf("ServiceAccount %s in namespace %s", name, namespace)
		}
	}
	role, scope, within := "ClusterRole", "cluster-wide", ""
	if r.namespace != "" {
		role, scope = "Role", fmt.Sprintf("in namespace %q", r.namespace)
		within = " " + scope
	}
	e.Message = fmt.Sprintf("%s may not %q %q (%s)", who, verbs, resource, scope)
	if user == "system:anonymous" { // whom nobody should give rights
		e.Remedy = "the request carried no credentials that the API server knows: see whether kubectl's context names a user"
		return
	}
	if resource == "services" {
		verbs = serviceVerbs
	}
	rules := rule(resource, verbs)
	if r.forService {
		rules += " and " + rule("services", serviceVerbs)
	}
	e.Remedy = fmt.Sprintf("it takes a %s with %s%s, and a %[1]sBinding to it whose subject is %[4]s", role, rules, within, subject)
}

// rule is an item of a role's rules.
func rule(resource, verbs string) string {
	return fmt.Sprintf(`- {apiGroups: [""], resources: [%s], verbs: [%s]}`, resource, verbs)
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
	return ""
}

// explain drops the words with which the API names the object once more, and what is too long for a line.
func explain(message string) string {
	message = strings.Join(strings.Fields(message), " ")
	if len(message) > maxMessage {
		message = strings.ToValidUTF8(message[:maxMessage], "") + "…"
	}
	named := regexp.MustCompile(`^(Service|services|nodes|pods) "[^"]*" is (invalid|forbidden): `)
	return named.ReplaceAllString(message, "")
}
