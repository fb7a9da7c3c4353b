package plan_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/kubevali/kubevali/internal/config"
	"github.com/kubevali/kubevali/internal/keyderive"
	"github.com/kubevali/kubevali/internal/keyfile"
	"github.com/kubevali/kubevali/internal/plan"
)

func TestPlannedKeys(t *testing.T) {
	var asked []string
	made := mustMake(t, keysFile, withKeys(&asked))
	node, sentry := nodeOf(t, "sts-2"), sentryOf(t, "sts-2")
	want := []plan.Key{
		{
			Key: keyfile.Key{
				Name: "node", Pod: "sts-2", Namespace: "chains", Path: "/data/nodekey", Root: keyfile.Source{Env: "P2P_ROOT_KEY"},
				Scheme: keyderive.HKDFSHA256, Type: keyderive.Secp256k1, Format: keyderive.Hex, IfExists: keyfile.Keep,
				Identity: keyderive.Identity{Namespace: "chains", Pod: "sts-2", Scope: "blue", Key: "node", Epoch: 3},
			},
			Mode: 0o640, Owner: config.Owner{UID: 1000, GID: 2000, IsSet: true},
			PublicID: node.PeerID, Public: &node, ExpectInLog: node.Enode,
		},
		{
			Key: keyfile.Key{
				Name: "sentry", Pod: "sts-2", Namespace: "chains", Path: "/data/sts-2/node_key.json", Root: keyfile.Source{File: "/root"},
				Scheme: keyderive.HKDFSHA256, Type: keyderive.Ed25519, Format: keyderive.CometBFTJSON, IfExists: keyfile.Fail,
				Identity: keyderive.Identity{Namespace: "chains", Pod: "sts-2", Key: "sentry"},
			},
			Mode: 0o600, PublicID: sentry.PeerID, Public: &sentry,
		},
	}
	if !reflect.DeepEqual(made.Keys, want) {
		t.Errorf("got\n%+v\nwant\n%+v", made.Keys, want)
	}
	if !slices.Equal(made.UnsetEnv, []string{"P2P_ROOT_KEY"}) {
		t.Errorf("the node does not get %q", made.UnsetEnv)
	}
	// Nothing asks for the other pods' keys.
	if len(asked) != 2 {
		t.Errorf("asked for %q", asked)
	}
	keys, err := plan.PodKeys(parse(t, keysFile), withKeys().Facts, noCluster)
	want[0].ExpectInLog = ""
	for i := range want {
		want[i].PublicID, want[i].Public = "", nil
	}
	if err != nil || !reflect.DeepEqual(keys, want) {
		t.Errorf("PodKeys gave %+v, %v", keys, err)
	}
	if again := mustMake(t, strings.Replace(keysFile, "epoch: 3", "epoch: 4", 1), withKeys()); again.Equal(made) {
		t.Error("another epoch makes no difference")
	}
}

func TestPrintedKeys(t *testing.T) {
	made := mustMake(t, keysFile, withKeys())
	node, sentry := nodeOf(t, "sts-2"), sentryOf(t, "sts-2")
	expectText(t, text(t, made),
		"# without env P2P_ROOT_KEY\n",
		"# key node in /data/nodekey (secp256k1, hex, 0640, 1000:2000) for peer ID "+node.PeerID+`, expecting "`+node.Enode+"\"\n",
		"# key sentry in /data/sts-2/node_key.json (ed25519, cometbft-json, 0600) for peer ID "+sentry.PeerID+"\n")
	got, err := json.Marshal(made)
	if err != nil {
		t.Fatal(err)
	}
	const form = `"keys":[{"name":"node","path":"/data/nodekey","type":"secp256k1","format":"hex","ifExists":"keep","mode":"0640",` +
		`"owner":"1000:2000","publicID":"%s","public":{"type":"secp256k1","publicKey":"%s","peerID":"%[1]s","enode":"%[3]s"},"expectInLog":"%[3]s"},` +
		`{"name":"sentry","path":"/data/sts-2/node_key.json","type":"ed25519","format":"cometbft-json","ifExists":"fail",` +
		`"mode":"0600","owner":"","publicID":"%[4]s","public":{"type":"ed25519","publicKey":"%[5]s","peerID":"%[4]s","cometNodeID":"%[6]s"},"expectInLog":""}]`
	expectText(t, string(got), fmt.Sprintf(form, node.PeerID, node.PublicKey, node.Enode, sentry.PeerID, sentry.PublicKey, sentry.CometNodeID))

	unknown := plan.Plan{Command: []string{"node"}, Keys: []plan.Key{{Key: keyfile.Key{Name: "node", Path: "/key"}, Mode: 0o600}}}
	got, err = json.Marshal(&unknown)
	if err != nil {
		t.Fatal(err)
	}
	expectText(t, string(got), `"publicID":"","public":null,`)
	expectText(t, text(t, &unknown), "# key node in /key (, , 0600)\n")
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
	w := withKeys(&asked)
	w.NamespaceGuessed = true
	command := mustMake(t, file, w).Command
	old := func(pod string) string {
		return public(t, keyderive.Ed25519, keyderive.Identity{Namespace: "before", Pod: pod, Key: "node"}).PeerID
	}
	want := []string{"node", old("old-12"), "sts-0=" + old("old-10") + ",sts-1=" + old("old-11")}
	if !slices.Equal(command, want) {
		t.Errorf("got %q, want %q", command, want)
	}
	// Where the list may be is this pod's matter.
	wantAsked := []string{
		"node of chains/sts-0 from /roots/10 beside /data/sts-2",
		"node of chains/sts-1 from /roots/11 beside /data/sts-2",
		"node of chains/sts-2 from /roots/12 beside /data/sts-2",
	}
	if !slices.Equal(asked, wantAsked) {
		t.Errorf("asked for %q", asked)
	}
}

func TestCheckKeys(t *testing.T) {
	const file = `
nodeTemplate: {command: [node]}
p2pKeys:
  a: {rootSecret: {env: R}, type: secp256k1, format: cometbft-json, path: '/data/{{ .Env.X }}/config/priv_validator_key.json'}
  b: {rootSecret: {env: R}, type: ed25519, format: cometbft-json, path: '/{{ env "KEYSTORE" }}/{{ .Index }}validator'}
  c: {rootSecret: {env: R}, type: ed25519, format: raw, path: '/{{ bad }}'}
`
	err := plan.Check(parse(t, file))
	expectText(t, fmt.Sprint(err),
		"kubevali.yaml:4:54: p2pKeys.a.format: format cometbft-json is for ed25519 keys only",
		"kubevali.yaml:4:75: p2pKeys.a.path: path", "priv_validator_key.json",
		`p2pKeys.c.path: there is no function "bad"`)
	if strings.Contains(fmt.Sprint(err), "p2pKeys.b") {
		t.Errorf("got %v", err)
	}
	if err := plan.Check(parse(t, keysFile)); err != nil {
		t.Errorf("a valid file: %v", err)
	}
}

// Without root secrets and without a cluster a plan can be looked at, and its pods have identities of their own.
func TestPlaceholderIdentities(t *testing.T) {
	w := sts2()
	w.identities, w.source, w.Node = plan.PlaceholderIdentity, plan.Placeholders, nil
	for _, file := range []string{
		everything, keysFile,
		"nodeTemplate: {command: [node]}\np2pKeys: {a: {rootSecret: {env: R}, scheme: rss3-sha256, type: ed25519, format: raw, path: /a}}",
	} {
		made := mustMake(t, file, w)
		for i, key := range made.Keys {
			if key.Public == nil || key.PublicID == "" || key.PublicID == mustMake(t, file, w.ForPod("sts-1")).Keys[i].PublicID ||
				key.PublicID != mustMake(t, file, w).Keys[i].PublicID {
				t.Errorf("got %+v", key)
			}
		}
	}
}
