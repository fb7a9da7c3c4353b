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
	"strconv"
	"strings"
	"time"
)

const (
	// maxRetryAfter bounds what an answer can ask for.
	maxRetryAfter = time.Minute
	checkServer   = "see what sets KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT: the kubelet does, unless the pod's spec has others"
)

// judge turns an answer other than 200 and 201 into an error.
func (c *Client) judge(r request, resp *http.Response, body io.Reader) *Error {
	var s status
	if err := json.NewDecoder(body).Decode(&s); err != nil || s.Kind != "Status" {
		s = status{}
	}
	_, _ = io.Copy(io.Discard, body)
	e := r.refusal(resp.StatusCode, s)
	if e.Message == "" {
		e.Message = strings.TrimSpace(strconv.Itoa(resp.StatusCode) + " " + http.StatusText(resp.StatusCode))
	}
	switch code := resp.StatusCode; {
	case code >= 300 && code < 400:
		e.Message = "the API server at " + c.cluster.Server() + " answers with a redirect, which is not followed"
		e.Remedy = checkServer
	case code == http.StatusUnauthorized:
		e.Message = "the API server at " + c.cluster.Server() + " does not accept the credentials of " + account
		e.Remedy = "see whether the ServiceAccount still exists; after it was deleted and created again, its pods need a restart"
	case code == http.StatusNotFound && s.Reason == "":
		e.Message = c.cluster.Server() + " does not answer as a Kubernetes API server does (404)"
		e.Remedy = checkServer
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
	e.Code, e.Remedy = resp.StatusCode, checkServer
	switch {
	case body.N <= 0:
		e.Message, e.Remedy = tooLarge, ""
	case !isShape(err):
		e.Message, e.Remedy, e.temporary = "the answer broke off: "+describe(err), "", true
	}
	return e
}

var tooLarge = fmt.Sprintf("the answer is larger than %d MiB", maxAnswer>>20)

// isShape says whether an error in decoding is about what the text is, and not about where it ends.
func isShape(err error) bool {
	var syntax *json.SyntaxError
	var wrong *json.UnmarshalTypeError
	return errors.As(err, &syntax) || errors.As(err, &wrong)
}

// unreachable is a request without an answer.
func (c *Client) unreachable(r request, err error) *Error {
	e := r.error(fmt.Sprintf("no answer from the Kubernetes API at %s: %s", c.cluster.Server(), describe(err)))
	e.Remedy = "see whether the API server is up, and whether a NetworkPolicy keeps the pod from " + c.cluster.server.Host
	e.temporary = true
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
