package keyfile

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/kubevali/kubevali/internal/atomicfile"
	"github.com/kubevali/kubevali/internal/keyderive"
)

// IdentitiesName is the name of the file with the public identities of a fleet, beside the keys.
const IdentitiesName = "identities.json"

const (
	identitiesVersion             = 1
	identitiesMode    fs.FileMode = 0o644
	maxIdentities                 = 256 << 20 // bytes: some hundred thousand keys
	maxRuns                       = 4         // of pods, that an error shows
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
	pods []PodIdentities
	keys map[entry]keyderive.Public
	err  error
}

func readListing(folder string) listing {
	path := filepath.Join(folder, IdentitiesName)
	pods, err := readIdentities(path)
	if err != nil {
		return listing{err: fmt.Errorf("%s: %w", path, plain(err))}
	}
	keys := make(map[entry]keyderive.Public)
	for _, pod := range pods {
		for _, key := range pod.Keys {
			keys[entry{pod.Namespace, pod.Pod, key.Name}] = key.Public
		}
	}
	return listing{pods: pods, keys: keys}
}

// known tells people what is listed instead of the spec's key: the pod's other keys or, where the pod is not listed, the
// pods that are.
func (l listing) known(spec Spec) string {
	runs := []podRun{}
	for _, pod := range l.pods {
		if pod.Pod == spec.Pod && pod.Namespace == spec.Namespace {
			names := make([]string, len(pod.Keys))
			for i, key := range pod.Keys {
				names[i] = key.Name
			}
			return fmt.Sprintf("%d keys of that pod: %s", len(names), strings.Join(names, ", "))
		}
		if last := len(runs) - 1; last < 0 || !runs[last].extend(pod) {
			runs = append(runs, podRun{first: pod.Pod, last: pod.Pod, namespace: pod.Namespace})
		}
	}
	if len(runs) == 0 {
		return "no pods"
	}
	texts := make([]string, 0, maxRuns)
	for _, run := range runs[:min(len(runs), maxRuns)] {
		texts = append(texts, run.String())
	}
	if len(runs) > maxRuns {
		texts = append(texts, "others")
	}
	return strings.Join(texts, ", ")
}

// podRun is pods of one StatefulSet whose ordinals follow each other.
type podRun struct{ first, last, namespace string }

// extend adds the pod if it is the next one.
func (r *podRun) extend(pod PodIdentities) bool {
	at := strings.LastIndexByte(r.last, '-') + 1
	ordinal, err := strconv.Atoi(r.last[at:])
	if err != nil || pod.Namespace != r.namespace || pod.Pod != r.last[:at]+strconv.Itoa(ordinal+1) {
		return false
	}
	r.last = pod.Pod
	return true
}

func (r podRun) String() string {
	if r.first == r.last {
		return fmt.Sprintf("%s in namespace %s", r.first, r.namespace)
	}
	return fmt.Sprintf("%s … %s in namespace %s", r.first, r.last, r.namespace)
}

func readIdentities(path string) ([]PodIdentities, error) {
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

func parseIdentities(r io.Reader) ([]PodIdentities, error) {
	var list identitiesJSON
	if err := json.NewDecoder(r).Decode(&list); err != nil {
		return nil, fmt.Errorf("it is not a list of identities: %w", err)
	}
	if list.Version != identitiesVersion {
		return nil, fmt.Errorf("it is of version %d and not %d: use one version of kubevali in all containers",
			list.Version, identitiesVersion)
	}
	return list.Pods, nil
}
