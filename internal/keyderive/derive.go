package keyderive

import (
	"cmp"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
)

// defaultKey is the key whose name is left out of the derivation.
const defaultKey = "node"

// Identity says whose key it is. The namespace and the pod must be known, never guessed: two pods with one identity have
// one key.
type Identity struct {
	Namespace string
	Pod       string
	Scope     string // network or cluster, keeps two clusters with one root apart; may be empty
	Key       string // the key's name in the configuration; empty is the same as node
	Epoch     uint64 // raised to get another key
}

func (id Identity) check(scheme Scheme) error {
	if id.Namespace == "" {
		return errors.New("the pod's namespace is empty, and its keys depend on it")
	}
	if id.Pod == "" {
		return errors.New("the pod's name is empty, and its keys depend on it")
	}
	for _, part := range [...]struct{ name, value string }{
		{"the namespace", id.Namespace}, {"the pod's name", id.Pod}, {"the scope", id.Scope}, {"the key's name", id.Key},
	} {
		if strings.Contains(part.value, "\x00") {
			return fmt.Errorf("%s %q holds a NUL byte, which separates the parts of an identity", part.name, part.value)
		}
	}
	if scheme == RSS3SHA256 {
		return id.checkRSS3()
	}
	return nil
}

// checkRSS3 refuses what rss3-sha256 would ignore, as keys would then be the same where they are meant to differ, and
// names that the charts' shell would change.
func (id Identity) checkRSS3() error {
	if id.Scope != "" {
		return fmt.Errorf("scheme %s knows no scope; leave it out or use %s", RSS3SHA256, HKDFSHA256)
	}
	if id.Epoch != 0 {
		return fmt.Errorf("scheme %s knows no epoch; to rotate, use %s", RSS3SHA256, HKDFSHA256)
	}
	for _, name := range [...]string{id.Namespace, id.Pod} {
		if what := alteredByShell([]byte(name)); what != "" {
			return fmt.Errorf("%q holds %s, which no name of a pod or namespace does", name, what)
		}
	}
	return nil
}

// info is the context that HKDF binds a candidate to.
func (id Identity) info(t Type, counter uint64) string {
	key := id.Key
	if key == defaultKey {
		key = ""
	}
	return strings.Join([]string{
		string(t), id.Scope, id.Namespace, id.Pod, key, strconv.FormatUint(id.Epoch, 10), strconv.FormatUint(counter, 10),
	}, "\x00")
}

const (
	hkdfSalt = "kubevali/p2p/v1"
	keySize  = 32 // bytes of a private key, of either type

	// fleetSize is how many keys of one root are derived before the table of secp256k1 is loaded. The table saves two
	// thirds of each multiplication's time, but loading it takes as long as some seventy multiplications and 4 MiB.
	fleetSize = 64
)

// Derive returns the key of the given type that belongs to id. It fails when the identity is not fit for the root's
// scheme, see [Identity], and when the root has been wiped.
func (r *Root) Derive(t Type, id Identity) (*Key, error) {
	if r.secret == nil {
		return nil, errors.New("the root secret has been wiped")
	}
	if err := cmp.Or(t.check(), id.check(r.scheme)); err != nil {
		return nil, err
	}
	multiply := multiplyOnce
	if r.derived.Add(1) > fleetSize {
		multiply = secp256k1.ScalarBaseMultNonConst
	}
	return firstValid(t, multiply, func(counter uint64) (*[keySize]byte, error) { return r.candidate(t, id, counter) })
}

// firstValid takes the first candidate, counted from 0, that is a valid private key. For secp256k1 a candidate is not with
// a probability of 2^-128, for ed25519 never.
func firstValid(t Type, multiply multiplication, candidate func(counter uint64) (*[keySize]byte, error)) (*Key, error) {
	for counter := uint64(0); ; counter++ {
		private, err := candidate(counter)
		if err != nil {
			return nil, err
		}
		key, err := newKey(t, private, multiply)
		if err == nil {
			return key, nil
		}
		clear(private[:])
	}
}

func (r *Root) candidate(t Type, id Identity, counter uint64) (*[keySize]byte, error) {
	secret := r.secret()
	if r.scheme == HKDFSHA256 {
		okm, err := hkdf.Key(sha256.New, secret, []byte(hkdfSalt), id.info(t, counter), keySize)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", HKDFSHA256, err)
		}
		return (*[keySize]byte)(okm), nil
	}
	if counter > 0 {
		return nil, fmt.Errorf("%s has no valid %s key for pod %s in namespace %s; use %s",
			RSS3SHA256, Secp256k1, id.Pod, id.Namespace, HKDFSHA256)
	}
	line := slices.Concat(secret, []byte("-"+id.Namespace+"-"+id.Pod+"\n"))
	defer clear(line)
	sum := sha256.Sum256(line)
	return &sum, nil
}
