package kube

import (
	"net/http"
	"time"
)

// Before makes the client call f before each request.
func (c *Client) Before(f func(*http.Request)) {
	c.transport = intercepted{c.transport, f}
}

type intercepted struct {
	http.RoundTripper
	before func(*http.Request)
}

func (i intercepted) RoundTrip(r *http.Request) (*http.Response, error) {
	i.before(r)
	return i.RoundTripper.RoundTrip(r)
}

// SetTimeout sets how long one run of kubectl may take.
func (k *Kubectl) SetTimeout(d time.Duration) { k.timeout = d }

// UID is the Service's.
func (s Service) UID() string { return s.uid }

// Managed says whether kubevali made the Service.
func (s Service) Managed() bool { return s.managed() }
