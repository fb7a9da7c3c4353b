package plan

import (
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/kubevali/kubevali/internal/config"
	"github.com/kubevali/kubevali/internal/facts"
	"github.com/kubevali/kubevali/internal/keyderive"
	"github.com/kubevali/kubevali/internal/keyfile"
	"github.com/kubevali/kubevali/internal/render"
)

// maxReplicas is more than any StatefulSet has, and few enough to list.
const maxReplicas = 10_000

// keyFiles are where a root secret and a key that is derived from it stand.
type keyFiles struct {
	root, key string // root is empty for a secret in the environment
	ok        bool   // both could be rendered
}

// keyring makes this pod's keys, and answers what templates ask about them and about those of its siblings in the fleet.
type keyring struct {
	*planner
	files    map[string]keyFiles // by the keys' names
	own      []ownKey
	replicas int  // of the fleet; 0: not said
	sized    bool // replicas could be rendered
	settled  bool // templates can ask
}

// ownKey is a key of this pod, and why templates cannot ask for it.
type ownKey struct {
	Key
	err error
}

func (k *keyring) names() []string { return slices.Sorted(maps.Keys(k.cfg.P2PKeys)) }

// findFiles finds the files that hold secrets, which from here on no template can read. Where one is not found, none can
// read any file.
func (k *keyring) findFiles() {
	var unsettled error
	k.files = make(map[string]keyFiles)
	for _, name := range k.names() {
		cfg := k.cfg.P2PKeys[name]
		root, okRoot := k.filePath(cfg.RootSecret.File)
		key, okKey := k.filePath(cfg.Path)
		files := keyFiles{root, key, okRoot && okKey}
		k.files[name] = files
		k.hidden.add(root, key)
		if !files.ok {
			unsettled = render.ErrReported
		}
	}
	k.hidden.unsettled = unsettled
}

// filePath renders a path, which is empty only where there is no template for it.
func (k *keyring) filePath(source config.Template) (path string, ok bool) {
	path, ok = k.trimmed(source)
	if ok && path == "" && source.Text != "" {
		k.fail(source, "the path is empty", "")
		return "", false
	}
	return path, ok
}

// settle makes the keys of the plan, in order of their names. From here on templates can ask for them.
func (k *keyring) settle() []Key {
	k.replicas, k.sized = k.fleetSize()
	for _, name := range k.names() {
		key, ok := k.key(name)
		own := ownKey{Key: key, err: render.ErrReported}
		if ok {
			own.err = k.publish(&own.Key)
		}
		k.own = append(k.own, own)
	}
	k.checkPaths()
	k.settled = true
	keys := make([]Key, len(k.own))
	for i, own := range k.own {
		keys[i] = own.Key
		keys[i].ExpectInLog = k.expected(own.Name)
	}
	return keys
}

// publish completes a key of this pod with its public identity. The error is for templates that ask for it.
func (k *keyring) publish(key *Key) error {
	of := facts.KeyOf{Pod: k.facts.Pod, Key: key.Name}
	known, ok := k.facts.Keys[of]
	if !ok {
		k.miss(of)
		return nil
	}
	if known.Err != nil {
		k.failAt("p2pKeys."+key.Name, render.Because(known.Err))
		return render.ErrReported
	}
	key.Public, key.PublicID = &known.Value.Public, known.Value.Public.PeerID
	return nil
}

func (k *keyring) miss(of facts.KeyOf) {
	if k.missing.Keys == nil {
		k.missing.Keys = make(map[facts.KeyOf]bool)
	}
	k.missing.Keys[of] = true
}

// fleetSize is how many pods the fleet has; 0 where nobody says it.
func (k *keyring) fleetSize() (n int, ok bool) {
	if k.cfg.Fleet.Replicas.Text == "" {
		return 0, true
	}
	return k.number(k.cfg.Fleet.Replicas, 0, maxReplicas, "the replicas of the StatefulSet")
}

// key makes the key of that name as far as it can be known without its root secret.
func (k *keyring) key(name string) (key Key, ok bool) {
	cfg := k.cfg.P2PKeys[name]
	files := k.files[name]
	id, ok := k.identity(name)
	key = Key{
		Key: keyfile.Key{
			Name: name, Pod: k.facts.Pod, Namespace: k.facts.Namespace, Path: files.key,
			Root:   keyfile.Source{Env: cfg.RootSecret.Env, File: files.root},
			Scheme: cfg.Scheme, Type: cfg.Type, Format: cfg.Format,
			Identity: id, IfExists: cfg.IfExists,
		},
		Mode:  cfg.Mode,
		Owner: cfg.Owner,
	}
	return key, k.checkFormat(name) && ok && files.ok
}

// identity is what a key of the pod is derived from, besides its root secret.
func (k *keyring) identity(name string) (id keyderive.Identity, ok bool) {
	cfg := k.cfg.P2PKeys[name]
	scope, okScope := k.trimmed(cfg.Scope)
	namespace, okNamespace := k.identityPart(cfg.Identity.Namespace, k.facts.Namespace)
	pod, okPod := k.identityPart(cfg.Identity.Pod, k.facts.Pod)
	if cfg.Identity.Namespace.Text == "" && k.facts.KnownNamespace() == "" {
		okNamespace = false
		k.failAt("p2pKeys."+name, render.Fail("the key depends on the pod's namespace, which is not known",
			"set POD_NAMESPACE from the field metadata.namespace, or give --namespace to render and key id"))
	}
	if cfg.Identity.Pod.Text == "" && pod == "" {
		okPod = false
		k.failAt("p2pKeys."+name, render.Fail("the key depends on the pod's name, which is not known",
			"set POD_NAME from the field metadata.name"))
	}
	return keyderive.Identity{Namespace: namespace, Pod: pod, Scope: scope, Key: name, Epoch: uint64(cfg.Epoch)},
		okScope && okNamespace && okPod
}

// identityPart renders what stands in for a part of the pod's own identity, if anything does.
func (k *keyring) identityPart(source config.Template, own string) (text string, ok bool) {
	if source.Text == "" {
		return own, true
	}
	text, ok = k.trimmed(source)
	if ok && text == "" {
		k.fail(source, "the identity is empty", "")
		return "", false
	}
	return text, ok
}

// checkPaths reports keys that cannot stand where they are to stand.
func (k *keyring) checkPaths() {
	holders := make(map[string]string)
	for _, files := range k.files {
		if files.root != "" {
			holders[filepath.Clean(files.root)] = "a root secret has"
		}
	}
	for _, name := range k.names() {
		files := k.files[name]
		if !files.ok {
			continue
		}
		source := k.cfg.P2PKeys[name].Path
		path := filepath.Clean(files.key)
		if err := keyderive.CheckPath(files.key); err != nil {
			k.Report(source, 1, render.Because(err))
		}
		switch holder := holders[path]; {
		case holder != "":
			k.fail(source, holder+" the path "+files.key, "")
		case filepath.Base(path) == keyfile.IdentitiesName:
			k.fail(source, "the public identities of the fleet get the name "+keyfile.IdentitiesName, "")
		}
		holders[path] = "two keys have"
	}
}

// expected is what the log must show of a key, which can be its public identity.
func (k *keyring) expected(name string) string {
	source := k.cfg.P2PKeys[name].ExpectInLog
	text, ok := k.trimmed(source)
	if ok && strings.ContainsAny(text, "\r\n") {
		k.fail(source, "no line of a log holds a line break", "")
	}
	return text
}

// checkFormat reports a key whose format is not fit for its type.
func (k *keyring) checkFormat(name string) (ok bool) {
	cfg := k.cfg.P2PKeys[name]
	err := cfg.Format.Check(cfg.Type)
	if err != nil {
		k.failAt("p2pKeys."+name+".format", render.Because(err))
	}
	return err == nil
}

// compile readies the templates that the keys' identities depend on.
func (k *keyring) compile() (ok bool) {
	if !k.Define(k.cfg.CommonTemplate) {
		return false
	}
	sources := []config.Template{k.cfg.NodeTemplate.Index, k.cfg.Fleet.Replicas}
	for _, name := range k.names() {
		key := k.cfg.P2PKeys[name]
		sources = append(sources, key.RootSecret.File, key.Path, key.Scope, key.Identity.Namespace, key.Identity.Pod)
	}
	ok = true
	for _, source := range sources {
		ok = k.Compile(source) && ok
	}
	return ok
}

// check reports keys that no pod can have, without rendering anything.
func (k *keyring) check() {
	for _, name := range k.names() {
		k.checkFormat(name)
		// An action in a path may give anything, but what stands around it is there for all pods.
		path := k.cfg.P2PKeys[name].Path
		literal := regexp.MustCompile(`(?s)\{\{.*?\}\}`).ReplaceAllString(path.Text, "…")
		if err := keyderive.CheckPath(literal); err != nil {
			k.Report(path, 1, render.Because(err))
		}
	}
}

// beyondFleet is about a pod that its siblings do not know.
func (k *keyring) beyondFleet(plan *Plan) []string {
	n, err := facts.Ordinal(plan.Pod)
	if err != nil || len(k.own) == 0 || k.replicas == 0 || n < k.replicas {
		return nil
	}
	return []string{fmt.Sprintf("%s is beyond fleet.replicas (%d), so the other pods do not count it among their peers", plan.Pod, k.replicas)}
}
