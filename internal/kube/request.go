package kube

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"time"

	"github.com/kubevali/kubevali/internal/backoff"
)

const (
	firstWait = 250 * time.Millisecond
	maxWait   = 5 * time.Second
	// recoveryTime is for how long after an outage a refusal is not believed: an API server that has just come up refuses
	// whom it will admit once it has read its accounts and rules.
	recoveryTime = 10 * time.Second
)

// request is one question to the API, or one change.
type request struct {
	verb, resource  string // as RBAC has them; verb is get, list, create or patch
	namespace, name string // name is empty for a list
	forService      bool   // it is a step towards a Service, which takes rights of its own
	query           url.Values
	body            []byte // JSON; of a patch, a merge patch (RFC 7386)
}

// do asks until there is an answer, or patience is at its end. It decodes the answer's body into out.
func (c *Client) do(ctx context.Context, r request, out any) error {
	if err := r.check(); err != nil {
		return err
	}
	start, waits := time.Now(), backoff.Backoff{First: firstWait, Max: maxWait}
	for {
		err := c.try(ctx, r, out)
		switch {
		case err == nil:
			c.answered()
			return nil
		case ctx.Err() != nil:
			return r.ended(ctx, err)
		case !err.temporary && !(refused(err) && c.recovering()):
			if err.Code != 0 {
				c.answered()
			}
			return err
		}
		wait := waits.Next()
		pause := max(wait/2+rand.N(wait/2), err.retryAfter)
		left := c.options.Patience - time.Since(start)
		if left <= 0 || err.retryAfter > left {
			return err.after(time.Since(start))
		}
		c.waits(err)
		if sleep(ctx, min(pause, left)) != nil {
			return r.ended(ctx, err)
		}
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

// recovering says whether there was an outage a moment ago.
func (c *Client) recovering() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.away.IsZero() && time.Since(c.away) <= recoveryTime
}

// try asks once.
func (c *Client) try(ctx context.Context, r request, out any) *Error {
	req := r.http(c.cluster.server)
	req.Header.Set("User-Agent", c.options.UserAgent)
	token, err := c.cluster.token()
	if err != nil {
		e := r.error(err.Error())
		e.err = err
		return e
	}
	req.Header.Set("Authorization", "Bearer "+token)
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	// The transport is used without an http.Client around it: nothing follows a redirect, with or without credentials.
	resp, err := c.transport.RoundTrip(req.WithContext(ctx))
	if err != nil {
		return c.unreachable(r, err)
	}
	defer resp.Body.Close()
	body := &io.LimitedReader{R: resp.Body, N: maxAnswer}
	if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusCreated {
		return c.judge(r, resp, body)
	}
	if err := json.NewDecoder(body).Decode(out); err != nil {
		return c.unreadable(r, resp, body, err)
	}
	_, _ = io.Copy(io.Discard, body) // to its end, so that the connection can be used again
	return nil
}

func (r request) http(server url.URL) *http.Request {
	server.Path, server.RawQuery = r.path(), r.query.Encode()
	req := &http.Request{Method: http.MethodGet, URL: &server, Host: server.Host, Header: http.Header{}, Body: http.NoBody}
	req.Header.Set("Accept", "application/json")
	switch r.verb {
	case "create":
		req.Method = http.MethodPost
		req.Header.Set("Content-Type", "application/json")
	case "patch":
		req.Method = http.MethodPatch
		req.Header.Set("Content-Type", "application/merge-patch+json")
	}
	if r.body != nil {
		req.Body, req.ContentLength = io.NopCloser(bytes.NewReader(r.body)), int64(len(r.body))
	}
	return req
}

// path is where the object is, or the list that it is in or will be.
func (r request) path() string {
	path := "/api/v1"
	if r.namespace != "" {
		path += "/namespaces/" + r.namespace
	}
	path += "/" + r.resource
	if r.verb == "get" || r.verb == "patch" {
		path += "/" + r.name
	}
	return path
}

// check refuses names that would ask for something else than an object of that name.
func (r request) check() error {
	wrong := func(field, message string) error {
		e := r.error(message)
		e.Field = field
		return e
	}
	switch {
	case r.verb != "list" && !isName(r.name):
		return wrong("metadata.name", "that is not a name (lower-case letters, digits, - and ., at most 253)")
	case r.resource != "nodes" && !isName(r.namespace):
		return wrong("metadata.namespace", "that is not a namespace (lower-case letters, digits and -, at most 63)")
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
