package kube

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
)

const (
	// serviceAccountDir is where the kubelet mounts a service account's token and the cluster's root certificates.
	serviceAccountDir = "/var/run/secrets/kubernetes.io/serviceaccount"
	serviceAccount    = "the pod's service account"
	// maxFile bounds every file that describes a cluster, in bytes.
	maxFile = 1 << 20
)

// ErrNoCluster says that nothing describes a cluster here: no service account, no kubeconfig.
var ErrNoCluster = errors.New("no Kubernetes cluster at hand: neither a pod's service account nor a kubeconfig")

// noKubeconfig is ErrNoCluster where KUBECONFIG names files, none of which exists.
type noKubeconfig struct{ files []string }

func (e *noKubeconfig) Error() string {
	verb := "does"
	if len(e.files) > 1 {
		verb = "do"
	}
	return fmt.Sprintf("no Kubernetes cluster at hand: KUBECONFIG names %s, which %s not exist", strings.Join(e.files, " and "), verb)
}

func (e *noKubeconfig) Is(target error) bool { return target == ErrNoCluster }

// Cluster is where an API server is, and how this process shows it who it is.
type Cluster struct {
	source  string
	account bool // source is the pod's service account
	inPod   bool // this process runs in a pod, whatever the source
	server  *url.URL

	roots      []byte // PEM; nil: the system's
	insecure   bool
	serverName string
	proxy      *url.URL // nil: what HTTPS_PROXY and NO_PROXY say

	certificate, key   []byte // PEM
	token, tokenFile   string
	username, password string
	plugin             *pluginConfig
}

// Locate finds the cluster: the pod's service account, else the files that KUBECONFIG lists, else ~/.kube/config.
// environ looks an environment variable up, as os.Getenv does. With nothing found errors.Is says of the error that
// it is ErrNoCluster; with something found that cannot be used it is a *ConfigError that says what.
func Locate(environ func(name string) string) (*Cluster, error) {
	return locate(environ, serviceAccountDir)
}

func locate(environ func(name string) string, accountDir string) (*Cluster, error) {
	host, port := environ("KUBERNETES_SERVICE_HOST"), environ("KUBERNETES_SERVICE_PORT")
	if host == "" || port == "" {
		return fromKubeconfig(environ)
	}
	c, err := inCluster(net.JoinHostPort(host, port), accountDir)
	if errors.Is(err, fs.ErrNotExist) && environ("KUBECONFIG") != "" {
		c, err = fromKubeconfig(environ) // a pod that was given a kubeconfig in place of its token
	}
	if err != nil {
		return nil, err
	}
	c.inPod = true
	return c, nil
}

// inCluster describes the cluster that the pod runs in.
// https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/
func inCluster(address, accountDir string) (*Cluster, error) {
	c := &Cluster{
		source:    serviceAccount,
		account:   true,
		server:    &url.URL{Scheme: "https", Host: address},
		tokenFile: filepath.Join(accountDir, "token"),
	}
	if _, err := readToken(c.tokenFile); err != nil {
		failure := &ConfigError{Source: serviceAccount, Message: err.Error(), err: err}
		if errors.Is(err, fs.ErrNotExist) {
			failure.Message = "the pod has no token (" + c.tokenFile + ")"
			failure.Remedy = "remove automountServiceAccountToken: false from the pod's spec and from its ServiceAccount"
		}
		return nil, failure
	}
	roots, err := readFile(filepath.Join(accountDir, "ca.crt"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, &ConfigError{Source: serviceAccount, Message: err.Error(), err: err}
	}
	c.roots = roots
	return c, nil
}

// Source says where the description was found: "the pod's service account" or "kubeconfig PATH, context NAME".
func (c *Cluster) Source() string { return c.source }

// Server is the API server's address, as https://10.96.0.1:443.
func (c *Cluster) Server() string { return c.server.Redacted() }

// String returns Source, so that no way of printing a Cluster shows its credentials.
func (c *Cluster) String() string { return c.source }

// GoString returns Source, see String.
func (c *Cluster) GoString() string { return c.source }

// readFile reads a file of at most maxFile bytes.
func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxFile {
		return nil, fmt.Errorf("%s is larger than 1 MiB", path)
	}
	return data, nil
}

// readToken reads a bearer token, which is one line of printable ASCII (RFC 6750, section 2.1).
func readToken(path string) (string, error) {
	data, err := readFile(path)
	if err != nil {
		return "", err
	}
	token := string(bytes.TrimSpace(data))
	if token == "" {
		return "", fmt.Errorf("%s is empty", path)
	}
	if !fitForHeader(token) {
		return "", fmt.Errorf("%s holds no token", path)
	}
	return token, nil
}

func fitForHeader(token string) bool {
	return strings.IndexFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) < 0
}
