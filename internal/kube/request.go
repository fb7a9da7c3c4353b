package kube

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"time"
)

const (
	firstWait = 250 * time.Millisecond
	maxWait   = 5 * time.Second
	// maxRetryAfter bounds what an answer can ask for.
	maxRetryAfter = time.Minute
	// settlingTime is for how long after an outage a refusal is not believed: an API server that has just come up refuses
	// whom it will admit once it has read its accounts and rules.
	settlingTime = 10 * time.Second
)

// request is one question to the API. With Name empty it is about the list.
type request struct {
	verb, resource  string
	namespace, name string
	forService      bool // it is a step towards a Service, which takes rights of its own
	query           url.Values
	method          string // "": GET
	contentType     string
	body            []byte
}

// do asks until there is an answer, or patience is at its end. It decodes the answer's body into out and returns the
// HTTP status.
func (c *Client) do(ctx context.Context, r request, out any) (int, error) {
	if err := c.cluster.check(r); err != nil {
		return 0, err
	}
	start, wait := time.Now(), firstWait
	asked := false // whether the plugin was asked for new credentials
	for {
		status, err := c.try(ctx, r, out)
		switch {
		case err == nil:
			c.answered()
			return status, nil
		case ctx.Err() != nil:
			return 0, r.ended(ctx, err)
		case err.Code == http.StatusUnauthorized && !asked && c.credentials.forget():
			asked = true
			continue
		case !err.temporary && !(refused(err) && c.settling()):
			if err.Code != 0 {
				c.answered()
			}
			return 0, err
		}
		pause := max(wait/2+rand.N(wait/2), err.retryAfter)
		left := c.options.Patience - time.Since(start)
		if left <= 0 || err.retryAfter > left {
			return 0, err.after(time.Since(start))
		}
		c.waits(err)
		if sleep(ctx, min(pause, left)) != nil {
			return 0, r.ended(ctx, err)
		}
		wait = min(2*wait, maxWait)
	}
}

func refused(e *Error) bool {
	return e.Code == http.StatusUnauthorized || e.Code == http.StatusForbidden
}

// waits says, at the begin of an outage, that there is one.
func (c *Client) waits(err *Error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.outage {
		c.options.Log("Waiting for the Kubernetes API: %v", err)
	}
	c.outage = true
	if err.temporary {
		c.away = time.Now()
	}
}

// answered says, at the end of an outage, that it is over.
func (c *Client) answered() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.outage {
		c.options.Log("The Kubernetes API answers again")
	}
	c.outage = false
}

// settling says whether there was an outage a moment ago.
func (c *Client) settling() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.away.IsZero() && time.Since(c.away) <= settlingTime
}

// try asks once.
func (c *Client) try(ctx context.Context, r request, out any) (int, *Error) {
	req := r.http(c.cluster.server)
	req.Header.Set("User-Agent", c.options.UserAgent)
	if err := c.credentials.authorize(ctx, req.Header); err != nil {
		return 0, r.failed(err)
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	// The transport is used without an http.Client around it: nothing follows a redirect, with or without credentials.
	resp, err := c.transport.RoundTrip(req.WithContext(ctx))
	if err != nil {
		return 0, c.unreachable(r, err)
	}
	defer resp.Body.Close()
	body := &io.LimitedReader{R: resp.Body, N: maxAnswer}
	if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusCreated {
		return 0, c.judge(r, resp, body)
	}
	if err := json.NewDecoder(body).Decode(out); err != nil {
		return 0, c.unreadable(r, resp, body, err)
	}
	_, _ = io.Copy(io.Discard, body) // to its end, so that the connection can be used again
	return resp.StatusCode, nil
}

func (r request) http(server *url.URL) *http.Request {
	target := *server
	target.Path += "/api/v1"
	if r.namespace != "" {
		target.Path += "/namespaces/" + r.namespace
	}
	target.Path += "/" + r.resource
	if r.name != "" {
		target.Path += "/" + r.name
	}
	target.RawQuery = r.query.Encode()
	req := &http.Request{
		Method: cmp.Or(r.method, http.MethodGet),
		URL:    &target,
		Host:   target.Host,
		Header: http.Header{},
		Body:   http.NoBody,
	}
	req.Header.Set("Accept", "application/json")
	if r.body != nil {
		req.Header.Set("Content-Type", r.contentType)
		req.Body, req.ContentLength = io.NopCloser(bytes.NewReader(r.body)), int64(len(r.body))
	}
	return req
}

// check refuses names that would ask for something else than an object of that name.
func (c *Cluster) check(r request) error {
	switch {
	case r.verb != "list" && !isName(r.name):
		e := r.error("that is not a name (lower-case letters, digits, - and ., at most 253)")
		e.Remedy = c.nameHint(r.resource)
		return e
	case r.resource != "nodes" && !isName(r.namespace):
		e := r.error("that is not a namespace (lower-case letters, digits and -, at most 63)")
		e.Remedy = c.namespaceHint()
		return e
	}
	return nil
}

// isName says whether a name can be that of a pod, a node or a Service (RFC 1123, section 2.1).
func isName(s string) bool {
	if s == "" || len(s) > 253 || s[0] == '.' {
		return false
	}
	for i := range len(s) {
		if b := s[i]; !('a' <= b && b <= 'z' || '0' <= b && b <= '9' || b == '-' || b == '.') {
			return false
		}
	}
	return true
}

// sleep waits, unless the context ends before or just then: there is no time for anything after it.
func sleep(ctx context.Context, d time.Duration) error {
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= d {
		<-ctx.Done()
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
