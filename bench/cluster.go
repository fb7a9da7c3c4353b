//go:build linux

package main

import (
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// inCluster is what a configuration has besides for kubevali to ask the Kubernetes API for all that it can: the node's
// addresses, and a Service whose port is read back.
const inCluster = `  env:
    ADDRESS: '{{ multiaddr nodeExternalIP "tcp" (.Service.Port "p2p") }}'
nodeService:
  enabled: true
  ports: {p2p: {protocols: [TCP, UDP], port: 30303}}
`

// cluster is an API server behind TLS with one node, one pod and its Service.
type cluster struct {
	env     []string
	account string // the folder of the service account's files
	close   func()
}

func newCluster(dir string) (*cluster, error) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(answerAPI))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	host, port, _ := net.SplitHostPort(server.Listener.Addr().String())
	c := &cluster{
		env:     []string{"KUBERNETES_SERVICE_HOST=" + host, "KUBERNETES_SERVICE_PORT=" + port},
		account: filepath.Join(dir, "account"),
		close:   server.Close,
	}
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	err := errors.Join(
		os.Mkdir(c.account, 0o700),
		os.WriteFile(filepath.Join(c.account, "ca.crt"), authority, 0o600),
		os.WriteFile(filepath.Join(c.account, "token"), []byte("t"), 0o600),
	)
	if err != nil {
		server.Close()
		return nil, err
	}
	return c, nil
}

// inPod makes of a command line one that finds the service account where a pod has it, in mounts of its own.
func (c *cluster) inPod(argv []string) []string {
	const mount = `mount -t tmpfs tmpfs /run && mkdir -p /run/secrets/kubernetes.io && ` +
		`ln -s "$0" /run/secrets/kubernetes.io/serviceaccount && exec "$@"`
	unshare := []string{"unshare", "--mount", "--map-root-user", "sh", "-c", mount, c.account}
	if os.Geteuid() == 0 {
		unshare = slices.Delete(unshare, 2, 3)
	}
	return append(unshare, argv...)
}

func answerAPI(w http.ResponseWriter, r *http.Request) {
	type object = map[string]any
	var answer object
	switch {
	case strings.Contains(r.URL.Path, "/nodes/"):
		answer = object{"metadata": object{"name": "machine"}, "status": object{
			"addresses": []object{{"type": "ExternalIP", "address": "198.51.100.7"}},
			"images":    manyImages(),
		}}
	case strings.Contains(r.URL.Path, "/pods/"):
		answer = object{
			"metadata": object{"name": "bench-0", "uid": "1", "labels": object{"statefulset.kubernetes.io/pod-name": "bench-0"},
				"ownerReferences": []object{{"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "bench", "uid": "2", "controller": true}}},
			"spec": object{"nodeName": "machine"},
		}
	case r.Method == http.MethodPost || r.Method == http.MethodPatch:
		if err := json.NewDecoder(r.Body).Decode(&answer); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		answer["metadata"].(object)["uid"], answer["metadata"].(object)["resourceVersion"] = "3", "3"
		for _, port := range answer["spec"].(object)["ports"].([]any) {
			port.(object)["nodePort"] = 31000
		}
	default:
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusNotFound)
		answer = object{"kind": "Status", "code": 404, "reason": "NotFound"}
	}
	json.NewEncoder(w).Encode(answer)
}

// manyImages is what a Kubernetes node lists of itself besides: up to 50 images with their names and digests, see
// nodeStatusMaxImages of https://kubernetes.io/docs/reference/config-api/kubelet-config.v1beta1/
func manyImages() (images []map[string]any) {
	for i := range 50 {
		name := fmt.Sprintf("registry.example.com/team/some-project/image-%d", i)
		images = append(images, map[string]any{"sizeBytes": 1 << 28, "names": []string{
			name + "@sha256:" + strings.Repeat("0123456789abcdef", 4), name + ":v1.2.3",
		}})
	}
	return images
}
