package kube_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/kubevali/kubevali/internal/kube"
)

// inline is a transport without a network: it calls the handler.
type inline struct{ http.Handler }

func (i inline) RoundTrip(r *http.Request) (*http.Response, error) {
	recorder := httptest.NewRecorder()
	i.ServeHTTP(recorder, r)
	if r.Context().Err() != nil {
		return nil, r.Context().Err()
	}
	return recorder.Result(), nil
}

// inlineClient returns a client of a handler, which is at https://10.96.0.1:443.
func inlineClient(t *testing.T, h http.Handler, o kube.Options) *kube.Client {
	t.Helper()
	o.Transport = inline{h}
	return newClient(t, inPod(t, "10.96.0.1:443", account(t, map[string]string{"token": "s3cret-token\n"})), o)
}

// answerStatus answers as the API does when it refuses. The message of Invalid begins with the field, after "is invalid: ".
func answerStatus(w http.ResponseWriter, code int, reason, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	status := map[string]any{
		"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason, "message": message,
	}
	if _, causes, ok := strings.Cut(message, "is invalid: "); ok {
		field, _, _ := strings.Cut(strings.TrimPrefix(causes, "["), ": ")
		status["details"] = object{"causes": []object{{"field": field}, {"field": "another"}}}
	}
	_ = json.NewEncoder(w).Encode(status)
}

type object = map[string]any

// fakeAPI knows pods, and as much of Services and merge patches as can be told from a real API server.
type fakeAPI struct {
	mu       sync.Mutex
	pods     map[string]object
	services map[string]*fakeService
	nextPort int
	version  int // of the last write
	requests []string
	// before is called before each request is answered.
	before func(request string)
}

type fakeService struct {
	object   object
	revision int
}

func newFakeAPI() *fakeAPI {
	return &fakeAPI{pods: map[string]object{}, services: map[string]*fakeService{}, nextPort: 30000}
}

// addPod adds a pod of a StatefulSet.
func (f *fakeAPI) addPod(name string) {
	f.pods[name] = object{
		"metadata": object{
			"name": name, "namespace": "chains", "uid": "uid-of-" + name,
			"labels": object{"statefulset.kubernetes.io/pod-name": name},
			"ownerReferences": []object{
				{"apiVersion": "v1", "kind": "Node", "name": "n", "uid": "1"},
				{"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "geth", "uid": "2", "controller": true},
			},
		},
		"spec": object{"nodeName": "node-1"},
	}
}

// addService adds a Service that something else made.
func (f *fakeAPI) addService(name string, annotations object, ports ...object) {
	f.version++
	kind := "ClusterIP"
	if slices.ContainsFunc(ports, func(p object) bool { return p["nodePort"] != nil }) {
		kind = "NodePort"
	}
	f.services[name] = &fakeService{revision: f.version, object: plain(object{
		"metadata": object{"name": name, "namespace": "chains", "uid": "u1", "annotations": annotations, "labels": object{"team": "a"},
			"ownerReferences": []object{{"apiVersion": "v1", "kind": "ConfigMap", "name": "theirs", "uid": "3"}}},
		"spec": object{"type": kind, "ports": ports, "selector": object{"app": "x"}, "sessionAffinity": "ClientIP"},
	})}
}

// take returns what was asked since the last call.
func (f *fakeAPI) take() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	requests := f.requests
	f.requests = nil
	return requests
}

func (f *fakeAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	resource, name, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/api/v1/namespaces/chains/"), "/")
	what := strings.ToLower(r.Method) + " " + resource
	f.requests = append(f.requests, what)
	if f.before != nil {
		f.before(what)
	}
	kind, by := r.Header.Get("Content-Type"), r.URL.RawQuery
	switch {
	case resource == "pods" && f.pods[name] != nil:
		_ = json.NewEncoder(w).Encode(f.pods[name])
	case what == "post services" && kind == "application/json" && by == "fieldManager=kubevali":
		f.create(w, r)
	case what == "patch services" && kind == "application/merge-patch+json" && by == "fieldManager=kubevali" && f.services[name] != nil:
		f.patch(w, r, name)
	case what == "get services" && f.services[name] != nil:
		f.services[name].write(w, http.StatusOK)
	default:
		answerStatus(w, 404, "NotFound", fmt.Sprintf("%s %q not found", resource, name))
	}
}

func (s *fakeService) write(w http.ResponseWriter, code int) {
	s.object["metadata"].(object)["resourceVersion"] = strconv.Itoa(s.revision)
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(s.object)
}

// text is all of the Service but its version, to compare.
func (s *fakeService) text() string {
	o := plain(s.object)
	delete(o["metadata"].(object), "resourceVersion")
	data, _ := json.Marshal(o)
	return string(data)
}

func (f *fakeAPI) create(w http.ResponseWriter, r *http.Request) {
	created := decode(r.Body)
	metadata := created["metadata"].(object)
	name := metadata["name"].(string)
	if f.services[name] != nil {
		answerStatus(w, 409, "AlreadyExists", fmt.Sprintf("services %q already exists", name))
		return
	}
	if problem := f.complete(name, created, nil); problem != "" {
		answerStatus(w, 422, "Invalid", fmt.Sprintf("Service %q is invalid: %s", name, problem))
		return
	}
	f.version++
	metadata["uid"], metadata["namespace"] = fmt.Sprint("uid-", f.version), "chains"
	f.services[name] = &fakeService{object: created, revision: f.version}
	f.services[name].write(w, http.StatusCreated)
}

func (f *fakeAPI) patch(w http.ResponseWriter, r *http.Request, name string) {
	live, change := f.services[name], decode(r.Body)
	if version := change["metadata"].(object)["resourceVersion"]; version != strconv.Itoa(live.revision) {
		answerStatus(w, 409, "Conflict", "the object has been modified")
		return
	}
	changed := mergePatch(plain(live.object), change)
	if problem := f.complete(name, changed, live.object); problem != "" {
		answerStatus(w, 422, "Invalid", fmt.Sprintf("Service %q is invalid: %s", name, problem))
		return
	}
	before := live.text()
	live.object = changed
	if live.text() != before {
		f.version++
		live.revision = f.version
	}
	live.write(w, http.StatusOK)
}

// mergePatch applies a patch (RFC 7386) to target, which it changes.
func mergePatch(target, patch object) object {
	for name, value := range patch {
		below, isObject := value.(object)
		switch {
		case value == nil:
			delete(target, name)
		case isObject:
			old, _ := target[name].(object)
			if old == nil {
				old = object{}
			}
			target[name] = mergePatch(old, below)
		default:
			target[name] = value
		}
	}
	return target
}

// complete checks a Service and fills it in, as the API does. It chooses node ports: one for both protocols of a port
// when it creates a Service, one each when it changes one, where a port of the same name keeps its own.
func (f *fakeAPI) complete(name string, service, before object) (problem string) {
	metadata, spec := service["metadata"].(object), service["spec"].(object)
	for _, kind := range []string{"labels", "annotations"} {
		for key, value := range metadata[kind].(object) {
			if text, ok := value.(string); !ok || kind == "labels" && strings.Contains(text, " ") {
				return fmt.Sprintf("metadata.%s: Invalid value: %q: %s must be …", kind, value, key)
			}
		}
	}
	if owners, _ := metadata["ownerReferences"].([]any); len(owners) == 0 {
		delete(metadata, "ownerReferences")
	}
	var old []any
	if before != nil {
		old, _ = before["spec"].(object)["ports"].([]any)
	}
	names := map[any]bool{}
	ports := spec["ports"].([]any)
	for i, p := range ports {
		p := p.(object)
		if names[p["name"]] {
			return fmt.Sprintf("spec.ports[%d].name: Duplicate value: %q", i, p["name"])
		}
		names[p["name"]] = true
		if p["targetPort"] == nil || p["targetPort"] == 0.0 {
			p["targetPort"] = p["port"]
		}
		if p["nodePort"] == 0.0 {
			delete(p, "nodePort")
		}
		if spec["type"] == "ClusterIP" && p["nodePort"] != nil {
			return fmt.Sprintf("spec.ports[%d].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'", i)
		}
		if p["nodePort"] != nil && f.taken(name, p["nodePort"]) {
			return fmt.Sprintf("spec.ports[%d].nodePort: Invalid value: %v: provided port is already allocated", i, p["nodePort"])
		}
	}
	for i, p := range ports {
		if p := p.(object); spec["type"] != "ClusterIP" && p["nodePort"] == nil {
			p["nodePort"] = f.choose(p, ports[:i], old)
		}
	}
	return ""
}

func (f *fakeAPI) choose(port object, others, old []any) any {
	for _, o := range old {
		if o := o.(object); o["name"] == port["name"] && o["nodePort"] != nil {
			return o["nodePort"]
		}
	}
	for _, o := range others {
		if o := o.(object); old == nil && o["port"] == port["port"] {
			return o["nodePort"]
		}
	}
	f.nextPort++
	return float64(f.nextPort)
}

// taken says whether another Service has a node port.
func (f *fakeAPI) taken(service string, nodePort any) bool {
	for name, s := range f.services {
		ports, _ := s.object["spec"].(object)["ports"].([]any)
		if name != service && slices.ContainsFunc(ports, func(p any) bool { return p.(object)["nodePort"] == nodePort }) {
			return true
		}
	}
	return false
}

func decode(r io.Reader) (o object) {
	if err := json.NewDecoder(r).Decode(&o); err != nil {
		panic(err)
	}
	return o
}

// plain is a copy that has only the types that JSON is decoded to.
func plain(o object) object {
	data, err := json.Marshal(o)
	if err != nil {
		panic(err)
	}
	return decode(strings.NewReader(string(data)))
}

func checkRequests(t *testing.T, f *fakeAPI, want ...string) {
	t.Helper()
	if got := f.take(); !slices.Equal(got, want) {
		t.Errorf("requests %q\nwant     %q", got, want)
	}
}
