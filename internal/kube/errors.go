package kube

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// ErrNoCluster says, of an error of Kubectl, that there is nothing to ask: no kubectl, or no cluster that it knows. Such an
// error is no *Error.
var ErrNoCluster = errors.New("no Kubernetes cluster at hand")

// Error says which request did not work and why, in the operator's terms.
type Error struct {
	// Verb is the RBAC verb: get, list, create or patch.
	Verb string
	// Resource is pods, nodes or services.
	Resource  string
	Namespace string // "" for nodes
	Name      string // "" for a list
	// Code is the HTTP status, 0 when there was no answer.
	Code int
	// Reason is the API's own word for the kind of failure, as Forbidden or Invalid; "" without one.
	Reason string
	// Field is what is wrong with the object, where that can be told, as metadata.labels or spec.ports[0].nodePort.
	// metadata.name and metadata.namespace are what was asked for, which cannot be names.
	Field string
	// Message is what is wrong, without the names above.
	Message string
	// Remedy is what to do about it, "" where there is nothing to say that could be said here.
	Remedy string

	temporary  bool
	retryAfter time.Duration
	err        error
}

// Error returns one line, without the hint.
func (e *Error) Error() string {
	object := e.Name
	switch {
	case e.Verb == "list":
		return fmt.Sprintf("cannot list %s: %s", e.Resource, e.Message)
	case e.Namespace != "":
		object = e.Namespace + "/" + e.Name
	}
	return fmt.Sprintf("cannot %s %s %q: %s", e.Verb, strings.TrimSuffix(e.Resource, "s"), object, e.Message)
}

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

func (r request) error(message string) *Error {
	return &Error{Verb: r.verb, Resource: r.resource, Namespace: r.namespace, Name: r.name, Message: message}
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
