package kube

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/kubevali/kubevali/internal/backoff"
	"github.com/kubevali/kubevali/internal/hint"
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
		case !err.temporary && !c.recovering(err):
			if err.Code != 0 {
				c.answered()
			}
			return err
		}
		wait := waits.Next()
		pause := max(wait/2+rand.N(wait/2), err.retryAfter)
		tried := time.Since(start)
		left := c.options.Patience - tried
		if left <= 0 || err.retryAfter > left {
			if tried >= time.Second {
				err.Message += fmt.Sprintf(" (tried for %s)", tried.Round(time.Second))
			}
			return err
		}
		c.waits(err)
		if !sleep(ctx, min(pause, left)) {
			return r.ended(ctx, err)
		}
	}
}

// recovering says whether an error is a refusal just after an outage.
func (c *Client) recovering(err *Error) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	refused := err.Code == http.StatusUnauthorized || err.Code == http.StatusForbidden
	return refused && !c.away.IsZero() && time.Since(c.away) <= recoveryTime
}

// waits says, at the begin of an outage, that there is one.
func (c *Client) waits(err *Error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.outage {
		c.options.Log("Waiting for the Kubernetes API: %s", hint.Line(err))
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

// try asks once.
func (c *Client) try(ctx context.Context, r request, out any) *Error {
	token, err := c.cluster.token()
	if err != nil {
		return r.error(Error{Message: err.Error(), err: err})
	}
	req := r.http(c.cluster.address)
	req.Header.Set("User-Agent", c.options.UserAgent)
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
	defer io.Copy(io.Discard, body) // to its end, so that the connection can be used again
	if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusCreated {
		return c.judge(r, resp, body)
	}
	if err := json.NewDecoder(body).Decode(out); err != nil {
		return c.unreadable(r, resp.StatusCode, body, err)
	}
	return nil
}

func (r request) http(address string) *http.Request {
	target := r.url()
	target.Scheme, target.Host = "https", address
	req := &http.Request{Method: http.MethodGet, URL: target, Header: http.Header{"Accept": {"application/json"}}, Body: http.NoBody}
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

// url is where an API server has the object, or the list that it is in or will be.
func (r request) url() *url.URL {
	path := "/api/v1"
	if r.namespace != "" {
		path += "/namespaces/" + r.namespace
	}
	path += "/" + r.resource
	if r.verb == "get" || r.verb == "patch" {
		path += "/" + r.name
	}
	return &url.URL{Path: path, RawQuery: r.query.Encode()}
}

// check refuses names that would ask for something else than an object of that name.
func (r request) check() error {
	switch {
	case r.verb != "list" && !isName(r.name):
		return r.error(Error{
			Field:   "metadata.name",
			Message: "that is not a name (lower-case letters, digits, - and ., at most 253)",
		})
	case r.resource != "nodes" && !isName(r.namespace):
		return r.error(Error{
			Field:   "metadata.namespace",
			Message: "that is not a namespace (lower-case letters, digits and -, at most 63)",
		})
	}
	return nil
}

// isName says whether a name can be that of a pod, a node or a Service (RFC 1123, section 2.1).
func isName(s string) bool {
	return s != "" && len(s) <= 253 && s[0] != '.' && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-.") == ""
}

// sleep waits, and says whether it did: not where the context ends before or just then, as there is no time for anything
// after it.
func sleep(ctx context.Context, d time.Duration) bool {
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= d {
		<-ctx.Done()
		return false
	}
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
