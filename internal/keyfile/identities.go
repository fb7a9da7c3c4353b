package keyfile

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kubevali/kubevali/internal/atomicfile"
	"github.com/kubevali/kubevali/internal/hint"
	"github.com/kubevali/kubevali/internal/keyderive"
)

// IdentitiesName is the name of the file with the public identities of a fleet, beside the keys.
const IdentitiesName = "identities.json"

const (
	identitiesVersion             = 1
	identitiesMode    fs.FileMode = 0o644
	maxIdentities                 = 256 << 20 // bytes: some hundred thousand keys
)

// ErrUnlisted is in the chain of errors about a key that identities.json does not have, as the fleet that it was written
// for does not count the key's pod in, or the configuration had no such key.
var ErrUnlisted = errors.New("does not list")

// PodIdentities is the public side of a pod's keys.
type PodIdentities struct {
	Pod       string        `json:"pod"`
	Namespace string        `json:"namespace"`
	Keys      []KeyIdentity `json:"keys"`
}

// KeyIdentity is the public side of one key.
type KeyIdentity struct {
	Name string `json:"name"`
	keyderive.Public
}

type identitiesJSON struct {
	Version int             `json:"version"`
	Pods    []PodIdentities `json:"pods"`
}

// WriteIdentities writes identities.json into folder, for all to read. changed says whether it had to be.
func WriteIdentities(folder string, fleet []PodIdentities) (changed bool, err error) {
	content, err := json.Marshal(identitiesJSON{identitiesVersion, fleet})
	if err != nil {
		return false, err
	}
	return atomicfile.Write(filepath.Join(folder, IdentitiesName), append(content, '\n'), identitiesMode)
}

// lookUp asks identities.json beside the key's file, as the root is not here.
func (k *Keyring) lookUp(key Key) (keyderive.Public, error) {
	folder := filepath.Dir(key.Path)
	path := filepath.Join(folder, IdentitiesName)
	listed, ok := k.listed[folder]
	if !ok {
		listed = readListing(path)
		keep(&k.listed, folder, listed)
	}
	if listed.err != nil {
		return keyderive.Public{}, hint.With(fmt.Errorf("%w, nor is there a list of identities to go by: %s: %w",
			noRoot(key.Root), path, listed.err), "pass the root secret in, or have an init container run "+
			"`kubevali key write` into a volume that is mounted at "+folder+" here too")
	}
	public, ok := listed.keys[entry{key.Namespace, key.Pod, key.Name}]
	switch {
	case !ok:
		return public, hint.With(fmt.Errorf("%w, and %s %w key %s of pod %s in namespace %s, but %s",
			noRoot(key.Root), path, ErrUnlisted, key.Name, key.Pod, key.Namespace, listed.known(key)),
			"have `kubevali key write` run again, with this configuration, for a fleet that counts this pod in")
	case public.Type != key.Type:
		return public, hint.With(fmt.Errorf("%w, and by %s key %s is of type %q, not %s",
			noRoot(key.Root), path, key.Name, string(public.Type), key.Type), "have `kubevali key write` run again, with this configuration")
	}
	return public, nil
}

// listing is what identities.json says, or why it says nothing.
type listing struct {
	pods []PodIdentities
	keys map[entry]keyderive.Public
	err  error
}

// entry is what a key is looked up by.
type entry struct{ namespace, pod, name string }

func readListing(path string) listing {
	content, err := atomicfile.Read(path, maxIdentities)
	if err != nil {
		return listing{err: err}
	}
	var list identitiesJSON
	if err := json.Unmarshal(content, &list); err != nil {
		return listing{err: fmt.Errorf("it is not a list of identities: %w", err)}
	}
	if list.Version != identitiesVersion {
		return listing{err: fmt.Errorf("it is of version %d and not %d: use one version of kubevali in all containers",
			list.Version, identitiesVersion)}
	}
	keys := make(map[entry]keyderive.Public)
	for _, pod := range list.Pods {
		for _, key := range pod.Keys {
			keys[entry{pod.Namespace, pod.Pod, key.Name}] = key.Public
		}
	}
	return listing{pods: list.Pods, keys: keys}
}

// known tells people what is listed instead of a key: the pod's other keys or, where the pod is not listed, the pods that
// are, of many the first and last ones.
func (l listing) known(key Key) string {
	const ends = 2
	pods := make([]string, len(l.pods))
	for i, pod := range l.pods {
		if pod.Pod == key.Pod && pod.Namespace == key.Namespace {
			names := make([]string, len(pod.Keys))
			for i, key := range pod.Keys {
				names[i] = key.Name
			}
			return "its keys " + strings.Join(names, ", ")
		}
		pods[i] = pod.Namespace + "/" + pod.Pod
	}
	switch last := len(pods) - ends; {
	case len(pods) == 0:
		return "no pods"
	case last > ends:
		pods = slices.Concat(pods[:ends], []string{"…"}, pods[last:])
	}
	return strings.Join(pods, ", ")
}
