package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// program is a program that only some tests need: it is built when the first of them asks for it.
type program struct {
	module string // its folder; each has a go.mod of its own, because the nodes do not agree on their dependencies
	pkg    string

	once sync.Once
	path string
	err  error
}

var (
	cometbft = program{module: "nodes/cometbft", pkg: "github.com/cometbft/cometbft/cmd/cometbft"}
	devp2p   = program{module: ".", pkg: "github.com/ethereum/go-ethereum/cmd/devp2p"}
	libp2p   = program{module: "nodes/libp2p", pkg: "."}
	opNode   = program{module: "nodes/op-node", pkg: "."}
)

// build returns the program's path.
func (p *program) build(t *testing.T) string {
	t.Helper()
	p.once.Do(func() {
		name := p.pkg
		if name == "." {
			name = p.module
		}
		p.path = filepath.Join(filepath.Dir(built.kubevali), filepath.Base(name))
		p.err = build(p.module, p.path, p.pkg)
	})
	if p.err != nil {
		t.Fatal(p.err)
	}
	return p.path
}

// identities are the public identities of a pod, as `kubevali key id` shows them.
type identities struct {
	Pod       string     `json:"pod"`
	Namespace string     `json:"namespace"`
	Keys      []identity `json:"keys"`
}

type identity struct {
	Name        string `json:"name"`
	Type        string `json:"type"`
	PeerID      string `json:"peerID"`
	Enode       string `json:"enode"`
	CometNodeID string `json:"cometNodeID"`
}

// fleet is a StatefulSet whose pods have keys from one root secret.
type fleet struct {
	name   string
	config string   // the configuration file
	root   string   // the environment variable with the root secret
	env    []string // what all pods have besides, the root secret aside
	ids    []identities
}

// newFleet makes a fleet with the given configuration. When it returns the identities of all its pods are known,
// and nothing of them exists.
func newFleet(t *testing.T, name string, replicas int, config string, env ...string) *fleet {
	t.Helper()
	root, err := exec.Command(built.kubevali, "key", "new").Output()
	if err != nil {
		t.Fatal(err)
	}
	f := &fleet{
		name:   name,
		config: filepath.Join(t.TempDir(), "kubevali.yaml"),
		root:   "P2P_ROOT_KEY=" + strings.TrimSpace(string(root)),
		env:    append(env, "POD_NAMESPACE=chains"),
	}
	if err := os.WriteFile(f.config, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	text := f.kubevali(t, "", "key", "id", "--pod", name, "--replicas", fmt.Sprint(replicas), "-o", "json")
	if err := json.Unmarshal([]byte(text), &f.ids); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if len(f.ids) != replicas {
		t.Fatalf("%d pods, want %d:\n%s", len(f.ids), replicas, text)
	}
	return f
}

func (f *fleet) pod(ordinal int) string { return fmt.Sprintf("%s-%d", f.name, ordinal) }

// key is the only key of a pod.
func (f *fleet) key(ordinal int) identity { return f.ids[ordinal].Keys[0] }

// kubevali runs a command of kubevali with the root secret, and returns what it prints.
func (f *fleet) kubevali(t *testing.T, pod string, args ...string) string {
	t.Helper()
	cmd := exec.Command(built.kubevali, append(args, "-c", f.config)...)
	cmd.Env = append(append(os.Environ(), f.env...), f.root)
	if pod != "" {
		cmd.Env = append(cmd.Env, "POD_NAME="+pod)
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("kubevali %s: %v\n%s", strings.Join(args, " "), err, stderr.String())
	}
	return string(out)
}

// start runs a pod; env is what this one has besides.
func (f *fleet) start(t *testing.T, ordinal int, monitor string, env ...string) *process {
	t.Helper()
	return start(t, f.config, monitor, append(append(env, f.env...), "POD_NAME="+f.pod(ordinal))...)
}

// freePort returns a port that nothing listens on, on none of this machine's addresses. All of 127.0.0.0/8 are its
// own, so that the pods of a fleet have an address each and share the port, as they do in a cluster.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp4", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// printed runs a program and returns what it prints on stdout.
func printed(t *testing.T, program string, args ...string) string {
	t.Helper()
	var stderr bytes.Buffer
	cmd := exec.Command(program, args...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, stderr.String())
	}
	return strings.TrimSpace(string(out))
}
