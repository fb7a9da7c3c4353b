package render

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/kubevali/kubevali/internal/config"
	"github.com/kubevali/kubevali/internal/hint"
	"github.com/kubevali/kubevali/internal/keyderive"
)

// keyring answers what templates ask about keys: those of this pod, and those of its siblings in the fleet.
type keyring struct {
	planner  *planner
	own      []ownKey
	replicas int // of the fleet; 0 when it is not known

	siblings *planner // nil until one is asked for
	known    map[siblingKey]keyderive.Public
}

// ownKey is a key of this pod, and why its public identity is not known.
type ownKey struct {
	Key
	err error
}

type siblingKey struct{ key, pod string }

// derivationCost is how many steps a key of a sibling counts.
const derivationCost = 25

// addKeys sets the functions about P2P keys.
func (e *engine) addKeys(funcs map[string]any) {
	funcs["keyPath"] = func(name string, pod ...string) (string, error) { return e.keys.path(name, pod) }
	funcs["peers"] = func(name ...string) ([]any, error) { return e.keys.peers(name) }
	funcs["eachPeer"] = func(name, format string) ([]string, error) { return e.keys.eachPeer(name, format) }
	for function, field := range map[string]string{"peerID": "PeerID", "enode": "Enode", "cometNodeID": "CometNodeID"} {
		funcs[function] = func(name string, pod ...string) (string, error) { return e.keys.identity(field, name, pod) }
	}
}

// find returns this pod's key of that name.
func (k *keyring) find(name string) (*ownKey, error) {
	if k == nil {
		return nil, &failure{"keys cannot be asked for here", "they are settled after nodeTemplate.index, fleet.replicas and " +
			"their own paths, scopes and identities"}
	}
	names := make([]string, len(k.own))
	for i := range k.own {
		if names[i] = k.own[i].Name; names[i] == name {
			return &k.own[i], nil
		}
	}
	hint := config.DidYouMean(name, names)
	if hint == "" && len(names) > 0 {
		hint = "p2pKeys has " + strings.Join(names, ", ")
	}
	return nil, &failure{"p2pKeys has no key " + shortened(name), hint}
}

// otherPod returns the pod that a template names besides a key, or nothing for this pod.
func (k *keyring) otherPod(pods []string) (string, error) {
	switch {
	case len(pods) == 0:
		return "", nil
	case len(pods) > 1:
		return "", &failure{"expected the name of a key, and that of one pod at most", ""}
	case pods[0] == "":
		return "", &failure{"the pod's name is empty", ""}
	case pods[0] == k.planner.facts.Pod:
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
	sibling := k.sibling(pod)
	return sibling.keyFiles[name].key, k.adopt(sibling)
}

// identity is one of the names that the world knows a key's owner by.
func (k *keyring) identity(field, name string, pods []string) (string, error) {
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
		return "", &failure{fmt.Sprintf("key %s has the type %s", name, own.Type), peerHint(field)}
	}
	return value, nil
}

// public is the public identity that a pod has by one of the keys; this pod where no other is named.
func (k *keyring) public(own *ownKey, pod string) (keyderive.Public, error) {
	if own.err != nil || pod == "" {
		return own.Public, own.err
	}
	if public, ok := k.known[siblingKey{own.Name, pod}]; ok {
		return public, nil
	}
	if err := k.planner.budget.spend(derivationCost); err != nil {
		return keyderive.Public{}, err
	}
	sibling := k.sibling(pod)
	key := own.Key
	sibling.assign(&key)
	if err := k.adopt(sibling); err != nil {
		return keyderive.Public{}, err
	}
	public, err := sibling.facts.Keys.Public(key.Spec, key.Identity)
	if err != nil {
		return keyderive.Public{}, &failure{fmt.Sprintf("key %s of pod %s: %v", own.Name, pod, err), hint.Of(err)}
	}
	if k.known == nil {
		k.known = make(map[siblingKey]keyderive.Public)
	}
	k.known[siblingKey{own.Name, pod}] = public
	return public, nil
}

// sibling is a planner for another pod of the fleet. There is one for all of them, which must be asked at once.
func (k *keyring) sibling(pod string) *planner {
	facts := k.planner.facts.ForPod(pod)
	if k.siblings == nil {
		k.siblings = newPlanner(k.planner.cfg, facts, k.planner.budget)
		k.siblings.compileKeys() // it cannot fail: the same templates have been compiled for this pod
	}
	k.siblings.moveTo(facts)
	return k.siblings
}

// adopt makes a sibling's errors those of this pod's plan.
func (k *keyring) adopt(sibling *planner) error {
	switch {
	case sibling.exhausted:
		return errSteps // it is this pod's templates that ask for too much
	case len(sibling.errs) == 0:
		return nil
	}
	for _, finding := range sibling.errs {
		finding.Message = "for pod " + sibling.facts.Pod + ": " + finding.Message
		k.planner.collect(finding)
	}
	sibling.errs = nil
	return errReported
}

// peers lists the fleet without this pod. Where no key is named, there must be only one.
func (k *keyring) peers(names []string) ([]any, error) {
	name := ""
	switch {
	case len(names) > 1:
		return nil, &failure{"peers: expected the name of one key", ""}
	case len(names) == 1:
		name = names[0]
	case k != nil && len(k.own) == 1:
		name = k.own[0].Name
	}
	own, err := k.find(name)
	if err != nil {
		return nil, err
	}
	if own.err != nil {
		return nil, own.err
	}
	if k.replicas == 0 {
		return nil, &failure{"the pod's peers are not known", "set fleet.replicas to the replicas of the StatefulSet"}
	}
	pods, err := k.planner.facts.Pods(k.replicas)
	if err != nil {
		return nil, &failure{err.Error(), ""}
	}
	peers := make([]any, 0, len(pods))
	for i, pod := range pods {
		if pod == k.planner.facts.Pod {
			continue
		}
		public, err := k.public(own, pod)
		if err != nil {
			return nil, err
		}
		if public.PublicKey == own.Public.PublicKey {
			return nil, &failure{fmt.Sprintf("pod %s has the same key %s as this pod", pod, name), "let p2pKeys." + name +
				".identity.pod depend on .Index"}
		}
		peer := publicNames(public)
		peer["Pod"], peer["Ordinal"], peer["Namespace"] = pod, i, k.planner.facts.Namespace
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
	return config.DidYouMean(field, []string{"Pod", "Ordinal", "Namespace", "PublicKey", "PeerID", "Enode", "CometNodeID"})
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
		if size += len(texts[i]); size > maxValue {
			return nil, errValue
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
		hint := peerHint(field)
		if hint == "" {
			hint = "there are {" + strings.Join(slices.Sorted(maps.Keys(peer)), "}, {") + "}"
		}
		err = &failure{"peers have no " + inBraces, hint}
		return ""
	})
	return text, err
}
