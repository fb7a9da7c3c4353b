package plan_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/kubevali/kubevali/internal/config"
	"github.com/kubevali/kubevali/internal/facts"
	"github.com/kubevali/kubevali/internal/keyfile"
	"github.com/kubevali/kubevali/internal/plan"
)

func TestIdentities(t *testing.T) {
	pods, err := identify(parse(t, keysFile), withKeys(), "sts-1", "other")
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(pods)
	if err != nil {
		t.Fatal(err)
	}
	entry := func(pod string) string {
		node, sentry := nodeOf(t, pod), sentryOf(t, pod)
		return fmt.Sprintf(`{"pod":"%s","namespace":"chains","keys":[`+
			`{"name":"node","type":"secp256k1","publicKey":"%s","peerID":"%s","enode":"%s"},`+
			`{"name":"sentry","type":"ed25519","publicKey":"%s","peerID":"%s","cometNodeID":"%s"}]}`,
			pod, node.PublicKey, node.PeerID, node.Enode, sentry.PublicKey, sentry.PeerID, sentry.CometNodeID)
	}
	if want := "[" + entry("sts-1") + "," + entry("other") + "]"; string(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func identify(cfg *config.Config, w world, pods ...string) ([]keyfile.PodIdentities, error) {
	return plan.Identify(cfg, w.Facts, pods, w.identities, w.source)
}

func TestFleetPods(t *testing.T) {
	for pod, want := range map[string]string{"sts-2": "sts-0 sts-1 sts-2 sts-3", "sts-9": "sts-0 sts-1 sts-2 sts-3 sts-9"} {
		pods, err := plan.FleetPods(parse(t, keysFile), withKeys().ForPod(pod).Facts)
		if got := strings.Join(pods, " "); got != want || err != nil {
			t.Errorf("%s: got %q, %v", pod, got, err)
		}
	}
	none := strings.Replace(keysFile, "'{{ add 1 3 }}'", "''", 1)
	if pods, err := plan.FleetPods(parse(t, none), withKeys().Facts); !slices.Equal(pods, []string{"sts-2"}) || err != nil {
		t.Errorf("a fleet of which nothing is known: got %q, %v", pods, err)
	}
	_, err := plan.FleetPods(parse(t, strings.Replace(keysFile, "add 1 3", `fail "how many?"`, 1)), withKeys().Facts)
	expectText(t, fmt.Sprint(err), "fleet.replicas: how many?")
	_, err = plan.FleetPods(parse(t, strings.Replace(keysFile, "add 1 3", `len nodeExternalIP`, 1)), withKeys().Facts)
	expectText(t, fmt.Sprint(err), "fleet.replicas: it depends on what the cluster answers")
	_, err = plan.FleetPods(parse(t, none), facts.Facts{})
	expectText(t, fmt.Sprint(err), "the pod's name is not known")
}

// Listing identities needs nothing of the node's own templates.
func TestIdentitiesErrors(t *testing.T) {
	key := func(more string) string {
		return `
nodeTemplate: {command: [node, '{{ fail "not rendered" }}']}
p2pKeys:
  a: {rootSecret: {env: R}, type: ed25519, format: raw, path: /a` + more + `}
  b: {rootSecret: {env: R}, type: secp256k1, format: raw, path: /b}
`
	}
	guessed := withKeys()
	guessed.NamespaceGuessed = true
	tests := []struct {
		name, file string
		w          world
		want       string
	}{
		{"syntax", key(", scope: '{{ bad }}'"), withKeys(), `p2pKeys.a.scope: there is no function "bad"`},
		{"signing key", key("/keystore"), withKeys(), "p2pKeys.a.path: path"},
		{"guessed", key(""), guessed, "p2pKeys.a: the key depends on the pod's namespace"},
		{"no root", strings.Replace(key(""), "env: R", "env: MISSING", 1), withKeys(), "pod sts-0:\nkubevali.yaml:4:6: p2pKeys.a: no root secret for sts-0"},
		{"no keys", key(""), sts2(), "p2pKeys.a: there is no root secret here (set it)"},
		{"one sibling", key(", scope: '{{ if not .Index }}{{ fail \"no\" }}{{ end }}'"), withKeys(), "pod sts-0:\nkubevali.yaml:4:74: p2pKeys.a.scope: no"},
		{"same keys", key(", identity: {pod: me}"), withKeys(), "p2pKeys: key a of pod sts-0 is the same as key a of pod sts-1"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := identify(parse(t, test.file), test.w, "sts-0", "sts-1")
			expectText(t, fmt.Sprint(err), test.want)
		})
	}
	if _, err := identify(parse(t, key("")), withKeys(), "sts-0", "sts-1"); err != nil {
		t.Errorf("a good fleet: %v", err)
	}
}

// fleet makes the plans of as many pods of sts.
func fleet(t *testing.T, file string, w world, replicas int) ([]*plan.Plan, error) {
	t.Helper()
	pods, err := w.Pods(replicas)
	if err != nil {
		t.Fatal(err)
	}
	return plan.Fleet(parse(t, file), w.Facts, pods, w.identities, w.source)
}

func TestFleet(t *testing.T) {
	w := dualStack().world()
	const file = "nodeTemplate: {command: [node, '{{ .Pod.Name }}', '{{ nodeExternalIP }}', '{{ randHex 4 }}']}"
	plans, err := fleet(t, file, w, 3)
	if err != nil || len(plans) != 3 {
		t.Fatalf("got %d plans, %v", len(plans), err)
	}
	for i, made := range plans {
		alone := mustMake(t, file, w.ForPod(fmt.Sprintf("sts-%d", i)))
		if !reflect.DeepEqual(made, alone) {
			t.Errorf("one of many\n%+v\nalone\n%+v", made, alone)
		}
	}
	if plans, err := fleet(t, strings.Replace(file, "nodeExternalIP", "if eq .Index 1 }}{{ fail \"not me\" }}{{ end", 1), w, 3); len(plans) > 0 ||
		!strings.HasPrefix(fmt.Sprint(err), "pod sts-1:\nkubevali.yaml:1:51: nodeTemplate.command[2]: not me") {
		t.Errorf("got %d plans, %v", len(plans), err)
	}
}

// What all pods share is asked for once.
func TestFleetAsksOnce(t *testing.T) {
	var asked []string
	w := withKeys(&asked)
	const file = `
nodeTemplate: {command: [node, '{{ eachPeer "node" "{PeerID}" }}']}
p2pKeys: {node: {rootSecret: {env: R}, type: ed25519, format: raw, path: /key}}
fleet: {replicas: 3}
`
	w.Keys = make(map[facts.KeyOf]facts.Known[facts.Key]) // as facts.FromEnviron has them
	if _, err := fleet(t, file, w, 3); err != nil {
		t.Fatal(err)
	}
	if len(asked) != 3 {
		t.Errorf("asked for %q", asked)
	}
}

func TestFleetKeys(t *testing.T) {
	check := func(identity string) error {
		_, err := fleet(t, `
nodeTemplate: {command: [node]}
p2pKeys:
  a: {rootSecret: {env: R}, scheme: rss3-sha256, type: ed25519, format: raw, path: /a, identity: {pod: '`+identity+`'}}
  b: {rootSecret: {env: R}, scheme: rss3-sha256, type: ed25519, format: raw, path: /b, identity: {pod: 'x-{{ add 1 .Index }}'}}
`, withKeys(), 3)
		return err
	}
	if err := check("y-{{ .Index }}"); err != nil {
		t.Errorf("a good fleet: %v", err)
	}
	// Both keys of a pod may be one.
	if err := check("x-{{ add 1 .Index }}"); err != nil {
		t.Errorf("a key in two files: %v", err)
	}
	err := fmt.Sprint(check("x-{{ .Index }}"))
	expectText(t, err, "key b of pod sts-0 is the same as key a of pod sts-1", "key b of pod sts-1 is the same as key a of pod sts-2")
}

func TestFleetPorts(t *testing.T) {
	check := func(service string) error {
		_, err := fleet(t, "nodeTemplate: {command: [node]}\nnodeService: {enabled: true, "+service+"}", sts2(), 3)
		return err
	}
	if err := check("nodePortTemplate: '{{ add 30333 .Index }}'"); err != nil {
		t.Errorf("a good fleet: %v", err)
	}
	err := check("nodePortTemplate: '{{ add 30333 (div .Index 2) }}'")
	if err == nil {
		t.Fatal("no error")
	}
	expectText(t, err.Error(), "sts-0", "sts-1", "30333")
	if strings.Contains(err.Error(), "sts-2") {
		t.Errorf("%v names a pod that is not concerned", err)
	}
	mixed := func(discovery string) error {
		return check("ports: {p2p: {nodePort: '{{ add 32303 .Index }}'}, " +
			"discovery: {protocols: [UDP], port: '{{ add 32303 .Index }}', nodePort: '" + discovery + "'}}")
	}
	if err := mixed("{{ add 32303 .Index }}"); err != nil {
		t.Errorf("TCP and UDP on one port: %v", err)
	}
	if err := mixed("{{ add 32304 .Index }}"); err == nil {
		t.Error("no error for a number that two Services want, one for TCP and one for UDP")
	}
	if err := check("ports: {p2p: {port: 30303}}"); err != nil {
		t.Errorf("ports that the cluster chooses: %v", err)
	}
}

func TestFleetChecks(t *testing.T) {
	const uuid = "11111111-2222-3333-4444-555555555555"
	check := func(watchlog string) error {
		_, err := fleet(t, "nodeTemplate: {command: [node]}\nwatchlog: {enabled: true, keyword: x"+watchlog+"}", sts2(), 3)
		return err
	}
	for _, good := range []string{"", ", healthcheckID: ''", ", healthcheckID: 'key/{{ .Pod.Name }}'", ", healthcheckIDs: [a, b, c]"} {
		if err := check(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, shared := range []string{", healthcheckID: " + uuid, ", healthcheckIDs: [" + uuid + ", " + uuid + ", other]"} {
		err := check(shared)
		if err == nil {
			t.Errorf("%q: no error", shared)
			continue
		}
		expectText(t, err.Error(), "sts-0", "sts-1", "1111…")
		if strings.Contains(err.Error(), uuid[:5]) {
			t.Errorf("%v shows the ID", err)
		}
	}
}

func BenchmarkIdentities(b *testing.B) {
	w := withKeys()
	cfg := parse(b, keysFile)
	pods, err := w.Pods(1000)
	if err != nil {
		b.Fatal(err)
	}
	w.identities = constantKeys
	b.ReportAllocs()
	for b.Loop() {
		if _, err := identify(cfg, w, pods...); err != nil {
			b.Fatal(err)
		}
	}
}
