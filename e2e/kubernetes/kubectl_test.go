package kubernetes

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"
)

const (
	// patience is how long an event may take to come: long enough for a machine busy with other things.
	patience = 3 * time.Minute
	// interval is how often the cluster is asked whether it has come.
	interval = time.Second
)

// kubectl runs kubectl and returns what it prints. Its error holds what it says on stderr.
func kubectl(ctx context.Context, stdin string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "kubectl", args...)
	cmd.Stdin = strings.NewReader(stdin)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return string(out), fmt.Errorf("kubectl %s: %w\n%s", strings.Join(args, " "), err, stderr.String())
	}
	return string(out), nil
}

// namespace is a namespace of one test, in which restricted pod security is enforced.
type namespace string

// newNamespace makes a namespace that goes with the test.
func newNamespace(t *testing.T, name string) namespace {
	t.Helper()
	n := namespace("kubevali-e2e-" + name + "-" + strings.ToLower(rand.Text()[:5]))
	n.apply(t, fmt.Sprintf(`{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": %q, "labels": {
		"pod-security.kubernetes.io/enforce": "restricted", "pod-security.kubernetes.io/warn": "restricted"}}}`, n))
	t.Cleanup(func() {
		// The test's own context is done by now.
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if t.Failed() {
			n.show(ctx, t)
		}
		if _, err := kubectl(ctx, "", "delete", "namespace", string(n), "--wait=false"); err != nil {
			t.Error(err)
		}
	})
	return n
}

// show logs what helps to understand a failure.
func (n namespace) show(ctx context.Context, t *testing.T) {
	for _, args := range [][]string{
		{"get", "pods,services,statefulsets", "-o", "wide"},
		{"get", "events", "--sort-by=.lastTimestamp"},
	} {
		text, err := n.run(ctx, args...)
		t.Logf("kubectl %s\n%s%v", strings.Join(args, " "), text, err)
	}
	names, err := n.run(ctx, "get", "pods", "-o", "name")
	if err != nil {
		t.Log(err)
	}
	for _, name := range strings.Fields(names) {
		text, err := n.run(ctx, "logs", name, "--all-containers", "--prefix", "--tail=40")
		t.Logf("log of %s\n%s%v", name, text, err)
	}
}

// try runs kubectl in the namespace.
func (n namespace) try(t *testing.T, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience+time.Minute)
	defer cancel()
	return n.run(ctx, args...)
}

func (n namespace) run(ctx context.Context, args ...string) (string, error) {
	return kubectl(ctx, "", append([]string{"--namespace=" + string(n)}, args...)...)
}

// kubectl runs kubectl in the namespace, where it must succeed.
func (n namespace) kubectl(t *testing.T, args ...string) string {
	t.Helper()
	out, err := n.try(t, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// apply gives an object to the API server.
func (n namespace) apply(t *testing.T, manifest string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if _, err := kubectl(ctx, manifest, "apply", "-f", "-"); err != nil {
		t.Fatal(err)
	}
}

// resource is what the tests read of the cluster's objects.
type resource struct {
	Metadata struct {
		UID             string
		ResourceVersion string
		OwnerReferences []struct{ Kind, UID string }
	}
	Spec struct {
		NodeName                      string // of pods
		TerminationGracePeriodSeconds int
		Ports                         []struct { // of Services
			Protocol             string
			NodePort, TargetPort int
		}
	}
	Status struct {
		ContainerStatuses []containerStatus
	}
}

type containerStatus struct {
	Name         string
	Ready        bool
	RestartCount int
	State        struct {
		Running    *struct{ StartedAt time.Time }
		Terminated *struct{ ExitCode int }
	}
	LastState struct {
		Terminated *struct{ ExitCode int }
	}
}

// get returns an object, or nil where there is none.
func (n namespace) get(t *testing.T, kind, name string) *resource {
	t.Helper()
	text := n.kubectl(t, "get", kind, name, "-o", "json", "--ignore-not-found")
	if text == "" {
		return nil
	}
	var o resource
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return &o
}

// container is the status of the pod's main container; ok is false before there is one.
func (o *resource) container(name string) (status containerStatus, ok bool) {
	if o == nil {
		return containerStatus{}, false
	}
	for _, c := range o.Status.ContainerStatuses {
		if c.Name == name {
			return c, true
		}
	}
	return containerStatus{}, false
}

// eventually waits until condition holds. Its second result says how things stand, for the case that it never does.
func eventually(t *testing.T, what string, condition func() (bool, string)) {
	t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		ok, state := condition()
		if ok {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("waited in vain: %s; last:\n%s", what, state)
		}
	}
}
