package keyderive

import (
	"crypto/ed25519"
	"crypto/subtle"
	"errors"
	"fmt"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
)

var errWiped = errors.New("the key has been wiped")

// Key is a private key with its public half. It is safe for concurrent use, apart from Wipe.
type Key struct {
	redacted
	typ     Type
	private hidden // 32 bytes; nil once wiped
	public  []byte // ed25519: 32 bytes; secp256k1: 65 bytes, uncompressed
}

// newKey takes private over. It fails for a secp256k1 key outside of [1, n-1], which no node accepts but libp2p, which
// reduces it modulo n.
func newKey(t Type, private *[keySize]byte, use pointUse) (*Key, error) {
	if t == Ed25519 {
		pair := ed25519.NewKeyFromSeed(private[:])
		defer clear(pair)
		return &Key{typ: t, private: hide(private[:]), public: append([]byte(nil), pair[keySize:]...)}, nil
	}
	var scalar secp256k1.ModNScalar
	defer scalar.Zero()
	if overflow := scalar.SetBytes(private); overflow != 0 || scalar.IsZero() {
		return nil, fmt.Errorf("a %s key must lie in [1, n-1], and this one does not", Secp256k1)
	}
	return &Key{typ: t, private: hide(private[:]), public: use.publicKey(&scalar).SerializeUncompressed()}, nil
}

// pointUse is how many public keys of secp256k1 will be asked for.
type pointUse int

const (
	onePoint   pointUse = iota
	manyPoints          // enough to make the library's table of the base point's multiples pay off
)

func (u pointUse) publicKey(scalar *secp256k1.ModNScalar) *secp256k1.PublicKey {
	var point secp256k1.JacobianPoint
	if u == manyPoints {
		secp256k1.ScalarBaseMultNonConst(scalar, &point)
	} else {
		curve := secp256k1.Params()
		var base secp256k1.JacobianPoint
		base.X.SetByteSlice(curve.Gx.Bytes())
		base.Y.SetByteSlice(curve.Gy.Bytes())
		base.Z.SetInt(1)
		secp256k1.ScalarMultNonConst(scalar, &base, &point)
	}
	point.ToAffine()
	return secp256k1.NewPublicKey(&point.X, &point.Y)
}

// Type returns the curve that the key is for.
func (k *Key) Type() Type { return k.typ }

// Equal says whether k and other are the same key. It takes the same time whatever the private keys are. A key that has
// been wiped is equal to none.
func (k *Key) Equal(other *Key) bool {
	if k.private == nil || other.private == nil || k.typ != other.typ {
		return false
	}
	return subtle.ConstantTimeCompare(k.private(), other.private()) == 1
}

// Wipe overwrites the private key. What is public can still be asked for. A nil Key is left alone.
func (k *Key) Wipe() {
	if k == nil || k.private == nil {
		return
	}
	clear(k.private())
	k.private = nil
}
