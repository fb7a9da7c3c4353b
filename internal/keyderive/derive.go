package keyderive

import (
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
)

const (
	hkdfSalt = "kubevali/p2p/v1"
	keySize  = 32 // bytes of a private key, of either type

	// fleetSize is how many keys of one root are derived before the table of secp256k1 is loaded. The table saves two
	// thirds of each multiplication's time, but loading it takes as long as some seventy multiplications and 4 MiB.
	fleetSize = 64
)

// candidates makes the private key with the given counter, from 0, that may turn out not to be a valid one.
type candidates func(counter uint64) (*[keySize]byte, error)

// Derive returns the key of the given type that belongs to id. It fails when the identity is not fit for the root's
// scheme, see [Identity], and when the root has been wiped.
func (r *Root) Derive(t Type, id Identity) (*Key, error) {
	if r.secret == nil {
		return nil, errors.New("the root secret has been wiped")
	}
	if err := t.check(); err != nil {
		return nil, err
	}
	if err := id.check(r.scheme); err != nil {
		return nil, err
	}
	use := onePoint
	if r.derived.Add(1) > fleetSize {
		use = manyPoints
	}
	return firstValid(t, use, r.candidates(t, id))
}

func (r *Root) candidates(t Type, id Identity) candidates {
	if r.scheme == RSS3SHA256 {
		return func(counter uint64) (*[keySize]byte, error) { return rss3(r.secret(), id, counter) }
	}
	return func(counter uint64) (*[keySize]byte, error) {
		okm, err := hkdf.Key(sha256.New, r.secret(), []byte(hkdfSalt), id.info(t, counter), keySize)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", HKDFSHA256, err)
		}
		return (*[keySize]byte)(okm), nil
	}
}

func rss3(secret []byte, id Identity, counter uint64) (*[keySize]byte, error) {
	if counter > 0 {
		return nil, fmt.Errorf("%s has no valid %s key for pod %s in namespace %s; use %s",
			RSS3SHA256, Secp256k1, id.Pod, id.Namespace, HKDFSHA256)
	}
	tail := "-" + id.Namespace + "-" + id.Pod + "\n"
	line := make([]byte, 0, len(secret)+len(tail)) // of the final size, so that no copy is left where append outgrew it
	line = append(append(line, secret...), tail...)
	defer clear(line)
	sum := sha256.Sum256(line)
	return &sum, nil
}

// firstValid takes the first candidate that is a valid private key. For secp256k1 a candidate is not with a probability
// of 2^-128, for ed25519 never.
func firstValid(t Type, use pointUse, next candidates) (*Key, error) {
	for counter := uint64(0); ; counter++ {
		private, err := next(counter)
		if err != nil {
			return nil, err
		}
		key, err := newKey(t, private, use)
		if err == nil {
			return key, nil
		}
		clear(private[:])
	}
}
