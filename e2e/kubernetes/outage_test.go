package kubernetes

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// outage is how long the API server is away: what the restart of a control plane of one node takes.
const outage = 30 * time.Second

// withGate adds an init container that ends when the API server is away, so that kubevali starts just then.
func withGate() patch {
	return patch{"StatefulSet", fmt.Sprintf(`[{"op": "add", "path": "/spec/template/spec/initContainers/-", "value": {
		"name": "gate", "image": %q, "securityContext": {
			"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": {"drop": ["ALL"]}}}}]`, env.gateImage)}
}

// TestOutage starts a pod while the API server is away. The pod must wait for it and then run, without a restart. Not
// parallel, as it would stop other tests, too.
func TestOutage(t *testing.T) {
	needCluster(t)
	pause, resume := os.Getenv("KUBEVALI_E2E_API_PAUSE"), os.Getenv("KUBEVALI_E2E_API_RESUME")
	if pause == "" || resume == "" {
		t.Skip("KUBEVALI_E2E_API_PAUSE and KUBEVALI_E2E_API_RESUME are not set: the API server cannot be stopped; see doc.go")
	}
	// A kubelet that has yet to read the pod's Secret or ConfigMap starts no container while the API server is away. That
	// says nothing of kubevali, so it is tried again.
	const tries = 3
	for try := 1; !startsInOutage(t, pause, resume); try++ {
		if try == tries {
			t.Fatalf("the kubelet has not started the container before the outage's end, %d times", tries)
		}
		t.Log("the kubelet has not started the container before the outage's end: once more")
	}
}

// startsInOutage reports false where the kubelet has started the container only after the outage.
func startsInOutage(t *testing.T, pause, resume string) bool {
	g := newGeths(t, "outage")
	g.deploy(t, change{replicas: 1, patches: []patch{withGate()}}) // with the example's own probes
	eventually(t, "the pod has come up to the gate", func() (bool, string) {
		text, err := g.try(t, "logs", g.name(0), "-c", "gate")
		return strings.Contains(text, "the API answers"), fmt.Sprint(text, err)
	})

	began := time.Now()
	t.Cleanup(func() { shell(t, resume) })
	shell(t, pause)
	<-time.After(outage)
	shell(t, resume)
	ended := time.Now()

	log := g.awaitLog(t, g.name(0), "Starting node: ")
	t.Logf("geth has started %v after the end of an outage of %v",
		time.Since(ended).Round(time.Millisecond), ended.Sub(began).Round(time.Millisecond))
	g.awaitReady(t)
	status := g.checkSteady(t, 0)
	// The kubelet's clock and this one are the same machine's, or near enough.
	if running := status.State.Running; running == nil || running.StartedAt.After(ended) {
		return false
	}
	if !strings.Contains(log, "Waiting for the Kubernetes API: ") {
		t.Errorf("the pod does not say what it waits for:\n%s", log)
	}
	g.checkAnnounced(t, 0)
	g.checkReachable(t, 0, g.identities(t, 1)[0])
	return true
}

// shell runs a command of the environment.
func shell(t *testing.T, command string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if out, err := exec.CommandContext(ctx, "sh", "-c", command).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", command, err, out)
	}
}
