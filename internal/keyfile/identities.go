package keyfile

import (
	"cmp"
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

// WriteIdentities writes identities.json into folder, for all to read. changed says whether it had to be.
func WriteIdentities(folder string, fleet []PodIdentities) (changed bool, err error) {
	content, err := json.Marshal(listing{Version: identitiesVersion, Pods: fleet})
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
	const again = "have `kubevali key write` run again, with this configuration"
	public, ok := listed.keys[entry{key.Namespace, key.Pod, key.Name}]
	switch {
	case listed.err != nil:
		return public, hint.With(fmt.Errorf("%w, nor is there a list of identities to go by: %s: %w",
			noRoot(key.Root), path, listed.err), "pass the root secret in, or "+writeInto(folder))
	case !ok:
		return public, hint.With(fmt.Errorf("%w, and %s %w key %s of pod %s in namespace %s; it has %s", noRoot(key.Root), path,
			ErrUnlisted, key.Name, key.Pod, key.Namespace, listed.known(key)), again+", for a fleet that counts this pod in")
	case public.Type != key.Type:
		return public, hint.With(fmt.Errorf("%w, and by %s key %s is of type %q, not %s",
			noRoot(key.Root), path, key.Name, string(public.Type), key.Type), again)
	}
	return public, nil
}

// writeInto says how a container without the root gets what another one writes.
func writeInto(folder string) string {
	return "have an init container run `kubevali key write` into a volume that is mounted at " + folder + " here too"
}

// listing is what identities.json says, or why it says nothing.
type listing struct {
	Version int             `json:"version"`
	Pods    []PodIdentities `json:"pods"`
	keys    map[entry]keyderive.Public
	err     error
}

// entry is what a key is looked up by.
type entry struct{ namespace, pod, name string }

func readListing(path string) (l listing) {
	content, err := atomicfile.Read(path, maxIdentities)
	if err != nil {
		return listing{err: err}
	}
	if err := json.Unmarshal(content, &l); err != nil {
		return listing{err: fmt.Errorf("it is not a list of identities: %w", err)}
	}
	if l.Version != identitiesVersion {
		return listing{err: fmt.Errorf("it is of version %d and not %d: use one version of kubevali in all containers",
			l.Version, identitiesVersion)}
	}
	l.keys = make(map[entry]keyderive.Public)
	for _, pod := range l.Pods {
		for _, key := range pod.Keys {
			l.keys[entry{pod.Namespace, pod.Pod, key.Name}] = key.Public
		}
	}
	return l
}

// known tells people what is listed instead of a key: the pod's other keys or, where the pod is not listed, the pods that
// are, of many the first and last ones.
func (l listing) known(key Key) string {
	const ends = 2
	var pods []string
	for _, pod := range l.Pods {
		if pod.Pod == key.Pod && pod.Namespace == key.Namespace {
			var names []string
			for _, key := range pod.Keys {
				names = append(names, key.Name)
			}
			return "of that pod only " + strings.Join(names, ", ")
		}
		pods = append(pods, pod.Namespace+"/"+pod.Pod)
	}
	if last := len(pods) - ends; last > ends {
		pods = slices.Concat(pods[:ends], []string{"…"}, pods[last:])
	}
	return cmp.Or(strings.Join(pods, ", "), "no pods")
}
