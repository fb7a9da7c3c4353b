package keyfile

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/kubevali/kubevali/internal/atomicfile"
	"github.com/kubevali/kubevali/internal/hint"
	"github.com/kubevali/kubevali/internal/keyderive"
	"github.com/kubevali/kubevali/internal/procguard"
)

// ErrNoRoot is in the chain of errors about a root secret that is not here: its variable is not set, or its file does not
// exist. A root secret that is here and wrong is another matter.
var ErrNoRoot = errors.New("the root secret is not here")

// maxFile is the size of the largest root secret or key file that is read, in bytes.
const maxFile = 64 << 10

// Keyring knows root secrets and, where one is not here, what identities.json says of the keys made from it. It reads
// files when first asked. The zero value knows no variable yet, see [Keyring.Take]. It is safe for concurrent use.
type Keyring struct {
	mu     sync.Mutex // guards what follows
	wiped  bool
	env    map[string][]byte
	roots  map[rootUse]*keyderive.Root
	public map[Key]keyderive.Public // so that a fleet whose pods all name each other is derived only once
	listed map[string]listing       // by folder
}

type rootUse struct {
	source Source
	scheme keyderive.Scheme
}

// Take moves the root secrets that are in variables from environ, a list of name=value, into the keyring, removes them
// from this process's environment and keeps its memory from other processes. It returns what is left of environ, which
// stays as it is. Of several values of one name the first counts, as in os.Getenv; a variable that environ does not have
// keeps the value that was taken before. What was read from files is forgotten, and read anew when asked for; without
// roots, that is all that Take does. The warning is for the log: the secrets are not as safe as they should be.
func (k *Keyring) Take(environ []string, roots ...Source) (rest []string, warning error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.forget()
	var taken []string
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		switch {
		case !slices.Contains(roots, Source{Env: name}):
			rest = append(rest, entry)
		case !slices.Contains(taken, name):
			taken = append(taken, name)
			clear(k.env[name])
			keep(&k.env, name, []byte(value))
			os.Unsetenv(name) // fails only for a name that no environment has
		}
	}
	if len(roots) == 0 {
		return rest, nil
	}
	if err := procguard.Hide(taken...); err != nil {
		warning = fmt.Errorf("other processes of this user may read the root secret from this one's memory: %w", err)
	}
	return rest, warning
}

func (k *Keyring) forget() {
	for _, root := range k.roots {
		root.Wipe()
	}
	k.roots, k.public, k.listed = nil, nil, nil
}

func keep[K comparable, V any](in *map[K]V, key K, value V) {
	if *in == nil {
		*in = make(map[K]V)
	}
	(*in)[key] = value
}

// Wipe overwrites all secrets. The keyring is of no use any more.
func (k *Keyring) Wipe() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.forget()
	for _, secret := range k.env {
		clear(secret)
	}
	clear(k.env)
	k.wiped = true
}

// Require fails, with [ErrNoRoot] where that is the reason, unless the key's root secret is here and fit for its scheme.
func (k *Keyring) Require(key Key) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	_, err := k.root(key)
	return err
}

// Public returns what the world may know of a key: derived from the root or, where that is not here, as identities.json
// beside the key's file has it.
func (k *Keyring) Public(key Key) (keyderive.Public, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if public, ok := k.public[key]; ok {
		return public, nil
	}
	private, public, err := k.find(key)
	if err == nil {
		keep(&k.public, key, public)
	}
	private.Wipe()
	return public, err
}

// find returns both halves of a key; the private one, which the caller wipes, is nil where the root is not here.
func (k *Keyring) find(key Key) (private *keyderive.Key, public keyderive.Public, err error) {
	root, err := k.root(key)
	if errors.Is(err, ErrNoRoot) {
		public, err = k.lookUp(key)
		return nil, public, err
	}
	if err == nil {
		private, err = root.Derive(key.Type, key.Identity)
	}
	if err != nil {
		return nil, public, err
	}
	return private, private.Public(), nil
}

// root returns a key's root secret, which belongs to the keyring.
func (k *Keyring) root(key Key) (*keyderive.Root, error) {
	use := rootUse{key.Root, key.Scheme}
	if root := k.roots[use]; root != nil {
		return root, nil
	}
	secret, err := k.secret(key.Root)
	if err != nil {
		return nil, err
	}
	defer clear(secret)
	root, err := keyderive.NewRoot(key.Scheme, secret)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", cmp.Or(key.Root.Env, key.Root.File), err)
	}
	keep(&k.roots, use, root)
	return root, nil
}

// secret returns a copy of what a source holds, which the caller wipes.
func (k *Keyring) secret(source Source) ([]byte, error) {
	switch secret, ok := k.env[source.Env]; {
	case k.wiped:
		return nil, errors.New("the root secret has been wiped")
	case ok:
		return slices.Clone(secret), nil
	case source.Env != "":
		return nil, noRoot(source)
	}
	secret, err := atomicfile.Read(source.File, maxFile)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, noRoot(source)
	case err != nil:
		return nil, unreadable("the root secret in "+source.File, err, "set the Secret's defaultMode, or the pod's "+
			"securityContext.fsGroup")
	}
	return secret, nil
}

func noRoot(source Source) error {
	if source.Env != "" {
		return fmt.Errorf("%w (variable %s is not set)", ErrNoRoot, source.Env)
	}
	return fmt.Errorf("%w (there is no file %s)", ErrNoRoot, source.File)
}

// unreadable is the error for what is there and cannot be read. Where this process may not, allow says what helps.
func unreadable(what string, err error, allow string) error {
	if errors.Is(err, fs.ErrPermission) {
		err = hint.With(err, fmt.Sprintf("user %d may not: %s", os.Geteuid(), allow))
	}
	return fmt.Errorf("cannot read %s: %w", what, err)
}
