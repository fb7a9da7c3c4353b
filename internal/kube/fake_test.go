package kube_test

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
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

// inlineClient returns a client of a handler.
func inlineClient(t *testing.T, h http.Handler, o kube.Options) *kube.Client {
	t.Helper()
	cluster, err := kube.ParseKubeconfig("/etc/kubeconfig", []byte(kubeconfigFor("https://api.example.com", "", `token: "s3cret-token"`)))
	if err != nil {
		t.Fatal(err)
	}
	o.Transport = inline{h}
	o.Log = withoutSecrets(t, o.Log)
	client, err := kube.NewClient(cluster, o)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// kubeconfigFor is a kubeconfig with one context; cluster and user are lines of YAML to go into their entries.
func kubeconfigFor(server, cluster, user string) string {
	indent := func(lines string) string { return strings.ReplaceAll(lines, "\n", "\n    ") }
	return fmt.Sprintf(`
apiVersion: v1
kind: Config
current-context: c
contexts:
- name: c
  context: {cluster: k, user: u}
clusters:
- name: k
  cluster:
    server: %s
    %s
users:
- name: u
  user:
    %s
`, server, indent(cluster), indent(user))
}

// answerStatus answers as the API does when it refuses.
func answerStatus(w http.ResponseWriter, code int, reason, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(map[string]any{
		"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason, "message": message,
	})
}

type object = map[string]any

// fakeAPI knows pods, and as much of Services and server-side apply as can be told from a real API server.
type fakeAPI struct {
	mu       sync.Mutex
	pods     map[string]object
	services map[string]*fakeService
	nextPort int
	version  int // of the last write; the first is 2, as it is with etcd
	requests []string
	// before is called before each request is answered.
	before func(request string)
}

type fakeService struct {
	object   object
	revision int
}

func newFakeAPI() *fakeAPI {
	return &fakeAPI{pods: map[string]object{}, services: map[string]*fakeService{}, nextPort: 30000, version: 1}
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
	owned := object{}
	for _, p := range anys(ports) {
		owned[keyOf(p.(object))] = object{".": object{}, "f:port": object{}}
	}
	if slices.ContainsFunc(ports, func(p object) bool { return p["nodePort"] != nil }) {
		kind = "NodePort"
	}
	f.services[name] = &fakeService{revision: f.version, object: object{
		"metadata": object{"name": name, "namespace": "chains", "uid": "u1", "annotations": annotations, "managedFields": []any{
			object{"manager": "kubevali", "operation": "Update", "apiVersion": "v1", "fieldsType": "FieldsV1", "time": "2026-01-01T00:00:00Z",
				"fieldsV1": object{"f:spec": object{"f:ports": owned, "f:type": object{}}}},
			object{"manager": "kubevali", "operation": "Apply", "apiVersion": "v1", "fieldsType": "FieldsV1", "subresource": "status",
				"fieldsV1": object{"f:status": object{}}},
		}},
		"spec": object{"type": kind, "ports": anys(ports)},
	}}
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
	if kind := r.Header.Get("Content-Type"); kind != "" {
		what += " " + kind
	}
	f.requests = append(f.requests, what)
	if f.before != nil {
		f.before(what)
	}
	switch {
	case resource == "pods" && f.pods[name] != nil:
		_ = json.NewEncoder(w).Encode(f.pods[name])
	case resource == "services" && r.Method == "PATCH":
		f.patch(w, r, name)
	case resource == "services" && f.services[name] != nil:
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

// visible is the Service without what only managers of fields see.
func (s *fakeService) visible(t *testing.T) string {
	t.Helper()
	metadata := maps.Clone(s.object["metadata"].(object))
	delete(metadata, "managedFields")
	delete(metadata, "resourceVersion")
	data, err := json.Marshal(object{"metadata": metadata, "spec": s.object["spec"]})
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func (f *fakeAPI) patch(w http.ResponseWriter, r *http.Request, name string) {
	body, _ := io.ReadAll(r.Body)
	code, live := http.StatusOK, f.services[name]
	if live == nil {
		code, live = http.StatusCreated, &fakeService{object: object{"metadata": object{}, "spec": object{}}}
	}
	before, _ := json.Marshal(live.object)
	var version any
	var change func()
	switch r.Header.Get("Content-Type") {
	case "application/json-patch+json":
		var operations []struct {
			Op, Path string
			Value    any
		}
		if json.Unmarshal(body, &operations) != nil {
			answerStatus(w, 400, "BadRequest", string(body))
			return
		}
		change = func() {
			for _, o := range operations {
				path := strings.Split(o.Path, "/") // as in /spec/ports
				live.object[path[1]].(object)[path[2]] = o.Value
			}
		}
		version = operations[0].Value
	case "application/apply-patch+yaml":
		var manifest object
		if json.Unmarshal(body, &manifest) != nil || r.URL.RawQuery != "fieldManager=kubevali&force=true" {
			answerStatus(w, 400, "BadRequest", string(body))
			return
		}
		version = manifest["metadata"].(object)["resourceVersion"]
		change = func() { live.apply(manifest) }
	}
	if code == http.StatusOK && version != nil && version != strconv.Itoa(live.revision) {
		answerStatus(w, 409, "Conflict", "the object has been modified")
		return
	}
	change()
	problem := f.allocate(name, live.object["spec"].(object), before)
	if labels, _ := live.object["metadata"].(object)["labels"].(object); strings.Contains(fmt.Sprint(labels["chain"]), " ") {
		problem = fmt.Sprintf("metadata.labels: Invalid value: %q: a valid label must be", labels["chain"])
	}
	if problem != "" {
		live.object = nil
		_ = json.Unmarshal(before, &live.object)
		answerStatus(w, 422, "Invalid", fmt.Sprintf("Service %q is invalid: %s", name, problem))
		return
	}
	if code == http.StatusCreated {
		f.services[name] = live
		live.object["metadata"].(object)["uid"] = fmt.Sprint("uid-", f.version)
	}
	if after, _ := json.Marshal(live.object); string(after) != string(before) {
		f.version++
		live.revision = f.version
	}
	live.write(w, code)
}

// apply merges a manifest: ports by port and protocol. Those of the last apply that are missing go, unless somebody else
// has set them, too.
func (s *fakeService) apply(manifest object) {
	metadata, spec := s.object["metadata"].(object), s.object["spec"].(object)
	var others []any
	mine, theirs := object{}, object{}
	managed, _ := metadata["managedFields"].([]any)
	for _, m := range managed {
		m := m.(object)
		keys := portsOf(m)
		if m["manager"] == "kubevali" && m["operation"] == "Apply" && m["subresource"] == nil {
			maps.Copy(mine, keys)
			continue
		}
		maps.Copy(theirs, keys)
		others = append(others, m)
	}
	delete(metadata, "ownerReferences")
	for key, value := range manifest["metadata"].(object) {
		if key != "resourceVersion" {
			metadata[key] = value
		}
	}
	old, _ := spec["ports"].([]any)
	wanted := object{}
	var ports []any
	for _, p := range manifest["spec"].(object)["ports"].([]any) {
		p := maps.Clone(p.(object))
		key := keyOf(p)
		wanted[key] = object{".": object{}}
		for _, o := range old {
			if o := o.(object); keyOf(o) == key && o["nodePort"] != nil && p["nodePort"] == nil {
				p["nodePort"] = o["nodePort"]
			}
		}
		ports = append(ports, p)
	}
	for _, o := range old {
		if key := keyOf(o.(object)); wanted[key] == nil && (mine[key] == nil || theirs[key] != nil) {
			ports = append(ports, o)
		}
	}
	maps.Copy(spec, manifest["spec"].(object))
	spec["ports"] = ports
	metadata["managedFields"] = append(others, object{
		"manager": "kubevali", "operation": "Apply", "apiVersion": "v1", "fieldsType": "FieldsV1", "time": "2026-01-02T00:00:00Z",
		"fieldsV1": object{"f:spec": object{"f:ports": wanted}},
	})
}

// portsOf returns the ports among managed fields.
func portsOf(managed object) object {
	spec, _ := managed["fieldsV1"].(object)["f:spec"].(object)
	ports, _ := spec["f:ports"].(object)
	return ports
}

// allocate chooses node ports, as the API does: one for both protocols of a port when it creates a Service, one each
// when it updates one, where a port of the same name keeps its own.
func (f *fakeAPI) allocate(service string, spec object, before []byte) (problem string) {
	var old struct{ Spec struct{ Ports []object } }
	_ = json.Unmarshal(before, &old)
	names := map[any]bool{}
	for i, p := range spec["ports"].([]any) {
		p := p.(object)
		if names[p["name"]] {
			return fmt.Sprintf("spec.ports[%d].name: Duplicate value: %q", i, p["name"])
		}
		names[p["name"]] = true
		if p["targetPort"] == nil {
			p["targetPort"] = p["port"]
		}
		if spec["type"] == "ClusterIP" && p["nodePort"] != nil {
			return fmt.Sprintf("spec.ports[%d].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'", i)
		}
		if p["nodePort"] != nil && f.taken(service, p["nodePort"]) {
			return fmt.Sprintf("spec.ports[%d].nodePort: Invalid value: %v: provided port is already allocated", i, p["nodePort"])
		}
		if spec["type"] == "ClusterIP" || p["nodePort"] != nil {
			continue
		}
		for _, o := range old.Spec.Ports {
			if o["name"] == p["name"] && o["nodePort"] != nil {
				p["nodePort"] = o["nodePort"]
			}
		}
		if len(old.Spec.Ports) == 0 {
			for _, q := range spec["ports"].([]any)[:i] {
				if q.(object)["port"] == p["port"] {
					p["nodePort"] = q.(object)["nodePort"]
				}
			}
		}
		if p["nodePort"] == nil {
			f.nextPort++
			p["nodePort"] = float64(f.nextPort)
		}
	}
	return ""
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

// keyOf is how the API names a port among the managed fields.
func keyOf(port object) string {
	return fmt.Sprintf(`k:{"port":%v,"protocol":"%v"}`, port["port"], port["protocol"])
}

func anys(objects []object) []any {
	var list []any
	for _, o := range objects {
		data, _ := json.Marshal(o)
		var v any
		_ = json.Unmarshal(data, &v)
		list = append(list, v)
	}
	return list
}

func checkRequests(t *testing.T, f *fakeAPI, want ...string) {
	t.Helper()
	if got := f.take(); !slices.Equal(got, want) {
		t.Errorf("requests %q\nwant     %q", got, want)
	}
}
