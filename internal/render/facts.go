package render

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"os"
	"strconv"
	"strings"
	"time"
)

// Facts are what a configuration is rendered for: one pod, and what its templates can see. The zero value is a pod about
// which nothing is known.
type Facts struct {
	Pod       string            // the pod's name; empty when not known
	Namespace string            // the pod's namespace
	Node      string            // the name of the Kubernetes node; empty: the cluster is asked
	Env       map[string]string // the environment that templates see
	Seed      [32]byte          // all random values come from it
	Now       time.Time         // what templates take for the present

	// NamespaceGuessed says that nobody told the namespace. No key is derived from a guess.
	NamespaceGuessed bool

	// Cluster is the Kubernetes cluster; nil: templates that ask it fail.
	Cluster Cluster
	// Keys knows the public identities of P2P keys; nil: templates that ask for one fail.
	Keys Keys
	// LookupHost resolves a host name. It is asked only by templates that call getHostByName; nil: they fail.
	LookupHost func(host string) (addresses []string, err error)
}

const (
	namespaceFile    = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"
	defaultNamespace = "default"
	lookupTimeout    = 5 * time.Second
)

// FactsFromEnviron gathers the facts about the pod that this process runs in: its name from POD_NAME or else HOSTNAME,
// its namespace from POD_NAMESPACE or else the service account or else "default", its node from NODE_NAME. environ is a
// list of name=value, as os.Environ returns it; of several values of one name the first counts, as in os.Getenv.
func FactsFromEnviron(environ []string) (Facts, error) {
	f := Facts{Env: make(map[string]string, len(environ)), Now: time.Now(), LookupHost: lookupHost}
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		if _, ok := f.Env[name]; !ok {
			f.Env[name] = value
		}
	}
	f.Pod = f.Env["POD_NAME"]
	f.Node = f.Env["NODE_NAME"]
	if f.Pod == "" {
		f.Pod = f.Env["HOSTNAME"]
		if machine, _, _ := strings.Cut(f.Node, "."); f.Pod != "" && (f.Pod == f.Node || f.Pod == machine) {
			return Facts{}, fmt.Errorf("POD_NAME is not set, and HOSTNAME (%s) is the name of the Kubernetes node, as on the host "+
				"network: set POD_NAME from the field metadata.name", f.Pod)
		}
	}
	if f.Namespace = f.Env["POD_NAMESPACE"]; f.Namespace == "" {
		namespace, err := readNamespace(namespaceFile)
		if err != nil {
			return Facts{}, err
		}
		f.Namespace = namespace
	}
	if f.Namespace == "" {
		f.Namespace, f.NamespaceGuessed = defaultNamespace, true
	}
	rand.Read(f.Seed[:])
	return f, nil
}

// ForPod returns the same facts for another pod of the fleet, whose environment says so too. Its random values are
// others, and the Kubernetes node that it is on is not known.
func (f Facts) ForPod(name string) Facts {
	if f.Pod != "" && f.Pod != name {
		f.Node = ""
	}
	f.Pod = name
	return f.withEnv("POD_NAME", name).withEnv("HOSTNAME", name)
}

// InNamespace returns the same facts for a pod of that name in another namespace, whose environment says so too.
func (f Facts) InNamespace(namespace string) Facts {
	f.Namespace, f.NamespaceGuessed = namespace, false
	return f.withEnv("POD_NAMESPACE", namespace)
}

// knownNamespace is empty where the namespace is a guess: another one may have a pod of that name.
func (f Facts) knownNamespace() string {
	if f.NamespaceGuessed {
		return ""
	}
	return f.Namespace
}

func (f Facts) withEnv(name, value string) Facts {
	env := make(map[string]string, len(f.Env)+1)
	maps.Copy(env, f.Env)
	env[name] = value
	f.Env = env
	return f
}

// readNamespace returns the namespace of the service account, or nothing when the pod has none.
func readNamespace(path string) (string, error) {
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("cannot read the pod's namespace; set POD_NAMESPACE: %w", err)
	}
	return strings.TrimSpace(string(content)), nil
}

func lookupHost(host string) ([]string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), lookupTimeout)
	defer cancel()
	return net.DefaultResolver.LookupHost(ctx, host)
}

// ordinal returns the number after the last dash of a pod's name, by which a StatefulSet tells its pods apart, see
// https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#pod-identity
func ordinal(pod string) (int, error) {
	dash := strings.LastIndexByte(pod, '-')
	digits := pod[dash+1:]
	n, err := strconv.Atoi(digits)
	if dash < 0 || err != nil || strings.Trim(digits, "0123456789") != "" {
		return 0, &failure{message: fmt.Sprintf("pod name %q does not end in an ordinal, such as -0", pod)}
	}
	return n, nil
}

// index returns the pod's ordinal, or an error that says how to give the pod an index.
func (f Facts) index() (int, error) {
	n, err := ordinal(f.Pod)
	if err == nil {
		return n, nil
	}
	const remedy = "set POD_NAME from the field metadata.name of a StatefulSet's pod, or nodeTemplate.index"
	switch {
	case f.Pod == "":
		return 0, &failure{"the pod has no index: neither POD_NAME nor HOSTNAME is set", remedy}
	case f.Env["POD_NAME"] == "":
		return 0, &failure{"the pod has no index: " + err.Error() + "; it comes from HOSTNAME, which on the host network " +
			"is the machine's name", remedy}
	}
	return 0, &failure{"the pod has no index: " + err.Error(), remedy}
}
