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
	"strconv"
	"strings"
	"time"
)

// status is the API's word for what did not work (metav1.Status).
type status struct {
	Kind    string `json:"kind"`
	Reason  string `json:"reason"`
	Message string `json:"message"`
	Details struct {
		RetryAfterSeconds int `json:"retryAfterSeconds"`
	} `json:"details"`
}

func (r request) error(message string) *Error {
	return &Error{Verb: r.verb, Resource: r.resource, Namespace: r.namespace, Name: r.name, Message: message}
}

// failed is a request that was not sent.
func (r request) failed(err error) *Error {
	e := r.error(err.Error())
	e.Remedy, e.err = Hint(err), err
	return e
}

// ended is a request that the caller's context ended. last is what stood in its way.
func (r request) ended(ctx context.Context, last *Error) *Error {
	if !last.temporary || !errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return r.cancelled(ctx)
	}
	e := *last // what stood in the way says more than that time was up
	e.err = ctx.Err()
	return &e
}

// cancelled is a request that the caller's context keeps from being sent.
func (r request) cancelled(ctx context.Context) *Error {
	e := r.error("given up: " + ctx.Err().Error())
	e.err = ctx.Err()
	e.temporary = errors.Is(e.err, context.DeadlineExceeded)
	return e
}

// after adds for how long a request was tried.
func (e *Error) after(d time.Duration) *Error {
	if d < time.Second {
		return e
	}
	tried := *e
	tried.Message += fmt.Sprintf(" (tried for %s)", d.Round(time.Second))
	return &tried
}

// judge turns an answer other than 200 and 201 into an error.
func (c *Client) judge(r request, resp *http.Response, body io.Reader) *Error {
	var s status
	if err := json.NewDecoder(body).Decode(&s); err != nil || s.Kind != "Status" {
		s = status{}
	}
	_, _ = io.Copy(io.Discard, body)
	e := r.error(explain(s.Message))
	e.Code, e.Reason = resp.StatusCode, s.Reason
	if e.Message == "" {
		e.Message = strings.TrimSpace(strconv.Itoa(resp.StatusCode) + " " + http.StatusText(resp.StatusCode))
	}
	switch code := resp.StatusCode; {
	case code >= 300 && code < 400:
		e.Message = "the API server at " + c.cluster.Server() + " answers with a redirect, which is not followed"
		e.Remedy = "check the server's address (" + c.cluster.source + ")"
	case code == http.StatusUnauthorized:
		e.Message = "the API server at " + c.cluster.Server() + " does not accept the credentials of " + c.cluster.source
		e.Remedy = c.credentialsHint()
	case code == http.StatusForbidden:
		c.forbidden(r, e, s.Message)
	case code == http.StatusNotFound:
		if !strings.HasPrefix(s.Message, "namespaces ") {
			e.Message, e.Remedy = "it does not exist", c.cluster.missingHint(r.resource)
		}
		if s.Reason == "" {
			e.Message = c.cluster.Server() + " does not answer as a Kubernetes API server does (404)"
			e.Remedy = "check the server's address (" + c.cluster.source + ")"
		}
	case code == http.StatusUnprocessableEntity:
		e.Remedy = invalidHint(s.Message)
	case code == http.StatusRequestTimeout, code == http.StatusTooManyRequests,
		code == http.StatusInternalServerError, code == http.StatusBadGateway,
		code == http.StatusServiceUnavailable, code == http.StatusGatewayTimeout:
		e.Message = "the API server at " + c.cluster.Server() + " answers: " + e.Message
		e.temporary, e.retryAfter = true, retryAfter(resp, s)
	}
	return e
}

// retryAfter is for how long the server wants to be left alone, at most maxRetryAfter. It says so in a header of that
// name (in seconds; API servers send no dates) or in the status.
func retryAfter(resp *http.Response, s status) time.Duration {
	seconds := s.Details.RetryAfterSeconds
	if n, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil {
		seconds = n
	}
	return time.Duration(min(max(seconds, 0), int(maxRetryAfter/time.Second))) * time.Second
}

// unreadable is a success whose body cannot be read.
func (c *Client) unreadable(r request, resp *http.Response, body *io.LimitedReader, err error) *Error {
	e := r.error(c.cluster.Server() + " does not answer as a Kubernetes API server does")
	e.Code, e.Remedy = resp.StatusCode, "check the server's address ("+c.cluster.source+")"
	var syntax *json.SyntaxError
	var wrong *json.UnmarshalTypeError
	switch {
	case body.N <= 0:
		e.Message, e.Remedy = fmt.Sprintf("the answer is larger than %d MiB", maxAnswer>>20), ""
	case !errors.As(err, &syntax) && !errors.As(err, &wrong):
		e.Message, e.Remedy, e.temporary = "the answer broke off: "+describe(err), "", true
	}
	return e
}

// unreachable is a request without an answer.
func (c *Client) unreachable(r request, err error) *Error {
	e := r.error(fmt.Sprintf("no answer from the Kubernetes API at %s: %s", c.cluster.Server(), describe(err)))
	e.temporary = true
	var certificate *tls.CertificateVerificationError
	var noTLS tls.RecordHeaderError
	switch {
	case errors.As(err, &certificate), errors.As(err, &noTLS):
		e.temporary = false
		e.Remedy = "check the server's address and its certificate-authority (" + c.cluster.source + ")"
	case c.cluster.account:
		e.Remedy = "see whether the API server is up, and whether a NetworkPolicy keeps the pod from " + c.cluster.server.Host
	default:
		e.Remedy = "see whether kubectl reaches it (" + c.cluster.source + ")"
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
	case errors.As(err, &op) && op.Op == "proxyconnect":
		return "the proxy: " + op.Err.Error()
	case errors.As(err, &op) && op.Timeout():
		return "no connection in time"
	case errors.As(err, &op):
		return op.Err.Error()
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "the connection was closed"
	}
	return err.Error()
}
