package plan_test

import (
	"strings"
	"testing"

	"github.com/kubevali/kubevali/internal/keyderive"
	"github.com/kubevali/kubevali/internal/keyfile"
)

// withValue is keysFile with the template as the value of an environment variable.
func withValue(template string) string {
	return strings.Replace(keysFile, "  command: [geth]\n",
		"  command: [geth]\n  env:\n    VALUE: |-\n      "+strings.ReplaceAll(template, "\n", "\n      ")+"\n", 1)
}

func TestKeyFunctions(t *testing.T) {
	node := func(pod string) keyderive.Public { return nodeOf(t, pod) }
	sentry := func(pod string) keyderive.Public { return sentryOf(t, pod) }
	url := func(pod string) string { return "enode://" + node(pod).Enode + "@" + pod + ".geth:30303" }
	urls := strings.Join([]string{url("sts-0"), url("sts-1"), url("sts-3")}, ",")
	tests := []struct{ template, want string }{
		{`{{ keyPath "node" }} {{ keyPath "sentry" }}`, "/data/nodekey /data/sts-2/node_key.json"},
		{`{{ keyPath "sentry" "sts-0" }}`, "/data/sts-0/node_key.json"},
		{`{{ keyPath "sentry" "sts-99" }}`, "/data/sts-99/node_key.json"}, // whose root secret is not here
		{`{{ peerID "node" }} {{ peerID "sentry" }}`, node("sts-2").PeerID + " " + sentry("sts-2").PeerID},
		{`{{ peerID "node" .Pod.Name }}`, node("sts-2").PeerID},
		{`{{ peerID "node" "sts-0" }} {{ peerID "sentry" "other-7" }}`, node("sts-0").PeerID + " " + sentry("other-7").PeerID},
		{`{{ enode "node" }} {{ enode "node" "sts-1" }}`, node("sts-2").Enode + " " + node("sts-1").Enode},
		{`{{ cometNodeID "sentry" }} {{ "sts-1" | cometNodeID "sentry" }}`, sentry("sts-2").CometNodeID + " " + sentry("sts-1").CometNodeID},
		{`{{ range $i, $p := peers "node" }}{{ if $i }},{{ end }}enode://{{ $p.Enode }}@{{ $p.Pod }}.geth:30303{{ end }}`, urls},
		{`{{ eachPeer "node" "enode://{Enode}@{Pod}.geth:30303" | join "," }}`, urls},
		{`{{ eachPeer "sentry" "{CometNodeID}@{Pod}.{Namespace}:{Ordinal} { {Pod" | last }}`, sentry("sts-3").CometNodeID + "@sts-3.chains:3 { {Pod"},
		{`{{ range peers "sentry" }}{{ .Ordinal }}{{ .Namespace }}{{ .PublicKey }}{{ .PeerID }}{{ break }}{{ end }}`,
			"0chains" + sentry("sts-0").PublicKey + sentry("sts-0").PeerID},
		{`{{ len (peers "node") }} {{ (first (peers "node")).Pod }} {{ pluck "Pod" (last (peers "node")) | join "" }}`, "3 sts-0 sts-3"},
	}
	for _, test := range tests {
		t.Run(test.template, func(t *testing.T) {
			made := mustMake(t, withValue(test.template), withKeys())
			if got := made.Env["VALUE"]; got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestPeersOfTheOnlyKey(t *testing.T) {
	const file = `
nodeTemplate: {command: [node, '{{ range peers }}{{ .Pod }} {{ end }}']}
p2pKeys: {p2p: {rootSecret: {env: R}, type: ed25519, format: raw, path: /key}}
fleet: {replicas: 3}
`
	if got := mustMake(t, file, withKeys()).Command[1]; got != "sts-0 sts-1 " {
		t.Errorf("got %q", got)
	}
	// A pod that is not one of the fleet has all of it for peers.
	if got := mustMake(t, file, withKeys().ForPod("sts-7")).Command[1]; got != "sts-0 sts-1 sts-2 " {
		t.Errorf("got %q", got)
	}
}

func TestKeyFunctionErrors(t *testing.T) {
	tests := []struct{ template, want string }{
		{`{{ peerID "nod" }}`, `p2pKeys has no key "nod" (did you mean "node"?)`},
		{`{{ keyPath "boot" }}`, `p2pKeys has no key "boot" (p2pKeys has node, sentry)`},
		{`{{ range peers "sentri" }}{{ end }}`, `(did you mean "sentry"?)`},
		{`{{ range peers }}{{ end }}`, `p2pKeys has no key "" (p2pKeys has node, sentry)`},
		{`{{ range peers "node" "sentry" }}{{ end }}`, "peers: expected the name of one key"},
		{`{{ enode "sentry" }}`, "key sentry has the type ed25519 (only keys of the type secp256k1 have an enode)"},
		{`{{ cometNodeID "node" "sts-0" }}`, "key node has the type secp256k1 (only keys of the type ed25519 have a CometBFT node ID)"},
		{`{{ peerID "node" "" }}`, "the pod's name is empty"},
		{`{{ peerID "node" "a" "b" }}`, "expected the name of a key, and that of one pod at most"},
		{`{{ peerID "node" "sts-99" }}`, "key node of pod sts-99: no root secret for sts-99 (set it)"},
		{`{{ range peers "sentry" }}{{ .Enode }}{{ end }}`, `there is no key "Enode" (only keys of the type secp256k1 have an enode)`},
		{`{{ range peers "node" }}{{ .peerID }}{{ end }}`, `there is no key "peerID" (did you mean "PeerID"?)`},
		{`{{ eachPeer "sentry" "{Enode}" }}`, "peers have no {Enode} (only keys of the type secp256k1 have an enode)"},
		{`{{ eachPeer "node" "{pods}" }}`, `peers have no {pods} (did you mean "Pod"?)`},
		{`{{ eachPeer "node" "{}" }}`, "peers have no {} (there are {Enode}, {Namespace}, {Ordinal}, {PeerID}, {Pod}, {PublicKey})"},
		{`{{ eachPeer "node" (repeat 100000 "{PeerID}") }}`, "a value is larger than"},
	}
	for _, test := range tests {
		t.Run(test.template, func(t *testing.T) {
			expectErrors(t, withValue(test.template), withKeys(), "kubevali.yaml:6:7: nodeTemplate.env.VALUE: ", test.want)
		})
	}
}

func TestTooManySiblings(t *testing.T) {
	w := withKeys()
	w.identities = constantKeys
	for _, function := range []string{"peerID", "keyPath"} {
		endless := `{{ range 100000 }}{{ $x := ` + function + ` "node" (printf "x-%d" .) }}{{ end }}`
		expectErrors(t, withValue(endless), w, "nodeTemplate.env.VALUE: the templates ask for keys of more than 10000 pods")
	}
	const many = `{{ eachPeer "node" "{PeerID}" | join "," | sha256sum }}`
	mustMake(t, strings.Replace(withValue(many), "'{{ add 1 3 }}'", "2000", 1), w)
}

// constantKeys knows keys that are all different, without deriving them.
func constantKeys(key keyfile.Key) (keyderive.Public, error) {
	pod := key.Identity.Pod
	return keyderive.Public{Type: key.Type, PublicKey: key.Name + pod, PeerID: pod, Enode: pod}, nil
}
