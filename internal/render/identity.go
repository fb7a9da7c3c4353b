package render

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"github.com/kubevali/kubevali/internal/config"
	"github.com/kubevali/kubevali/internal/keyderive"
	"github.com/kubevali/kubevali/internal/keyfile"
)

// Keys knows the public half of P2P keys. It is asked about the keys of this pod for each plan, and about those of
// other pods when a template or a list of the fleet needs them: often for the same key again, so it should remember.
type Keys interface {
	// Public returns what the world may know of the key that spec and id describe. Its errors are shown to the operator:
	// they say what to do, and no secret.
	Public(spec KeySpec, id keyderive.Identity) (keyderive.Public, error)
}

// KeySpec says which key of which pod is meant, and where what it is made of can be found.
type KeySpec struct {
	Name           string // of the key
	Pod, Namespace string // whose key it is; it can be derived from another identity
	Root           RootSource
	Scheme         keyderive.Scheme
	Type           keyderive.Type
	Path           string // of this pod's key, also where another pod is meant: beside it identities.json may stand
}

// RootSource is where a root secret is; one of the fields is empty.
type RootSource struct{ Env, File string }

// Key is a P2P key to write, or to check, before the node starts. It is never the private key.
type Key struct {
	Name, Path  string
	Type        keyderive.Type
	Format      keyderive.Format
	Mode        fs.FileMode
	Owner       *Owner // nil: left as it is
	IfExists    keyfile.IfExists
	Spec        KeySpec
	Identity    keyderive.Identity
	Public      keyderive.Public // zero where Facts have no Keys
	ExpectInLog string           // empty: nothing
}

// Owner is a file's user and group.
type Owner struct{ UID, GID int }

// PodIdentities are the public identities of one pod.
type PodIdentities struct {
	Pod       string        `json:"pod"`
	Namespace string        `json:"namespace"`
	Keys      []KeyIdentity `json:"keys"` // by name
}

// KeyIdentity is the public identity that a pod has by one of its keys.
type KeyIdentity struct {
	Name string `json:"name"`
	keyderive.Public
}

// PodKeys returns the keys of the pod's plan, with nothing rendered but what they depend on; ExpectInLog is left empty.
// It is for those who write keys but do not know the node's environment.
func PodKeys(cfg *config.Config, f Facts) ([]Key, error) {
	p := newPlanner(cfg, f, new(budget))
	if !p.compileKeys() {
		return nil, p.errs.Err()
	}
	p.moveTo(f)
	keys := p.settleKeys()
	if err := p.errs.Err(); err != nil {
		return nil, err
	}
	return keys, nil
}

// Identities returns the public identities of the named pods, in their order. They must all be in the namespace of the
// facts. It fails where two pods would have the same key. No template but those that identities depend on is rendered.
func Identities(cfg *config.Config, f Facts, pods []string) ([]PodIdentities, error) {
	p := newPlanner(cfg, f, new(budget))
	if !p.compileKeys() {
		return nil, p.errs.Err()
	}
	p.moveTo(f)
	var own []Key
	for _, name := range p.keyNames() {
		key, _ := p.key(name)
		own = append(own, key)
	}
	p.checkPaths()
	if err := p.errs.Err(); err != nil {
		return nil, err
	}
	fleet := make([]PodIdentities, 0, len(pods))
	for _, pod := range pods {
		*p.budget = budget{}
		p.moveTo(f.ForPod(pod))
		identities := p.publicIdentities(own)
		if err := p.errs.Err(); err != nil {
			return nil, fmt.Errorf("pod %s:\n%w", pod, err)
		}
		fleet = append(fleet, identities)
	}
	return fleet, checkIdentities(fleet)
}

// Fleet returns the public identities of the fleet's pods, as many as fleet.replicas says, and of the pod that the
// facts are about, where it is none of these.
func Fleet(cfg *config.Config, f Facts) ([]PodIdentities, error) {
	p := newPlanner(cfg, f, new(budget))
	replicas := 0
	if p.compileKeys() {
		p.moveTo(f)
		replicas = p.replicas()
	}
	if err := p.errs.Err(); err != nil {
		return nil, err
	}
	pods, err := f.Pods(replicas)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(pods, f.Pod) {
		pods = append(pods, f.Pod)
	}
	return Identities(cfg, f, pods)
}

// Pods returns the names of the first replicas pods of the StatefulSet that this pod is one of: <name>-0, <name>-1 and
// so on, where <name> is the pod's name without its ordinal, if it has one. It fails when the pod's name is not known.
func (f Facts) Pods(replicas int) ([]string, error) {
	if f.Pod == "" {
		return nil, errors.New("the pod's name is not known, and so are those of the others; set POD_NAME or give --pod NAME")
	}
	name := f.Pod
	if _, err := ordinal(name); err == nil {
		name = name[:strings.LastIndexByte(name, '-')]
	}
	pods := make([]string, replicas)
	for i := range pods {
		pods[i] = name + "-" + strconv.Itoa(i)
	}
	return pods, nil
}

// compileKeys readies the templates that the keys' identities depend on.
func (p *planner) compileKeys() (ok bool) {
	if !p.define(p.cfg.CommonTemplate) {
		return false
	}
	sources := []config.Template{p.cfg.NodeTemplate.Index, p.cfg.Fleet.Replicas}
	for _, name := range p.keyNames() {
		key := p.cfg.P2PKeys[name]
		sources = append(sources, key.RootSecret.File, key.Path, key.Scope, key.Identity.Namespace, key.Identity.Pod)
	}
	ok = true
	for _, source := range sources {
		ok = p.compile(source) && ok
	}
	return ok
}

// moveTo makes the planner one for the pod that the facts are about. Its templates stay compiled.
func (p *planner) moveTo(f Facts) {
	p.renderFor(p.cfg, f)
	p.index()
	p.settleFiles()
}

// publicIdentities are those that the planner's pod has by its keys, which are given as another pod has them.
func (p *planner) publicIdentities(keys []Key) PodIdentities {
	identities := PodIdentities{Pod: p.facts.Pod, Namespace: p.facts.Namespace, Keys: []KeyIdentity{}}
	for _, key := range keys {
		if !p.assign(&key) {
			continue
		}
		if err := p.identify(&key); err != nil {
			p.reportAt("p2pKeys."+key.Name, err)
		}
		identities.Keys = append(identities.Keys, KeyIdentity{key.Name, key.Public})
	}
	return identities
}

// checkIdentities reports pods that have the same key, under whatever name.
func checkIdentities(fleet []PodIdentities) error {
	type holder struct{ pod, key string }
	var errs []error
	holders := make(map[keyderive.Public]holder)
	for _, pod := range fleet {
		for _, key := range pod.Keys {
			first, taken := holders[key.Public]
			switch {
			case key.PublicKey == "":
			case !taken:
				holders[key.Public] = holder{pod.Pod, key.Name}
			case first.pod != pod.Pod:
				errs = append(errs, fmt.Errorf("p2pKeys: key %s of pod %s is the same as key %s of pod %s (%s); "+
					"let its identity.pod depend on .Index", first.key, first.pod, key.Name, pod.Pod, key.PeerID))
			}
		}
	}
	return errors.Join(errs...)
}
