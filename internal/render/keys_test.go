package render_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/kubevali/kubevali/internal/keyderive"
	"github.com/kubevali/kubevali/internal/keyfile"
	"github.com/kubevali/kubevali/internal/render"
)

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

// testKeys derives the public identities from one root secret, but not those of pods whose root is not here.
type testKeys struct{ asked *[]string }

func (k testKeys) Public(spec render.KeySpec, id keyderive.Identity) (keyderive.Public, error) {
	if k.asked != nil {
		*k.asked = append(*k.asked, fmt.Sprintf("%s of %s/%s from %s%s beside %s",
			spec.Name, spec.Namespace, spec.Pod, spec.Root.Env, spec.Root.File, spec.Path))
	}
	if spec.Root.Env == "MISSING" || spec.Pod == "sts-99" {
		return keyderive.Public{}, fmt.Errorf("no root secret for %s; set it", spec.Pod)
	}
	return derive(spec.Scheme, spec.Type, id)
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

func sentryOf(t *testing.T, pod string) keyderive.Public {
	return public(t, keyderive.Ed25519, keyderive.Identity{Namespace: "chains", Pod: pod, Key: "sentry"})
}

func public(t *testing.T, typ keyderive.Type, id keyderive.Identity) keyderive.Public {
	t.Helper()
	p, err := derive(keyderive.HKDFSHA256, typ, id)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// withKeys are the facts about sts-2, who has the root secret.
func withKeys() render.Facts {
	facts := sts2()
	facts.Keys = testKeys{}
	facts.Env["P2P_ROOT_KEY"] = rootSecret
	return facts
}

func TestPlannedKeys(t *testing.T) {
	var asked []string
	facts := withKeys()
	facts.Keys = testKeys{&asked}
	plan := mustRender(t, keysFile, facts)
	node, sentry := nodeOf(t, "sts-2"), sentryOf(t, "sts-2")
	want := []render.Key{
		{
			Name: "node", Path: "/data/nodekey", Type: keyderive.Secp256k1, Format: keyderive.Hex, Mode: 0o640,
			Owner: &render.Owner{UID: 1000, GID: 2000}, IfExists: keyfile.Keep,
			Spec: render.KeySpec{
				Name: "node", Pod: "sts-2", Namespace: "chains", Root: render.RootSource{Env: "P2P_ROOT_KEY"},
				Scheme: keyderive.HKDFSHA256, Type: keyderive.Secp256k1, Path: "/data/nodekey",
			},
			Identity:    keyderive.Identity{Namespace: "chains", Pod: "sts-2", Scope: "blue", Key: "node", Epoch: 3},
			Public:      node,
			ExpectInLog: node.Enode,
		},
		{
			Name: "sentry", Path: "/data/sts-2/node_key.json", Type: keyderive.Ed25519, Format: keyderive.CometBFTJSON,
			Mode: 0o600, IfExists: keyfile.Fail,
			Spec: render.KeySpec{
				Name: "sentry", Pod: "sts-2", Namespace: "chains", Root: render.RootSource{File: "/root"},
				Scheme: keyderive.HKDFSHA256, Type: keyderive.Ed25519, Path: "/data/sts-2/node_key.json",
			},
			Identity: keyderive.Identity{Namespace: "chains", Pod: "sts-2", Key: "sentry"},
			Public:   sentry,
		},
	}
	if !reflect.DeepEqual(plan.Keys, want) {
		t.Errorf("got\n%+v\nwant\n%+v", plan.Keys, want)
	}
	if !slices.Equal(plan.UnsetEnv, []string{"P2P_ROOT_KEY"}) {
		t.Errorf("the node does not get %q", plan.UnsetEnv)
	}
	// Nothing asks for the other pods' keys.
	if len(asked) != 2 {
		t.Errorf("asked for %q", asked)
	}
	keys, err := render.PodKeys(parse(t, keysFile), withKeys())
	want[0].ExpectInLog = ""
	if err != nil || !reflect.DeepEqual(keys, want) {
		t.Errorf("PodKeys gave %+v, %v", keys, err)
	}
	if again := mustRender(t, strings.Replace(keysFile, "epoch: 3", "epoch: 4", 1), withKeys()); again.Equal(plan) {
		t.Error("another epoch makes no difference")
	}
}

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
			plan := mustRender(t, withValue(test.template), withKeys())
			if got := plan.Env[0].Value; got != test.want {
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
	if got := mustRender(t, file, withKeys()).Command[1]; got != "sts-0 sts-1 " {
		t.Errorf("got %q", got)
	}
	// A pod that is not one of the fleet has all of it for peers.
	if got := mustRender(t, file, withKeys().ForPod("sts-7")).Command[1]; got != "sts-0 sts-1 sts-2 " {
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
		{`{{ peerID "node" "sts-99" }}`, "key node of pod sts-99: no root secret for sts-99; set it"},
		{`{{ range peers "sentry" }}{{ .Enode }}{{ end }}`, `there is no key "Enode" (only keys of the type secp256k1 have an enode)`},
		{`{{ range peers "node" }}{{ .peerID }}{{ end }}`, `there is no key "peerID" (did you mean "PeerID"?)`},
		{`{{ eachPeer "sentry" "{Enode}" }}`, "peers have no {Enode} (only keys of the type secp256k1 have an enode)"},
		{`{{ eachPeer "node" "{pods}" }}`, `peers have no {pods} (did you mean "Pod"?)`},
		{`{{ eachPeer "node" "{}" }}`, "peers have no {} (there are {Enode}, {Namespace}, {Ordinal}, {PeerID}, {Pod}, {PublicKey})"},
		{`{{ eachPeer "node" (repeat 1000000 "{PeerID}") }}`, "a value is larger than"},
	}
	for _, test := range tests {
		t.Run(test.template, func(t *testing.T) {
			expectErrors(t, withValue(test.template), withKeys(), "kubevali.yaml:6:7: nodeTemplate.env.VALUE: ", test.want)
		})
	}
}

func TestTooManySiblings(t *testing.T) {
	facts := withKeys()
	facts.Keys = constantKeys{}
	const endless = `{{ range until 100000 }}{{ $x := peerID "node" (printf "x-%d" .) }}{{ end }}`
	expectErrors(t, withValue(endless), facts, "nodeTemplate.env.VALUE: the templates do too much")
	const many = `{{ eachPeer "node" "{PeerID}" | join "," | sha256sum }}`
	mustRender(t, strings.Replace(withValue(many), "'{{ add 1 3 }}'", "2000", 1), facts)
}

func TestKeyErrors(t *testing.T) {
	key := func(more string) string {
		return "nodeTemplate: {command: [node, '{{ peerID \"node\" }}']}\n" +
			"p2pKeys: {node: {rootSecret: {env: R}, type: secp256k1, format: hex, path: /key" + more + "}}"
	}
	replaced := func(old, replacement string) string { return strings.Replace(key(""), old, replacement, 1) }
	guessed, nobody, none := withKeys(), withKeys(), withKeys()
	guessed.NamespaceGuessed = true
	nobody.Pod = ""
	none.Keys = nil
	tests := []struct {
		name, file string
		facts      render.Facts
		wants      []string
	}{
		{"guessed namespace", key(""), guessed,
			[]string{"kubevali.yaml:2:17: p2pKeys.node: the key depends on the pod's namespace, which is not known (set POD_NAMESPACE"}},
		{"no pod", key(""), nobody, []string{"p2pKeys.node: the key depends on the pod's name, which is not known (set POD_NAME"}},
		{"no keys", key(""), none, []string{"nodeTemplate.command[1]: the public identity of key node is not known here"}},
		{"no root", replaced("env: R", "env: MISSING"), withKeys(), []string{"p2pKeys.node: no root secret for sts-2; set it"}},
		{"empty root path", replaced("env: R", "file: '{{ .Env.EMPTY }}'"), withKeys(), []string{"p2pKeys.node.rootSecret.file: the path is empty"}},
		{"empty path", replaced("/key", "'{{ .Env.EMPTY }}'"), withKeys(), []string{"p2pKeys.node.path: the path is empty"}},
		{"NUL", replaced("/key", `'{{ "a\x00" }}'`), withKeys(), []string{"p2pKeys.node.path: contains a NUL byte"}},
		{"empty identity", key(", identity: {pod: '{{ .Env.EMPTY }}', namespace: '{{ .Env.EMPTY }}'}"), withKeys(),
			[]string{"identity.pod: the identity is empty", "identity.namespace: the identity is empty"}},
		{"NUL in the identity", key(", scope: '{{ \"a\\x00\" }}'"), withKeys(), []string{"p2pKeys.node.scope: contains a NUL byte"}},
		{"signing key", replaced("/key", "'/data/{{ \"keystore\" }}/key'"), withKeys(),
			[]string{`p2pKeys.node.path: path "/data/keystore/key"`, "signing keys"}},
		{"wrong format", replaced("hex", "cometbft-json"), withKeys(), []string{"p2pKeys.node.format: format cometbft-json is for ed25519 keys only"}},
		{"path of the list", replaced("/key", "/data/identities.json"), withKeys(), []string{"p2pKeys.node.path: the public identities of the fleet"}},
		{"path of the root", replaced("env: R", "file: /a/../key"), withKeys(), []string{"p2pKeys.node.path: a root secret has the path /key"}},
		{"same path", key("}, other: {rootSecret: {env: R}, type: ed25519, format: raw, path: //key"), withKeys(),
			[]string{"p2pKeys.other.path: two keys have the path //key"}},
		{"path of a file", replaced("}']}", "}'], files: [{path: '/{{ \"key\" }}'}]}"), withKeys(),
			[]string{"nodeTemplate.files[0].path: a P2P key has the path /key"}},
		{"line break in the log", key(", expectInLog: '{{ \"a\\nb\" }}'") + "\nwatchlog: {enabled: true, keyword: x}", withKeys(),
			[]string{"p2pKeys.node.expectInLog: no line of a log holds a line break"}},
		{"replicas", key("") + "\nfleet: {replicas: '{{ .Pod.Name }}'}", withKeys(), []string{`fleet.replicas: expected a number from 0 to 10000, but this is "sts-2"`}},
		{"too many replicas", key("") + "\nfleet: {replicas: 10001}", withKeys(), []string{`but this is "10001"`}},
		{"no replicas", replaced(`peerID "node"`, "len (peers)"), withKeys(), []string{"the pod's peers are not known (set fleet.replicas"}},
		{"one identity for all", strings.Replace(key(", identity: {pod: one}"), `peerID "node"`, "len (peers)", 1) + "\nfleet: {replicas: 3}", withKeys(),
			[]string{"nodeTemplate.command[1]: pod sts-0 has the same key node as this pod (let p2pKeys.node.identity.pod depend on .Index)"}},
		{"a sibling without an identity", strings.Replace(key(", identity: {pod: '{{ if eq .Index 1 }}{{ fail \"who am I?\" }}{{ else }}{{ .Index }}{{ end }}'}"),
			`peerID "node"`, "len (peers)", 1) + "\nfleet: {replicas: 3}", withKeys(), []string{"p2pKeys.node.identity.pod: for pod sts-1: who am I?"}},
		{"keys in the index", replaced("nodeTemplate: {", "nodeTemplate: {index: '{{ keyPath \"node\" }}', "), withKeys(),
			[]string{"nodeTemplate.index: keys cannot be asked for here (they are settled after"}},
		{"keys in a scope", key(", scope: '{{ peerID \"node\" }}'"), withKeys(), []string{"p2pKeys.node.scope: keys cannot be asked for here"}},
		{"keys in a path", replaced("/key", "'{{ peerID \"node\" }}'"), withKeys(), []string{"p2pKeys.node.path: keys cannot be asked for here"}},
		{"keys in an address", key("") + "\nmonitor: {listen: '{{ keyPath \"node\" }}'}", withKeys(), []string{"monitor.listen: keys cannot be asked for here"}},
		{"no p2pKeys", "nodeTemplate: {command: [node, '{{ peerID \"node\" }}']}", withKeys(), []string{`command[1]: p2pKeys has no key "node"`}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { expectErrors(t, test.file, test.facts, test.wants...) })
	}
	t.Run("reported once", func(t *testing.T) {
		_, err := render.Render(parse(t, replaced("env: R", "env: MISSING")), withKeys())
		if lines := strings.Split(fmt.Sprint(err), "\n"); len(lines) != 1 {
			t.Errorf("got %q", lines)
		}
	})
}

func TestIdentityInPlaceOfThePods(t *testing.T) {
	const file = `
nodeTemplate:
  index: '{{ add 10 .Index }}'
  command: [node, '{{ peerID "node" }}', '{{ eachPeer "node" "{Pod}={PeerID}" | join "," }}']
p2pKeys:
  node:
    rootSecret: {file: '/roots/{{ .Index }}'}
    type: ed25519
    format: raw
    path: '/data/{{ .Pod.Name }}'
    identity: {namespace: before, pod: 'old-{{ .Index }}'}
fleet: {replicas: 3}
`
	var asked []string
	facts := withKeys()
	facts.NamespaceGuessed = true
	facts.Keys = testKeys{&asked}
	command := mustRender(t, file, facts).Command
	old := func(pod string) string {
		return public(t, keyderive.Ed25519, keyderive.Identity{Namespace: "before", Pod: pod, Key: "node"}).PeerID
	}
	want := []string{"node", old("old-12"), "sts-0=" + old("old-10") + ",sts-1=" + old("old-11")}
	if !slices.Equal(command, want) {
		t.Errorf("got %q, want %q", command, want)
	}
	// Where the list may be is this pod's matter.
	wantAsked := []string{
		"node of chains/sts-2 from /roots/12 beside /data/sts-2",
		"node of chains/sts-0 from /roots/10 beside /data/sts-2",
		"node of chains/sts-1 from /roots/11 beside /data/sts-2",
	}
	if !slices.Equal(asked, wantAsked) {
		t.Errorf("asked for %q", asked)
	}
}

func TestPrintedKeys(t *testing.T) {
	plan := mustRender(t, keysFile, withKeys())
	node, sentry := nodeOf(t, "sts-2"), sentryOf(t, "sts-2")
	expectText(t, text(t, plan),
		"# without env P2P_ROOT_KEY\n",
		"# key node in /data/nodekey (secp256k1, hex, 0640, 1000:2000) for peer ID "+node.PeerID+`, expecting "`+node.Enode+"\"\n",
		"# key sentry in /data/sts-2/node_key.json (ed25519, cometbft-json, 0600) for peer ID "+sentry.PeerID+"\n")
	got, err := json.Marshal(plan)
	if err != nil {
		t.Fatal(err)
	}
	const form = `"keys":[{"name":"node","path":"/data/nodekey","type":"secp256k1","format":"hex","mode":"0640","owner":"1000:2000",` +
		`"ifExists":"keep","publicID":"%s","public":{"type":"secp256k1","publicKey":"%s","peerID":"%[1]s","enode":"%[3]s"},"expectInLog":"%[3]s"},` +
		`{"name":"sentry","path":"/data/sts-2/node_key.json","type":"ed25519","format":"cometbft-json","mode":"0600","owner":"",` +
		`"ifExists":"fail","publicID":"%[4]s","public":{"type":"ed25519","publicKey":"%[5]s","peerID":"%[4]s","cometNodeID":"%[6]s"},"expectInLog":""}]`
	expectText(t, string(got), fmt.Sprintf(form, node.PeerID, node.PublicKey, node.Enode, sentry.PeerID, sentry.PublicKey, sentry.CometNodeID))

	facts := withKeys()
	facts.Keys = nil
	unknown := mustRender(t, strings.Replace(keysFile, `expectInLog: '{{ enode "node" }}'`, "", 1), facts)
	got, err = json.Marshal(unknown)
	if err != nil {
		t.Fatal(err)
	}
	expectText(t, string(got), `"publicID":"","public":null,`)
	expectText(t, text(t, unknown), "# key node in /data/nodekey (secp256k1, hex, 0640, 1000:2000)\n")
}

func TestCheckKeys(t *testing.T) {
	const file = `
nodeTemplate: {command: [node]}
p2pKeys:
  a: {rootSecret: {env: R}, type: secp256k1, format: cometbft-json, path: '/data/{{ .Env.X }}/config/priv_validator_key.json'}
  b: {rootSecret: {env: R}, type: ed25519, format: cometbft-json, path: '/{{ env "KEYSTORE" }}/{{ .Index }}validator'}
  c: {rootSecret: {env: R}, type: ed25519, format: raw, path: '/{{ bad }}'}
`
	err := render.Check(parse(t, file))
	expectText(t, fmt.Sprint(err),
		"kubevali.yaml:4:54: p2pKeys.a.format: format cometbft-json is for ed25519 keys only",
		"kubevali.yaml:4:75: p2pKeys.a.path: path", "priv_validator_key.json",
		`p2pKeys.c.path: there is no function "bad"`)
	if strings.Contains(fmt.Sprint(err), "p2pKeys.b") {
		t.Errorf("got %v", err)
	}
	if err := render.Check(parse(t, keysFile)); err != nil {
		t.Errorf("a valid file: %v", err)
	}
}

// The words of the configuration are those of the package that derives keys.
func TestWordsOfKeys(t *testing.T) {
	for _, typ := range keyderive.Type("").Words() {
		for _, scheme := range keyderive.Scheme("").Words() {
			id := keyderive.Identity{Namespace: "a", Pod: "b"}
			if _, err := derive(keyderive.Scheme(scheme), keyderive.Type(typ), id); err != nil {
				t.Error(err)
			}
		}
	}
	for _, format := range keyderive.Format("").Words() {
		if err := keyderive.Format(format).Check(keyderive.Ed25519); err != nil {
			t.Error(err)
		}
	}
}

// constantKeys knows keys that are all different, without deriving them.
type constantKeys struct{}

func (constantKeys) Public(spec render.KeySpec, id keyderive.Identity) (keyderive.Public, error) {
	return keyderive.Public{Type: spec.Type, PublicKey: spec.Name + id.Pod, PeerID: id.Pod, Enode: id.Pod}, nil
}
