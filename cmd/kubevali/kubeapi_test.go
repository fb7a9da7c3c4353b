package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// kubeAPI stands in for an API server that has one namespace, chains. It shows what a command asks for; the real API is
// asked by the end-to-end tests.
type kubeAPI struct {
	mu     sync.Mutex // guards what follows, and the files
	dir    string
	chosen int // node ports, so far
}

// cmdKubeAPI starts an API server with the nodes machine-0 and machine-1, on which the pods geth-0 and geth-1 are. What
// follows runs in a pod of that cluster, or with the argument desk beside a kubectl that knows it. The server notes requests
// in the file "requests", keeps Services in files of the folder "services", and answers only while there is no file "down".
func cmdKubeAPI(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(os.MkdirAll(ts.MkAbs("services"), 0o755))
	ts.Check(os.WriteFile(ts.MkAbs("requests"), nil, 0o644))
	server := httptest.NewTLSServer(&kubeAPI{dir: ts.MkAbs(".")})
	ts.Defer(server.Close)
	account := ts.MkAbs("keys")
	ts.Check(os.MkdirAll(account, 0o755))
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	ts.Check(os.WriteFile(filepath.Join(account, "ca.crt"), authority, 0o600))
	ts.Check(os.WriteFile(filepath.Join(account, "token"), []byte(clusterToken()), 0o600))
	ts.Setenv(accountVariable, account)
	host, port, err := net.SplitHostPort(server.Listener.Addr().String())
	ts.Check(err)
	if slices.Contains(args, "desk") {
		ts.Setenv(kubectlVariable, server.URL)
		return
	}
	ts.Setenv("KUBERNETES_SERVICE_HOST", host)
	ts.Setenv("KUBERNETES_SERVICE_PORT", port)
}

const (
	accountVariable = "TEST_ACCOUNT_DIR" // where the pod's service account is
	kubectlVariable = "TEST_KUBECTL_API" // the API server that kubectl knows
)

// kubectl is as much of kubectl as kubevali uses: get --raw PATH.
func kubectl() {
	api := os.Getenv(kubectlVariable)
	if api == "" || len(os.Args) != 4 || os.Args[1] != "get" || os.Args[2] != "--raw" {
		fmt.Fprintln(os.Stderr, "The connection to the server localhost:8080 was refused - did you specify the right host or port?")
		os.Exit(1)
	}
	account := os.Getenv(accountVariable)
	authority, err := os.ReadFile(filepath.Join(account, "ca.crt"))
	if err != nil {
		panic(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority)
	client := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
	req, err := http.NewRequest(http.MethodGet, api+os.Args[3], nil)
	if err != nil {
		panic(err)
	}
	req.Header.Set("Authorization", "Bearer "+clusterToken())
	resp, err := client.Do(req)
	if err != nil {
		panic(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusOK {
		io.Copy(os.Stdout, resp.Body)
		return
	}
	var refusal struct{ Reason, Message string }
	if err := json.NewDecoder(resp.Body).Decode(&refusal); err != nil {
		panic(err)
	}
	fmt.Fprintf(os.Stderr, "Error from server (%s): %s\n", refusal.Reason, refusal.Message)
	os.Exit(1)
}

// clusterToken is what clients must show. Like rootSecret, it is no constant.
func clusterToken() string { return strings.Repeat("cluster-token-", 3) }

func (a *kubeAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, err := os.Stat(filepath.Join(a.dir, "down")); err == nil {
		a.answer(w, http.StatusServiceUnavailable, status(503, "ServiceUnavailable"))
		return
	}
	a.note(r)
	name := path.Base(r.URL.Path)
	number := name[strings.LastIndexByte(name, '-')+1:]
	switch resource := path.Base(path.Dir(r.URL.Path)); {
	case r.Header.Get("Authorization") != "Bearer "+clusterToken():
		a.answer(w, http.StatusUnauthorized, status(401, "Unauthorized"))
	case r.URL.Path == "/api/v1/nodes":
		a.answer(w, http.StatusOK, map[string]any{"items": []any{nodeObject("0"), nodeObject("1")}})
	case name == "forbidden-0":
		a.answer(w, http.StatusForbidden, status(403, "Forbidden"))
	case resource == "nodes" && number < "2":
		a.answer(w, http.StatusOK, nodeObject(number))
	case resource == "pods" && number < "2":
		a.answer(w, http.StatusOK, podObject(name, number))
	case r.Method == http.MethodPatch || r.Method == http.MethodPost:
		a.write(w, r)
	case resource == "services" && a.service(name) != nil:
		a.answer(w, http.StatusOK, a.service(name))
	default:
		a.answer(w, http.StatusNotFound, status(404, "NotFound"))
	}
}

func (a *kubeAPI) note(r *http.Request) {
	log, err := os.OpenFile(filepath.Join(a.dir, "requests"), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		panic(err)
	}
	defer log.Close()
	fmt.Fprintf(log, "%s %s\n", r.Method, r.URL.Path)
}

// service is what the file of that name holds, or nil.
func (a *kubeAPI) service(name string) (service map[string]any) {
	content, err := os.ReadFile(filepath.Join(a.dir, "services", name+".json"))
	if err != nil {
		return nil
	}
	if err := json.Unmarshal(content, &service); err != nil {
		panic(err)
	}
	return service
}

// write keeps a Service that is created or changed by a merge patch (RFC 7386), and chooses the node ports that it leaves
// open, each time other ones.
func (a *kubeAPI) write(w http.ResponseWriter, r *http.Request) {
	var sent map[string]any
	if err := json.NewDecoder(r.Body).Decode(&sent); err != nil {
		a.answer(w, http.StatusBadRequest, status(400, "BadRequest"))
		return
	}
	name, code := path.Base(r.URL.Path), http.StatusOK
	if r.Method == http.MethodPost {
		name, code = sent["metadata"].(map[string]any)["name"].(string), http.StatusCreated
	}
	before, service := a.service(name), a.service(name)
	if (before != nil) == (r.Method == http.MethodPost) {
		a.answer(w, http.StatusConflict, status(409, "AlreadyExists"))
		return
	}
	if before == nil {
		service = sent
	} else {
		merge(service, sent)
	}
	meta := service["metadata"].(map[string]any)
	meta["uid"] = "uid-" + name
	if !a.choosePorts(service, before) {
		a.answer(w, http.StatusUnprocessableEntity, map[string]any{"kind": "Status", "reason": "Invalid", "code": 422,
			"message": `Service "geth-1" is invalid: spec.ports[0].nodePort: Invalid value: 32767: provided port is already allocated`})
		return
	}
	if !reflect.DeepEqual(before, service) {
		meta["resourceVersion"] = strconv.FormatInt(time.Now().UnixNano(), 10)
	}
	content, _ := json.Marshal(service)
	if err := os.WriteFile(filepath.Join(a.dir, "services", name+".json"), content, 0o644); err != nil {
		panic(err)
	}
	a.answer(w, code, service)
}

func merge(into, patch map[string]any) {
	for key, value := range patch {
		inner, isObject := value.(map[string]any)
		outer, wasObject := into[key].(map[string]any)
		switch {
		case value == nil:
			delete(into, key)
		case isObject && wasObject:
			merge(outer, inner)
		default:
			into[key] = value
		}
	}
}

// choosePorts refuses takenPort.
func (a *kubeAPI) choosePorts(service, before map[string]any) (ok bool) {
	const takenPort = 32767.0
	ports := func(s map[string]any) []any { return s["spec"].(map[string]any)["ports"].([]any) }
	for i, p := range ports(service) {
		port := p.(map[string]any)
		switch {
		case port["nodePort"] == takenPort:
			return false
		case port["nodePort"] != nil && port["nodePort"] != 0.0:
		case before != nil && len(ports(before)) > i && ports(before)[i].(map[string]any)["port"] == port["port"]:
			port["nodePort"] = ports(before)[i].(map[string]any)["nodePort"]
		default:
			port["nodePort"] = 31000.0 + float64(a.chosen) // as JSON has it
			a.chosen++
		}
	}
	return true
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

func nodeObject(number string) map[string]any {
	return map[string]any{
		"metadata": map[string]any{"name": "machine-" + number},
		"status": map[string]any{"addresses": []any{
			map[string]any{"type": "InternalIP", "address": "10.0.0." + number},
			map[string]any{"type": "ExternalIP", "address": "198.51.100." + number},
		}},
	}
}

func podObject(name, number string) map[string]any {
	return map[string]any{
		"metadata": map[string]any{
			"name": name, "namespace": "chains", "uid": "uid-" + name,
			"labels":          map[string]any{"statefulset.kubernetes.io/pod-name": name},
			"ownerReferences": []any{map[string]any{"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "geth", "uid": "uid-geth", "controller": true}},
		},
		"spec": map[string]any{"nodeName": "machine-" + number},
	}
}
