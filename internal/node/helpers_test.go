package node

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/sirupsen/logrus/hooks/test"

	"github.com/kubevali/kubevali/internal/config"
	"github.com/kubevali/kubevali/internal/hint"
	"github.com/kubevali/kubevali/internal/kube"
	"github.com/kubevali/kubevali/internal/plan"
)

// transport is an API server that answers with a code and a text; the code 0 is for no answer.
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

func isAway(*http.Request) (int, string) { return 0, "connection refused" }

func forbids(*http.Request) (int, string) {
	return 403, `{"kind": "Status", "code": 403, "reason": "Forbidden", "message": "forbidden: User \"u\" cannot get resource \"pods\""}`
}

// api is an API server with the pod geth-0 in the namespace chains, on a Kubernetes node with an address, and with as much of
// the pod's Service as is needed here. It chooses the node ports 31000, 31001 and so on.
type api struct {
	mu       sync.Mutex // guards what follows
	refuse   transport  // answers in place of the API; nil: it does not
	service  map[string]any
	chosen   int
	requests []string
}

func (a *api) answer(r *http.Request) (int, string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.refuse != nil {
		return a.refuse(r)
	}
	resource := path.Base(path.Dir(r.URL.Path))
	if r.Method == http.MethodPost || path.Base(r.URL.Path) == "nodes" {
		resource = path.Base(r.URL.Path)
	}
	what := r.Method + " " + resource
	a.requests = append(a.requests, what)
	switch {
	case what == "GET pods":
		return 200, `{"metadata": {"name": "geth-0", "uid": "1", "labels": {"statefulset.kubernetes.io/pod-name": "geth-0"},
			"ownerReferences": [{"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "geth", "uid": "3", "controller": true}]},
			"spec": {"nodeName": "a"}}`
	case what == "GET nodes":
		return 200, `{"metadata": {"name": "a"}, "status": {"addresses": [{"type": "ExternalIP", "address": "198.51.100.1"}]}}`
	case resource == "services" && (r.Method == http.MethodPost || a.service != nil):
		if r.Method != http.MethodGet {
			a.write(r.Body)
		}
		text, _ := json.Marshal(a.service)
		return 200, string(text)
	}
	return 404, `{"kind": "Status", "code": 404, "reason": "NotFound"}`
}

// write makes or changes the Service. Of a merge patch it knows as much as kube sends.
func (a *api) write(body io.Reader) {
	var sent map[string]any
	if err := json.NewDecoder(body).Decode(&sent); err != nil {
		panic(err)
	}
	meta := sent["metadata"].(map[string]any)
	version := meta["resourceVersion"]
	meta["uid"] = "2"
	for _, p := range sent["spec"].(map[string]any)["ports"].([]any) {
		port := p.(map[string]any)
		if port["nodePort"] == 0.0 {
			port["nodePort"] = 31000.0 + float64(a.chosen)
			a.chosen++
		}
	}
	if !reflect.DeepEqual(sent, a.service) {
		version = strconv.Itoa(len(a.requests))
	}
	meta["resourceVersion"] = version
	a.service = sent
}

// set has all requests answered by refuse; nil: by the API again.
func (a *api) set(refuse transport) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.refuse = refuse
}

// nodePort is that of the Service's first port, 0 where there is no Service.
func (a *api) nodePort() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.service == nil {
		return 0
	}
	ports := a.service["spec"].(map[string]any)["ports"].([]any)
	return int(ports[0].(map[string]any)["nodePort"].(float64))
}

// writes counts the requests that have changed something.
func (a *api) writes() (n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, r := range a.requests {
		if !strings.HasPrefix(r, "GET ") {
			n++
		}
	}
	return n
}

// asked counts all requests.
func (a *api) asked() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.requests)
}

// newTestService returns a service whose API is not that of a cluster.
func newTestService(t *testing.T, api transport) (*service, *test.Hook) {
	t.Helper()
	account := t.TempDir()
	if err := os.WriteFile(filepath.Join(account, "token"), []byte("t"), 0o600); err != nil {
		t.Fatal(err)
	}
	where, _ := kube.InPod([]string{"KUBERNETES_SERVICE_HOST=192.0.2.1", "KUBERNETES_SERVICE_PORT=443"}, account)
	log, hook := test.NewNullLogger()
	log.SetLevel(logrus.DebugLevel)
	s := &service{ctx: t.Context(), log: log, cluster: &cluster{log: log, connect: func() (*kube.Client, error) {
		return kube.NewClient(where, kube.Options{Patience: time.Minute, Transport: api})
	}}}
	return s, hook
}

// wanted is a Service with a node port of its own.
func wanted() *plan.Service {
	return &plan.Service{NodePort: 31000, AddressTimeout: config.Duration(time.Minute), ServiceSpec: kube.ServiceSpec{
		Namespace: "chains", Name: "geth-0", Type: kube.NodePort, Owner: kube.OwnedByNone,
		Ports: []kube.ServicePort{{Name: "p2p", Protocol: "TCP", Port: 1, NodePort: 31000, TargetPort: 31000}},
	}}
}

func logged(hook *test.Hook) string {
	var all strings.Builder
	for _, entry := range hook.AllEntries() {
		fmt.Fprintln(&all, entry.Message)
	}
	return all.String()
}

func checkError(t *testing.T, err error, message, remedy string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), message) || !strings.Contains(hint.Of(err), remedy) {
		t.Errorf("error %v with hint %q, want %q with %q", err, hint.Of(err), message, remedy)
	}
}
