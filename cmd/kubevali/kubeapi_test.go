package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"reflect"
	"strings"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"
)

// kubeAPI stands in for an API server that has one namespace, chains. It shows what a command asks for; the real API is
// asked by the end-to-end tests.
type kubeAPI struct {
	mu       sync.Mutex // guards what follows
	log      io.Writer
	services map[string]map[string]any
	down     func() bool
	version  int
}

// cmdKubeAPI starts an API server with the nodes machine-0 and machine-1, on which the pods geth-0 and geth-1 are, and
// points KUBECONFIG at it. It notes requests in the file "requests", and answers only while there is no file "down".
func cmdKubeAPI(ts *testscript.TestScript, _ bool, _ []string) {
	log, err := os.OpenFile(ts.MkAbs("requests"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	ts.Check(err)
	api := &kubeAPI{log: log, services: make(map[string]map[string]any), down: func() bool {
		_, err := os.Stat(ts.MkAbs("down"))
		return err == nil
	}}
	server := httptest.NewServer(api)
	ts.Defer(func() {
		server.Close()
		log.Close()
	})
	config := fmt.Sprintf(`{apiVersion: v1, kind: Config, current-context: c, contexts: [{name: c, context: {cluster: k, user: u}}],
clusters: [{name: k, cluster: {server: "%s"}}], users: [{name: u, user: {token: secret-token}}]}`, server.URL)
	ts.Check(os.WriteFile(ts.MkAbs("kubeconfig"), []byte(config), 0o600))
	ts.Setenv("KUBECONFIG", ts.MkAbs("kubeconfig"))
}

func (a *kubeAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	name := path.Base(r.URL.Path)
	if a.down() {
		a.answer(w, http.StatusServiceUnavailable, status(503, "ServiceUnavailable"))
		return
	}
	fmt.Fprintf(a.log, "%s %s\n", r.Method, r.URL.Path)
	number := name[strings.LastIndexByte(name, '-')+1:]
	switch resource := path.Base(path.Dir(r.URL.Path)); {
	case r.URL.Path == "/api/v1/nodes":
		a.answer(w, http.StatusOK, map[string]any{"items": []any{node("0"), node("1")}})
	case name == "forbidden-0":
		a.answer(w, http.StatusForbidden, status(403, "Forbidden"))
	case resource == "nodes" && number < "2":
		a.answer(w, http.StatusOK, node(number))
	case resource == "pods" && number < "2":
		a.answer(w, http.StatusOK, pod(name, number))
	case resource == "services" && r.Method == http.MethodPatch:
		a.patch(w, r, name)
	case resource == "services" && a.services[name] != nil:
		a.answer(w, http.StatusOK, a.services[name])
	default:
		a.answer(w, http.StatusNotFound, status(404, "NotFound"))
	}
}

// patch keeps what is applied and chooses the node ports that it leaves open.
func (a *kubeAPI) patch(w http.ResponseWriter, r *http.Request, name string) {
	var service map[string]any
	if err := json.NewDecoder(r.Body).Decode(&service); err != nil {
		a.answer(w, http.StatusBadRequest, status(400, "BadRequest"))
		return
	}
	meta := service["metadata"].(map[string]any)
	meta["uid"] = "uid-" + name
	delete(meta, "resourceVersion")
	spec := service["spec"].(map[string]any)
	for _, p := range spec["ports"].([]any) {
		if port := p.(map[string]any); port["nodePort"] == nil {
			port["nodePort"] = 31000.0 // as JSON has it
		}
	}
	code, before := http.StatusCreated, a.services[name]
	if before != nil {
		code = http.StatusOK
		meta["resourceVersion"] = before["metadata"].(map[string]any)["resourceVersion"]
	}
	if !reflect.DeepEqual(before, service) {
		a.version++
		meta["resourceVersion"] = fmt.Sprint(a.version)
	}
	a.services[name] = service
	a.answer(w, code, service)
}

func (a *kubeAPI) answer(w http.ResponseWriter, code int, body map[string]any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	json.NewEncoder(w).Encode(body)
}

func status(code int, reason string) map[string]any {
	return map[string]any{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "code": code,
		"message": `is forbidden: User "system:serviceaccount:chains:geth" cannot get resource "pods"`}
}

func node(number string) map[string]any {
	return map[string]any{
		"metadata": map[string]any{"name": "machine-" + number},
		"status": map[string]any{"addresses": []any{
			map[string]any{"type": "InternalIP", "address": "10.0.0." + number},
			map[string]any{"type": "ExternalIP", "address": "198.51.100." + number},
		}},
	}
}

func pod(name, number string) map[string]any {
	return map[string]any{
		"metadata": map[string]any{
			"name": name, "namespace": "chains", "uid": "uid-" + name,
			"labels":          map[string]any{"statefulset.kubernetes.io/pod-name": name},
			"ownerReferences": []any{map[string]any{"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "geth", "uid": "uid-geth", "controller": true}},
		},
		"spec": map[string]any{"nodeName": "machine-" + number},
	}
}
