package keyfile

import (
	"errors"
	"fmt"
	"path/filepath"
	"sync"

	"github.com/kubevali/kubevali/internal/keyderive"
)

// Keyring knows root secrets and, where one is not here, what identities.json says of the keys made from it. It reads both
// when first asked. It is safe for concurrent use.
type Keyring struct {
	standIn bool

	mu     sync.Mutex // guards what follows
	wiped  bool
	env    map[string][]byte
	roots  map[rootUse]*keyderive.Root
	public map[publicKey]keyderive.Public // so that a fleet whose pods all name each other is derived only once
	listed map[string]listing             // by folder
}

type rootUse struct {
	source Source
	scheme keyderive.Scheme
}

type publicKey struct {
	spec     Spec
	identity keyderive.Identity
}

// NewKeyring returns a keyring that knows no variable yet, see [Keyring.TakeEnv].
func NewKeyring() *Keyring {
	k := &Keyring{env: make(map[string][]byte)}
	k.reset()
	return k
}

// NewStandIn returns a keyring that makes up each root secret, to see what a configuration that nobody has the root of
// would come to.
func NewStandIn() *Keyring {
	k := NewKeyring()
	k.standIn = true
	return k
}

// Reset wipes the roots and forgets what was read from files, which is then read again. Variables stay.
func (k *Keyring) Reset() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.reset()
}

func (k *Keyring) reset() {
	for _, root := range k.roots {
		root.Wipe()
	}
	k.roots = make(map[rootUse]*keyderive.Root)
	k.public = make(map[publicKey]keyderive.Public)
	k.listed = make(map[string]listing)
}

// Wipe overwrites all secrets. The keyring is of no use any more.
func (k *Keyring) Wipe() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.reset()
	for _, secret := range k.env {
		clear(secret)
	}
	clear(k.env)
	k.wiped = true
}

// Require fails, with [ErrNoRoot] where that is the reason, unless the spec's root secret is here and fit for its scheme.
func (k *Keyring) Require(spec Spec) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	_, err := k.root(spec.Root, spec.Scheme)
	return err
}

// Public returns what the world may know of the key that spec and id describe: derived from the root or, where that is
// not here, as identities.json beside the key's file has it.
func (k *Keyring) Public(spec Spec, id keyderive.Identity) (keyderive.Public, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	which := publicKey{spec, id}
	if public, ok := k.public[which]; ok {
		return public, nil
	}
	public, err := k.find(spec, id)
	if err != nil {
		return keyderive.Public{}, err
	}
	k.public[which] = public
	return public, nil
}

func (k *Keyring) find(spec Spec, id keyderive.Identity) (keyderive.Public, error) {
	key, err := k.derive(spec, id)
	if errors.Is(err, ErrNoRoot) {
		return k.lookUp(spec, err)
	}
	if err != nil {
		return keyderive.Public{}, err
	}
	defer key.Wipe()
	return key.Public(), nil
}

// derive returns a key for the caller to wipe.
func (k *Keyring) derive(spec Spec, id keyderive.Identity) (*keyderive.Key, error) {
	root, err := k.root(spec.Root, spec.Scheme)
	if err != nil {
		return nil, err
	}
	return root.Derive(spec.Type, id)
}

// lookUp asks identities.json beside the key's file. noRoot is why.
func (k *Keyring) lookUp(spec Spec, noRoot error) (keyderive.Public, error) {
	folder := filepath.Dir(spec.Path)
	listed, ok := k.listed[folder]
	if !ok {
		listed = readListing(folder)
		k.listed[folder] = listed
	}
	if listed.err != nil {
		return keyderive.Public{}, fmt.Errorf("%w, nor is there a list of identities to go by: %w; pass the root secret in, or "+
			"have an init container run `kubevali key write` into a volume that is mounted at %s here too",
			noRoot, listed.err, folder)
	}
	path := filepath.Join(folder, IdentitiesName)
	public, ok := listed.keys[entry{spec.Namespace, spec.Pod, spec.Name}]
	switch {
	case !ok:
		return keyderive.Public{}, fmt.Errorf("%w, and %s does not know key %s of pod %s in namespace %s (it knows %s): have "+
			"`kubevali key write` run again, with this configuration and a fleet.replicas that counts this pod in",
			noRoot, path, spec.Name, spec.Pod, spec.Namespace, listed.known(spec))
	case public.Type != spec.Type:
		return keyderive.Public{}, fmt.Errorf("%w, and by %s key %s is of type %q, not %s: have `kubevali key write` run again, "+
			"with this configuration", noRoot, path, spec.Name, string(public.Type), spec.Type)
	}
	return public, nil
}
