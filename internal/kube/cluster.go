package kube

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"path/filepath"
	"strings"

	"github.com/kubevali/kubevali/internal/atomicfile"
	"github.com/kubevali/kubevali/internal/hint"
)

const (
	// AccountDir is where the kubelet mounts a pod's service account: its token and the cluster's root certificates.
	AccountDir = "/var/run/secrets/kubernetes.io/serviceaccount"
	// maxFile bounds both files, in bytes.
	maxFile   = 1 << 20
	rootsFile = "ca.crt"
	tokenFile = "token"
	account   = "the pod's service account"
)

// Cluster is the cluster of the pod that this process runs in, and the service account as which it asks there.
// https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/
type Cluster struct {
	address    string // host:port
	accountDir string
}

// InPod returns the cluster of the pod that this process runs in, and false where it runs in none. It looks at two
// environment variables, KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT, which the kubelet sets, and at no file.
// environ is a list of name=value, as os.Environ returns it; accountDir is AccountDir, but for tests.
func InPod(environ []string, accountDir string) (Cluster, bool) {
	var host, port string
	for _, entry := range environ {
		switch name, value, _ := strings.Cut(entry, "="); name {
		case "KUBERNETES_SERVICE_HOST":
			host = value
		case "KUBERNETES_SERVICE_PORT":
			port = value
		}
	}
	if host == "" || port == "" {
		return Cluster{}, false
	}
	return Cluster{net.JoinHostPort(host, port), accountDir}, true
}

// Server is the API server's address, as https://10.96.0.1:443.
func (c Cluster) Server() string { return "https://" + c.address }

// roots are what the API server's certificate is checked against; nil: the system's.
func (c Cluster) roots() (*x509.CertPool, error) {
	path := filepath.Join(c.accountDir, rootsFile)
	data, err := atomicfile.Read(path, maxFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %s: %w", account, path, err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(data) {
		return nil, fmt.Errorf("%s: %s is not a certificate in PEM", account, path)
	}
	return pool, nil
}

// token reads the bearer token, which is one line of printable ASCII (RFC 6750, section 2.1). It is read anew for each
// request: the kubelet replaces it about every hour.
func (c Cluster) token() (string, error) {
	path := filepath.Join(c.accountDir, tokenFile)
	data, err := atomicfile.Read(path, maxFile)
	token := strings.TrimSpace(string(data))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", hint.New(account+": the pod has no token ("+path+")",
			"remove automountServiceAccountToken: false from the pod's spec and from its ServiceAccount")
	case err != nil:
		return "", fmt.Errorf("%s: %s: %w", account, path, err)
	case token == "":
		return "", fmt.Errorf("%s: %s is empty", account, path)
	case strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }):
		return "", fmt.Errorf("%s: %s holds no token", account, path)
	}
	return token, nil
}
