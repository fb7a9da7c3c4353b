package render

import (
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/kubevali/kubevali/internal/config"
	"github.com/kubevali/kubevali/internal/hint"
	"github.com/kubevali/kubevali/internal/keyderive"
)

// identitiesFile is the name of the file with the public identities of the fleet, which stands beside the keys.
const identitiesFile = "identities.json"

// maxReplicas is more than any StatefulSet has, and few enough to list.
const maxReplicas = 10_000

// keyFiles are where a root secret and a key that is derived from it stand.
type keyFiles struct {
	root, key string // root is empty for a secret in the environment
	ok        bool   // both could be rendered
}

// settleFiles finds the files that hold secrets, which from here on no template can read.
func (p *planner) settleFiles() {
	p.keyFiles = make(map[string]keyFiles)
	for _, name := range p.keyNames() {
		cfg := p.cfg.P2PKeys[name]
		root, okRoot := p.filePath(cfg.RootSecret.File)
		key, okKey := p.filePath(cfg.Path)
		files := keyFiles{root, key, okRoot && okKey}
		p.keyFiles[name] = files
		p.secrets.add(files)
	}
	p.secrets.unsettled = false
}

// filePath renders a path, which is empty only where there is no template for it.
func (p *planner) filePath(source config.Template) (path string, ok bool) {
	path, ok = p.trimmed(source)
	if ok && path == "" && source.Text != "" {
		p.report(source, 1, &failure{message: "the path is empty"})
		return "", false
	}
	return path, ok
}

// settleKeys makes the keys of the plan, in order of their names. From here on templates can ask for them.
func (p *planner) settleKeys() []Key {
	ring := &keyring{planner: p, replicas: p.replicas()}
	for _, name := range p.keyNames() {
		key, ok := p.key(name)
		err := errReported
		if ok {
			err = p.identify(&key)
		}
		ring.own = append(ring.own, ownKey{key, err})
	}
	p.checkPaths()
	p.keys = ring
	var keys []Key
	for _, own := range ring.own {
		keys = append(keys, own.Key)
	}
	return keys
}

func (p *planner) keyNames() []string { return slices.Sorted(maps.Keys(p.cfg.P2PKeys)) }

// replicas is how many pods the fleet has; 0 when it is not known.
func (p *planner) replicas() int {
	source := p.cfg.Fleet.Replicas
	if source.Text == "" {
		return 0
	}
	n, _ := p.number(source, 0, maxReplicas, "the replicas of the StatefulSet")
	return n
}

// key makes the key of that name as far as it can be known without its root secret.
func (p *planner) key(name string) (key Key, ok bool) {
	cfg := p.cfg.P2PKeys[name]
	files := p.keyFiles[name]
	key = Key{
		Name:     name,
		Path:     files.key,
		Type:     keyderive.Type(cfg.Type),
		Format:   keyderive.Format(cfg.Format),
		Mode:     mode(cfg.Mode),
		IfExists: cfg.IfExists,
		Spec: KeySpec{
			Name:   name,
			Root:   RootSource{Env: cfg.RootSecret.Env},
			Scheme: keyderive.Scheme(cfg.Scheme),
			Type:   keyderive.Type(cfg.Type),
			Path:   files.key,
		},
	}
	if cfg.Owner.IsSet {
		key.Owner = &Owner{cfg.Owner.UID, cfg.Owner.GID}
	}
	ok = p.assign(&key)
	return key, p.checkFormat(name) && ok && files.ok
}

// assign makes a key that of the planner's pod.
func (p *planner) assign(key *Key) (ok bool) {
	key.Spec.Pod, key.Spec.Namespace = p.facts.Pod, p.facts.Namespace
	key.Spec.Root.File = p.keyFiles[key.Name].root
	key.Identity, ok = p.identity(key.Name)
	return ok
}

// identity is what a key of the planner's pod is derived from, besides its root secret.
func (p *planner) identity(name string) (id keyderive.Identity, ok bool) {
	cfg := p.cfg.P2PKeys[name]
	scope, okScope := p.trimmed(cfg.Scope)
	namespace, okNamespace := p.identityPart(cfg.Identity.Namespace, p.facts.Namespace)
	pod, okPod := p.identityPart(cfg.Identity.Pod, p.facts.Pod)
	if cfg.Identity.Namespace.Text == "" && (p.facts.NamespaceGuessed || namespace == "") {
		okNamespace = false
		p.reportAt("p2pKeys."+name, &failure{"the key depends on the pod's namespace, which is not known",
			"set POD_NAMESPACE from the field metadata.namespace, or give --namespace to render and key id"})
	}
	if cfg.Identity.Pod.Text == "" && pod == "" {
		okPod = false
		p.reportAt("p2pKeys."+name, &failure{"the key depends on the pod's name, which is not known",
			"set POD_NAME from the field metadata.name"})
	}
	return keyderive.Identity{Namespace: namespace, Pod: pod, Scope: scope, Key: name, Epoch: uint64(cfg.Epoch)},
		okScope && okNamespace && okPod
}

// identityPart renders what stands in for a part of the pod's own identity, if anything does.
func (p *planner) identityPart(source config.Template, own string) (text string, ok bool) {
	if source.Text == "" {
		return own, true
	}
	text, ok = p.trimmed(source)
	if ok && text == "" {
		p.report(source, 1, &failure{message: "the identity is empty"})
		return "", false
	}
	return text, ok
}

// identify completes a key with its public identity. The error is for templates that ask for it.
func (p *planner) identify(key *Key) (err error) {
	if p.facts.Keys == nil {
		return &failure{"the public identity of key " + key.Name + " is not known here", ""}
	}
	if key.Public, err = p.facts.Keys.Public(key.Spec, key.Identity); err != nil {
		p.reportAt("p2pKeys."+key.Name, &failure{err.Error(), hint.Of(err)})
		return errReported
	}
	return nil
}

// checkPaths reports keys that cannot stand where they are to stand.
func (p *planner) checkPaths() {
	holders := make(map[string]string)
	for _, files := range p.keyFiles {
		if files.root != "" {
			holders[filepath.Clean(files.root)] = "a root secret has"
		}
	}
	for _, name := range p.keyNames() {
		files := p.keyFiles[name]
		if !files.ok {
			continue
		}
		source := p.cfg.P2PKeys[name].Path
		path := filepath.Clean(files.key)
		if err := keyderive.CheckPath(files.key); err != nil {
			p.report(source, 1, &failure{err.Error(), hint.Of(err)})
		}
		switch holder := holders[path]; {
		case holder != "":
			p.report(source, 1, &failure{message: holder + " the path " + files.key})
		case filepath.Base(path) == identitiesFile:
			p.report(source, 1, &failure{message: "the public identities of the fleet get the name " + identitiesFile})
		}
		holders[path] = "two keys have"
	}
}

// expect completes keys with what the log must show of them, which can be their public identities.
func (p *planner) expect(keys []Key) {
	for i := range keys {
		source := p.cfg.P2PKeys[keys[i].Name].ExpectInLog
		text, ok := p.trimmed(source)
		if ok && strings.ContainsAny(text, "\r\n") {
			p.report(source, 1, &failure{message: "no line of a log holds a line break"})
		}
		keys[i].ExpectInLog = text
	}
}

// checkKeys reports keys that no pod can have, without rendering anything.
func (p *planner) checkKeys() {
	for _, name := range p.keyNames() {
		p.checkFormat(name)
		// An action in a path may give anything, but what stands around it is there for all pods.
		path := p.cfg.P2PKeys[name].Path
		literal := regexp.MustCompile(`(?s)\{\{.*?\}\}`).ReplaceAllString(path.Text, "…")
		if err := keyderive.CheckPath(literal); err != nil {
			p.report(path, 1, &failure{err.Error(), hint.Of(err)})
		}
	}
}

// checkFormat reports a key whose format is not fit for its type.
func (p *planner) checkFormat(name string) (ok bool) {
	cfg := p.cfg.P2PKeys[name]
	err := keyderive.Format(cfg.Format).Check(keyderive.Type(cfg.Type))
	if err != nil {
		p.reportAt(fmt.Sprintf("p2pKeys.%s.format", name), &failure{message: err.Error()})
	}
	return err == nil
}
