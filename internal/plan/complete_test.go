package plan_test

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/kubevali/kubevali/internal/config"
	"github.com/kubevali/kubevali/internal/facts"
	"github.com/kubevali/kubevali/internal/hint"
	"github.com/kubevali/kubevali/internal/keyderive"
	"github.com/kubevali/kubevali/internal/keyfile"
	"github.com/kubevali/kubevali/internal/kube"
	"github.com/kubevali/kubevali/internal/plan"
)

// everything asks for all that a cluster and a keyring know.
const everything = `
nodeTemplate:
  command: [node, '{{ .Node.Name }} {{ nodeExternalIP }}', '{{ getNodeIPWithIndex 0 }}', '{{ .Service.NodePort "p2p" }}']
  args: {peers: '{{ eachPeer "node" "{PeerID}" | join "," }}', address: '{{ .Service.Address }}', id: '{{ peerID "node" }}'}
nodeService: {enabled: true, type: LoadBalancer, ports: {p2p: {port: 30303}}}
p2pKeys: {node: {rootSecret: {env: P2P_ROOT_KEY}, type: ed25519, format: raw, path: '/data/{{ .Pod.Name }}'}}
fleet: {replicas: 3}
`

// located is the world of everything that can be asked, with nothing known yet. asked notes the questions in their order.
func located(asked *[]string) world {
	cluster, keys := dualStack(), withKeys()
	w := cluster.world()
	w.Node, w.Env = nil, keys.Env
	w.identities = keys.identities
	w.source = func(f *facts.Facts, m facts.Missing, s *plan.Service) {
		cluster.answer(f, m, s)
		*asked = append(*asked, cluster.asked...)
		cluster.asked = nil
	}
	return w
}

func TestComplete(t *testing.T) {
	var asked []string
	w := located(&asked)
	made := mustMake(t, everything, w)
	id := func(pod string) string {
		return plainOf(t, pod, "node").PeerID
	}
	want := []string{"node", "machine-9 198.51.100.7", "198.51.100.7", "31000", "--address", "lb.example.com",
		"--id", id("sts-2"), "--peers", id("sts-0") + "," + id("sts-1")}
	if !slices.Equal(made.Command, want) {
		t.Errorf("got %q\nwant %q", made.Command, want)
	}
	wantAsked := []string{"pod chains/sts-2", "node machine-9", "nodes", "ports of chains/sts-2", "address of chains/sts-2"}
	if !slices.Equal(asked, wantAsked) {
		t.Errorf("the cluster was asked for %q, want %q", asked, wantAsked)
	}
}

// With all facts at hand nobody is asked, and nothing is changed.
func TestMakeIsPure(t *testing.T) {
	var asked []string
	w, cfg := located(&asked), parse(t, everything)
	if _, missing, err := plan.Make(cfg, w.Facts); err != nil || !missing.Node || !missing.Addresses || !missing.ExternalIPs ||
		!missing.NodePorts || !missing.Balancer || len(missing.Keys) == 0 {
		t.Errorf("missing are %+v, %v", missing, err)
	}
	complete, err := plan.Complete(cfg, &w.Facts, w.identities, w.source)
	if err != nil {
		t.Fatal(err)
	}
	before := w.Facts
	before.Env, before.Keys = maps.Clone(w.Env), maps.Clone(w.Keys)
	for range 2 {
		made, missing, err := plan.Make(cfg, w.Facts)
		if err != nil || !missing.None() || !reflect.DeepEqual(made, complete) {
			t.Errorf("got %+v, %+v, %v\nwant %+v", made, missing, err, complete)
		}
	}
	if !reflect.DeepEqual(w.Facts, before) {
		t.Errorf("the facts\n%+v\nbecame\n%+v", before, w.Facts)
	}
	reparsed, _, err := plan.Make(parse(t, everything), w.Facts)
	if err != nil || !reflect.DeepEqual(reparsed, complete) {
		t.Errorf("the same file gave\n%+v, %v\nand\n%+v", reparsed, err, complete)
	}
}

// What is wrong whatever the answers are is reported before anybody is asked.
func TestNothingIsAskedForAWrongConfiguration(t *testing.T) {
	for _, wrong := range []string{
		"monitor: {listen: '{{ .Env.NONE }}'}", "watchlog: {enabled: true, keyword: x, files: ['{{ if }}']}",
		"watchlog: {enabled: true, keyword: x, healthcheckIDs: [one]}",
	} {
		var asked, keys []string
		w := located(&asked)
		w.identities = withKeys(&keys).identities
		expectErrors(t, everything+wrong, w, "kubevali.yaml:8:")
		if len(asked)+len(keys) > 0 {
			t.Errorf("%s: asked for %q and %q", wrong, asked, keys)
		}
	}
	// What is wrong with a key is known before the cluster is asked, too: asking can mean to make the Service.
	var asked []string
	expectErrors(t, strings.Replace(everything, "P2P_ROOT_KEY", "MISSING", 1), located(&asked), "p2pKeys.node: no root secret for sts-2 (set it)")
	if len(asked) > 0 {
		t.Errorf("without a root secret, asked for %q", asked)
	}
}

func TestNothingIsAskedInVain(t *testing.T) {
	const node, service = "nodeTemplate: {command: [node, '%s']}\n", "nodeService: {enabled: true, type: %s, ports: {p2p: {%s}}, labels: {a: '%s'}}\n"
	file := func(command, kind, port, label string) string {
		return fmt.Sprintf(node+service, command, kind, port, label)
	}
	tests := []struct {
		name, file string
		want       []string
	}{
		{"nothing", file("x", "NodePort", "port: 1", "x"), nil},
		{"no branch not taken", file(`{{ if false }}{{ nodeExternalIP }}{{ .Service.NodePort "p2p" }}{{ end }}x`, "NodePort", "port: 1", "x"), nil},
		{"no port that is fixed", file(`{{ .Service.NodePort "p2p" }}`, "NodePort", "nodePort: 30000", "x"), nil},
		{"no type but the Service's own", file(`{{ .Service.Address }}`, "LoadBalancer", "port: 1", "{{ getNodeIPWithIndex 0 }}"),
			[]string{"nodes", "address of chains/sts-2"}},
		{"no other way than the Service's own", file(`{{ .Service.Port "p2p" }}`, "LoadBalancer", `port: "{{ len nodeExternalIP }}"`, "x"),
			[]string{"pod chains/sts-2", "node machine-9"}},
		{"the nodes before the Service", file(`{{ .Service.NodePort "p2p" }}`, "NodePort", `port: "{{ len nodeExternalIP }}"`, "{{ .Node.Name }}"),
			[]string{"pod chains/sts-2", "node machine-9", "ports of chains/sts-2"}},
		{"the nodes before the Service, both in one template", file(`{{ .Service.NodePort "p2p" }}{{ nodeExternalIP }}`, "NodePort", "port: 1", "x"),
			[]string{"pod chains/sts-2", "node machine-9", "ports of chains/sts-2"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var asked []string
			mustMake(t, test.file, located(&asked))
			if !slices.Equal(asked, test.want) {
				t.Errorf("the cluster was asked for %q, want %q", asked, test.want)
			}
		})
	}
}

// A source is told of the Service only when all of its description is known.
func TestTheServiceIsWholeWhenItIsAskedFor(t *testing.T) {
	var asked []string
	w := located(&asked)
	inner := w.source
	w.source = func(f *facts.Facts, m facts.Missing, s *plan.Service) {
		if s == nil != m.Nodes() {
			t.Errorf("the Service is %+v while missing are %+v", s, m)
		}
		if m.Service() && !m.Nodes() && (s.Labels["ip"] != "198.51.100.7" || s.Ports[0].Port != 12) {
			t.Errorf("asked for a Service with the labels %q and the ports %v", s.Labels, s.Ports)
		}
		inner(f, m, s)
	}
	mustMake(t, `
nodeTemplate: {command: [node, '{{ .Service.NodePort "p2p" }}']}
nodeService: {enabled: true, ports: {p2p: {port: '{{ len nodeExternalIP }}'}}, labels: {ip: '{{ nodeExternalIP }}'}}
`, w)
}

// A failure of the cluster is in the way of many templates, but is one.
func TestClusterErrorsAreReportedOnce(t *testing.T) {
	w := sts2()
	err := hint.New("may not get nodes", "kubectl auth can-i says who may")
	w.source = (&fakeCluster{err: fmt.Errorf("cluster: %w", err)}).answer
	_, got := w.make(parse(t, `
nodeTemplate:
  command: [node, '{{ .Pod.Name }}', '{{ nodeExternalIP }}', '{{ nodeExternalIP6 }}']
  env: {A: '{{ nodeAddress "Hostname" }}'}
nodeService: {enabled: true, ports: {p2p: {nodePort: 1}}, labels: {a: '{{ nodeExternalIP }}'}}
`))
	const want = `kubevali.yaml:5:71: nodeService.labels.a: cluster: may not get nodes (kubectl auth can-i says who may)
    {{ nodeExternalIP }}`
	if fmt.Sprint(got) != want {
		t.Errorf("got\n%v\nwant\n%s", got, want)
	}
}

// What fails only with placeholders does not fail.
func TestPlaceholdersDoNotFail(t *testing.T) {
	const file = `
nodeTemplate:
  command: [node, '{{ if ne nodeExternalIP "198.51.100.7" }}{{ fail "nowhere" }}{{ end }}', '{{ required "path" (keyPath "node") }}']
  args:
    peers: '{{ range peers "node" }}{{ if eq .Pod .PeerID }}{{ fail .PeerID }}{{ end }}{{ end }}'
    port: '{{ if lt (.Service.NodePort "p2p") 30000 }}{{ fail "too low" }}{{ end }}'
    index: '{{ if ne .Index 9 }}{{ fail "not mine" }}{{ end }}'
  index: '{{ len .Node.Name }}'
nodeService: {enabled: true, ports: {p2p: {port: '{{ if ne .Node.Name "machine-9" }}{{ fail "where am I?" }}{{ end }}1'}}}
p2pKeys: {node: {rootSecret: {env: P2P_ROOT_KEY}, type: ed25519, format: raw, path: '/data/{{ .Node.Name }}/key'}}
fleet: {replicas: '{{ sub (len .Node.Name) 6 }}'}
`
	var asked []string
	w := located(&asked)
	if made := mustMake(t, file, w); made.Command[1] != "/data/machine-9/key" {
		t.Errorf("got %q", made.Command)
	}
	seen := make(map[string]bool)
	for _, question := range asked {
		if seen[question] {
			t.Errorf("asked more than once for %s", question)
		}
		seen[question] = true
	}
}

// A key can stand in a place that the Kubernetes node decides, as can those of its siblings, each on a node of its own.
func TestKeysByTheKubernetesNode(t *testing.T) {
	var asked []string
	w := located(&asked)
	inner := w.source
	w.source = func(f *facts.Facts, m facts.Missing, s *plan.Service) {
		inner(f, m, s)
		f.Node.Value += "-of-" + f.Pod
	}
	made := mustMake(t, `
nodeTemplate: {command: [node, '{{ keyPath "b" }}', '{{ keyPath "b" "sts-0" }}', '{{ peerID "b" "sts-0" }}', '{{ peerID "a" "sts-1" }}']}
p2pKeys:
  a: {rootSecret: {env: R}, type: ed25519, format: raw, path: /a}
  b: {rootSecret: {env: R}, type: ed25519, format: raw, path: '/data/{{ .Node.Name }}/key', identity: {pod: '{{ .Node.Name }}'}}
`, w)
	want := []string{"node", "/data/machine-9-of-sts-2/key", "/data/machine-9-of-sts-0/key",
		plainOf(t, "machine-9-of-sts-0", "b").PeerID, plainOf(t, "sts-1", "a").PeerID}
	if !slices.Equal(made.Command, want) {
		t.Errorf("got %q, want %q", made.Command, want)
	}
	if want := []string{"pod chains/sts-2", "pod chains/sts-1", "pod chains/sts-0"}; !slices.Equal(slices.Sorted(slices.Values(asked)),
		slices.Sorted(slices.Values(want))) {
		t.Errorf("the cluster was asked for %q, want %q", asked, want)
	}
	pods, err := plan.Identify(parse(t, `
nodeTemplate: {command: [node]}
p2pKeys: {b: {rootSecret: {env: R}, type: ed25519, format: raw, path: /b, identity: {pod: '{{ .Node.Name }}'}}}
`), w.Facts, []string{"sts-0"}, w.identities, w.source)
	if err != nil || pods[0].Keys[0].PeerID != want[3] {
		t.Errorf("got %+v, %v", pods, err)
	}
}

// As long as it is not known where the secrets are, no file can be read, and that is no error either.
func TestFilesAreReadWhenTheSecretsAreKnown(t *testing.T) {
	dir := t.TempDir()
	key, other := filepath.Join(dir, "machine-9"), filepath.Join(dir, "other")
	for path, content := range map[string]string{key: rootSecret, other: "fine"} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	file := func(command, directory string) string {
		return "nodeTemplate: {command: [node, '" + command + "']}\n" +
			"p2pKeys: {a: {rootSecret: {env: R}, type: ed25519, format: raw, path: '" + directory + "/{{ .Node.Name }}'}}"
	}
	var asked []string
	if got := mustMake(t, file(`{{ readFile "`+other+`" }}`, dir), located(&asked)).Command[1]; got != "fine" {
		t.Errorf("got %q", got)
	}
	for _, template := range []string{`{{ fail (readFile "` + key + `") }}`, `{{ readFile "` + key + `" }}{{ nodeExternalIP }}`} {
		for _, directory := range []string{dir, `{{ .Env.DIRECTORY }}`} {
			_, err := located(&asked).make(parse(t, file(template, directory)))
			if text := fmt.Sprint(err); err == nil || strings.Contains(text, rootSecret) {
				t.Errorf("%s with keys in %s: got %s", template, directory, text)
			}
		}
	}
}

func TestEndlessQuestions(t *testing.T) {
	asks := 0
	w := withKeys()
	inner := w.identities
	w.identities = func(key keyfile.Key) (keyderive.Public, error) {
		asks++
		return inner(key)
	}
	// Each answer is another pod to ask for.
	const file = `
nodeTemplate: {command: [node, '{{ $pod := "sts-0" }}{{ range 1000 }}{{ $pod = peerID "a" $pod | lower }}{{ end }}']}
p2pKeys: {a: {rootSecret: {env: R}, type: ed25519, format: raw, path: /a}}
`
	expectErrors(t, file, w, "kubevali.yaml:2:1: the templates ask for something new each time that they are answered")
	if asks > 100 {
		t.Errorf("there were %d questions", asks)
	}
	// Nor does a source that has no answers hold up anybody.
	w.source = func(*facts.Facts, facts.Missing, *plan.Service) {}
	w.Node = nil
	expectErrors(t, "nodeTemplate: {command: [node, '{{ .Node.Name }}']}", w, "ask for something new")
	_, err := plan.PodKeys(parse(t, strings.Replace(file, "/a", "'/{{ .Node.Name }}'", 1)), w.Facts, w.source)
	if found := (config.Errors)(nil); !errors.As(err, &found) || !strings.Contains(err.Error(), "ask for something new") {
		t.Errorf("got %v, a %T", err, err)
	}
}

// The cluster's word on siblings can fail, too.
func TestErrorsOfSiblings(t *testing.T) {
	w := withKeys()
	w.source = (&fakeCluster{err: hint.New("may not get pods", "ask")}).answer
	const file = `
nodeTemplate: {command: [node, '{{ eachPeer "a" "{PeerID}" }}']}
p2pKeys: {a: {rootSecret: {env: R}, type: ed25519, format: raw, path: /a, identity: {pod: '{{ .Node.Name }}'}}}
fleet: {replicas: 2}
`
	expectErrors(t, file, w, "p2pKeys.a.identity.pod: for pod sts-0: may not get pods (ask)")
	if _, err := identify(parse(t, file), w, "sts-1"); err == nil {
		t.Error("no error")
	} else {
		expectText(t, err.Error(), "pod sts-1:\nkubevali.yaml:3:91: p2pKeys.a.identity.pod: may not get pods (ask)")
	}
}

func TestReadingTellsOfTheService(t *testing.T) {
	var told *kube.ServiceSpec
	w := sts2()
	w.source = plan.Reading(func(f *facts.Facts, m facts.Missing, s *kube.ServiceSpec) {
		if m.Nodes() && s != nil {
			t.Errorf("there is a Service, %+v, while its port is not known", s)
		}
		told = s
		noCluster(f, m, &plan.Service{})
		if m.Nodes() {
			f.Addresses = &facts.Known[[]kube.Address]{Value: facts.PlaceholderAddresses("x")}
		}
	})
	expectErrors(t, `
nodeTemplate: {command: [node, '{{ .Service.NodePort "p2p" }}']}
nodeService: {enabled: true, ports: {p2p: {port: '{{ len nodeExternalIP }}'}}}
`, w, "there is no cluster here")
	if told == nil || told.Name != "sts-2" || told.Ports[0].Port != 9 {
		t.Errorf("told of %+v", told)
	}
}
