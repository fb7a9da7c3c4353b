package entrypoint

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/sirupsen/logrus/hooks/test"

	"github.com/kubevali/kubevali/internal/kube"
	"github.com/kubevali/kubevali/internal/render"
)

// transport is an API server that answers with a code and a text.
type transport func(*http.Request) (int, string)

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	code, body := t(r)
	if code == 0 {
		return nil, errors.New(body)
	}
	return &http.Response{
		StatusCode: code, Header: http.Header{"Content-Type": {"application/json"}}, Request: r,
		Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)),
	}, nil
}

// answers is an API server with a pod that has a Service.
func answers(r *http.Request) (int, string) {
	switch {
	case strings.Contains(r.URL.Path, "/pods/"):
		return 200, `{"metadata": {"name": "geth-0", "uid": "1", "labels": {"statefulset.kubernetes.io/pod-name": "geth-0"}}}`
	case r.Method == http.MethodPatch:
		return 201, `{"metadata": {"name": "geth-0", "uid": "2", "resourceVersion": "2"}, "spec": {"ports": [{"name": "p2p", "port": 1, "nodePort": 31000, "protocol": "TCP", "targetPort": 1}]}}`
	}
	return 404, `{"kind": "Status", "code": 404, "reason": "NotFound"}`
}

func forbids(*http.Request) (int, string) {
	return 403, `{"kind": "Status", "code": 403, "reason": "Forbidden", "message": "forbidden: User \"u\" cannot get resource \"pods\""}`
}

func newKeeper(t *testing.T, api transport) (*serviceKeeper, *test.Hook) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config")
	const config = `{current-context: c, contexts: [{name: c, context: {cluster: k, user: u}}],
clusters: [{name: k, cluster: {server: "http://192.0.2.1"}}], users: [{name: u, user: {token: t}}]}`
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	log, hook := test.NewNullLogger()
	log.SetLevel(logrus.DebugLevel)
	return &serviceKeeper{cluster: &Cluster{Access: ReadWrite, Log: log, Connect: func() (*kube.Client, error) {
		found, err := kube.Locate(func(name string) string { return map[string]string{"KUBECONFIG": path}[name] })
		if err != nil {
			return nil, err
		}
		return kube.NewClient(found, kube.Options{Patience: time.Minute, Transport: api})
	}}}, hook
}

var wanted = &render.Service{
	Namespace: "chains", Name: "geth-0", Type: "NodePort", Owner: "None",
	Ports: []render.ServicePort{{Name: "p2p", Protocol: "TCP", Port: 1, NodePort: 31000, TargetPort: 1}},
}

func logged(hook *test.Hook) string {
	var all strings.Builder
	for _, entry := range hook.AllEntries() {
		fmt.Fprintln(&all, entry.Message)
	}
	return all.String()
}

func TestNodeDoesNotWaitLongForItsService(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		keeper, hook := newKeeper(t, func(r *http.Request) (int, string) {
			if time.Since(start) < 10*time.Minute {
				return 0, "connection refused"
			}
			return answers(r)
		})
		if err := keeper.keep(t.Context(), wanted); err != nil {
			t.Fatal(err)
		}
		if waited := time.Since(start); waited != serviceWait {
			t.Errorf("the node waited for %v, want %v", waited, serviceWait)
		}
		time.Sleep(12 * time.Minute)
		synctest.Wait()
		if !strings.Contains(logged(hook), "Created Service geth-0") {
			t.Errorf("no Service, but\n%s", logged(hook))
		}
		keeper.close()
	})
}

func TestServiceThatCannotComeAbout(t *testing.T) {
	keeper, _ := newKeeper(t, forbids)
	err := keeper.keep(t.Context(), wanted)
	if err == nil || !strings.HasPrefix(err.Error(), "nodeService: ") || !strings.Contains(kube.Hint(err), "pods") {
		t.Errorf("error %v with hint %q", err, kube.Hint(err))
	}
}

// A signal that asks to stop ends the wait, and the attempts beside the node.
func TestStopEndsTheWaitForTheService(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancelCause(t.Context())
		reason := errors.New("stop")
		keeper, _ := newKeeper(t, func(*http.Request) (int, string) { return 0, "connection refused" })
		time.AfterFunc(time.Second, func() { stop(reason) })
		if err := keeper.keep(ctx, wanted); !errors.Is(err, reason) {
			t.Errorf("error %v", err)
		}

		ctx, stop = context.WithCancelCause(t.Context())
		if err := keeper.keep(ctx, wanted); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		stop(reason)
		keeper.close()
		if waited := time.Since(start); waited > 0 {
			t.Errorf("it went on for %v", waited)
		}
	})
}

func TestServiceIsMadeOnce(t *testing.T) {
	asked := 0
	keeper, _ := newKeeper(t, func(r *http.Request) (int, string) { asked++; return answers(r) })
	for range 2 {
		if err := keeper.keep(t.Context(), wanted); err != nil {
			t.Fatal(err)
		}
	}
	ports, err := keeper.cluster.NodePorts(wanted)
	if err != nil || ports["p2p"] != 31000 {
		t.Errorf("ports %v, error %v", ports, err)
	}
	if first := asked; first != 3 {
		t.Errorf("asked %d times, want 3: for the pod, for the Service, and to make it", first)
	}
}
