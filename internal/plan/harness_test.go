package plan_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/kubevali/kubevali/internal/config"
	"github.com/kubevali/kubevali/internal/facts"
	"github.com/kubevali/kubevali/internal/hint"
	"github.com/kubevali/kubevali/internal/keyderive"
	"github.com/kubevali/kubevali/internal/keyfile"
	"github.com/kubevali/kubevali/internal/kube"
	"github.com/kubevali/kubevali/internal/plan"
)

// world is what plans are made in: what is known of the pod, and who can be asked for the rest.
type world struct {
	facts.Facts
	identities plan.Identities
	source     plan.Source
}

// sts2 is the world of the pod that most tests use. It has no cluster and no root secrets.
func sts2() world {
	return world{
		Facts: facts.Facts{
			Pod: "sts-2", Namespace: "chains", Node: &facts.Known[string]{Value: "machine-7"},
			Env: map[string]string{"POD_NAME": "sts-2", "COLOUR": "blue", "EMPTY": ""},
		},
		identities: func(keyfile.Key) (keyderive.Public, error) { return keyderive.Public{}, errNoRoot },
		source:     noCluster,
	}
}

var (
	errNoRoot    = hint.New("there is no root secret here", "set it")
	errNoCluster = hint.New("there is no cluster here", "go where one is")
)

// noCluster is the Source for tests in which nobody should be asked.
func noCluster(f *facts.Facts, m facts.Missing, _ *plan.Service) {
	(&fakeCluster{err: errNoCluster}).answer(f, m, &plan.Service{})
}

// nowhere is the world of a pod of which nothing is known.
func nowhere() world { return world{source: noCluster} }

func (w world) ForPod(name string) world {
	w.Facts = w.Facts.ForPod(name)
	return w
}

// make completes the plan in the world, which stays as it is.
func (w world) make(cfg *config.Config) (*plan.Plan, error) {
	f := w.Facts
	return plan.Complete(cfg, &f, w.identities, w.source)
}

// fakeCluster answers with what it holds and notes what it was asked.
type fakeCluster struct {
	node      string // of each pod
	addresses []kube.Address
	all       []string
	ports     map[string]int
	balancer  string
	err       error

	asked []string
}

func (c *fakeCluster) asks(format string, args ...any) {
	c.asked = append(c.asked, fmt.Sprintf(format, args...))
}

// answer is a Source that, as all do, answers for nodes before it does for the Service.
func (c *fakeCluster) answer(f *facts.Facts, m facts.Missing, s *plan.Service) {
	if (m.Node || m.Addresses) && f.Node == nil {
		c.asks("pod %s/%s", f.Namespace, f.Pod)
		f.Node = &facts.Known[string]{Value: c.node, Err: c.err}
	}
	if m.Addresses {
		c.asks("node %s", f.Node.Value)
		f.Addresses = &facts.Known[[]kube.Address]{Value: c.addresses, Err: c.err}
	}
	if m.ExternalIPs {
		c.asks("nodes")
		f.ExternalIPs = &facts.Known[[]string]{Value: c.all, Err: c.err}
	}
	if m.Nodes() {
		return
	}
	if m.NodePorts {
		c.asks("ports of %s/%s", s.Namespace, s.Name)
		f.NodePorts = &facts.Known[map[string]int]{Value: c.ports, Err: c.err}
	}
	if m.Balancer {
		c.asks("address of %s/%s", s.Namespace, s.Name)
		f.Balancer = &facts.Known[string]{Value: c.balancer, Err: c.err}
	}
}

// dualStack is a cluster whose nodes have addresses of both families.
func dualStack() *fakeCluster {
	return &fakeCluster{
		node: "machine-9",
		addresses: []kube.Address{
			{Type: kube.InternalIP, Address: "10.0.0.2"}, {Type: kube.ExternalIP, Address: "2001:db8::7"},
			{Type: kube.ExternalIP, Address: "198.51.100.7"}, {Type: kube.Hostname, Address: "machine-7"},
		},
		all:   []string{"198.51.100.7", "198.51.100.8", "198.51.100.9"},
		ports: map[string]int{"p2p": 31000, "p2p-udp": 31000, "ws": 30444}, balancer: "lb.example.com",
	}
}

// in is sts2 in a cluster.
func (c *fakeCluster) world() world {
	w := sts2()
	w.source = c.answer
	return w
}

// configFor has the template as the value of an environment variable, which shows whatever a template can give.
func configFor(template string) *config.Config {
	cfg, _, err := config.Parse("kubevali.yaml", []byte("nodeTemplate: {command: [node], env: {VALUE: x}}"))
	if err != nil {
		panic(err)
	}
	at := config.Position{File: "kubevali.yaml", Line: 7, Column: 5, Path: "nodeTemplate.env.VALUE"}
	value := config.Template{Text: template, At: at, FirstLine: 8}
	cfg.NodeTemplate.Env["VALUE"] = value
	for _, t := range cfg.Templates() {
		if t.At.Path == at.Path {
			*t = value
		}
	}
	return cfg
}

func parse(t testing.TB, file string) *config.Config {
	t.Helper()
	cfg, _, err := config.Parse("kubevali.yaml", []byte(file))
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func mustMake(t testing.TB, file string, w world) *plan.Plan {
	t.Helper()
	made, err := w.make(parse(t, file))
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// expectErrors makes a plan that cannot be made, with an error that contains all of wants.
func expectErrors(t testing.TB, file string, w world, wants ...string) {
	t.Helper()
	made, err := w.make(parse(t, file))
	if made != nil {
		t.Errorf("there is a plan: %s", made.QuotedCommand())
	}
	expectText(t, fmt.Sprint(err), wants...)
	if found := (config.Errors)(nil); !errors.As(err, &found) {
		t.Errorf("error %v is a %T", err, err)
	}
}

func expectText(t testing.TB, text string, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
}

const (
	rootSecret = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
	keysFile   = `
nodeTemplate:
  command: [geth]
p2pKeys:
  sentry: {rootSecret: {file: /root, env: ''}, type: ed25519, format: cometbft-json, path: '/data/{{ .Pod.Name }}/node_key.json'}
  node:
    rootSecret: {env: P2P_ROOT_KEY}
    type: secp256k1
    format: hex
    path: /data/nodekey
    mode: "0640"
    owner: "1000:2000"
    scope: '{{ .Env.COLOUR }}'
    epoch: 3
    ifExists: keep
    expectInLog: '{{ enode "node" }}'
fleet: {replicas: '{{ add 1 3 }}'}
watchlog: {enabled: true, keyword: x}
`
)

// withKeys is the world of sts-2 where the root secret is known. asked notes whose keys are asked for.
func withKeys(asked ...*[]string) world {
	w := sts2()
	w.Env["P2P_ROOT_KEY"] = rootSecret
	w.identities = func(key keyfile.Key) (keyderive.Public, error) {
		for _, list := range asked {
			*list = append(*list, fmt.Sprintf("%s of %s/%s from %s%s beside %s",
				key.Name, key.Namespace, key.Pod, key.Root.Env, key.Root.File, key.Path))
		}
		if key.Root.Env == "MISSING" || key.Pod == "sts-99" {
			return keyderive.Public{}, hint.New("no root secret for "+key.Pod, "set it")
		}
		return derive(key.Scheme, key.Type, key.Identity)
	}
	return w
}

// roots has the root secret for each scheme, once for all tests since a Root gets faster with use.
var roots = sync.OnceValue(func() map[keyderive.Scheme]*keyderive.Root {
	roots := make(map[keyderive.Scheme]*keyderive.Root)
	for _, scheme := range []keyderive.Scheme{keyderive.HKDFSHA256, keyderive.RSS3SHA256} {
		root, err := keyderive.NewRoot(scheme, []byte(rootSecret))
		if err != nil {
			panic(err)
		}
		roots[scheme] = root
	}
	return roots
})

func derive(scheme keyderive.Scheme, t keyderive.Type, id keyderive.Identity) (keyderive.Public, error) {
	key, err := roots()[scheme].Derive(t, id)
	if err != nil {
		return keyderive.Public{}, err
	}
	return key.Public(), nil
}

// nodeOf and sentryOf are the keys of keysFile.
func nodeOf(t *testing.T, pod string) keyderive.Public {
	return public(t, keyderive.Secp256k1, keyderive.Identity{Namespace: "chains", Pod: pod, Scope: "blue", Key: "node", Epoch: 3})
}

func sentryOf(t *testing.T, pod string) keyderive.Public { return plainOf(t, pod, "sentry") }

// plainOf is the ed25519 key of that name that only its pod decides.
func plainOf(t *testing.T, pod, key string) keyderive.Public {
	return public(t, keyderive.Ed25519, keyderive.Identity{Namespace: "chains", Pod: pod, Key: key})
}

func public(t *testing.T, typ keyderive.Type, id keyderive.Identity) keyderive.Public {
	t.Helper()
	p, err := derive(keyderive.HKDFSHA256, typ, id)
	if err != nil {
		t.Fatal(err)
	}
	return p
}
