package plan

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/kubevali/kubevali/internal/facts"
	"github.com/kubevali/kubevali/internal/hint"
	"github.com/kubevali/kubevali/internal/keyderive"
	"github.com/kubevali/kubevali/internal/render"
)

// addTo sets the functions about P2P keys.
func (k *keyring) addTo(funcs map[string]any) {
	funcs["keyPath"] = func(name string, pod ...string) (string, error) { return k.path(name, pod) }
	funcs["peers"] = func(name ...string) ([]any, error) { return k.peers(name) }
	funcs["eachPeer"] = func(name, format string) ([]string, error) { return k.eachPeer(name, format) }
	for function, field := range map[string]string{"peerID": "PeerID", "enode": "Enode", "cometNodeID": "CometNodeID"} {
		funcs[function] = func(name string, pod ...string) (string, error) { return k.identifier(field, name, pod) }
	}
}

// find returns this pod's key of that name, if all is well with it.
func (k *keyring) find(name string) (*ownKey, error) {
	if !k.settled {
		return nil, render.Fail("keys cannot be asked for here", "they are settled after nodeTemplate.index, fleet.replicas and "+
			"their own paths, scopes and identities")
	}
	names := make([]string, len(k.own))
	for i := range k.own {
		if names[i] = k.own[i].Name; names[i] == name {
			return &k.own[i], k.own[i].err
		}
	}
	remedy := hint.DidYouMean(name, names)
	if remedy == "" && len(names) > 0 {
		remedy = "p2pKeys has " + strings.Join(names, ", ")
	}
	return nil, render.Fail("p2pKeys has no key "+shortened(name), remedy)
}

// otherPod returns the pod that a template names besides a key, or nothing for this pod.
func (k *keyring) otherPod(pods []string) (string, error) {
	switch {
	case len(pods) == 0:
		return "", nil
	case len(pods) > 1:
		return "", render.Fail("expected the name of a key, and that of one pod at most", "")
	case pods[0] == "":
		return "", render.Fail("the pod's name is empty", "")
	case pods[0] == k.facts.Pod:
		return "", nil
	}
	return pods[0], nil
}

// path is where a pod has its key.
func (k *keyring) path(name string, pods []string) (string, error) {
	own, err := k.find(name)
	if err != nil {
		return "", err
	}
	pod, err := k.otherPod(pods)
	if err != nil || pod == "" {
		return own.Path, err
	}
	key, err := k.sibling(own, pod)
	if key.Path != "" {
		return key.Path, nil // whoever has its root secret
	}
	return "", err
}

// identifier is one of the names that the world knows a key's owner by.
func (k *keyring) identifier(field, name string, pods []string) (string, error) {
	own, err := k.find(name)
	if err != nil {
		return "", err
	}
	pod, err := k.otherPod(pods)
	if err != nil {
		return "", err
	}
	public, err := k.public(own, pod)
	if err != nil {
		return "", err
	}
	value, ok := publicNames(public)[field].(string)
	if !ok {
		return "", render.Fail(fmt.Sprintf("key %s has the type %s", name, own.Type), peerHint(field))
	}
	return value, nil
}

// public is the public identity that a pod has by one of the keys; this pod where no other is named.
func (k *keyring) public(own *ownKey, pod string) (keyderive.Public, error) {
	switch {
	case pod != "":
		key, err := k.sibling(own, pod)
		return key.Public, err
	case own.Public == nil:
		k.guessed = true
		return placeholder(own.Type, k.facts.Pod), nil
	}
	return *own.Public, nil
}

// sibling is what is known of another pod's key.
func (k *keyring) sibling(own *ownKey, pod string) (facts.Key, error) {
	of := facts.KeyOf{Pod: pod, Key: own.Name}
	known, ok := k.facts.Keys[of]
	switch {
	case !ok:
		k.miss(of)
		k.guessed = true
		if len(k.missing.Keys) > maxReplicas*len(k.own) {
			return facts.Key{}, errManyPods
		}
		return facts.Key{Path: own.Path, Public: placeholder(own.Type, pod)}, nil
	case known.Err != nil:
		return known.Value, render.Fail(fmt.Sprintf("key %s of pod %s: %v", own.Name, pod, known.Err), hint.Of(known.Err))
	}
	return known.Value, nil
}

// errManyPods is an error of templates that would go on asking, whatever the answers are.
var errManyPods = render.Fail(fmt.Sprintf("the templates ask for keys of more than %d pods", maxReplicas), "")

// placeholder stands in for a public identity that is missing.
func placeholder(t keyderive.Type, pod string) keyderive.Public {
	public := keyderive.Public{Type: t, PublicKey: pod, PeerID: pod}
	if t == keyderive.Ed25519 {
		public.CometNodeID = pod
	} else {
		public.Enode = pod
	}
	return public
}

// peers lists the fleet without this pod. Where no key is named, there must be only one.
func (k *keyring) peers(names []string) ([]any, error) {
	name := ""
	switch {
	case len(names) > 1:
		return nil, render.Fail("peers: expected the name of one key", "")
	case len(names) == 1:
		name = names[0]
	case len(k.own) == 1:
		name = k.own[0].Name
	}
	own, err := k.find(name)
	if err != nil {
		return nil, err
	}
	mine, err := k.public(own, "")
	if err != nil {
		return nil, err
	}
	switch {
	case !k.sized:
		return nil, render.ErrReported
	case k.replicas == 0:
		return nil, render.Fail("the pod's peers are not known", "set fleet.replicas to the replicas of the StatefulSet")
	}
	pods, err := k.facts.Pods(k.replicas)
	if err != nil {
		return nil, render.Because(err)
	}
	peers := make([]any, 0, len(pods))
	for i, pod := range pods {
		if pod == k.facts.Pod {
			continue
		}
		public, err := k.public(own, pod)
		if err != nil {
			return nil, err
		}
		if public.PublicKey == mine.PublicKey {
			return nil, render.Fail(fmt.Sprintf("pod %s has the same key %s as this pod", pod, name), "let p2pKeys."+name+
				".identity.pod depend on .Index")
		}
		peer := publicNames(public)
		peer["Pod"], peer["Ordinal"], peer["Namespace"] = pod, i, k.facts.Namespace
		peers = append(peers, peer)
	}
	return peers, nil
}

// publicNames are the names that the world knows a key's owner by, as templates see them.
func publicNames(public keyderive.Public) map[string]any {
	names := map[string]any{"PublicKey": public.PublicKey, "PeerID": public.PeerID}
	if public.Enode != "" {
		names["Enode"] = public.Enode
	}
	if public.CometNodeID != "" {
		names["CometNodeID"] = public.CometNodeID
	}
	return names
}

// peerHint is for a field of a peer that is looked for in vain.
func peerHint(field string) string {
	switch field {
	case "Enode":
		return "only keys of the type secp256k1 have an enode"
	case "CometNodeID":
		return "only keys of the type ed25519 have a CometBFT node ID"
	}
	return hint.DidYouMean(field, []string{"Pod", "Ordinal", "Namespace", "PublicKey", "PeerID", "Enode", "CometNodeID"})
}

// eachPeer lists the format once per peer, with the peer's fields in the place of their names in braces.
func (k *keyring) eachPeer(name, format string) ([]string, error) {
	peers, err := k.peers([]string{name})
	if err != nil {
		return nil, err
	}
	texts := make([]string, len(peers))
	size := 0
	placeholder := regexp.MustCompile(`\{\w*\}`)
	for i := range peers {
		peer := peers[i].(map[string]any)
		if texts[i], err = fill(format, placeholder, peer); err != nil {
			return nil, err
		}
		if size += len(texts[i]); size > render.MaxText {
			return nil, render.ErrValue
		}
	}
	return texts, nil
}

// fill replaces each {Field} of a format.
func fill(format string, placeholder *regexp.Regexp, peer map[string]any) (text string, err error) {
	text = placeholder.ReplaceAllStringFunc(format, func(inBraces string) string {
		field := inBraces[1 : len(inBraces)-1]
		switch value := peer[field].(type) {
		case string:
			return value
		case int:
			return strconv.Itoa(value)
		}
		remedy := peerHint(field)
		if remedy == "" {
			remedy = "there are {" + strings.Join(slices.Sorted(maps.Keys(peer)), "}, {") + "}"
		}
		err = render.Fail("peers have no "+inBraces, remedy)
		return ""
	})
	return text, err
}
