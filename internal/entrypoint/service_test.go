package entrypoint

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/sirupsen/logrus/hooks/test"

	"github.com/kubevali/kubevali/internal/hint"
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
	case r.Method == http.MethodPost:
		return 201, `{"metadata": {"name": "geth-0", "uid": "2", "resourceVersion": "2"}, "spec": {"ports": [{"name": "p2p", "port": 1, "nodePort": 31000, "protocol": "TCP", "targetPort": 31000}]}}`
	}
	return 404, `{"kind": "Status", "code": 404, "reason": "NotFound"}`
}

func forbids(*http.Request) (int, string) {
	return 403, `{"kind": "Status", "code": 403, "reason": "Forbidden", "message": "forbidden: User \"u\" cannot get resource \"pods\""}`
}

func newKeeper(t *testing.T, api transport) (*serviceKeeper, *test.Hook) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "token"), []byte("t"), 0o600); err != nil {
		t.Fatal(err)
	}
	environment := map[string]string{"KUBERNETES_SERVICE_HOST": "192.0.2.1", "KUBERNETES_SERVICE_PORT": "443"}
	log, hook := test.NewNullLogger()
	log.SetLevel(logrus.DebugLevel)
	return &serviceKeeper{ctx: t.Context(), cluster: NewCluster(func() (Reader, error) {
		found, _ := kube.InPod(func(name string) string { return environment[name] }, dir)
		return kube.NewClient(found, kube.Options{Patience: time.Minute, Transport: api})
	}, log)}, hook
}

func wanted() *render.Service {
	return &render.Service{
		Namespace: "chains", Name: "geth-0", Type: "NodePort", Owner: "None", AddressTimeout: time.Minute,
		Ports: []render.ServicePort{{Name: "p2p", Protocol: "TCP", Port: 1, NodePort: 31000, TargetPort: 31000}},
	}
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
		if err := keeper.keep(t.Context(), wanted()); err != nil {
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
		keeper.pause()
	})
}

func TestServiceThatCannotComeAbout(t *testing.T) {
	keeper, _ := newKeeper(t, forbids)
	err := keeper.keep(t.Context(), wanted())
	if err == nil || !strings.HasPrefix(err.Error(), "nodeService: ") || !strings.Contains(hint.Of(err), "pods") {
		t.Errorf("error %v with hint %q", err, hint.Of(err))
	}
}

// A signal that asks to stop ends the wait, and the attempts beside the node.
func TestStopEndsTheWaitForTheService(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancelCause(t.Context())
		reason := errors.New("stop")
		keeper, _ := newKeeper(t, func(*http.Request) (int, string) { return 0, "connection refused" })
		time.AfterFunc(time.Second, func() { stop(reason) })
		if err := keeper.keep(ctx, wanted()); !errors.Is(err, reason) {
			t.Errorf("error %v", err)
		}

		ctx, stop = context.WithCancelCause(t.Context())
		keeper.ctx = ctx
		if err := keeper.keep(ctx, wanted()); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		stop(reason)
		keeper.pause()
		if waited := time.Since(start); waited > 0 {
			t.Errorf("it went on for %v", waited)
		}
	})
}

// What is in the way may be mended while the node runs. It is said once, with what to do about it.
func TestServiceIsTriedUntilItIsThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		keeper, hook := newKeeper(t, func(r *http.Request) (int, string) {
			switch now := time.Since(start); {
			case now < time.Minute:
				return 0, "connection refused"
			case now < 10*time.Minute:
				return forbids(r)
			}
			return answers(r)
		})
		if err := keeper.keep(t.Context(), wanted()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(15 * time.Minute)
		keeper.pause()
		text := logged(hook)
		if strings.Count(text, "may not") != 1 || !strings.Contains(text, "resources: [pods]") || !strings.Contains(text, "Created Service geth-0") {
			t.Errorf("the log:\n%s", text)
		}
	})
}

// One plan needs the Service made once; the next one looks again.
func TestServiceIsMadeOnceForAPlan(t *testing.T) {
	asked := 0
	keeper, _ := newKeeper(t, func(r *http.Request) (int, string) { asked++; return answers(r) })
	ports, err := applying{&lookups{cluster: keeper.cluster, ctx: t.Context()}}.NodePorts(wanted())
	if err != nil || ports["p2p"] != 31000 {
		t.Errorf("ports %v, error %v", ports, err)
	}
	if err := keeper.keep(t.Context(), wanted()); err != nil {
		t.Fatal(err)
	}
	once := asked
	keeper.cluster.forget()
	if _, err := keeper.cluster.apply(t.Context(), wanted()); err != nil {
		t.Fatal(err)
	}
	if asked != 2*once {
		t.Errorf("asked %d times for one plan, and %d for two", once, asked)
	}
}

// A node that is started anew does not wait for a Service that it had, nor does one that goes back to its plan end for it.
func TestNodeThatRanIsNotHeldUpByItsService(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := answers
		keeper, hook := newKeeper(t, func(r *http.Request) (int, string) { return api(r) })
		if err := keeper.keep(t.Context(), wanted()); err != nil {
			t.Fatal(err)
		}
		api = func(*http.Request) (int, string) { return 0, "connection refused" }
		keeper.cluster.forget()
		start := time.Now()
		if err := keeper.keep(t.Context(), wanted()); err != nil || time.Since(start) > 0 {
			t.Errorf("error %v after %v", err, time.Since(start))
		}
		keeper.pause()

		api = forbids
		other := wanted()
		other.Annotations = map[string]string{"a": "b"}
		if err := keeper.keep(t.Context(), other); err == nil {
			t.Error("no error for a new plan")
		}
		keeper.lenient = true
		if err := keeper.keep(t.Context(), other); err != nil {
			t.Errorf("error %v for the plan before", err)
		}
		keeper.pause()
		api = answers
		keeper.resume()
		time.Sleep(2 * serviceRetry)
		keeper.pause()
		if !strings.Contains(logged(hook), "may not") || keeper.pending {
			t.Errorf("still pending: %v; the log:\n%s", keeper.pending, logged(hook))
		}
	})
}

// A plan that goes back to its Service gets the ports that it had.
func TestSettledServiceKeepsItsPorts(t *testing.T) {
	keeper, _ := newKeeper(t, answers)
	chosen := wanted()
	chosen.Ports[0].NodePort, chosen.Ports[0].TargetPort = 0, 0
	if same := keeper.cluster.settled(chosen); same != chosen {
		t.Errorf("%+v was settled before it was made", same)
	}
	if _, err := keeper.cluster.apply(t.Context(), chosen); err != nil {
		t.Fatal(err)
	}
	if settled := keeper.cluster.settled(chosen); !reflect.DeepEqual(settled, wanted()) {
		t.Errorf("got %+v, want %+v", settled, wanted())
	}
	if keeper.cluster.settled(nil) != nil {
		t.Error("no Service became one")
	}
}

// A Service that something else made is left alone, and somebody must hear of it.
func TestForeignService(t *testing.T) {
	patched := false
	keeper, hook := newKeeper(t, func(r *http.Request) (int, string) {
		if strings.Contains(r.URL.Path, "/pods/") {
			return answers(r)
		}
		patched = patched || r.Method != http.MethodGet && r.Method != ""
		return 200, `{"metadata": {"name": "geth-0", "uid": "9", "resourceVersion": "7"}, "spec": {"ports": [{"name": "x", "port": 5, "protocol": "TCP"}]}}`
	})
	if err := keeper.keep(t.Context(), wanted()); err != nil {
		t.Fatal(err)
	}
	if patched || !strings.Contains(logged(hook), "made by something else") {
		t.Errorf("patched: %v; the log:\n%s", patched, logged(hook))
	}
}
