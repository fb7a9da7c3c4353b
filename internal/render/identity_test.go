package render_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/kubevali/kubevali/internal/render"
)

func TestIdentities(t *testing.T) {
	pods, err := render.Identities(parse(t, keysFile), withKeys(), []string{"sts-1", "other"})
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

func TestFleet(t *testing.T) {
	names := func(facts render.Facts) (names []string) {
		t.Helper()
		pods, err := render.Fleet(parse(t, keysFile), facts)
		if err != nil {
			t.Fatal(err)
		}
		for _, pod := range pods {
			names = append(names, pod.Pod)
		}
		return names
	}
	if got := names(withKeys()); !slices.Equal(got, []string{"sts-0", "sts-1", "sts-2", "sts-3"}) {
		t.Errorf("got %q", got)
	}
	if got := names(withKeys().ForPod("sts-9")); !slices.Equal(got, []string{"sts-0", "sts-1", "sts-2", "sts-3", "sts-9"}) {
		t.Errorf("got %q", got)
	}
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
		facts      render.Facts
		want       string
	}{
		{"syntax", key(", scope: '{{ bad }}'"), withKeys(), `p2pKeys.a.scope: there is no function "bad"`},
		{"signing key", key("/keystore"), withKeys(), "p2pKeys.a.path: path"},
		{"guessed", key(""), guessed, "p2pKeys.a: the key depends on the pod's namespace"},
		{"no root", strings.Replace(key(""), "env: R", "env: MISSING", 1), withKeys(), "pod sts-0:\nkubevali.yaml:4:6: p2pKeys.a: no root secret for sts-0"},
		{"no keys", key(""), sts2(), "the public identity of key a is not known here"},
		{"one sibling", key(", scope: '{{ if not .Index }}{{ fail \"no\" }}{{ end }}'"), withKeys(), "pod sts-0:\nkubevali.yaml:4:74: p2pKeys.a.scope: no"},
		{"same keys", key(", identity: {pod: me}"), withKeys(), "p2pKeys: key a of pod sts-0 is the same as key a of pod sts-1"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := render.Identities(parse(t, test.file), test.facts, []string{"sts-0", "sts-1"})
			expectText(t, fmt.Sprint(err), test.want)
		})
	}
	if _, err := render.Identities(parse(t, key("")), withKeys(), []string{"sts-0", "sts-1"}); err != nil {
		t.Errorf("a good fleet: %v", err)
	}
}

func TestPods(t *testing.T) {
	for pod, want := range map[string]string{"a-b-7": "a-b-0 a-b-1", "a-b": "a-b-0 a-b-1", "geth": "geth-0 geth-1"} {
		pods, err := render.Facts{Pod: pod}.Pods(2)
		if err != nil || strings.Join(pods, " ") != want {
			t.Errorf("%s: got %q, %v", pod, pods, err)
		}
	}
	if _, err := (render.Facts{}).Pods(2); err == nil {
		t.Error("no error without a name")
	}
}

func TestCheckFleetKeys(t *testing.T) {
	check := func(identity string) error {
		file := `
nodeTemplate: {command: [node]}
p2pKeys:
  a: {rootSecret: {env: R}, scheme: rss3-sha256, type: ed25519, format: raw, path: /a, identity: {pod: '` + identity + `'}}
  b: {rootSecret: {env: R}, scheme: rss3-sha256, type: ed25519, format: raw, path: /b, identity: {pod: 'x-{{ add 1 .Index }}'}}
`
		var plans []*render.Plan
		for i := range 3 {
			plans = append(plans, mustRender(t, file, withKeys().ForPod(fmt.Sprintf("sts-%d", i))))
		}
		return render.CheckFleet(plans)
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

func BenchmarkIdentities(b *testing.B) {
	facts := withKeys()
	cfg := parse(b, keysFile)
	pods, err := facts.Pods(1000)
	if err != nil {
		b.Fatal(err)
	}
	facts.Keys = constantKeys{}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := render.Identities(cfg, facts, pods); err != nil {
			b.Fatal(err)
		}
	}
}
