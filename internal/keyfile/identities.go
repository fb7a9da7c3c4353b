package keyfile

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/kubevali/kubevali/internal/atomicfile"
	"github.com/kubevali/kubevali/internal/keyderive"
)

// IdentitiesName is the name of the file with the public identities of a fleet, beside the keys.
const IdentitiesName = "identities.json"

const (
	identitiesVersion             = 1
	identitiesMode    fs.FileMode = 0o644
	maxIdentities                 = 256 << 20 // bytes: some hundred thousand keys
)

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

// entry is what a key is looked up by.
type entry struct{ namespace, pod, name string }

// WriteIdentities writes identities.json into folder, for all to read. changed says whether it had to be.
func WriteIdentities(folder string, fleet []PodIdentities) (changed bool, err error) {
	content, err := json.Marshal(identitiesJSON{identitiesVersion, fleet})
	if err != nil {
		return false, err
	}
	return atomicfile.Write(filepath.Join(folder, IdentitiesName), append(content, '\n'), identitiesMode)
}

// listing is what identities.json says, or why it says nothing.
type listing struct {
	keys map[entry]keyderive.Public
	err  error
}

func readListing(folder string) listing {
	path := filepath.Join(folder, IdentitiesName)
	keys, err := readIdentities(path)
	if err != nil {
		return listing{err: fmt.Errorf("%s: %w", path, plain(err))}
	}
	return listing{keys: keys}
}

func readIdentities(path string) (map[entry]keyderive.Public, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("it is not a regular file")
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return parseIdentities(io.LimitReader(file, maxIdentities))
}

func parseIdentities(r io.Reader) (map[entry]keyderive.Public, error) {
	var list identitiesJSON
	if err := json.NewDecoder(r).Decode(&list); err != nil {
		return nil, fmt.Errorf("it is not a list of identities: %w", err)
	}
	if list.Version != identitiesVersion {
		return nil, fmt.Errorf("it is of version %d and not %d: use one version of kubevali in all containers",
			list.Version, identitiesVersion)
	}
	keys := make(map[entry]keyderive.Public)
	for _, pod := range list.Pods {
		for _, key := range pod.Keys {
			keys[entry{pod.Namespace, pod.Pod, key.Name}] = key.Public
		}
	}
	return keys, nil
}
