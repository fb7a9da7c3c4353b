// Package facts is what is known of a pod, as plain data: its name, its environment and, as far as somebody has asked for
// them, the answers of the Kubernetes API and the public identities of P2P keys. Nothing in [Facts] asks anybody anything.
//
// What a plan needs and the facts lack is told by a [Missing]; a [Reader] asks the cluster for it, and [Facts.Assume] puts
// placeholders in its place.
package facts

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"strconv"
	"strings"

	"github.com/kubevali/kubevali/internal/hint"
	"github.com/kubevali/kubevali/internal/keyderive"
	"github.com/kubevali/kubevali/internal/kube"
)

// Facts are what is known of one pod. The zero value is a pod of which nothing is known. A copy has its own answers, but
// shares Env, which nobody changes, and Keys.
type Facts struct {
	Pod       string            // its name; empty when not known
	Namespace string            // its namespace
	Env       map[string]string // the environment that templates see
	Seed      [32]byte          // all random values come from it

	// NamespaceGuessed says that nobody told the namespace. No key is derived from a guess.
	NamespaceGuessed bool

	// The answers of the cluster; nil: nobody has asked yet.
	Node        *Known[string]         // the name of the Kubernetes node that the pod is on
	Addresses   *Known[[]kube.Address] // of that node, in the cluster's order
	ExternalIPs *Known[[]string]       // of all Kubernetes nodes, in order of their names
	NodePorts   *Known[map[string]int] // of the pod's Service, by the names of its ports
	Balancer    *Known[string]         // the IP address or host name of that Service's load balancer

	Keys map[KeyOf]Known[Key] // of this pod, and of others in its namespace
}

// Known is an answer, or why there is none.
type Known[T any] struct {
	Value T
	Err   error
}

// KeyOf names the key of a pod.
type KeyOf struct{ Pod, Key string }

// Key is what the world may know of a key, and where its pod has it.
type Key struct {
	Path   string
	Public keyderive.Public
}

// Missing is what templates ask for and the facts lack.
type Missing struct {
	Node, Addresses, ExternalIPs bool
	NodePorts, Balancer          bool
	Keys                         map[KeyOf]bool
}

// None reports whether nothing is missing.
func (m Missing) None() bool { return !m.Nodes() && !m.Service() && len(m.Keys) == 0 }

// Nodes reports whether something about Kubernetes nodes is missing.
func (m Missing) Nodes() bool { return m.Node || m.Addresses || m.ExternalIPs }

// Service reports whether something about the pod's Service is missing.
func (m Missing) Service() bool { return m.NodePorts || m.Balancer }

// FromEnviron gathers what this process's environment tells of the pod that it runs in: the pod's name by POD_NAME or else
// HOSTNAME, its namespace by POD_NAMESPACE or else the service account or else "default", its Kubernetes node by NODE_NAME.
// environ is a list of name=value, as os.Environ returns it; of several values of one name the first counts, as in
// os.Getenv. accountDir is where a pod's service account is, see kube.InPod.
func FromEnviron(environ []string, accountDir string) (Facts, error) {
	f := Facts{Env: make(map[string]string, len(environ)), Keys: make(map[KeyOf]Known[Key])}
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		if _, ok := f.Env[name]; !ok {
			f.Env[name] = value
		}
	}
	node := f.Env["NODE_NAME"]
	if node != "" {
		f.Node = &Known[string]{Value: node}
	}
	if f.Pod = f.Env["POD_NAME"]; f.Pod == "" {
		f.Pod = f.Env["HOSTNAME"]
		if machine, _, _ := strings.Cut(node, "."); f.Pod != "" && (f.Pod == node || f.Pod == machine) {
			return Facts{}, hint.New("POD_NAME is not set, and HOSTNAME ("+f.Pod+") is the name of the Kubernetes node, as on the "+
				"host network", "set POD_NAME from the field metadata.name")
		}
	}
	if f.Namespace = f.Env["POD_NAMESPACE"]; f.Namespace == "" {
		namespace, err := readNamespace(accountDir)
		if err != nil {
			return Facts{}, err
		}
		f.Namespace = namespace
	}
	if f.Namespace == "" {
		f.Namespace, f.NamespaceGuessed = "default", true
	}
	rand.Read(f.Seed[:])
	return f, nil
}

// readNamespace returns the namespace of the service account, or nothing when the pod has none.
func readNamespace(accountDir string) (string, error) {
	content, err := os.ReadFile(accountDir + "/namespace")
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", hint.With(fmt.Errorf("cannot read the pod's namespace: %w", err), "set POD_NAMESPACE from the field metadata.namespace")
	}
	return strings.TrimSpace(string(content)), nil
}

// ForPod returns what is known of another pod of the fleet, whose environment says so too. Its random values are others,
// and the Kubernetes node that it is on and its Service are not known.
func (f Facts) ForPod(name string) Facts {
	if f.Pod != "" && f.Pod != name {
		f.Node, f.Addresses, f.NodePorts, f.Balancer = nil, nil, nil, nil
	}
	f.Pod = name
	return f.withEnv("POD_NAME", name).withEnv("HOSTNAME", name)
}

// InNamespace returns the same facts for a pod of that name in another namespace, whose environment says so too.
func (f Facts) InNamespace(namespace string) Facts {
	f.Namespace, f.NamespaceGuessed = namespace, false
	return f.withEnv("POD_NAMESPACE", namespace)
}

func (f Facts) withEnv(name, value string) Facts {
	env := make(map[string]string, len(f.Env)+1)
	maps.Copy(env, f.Env)
	env[name] = value
	f.Env = env
	return f
}

// KnownNamespace is empty where the namespace is a guess: another one may have a pod of that name.
func (f Facts) KnownNamespace() string {
	if f.NamespaceGuessed {
		return ""
	}
	return f.Namespace
}

// Pods returns the names of the first replicas pods of the StatefulSet that this pod is one of: <name>-0, <name>-1 and
// so on, where <name> is the pod's name without its ordinal, if it has one. It fails when the pod's name is not known.
func (f Facts) Pods(replicas int) ([]string, error) {
	if f.Pod == "" {
		return nil, hint.New("the pod's name is not known, and so are those of the others", "set POD_NAME or give --pod NAME")
	}
	name := f.Pod
	if _, err := Ordinal(name); err == nil {
		name = name[:strings.LastIndexByte(name, '-')]
	}
	pods := make([]string, replicas)
	for i := range pods {
		pods[i] = name + "-" + strconv.Itoa(i)
	}
	return pods, nil
}

// Ordinal returns the number after the last dash of a pod's name, by which a StatefulSet tells its pods apart, see
// https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#pod-identity
func Ordinal(pod string) (int, error) {
	dash := strings.LastIndexByte(pod, '-')
	digits := pod[dash+1:]
	n, err := strconv.Atoi(digits)
	if dash < 0 || err != nil || strings.Trim(digits, "0123456789") != "" {
		return 0, fmt.Errorf("pod name %q does not end in an ordinal, such as -0", pod)
	}
	return n, nil
}

// Index returns the pod's ordinal, or an error that says how to give the pod one.
func (f Facts) Index() (int, error) {
	n, err := Ordinal(f.Pod)
	const remedy = "set POD_NAME from the field metadata.name of a StatefulSet's pod, or nodeTemplate.index"
	switch {
	case err == nil:
		return n, nil
	case f.Pod == "":
		return 0, hint.New("the pod has no index: neither POD_NAME nor HOSTNAME is set", remedy)
	case f.Env["POD_NAME"] == "":
		err = fmt.Errorf("%w; it comes from HOSTNAME, which on the host network is the machine's name", err)
	}
	return 0, hint.With(fmt.Errorf("the pod has no index: %w", err), remedy)
}
