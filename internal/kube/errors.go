package kube

import (
	"errors"
	"fmt"
	"net/http"
	"time"
)

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
	// Message is what is wrong, without the names above.
	Message string
	// Remedy is what to do about it, "" where there is nothing to say.
	Remedy string

	temporary  bool
	retryAfter time.Duration
	err        error
}

// Error returns one line, without the hint.
func (e *Error) Error() string {
	return fmt.Sprintf("cannot %s %s: %s", e.Verb, e.object(), e.Message)
}

// Hint returns the remedy.
func (e *Error) Hint() string { return e.Remedy }

// Unwrap returns what ended the request from inside: a context's error or a *ConfigError. Nil for the API's answers.
func (e *Error) Unwrap() error { return e.err }

// Temporary says that the same may work later: there was no answer, or one that says so, or time was up.
func (e *Error) Temporary() bool { return e.temporary }

func (e *Error) object() string {
	switch {
	case e.Verb == "list":
		return e.Resource
	case e.Namespace == "":
		return fmt.Sprintf("%s %q", singular(e.Resource), e.Name)
	}
	return fmt.Sprintf("%s %q", singular(e.Resource), e.Namespace+"/"+e.Name)
}

// ConfigError says what is wrong with the description of a cluster.
type ConfigError struct {
	// Source is where the description is: a kubeconfig, or the pod's service account.
	Source string
	// Message is what is wrong with it.
	Message string
	// Remedy is what to do about it, "" where there is nothing to say.
	Remedy string

	err error
}

func (e *ConfigError) Error() string { return e.Source + ": " + e.Message }

// Hint returns the remedy.
func (e *ConfigError) Hint() string { return e.Remedy }

// Unwrap returns the file system's or a context's error where one is the cause.
func (e *ConfigError) Unwrap() error { return e.err }

// NotFound says whether err is the API server's word that the object does not exist.
func NotFound(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Code == http.StatusNotFound
}

// Hint returns what an error says to do, "" where it says nothing.
func Hint(err error) string {
	var hinted interface{ Hint() string }
	if errors.As(err, &hinted) {
		return hinted.Hint()
	}
	return ""
}
