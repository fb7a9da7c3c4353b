package plan_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/kubevali/kubevali/internal/config"
)

func TestKeyErrors(t *testing.T) {
	key := func(more string) string {
		return "nodeTemplate: {command: [node, '{{ peerID \"node\" }}']}\n" +
			"p2pKeys: {node: {rootSecret: {env: R}, type: secp256k1, format: hex, path: /key" + more + "}}"
	}
	replaced := func(old, replacement string) string { return strings.Replace(key(""), old, replacement, 1) }
	guessed, nobody := withKeys(), withKeys()
	guessed.NamespaceGuessed = true
	nobody.Pod = ""
	tests := []struct {
		name, file string
		w          world
		wants      []string
	}{
		{"guessed namespace", key(""), guessed,
			[]string{"kubevali.yaml:2:17: p2pKeys.node: the key depends on the pod's namespace, which is not known (set POD_NAMESPACE"}},
		{"no pod", key(""), nobody, []string{"p2pKeys.node: the key depends on the pod's name, which is not known (set POD_NAME"}},
		{"no root", replaced("env: R", "env: MISSING"), withKeys(), []string{"p2pKeys.node: no root secret for sts-2 (set it)"}},
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
		{"peers of nobody", strings.Replace(key(", identity: {pod: one}"), `peerID "node"`, "len (peers)", 1) + "\nfleet: {replicas: 3}", nobody,
			[]string{"nodeTemplate.command[1]: the pod's name is not known, and so are those of the others (set POD_NAME"}},
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
		t.Run(test.name, func(t *testing.T) { expectErrors(t, test.file, test.w, test.wants...) })
	}
	// What rests on something that failed does not fail by itself.
	for _, file := range []string{
		replaced("env: R", "env: MISSING"),
		replaced(`peerID "node"`, "len (peers)") + "\nfleet: {replicas: '{{ fail \"how many?\" }}'}",
		strings.Replace(replaced(`peerID "node"`, `required "none" (keyPath "node")`), "/key", "'{{ fail \"no path\" }}'", 1),
		strings.Replace(replaced(`peerID "node"`, `readFile "/no/such/file"`), "/key", "'{{ fail \"no path\" }}'", 1),
	} {
		_, err := withKeys().make(parse(t, file))
		found := config.Errors(nil)
		if !errors.As(err, &found) || len(found) != 1 || strings.HasPrefix(found[0].At.Path, "nodeTemplate") {
			t.Errorf("%s\ngot %v", file, err)
		}
	}
}
