package keyderive

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
)

// Key is a private key with its public half. It is safe for concurrent use, apart from Wipe.
type Key struct {
	typ     Type
	private hidden // 32 bytes
	public  []byte // ed25519: 32 bytes; secp256k1: 65 bytes, uncompressed
}

const keySize = 32 // bytes of a private key, of either type

// newKey takes private over. It wipes it and fails for a secp256k1 key outside of [1, n-1], which no node accepts but
// libp2p, which reduces it modulo n.
func newKey(t Type, private *[keySize]byte, multiply multiplication) (*Key, error) {
	if t == Ed25519 {
		pair := ed25519.NewKeyFromSeed(private[:])
		defer clear(pair)
		return &Key{typ: t, private: hide(private[:]), public: slices.Clone(pair[keySize:])}, nil
	}
	var scalar secp256k1.ModNScalar
	defer scalar.Zero()
	if overflow := scalar.SetBytes(private); overflow != 0 || scalar.IsZero() {
		clear(private[:])
		return nil, fmt.Errorf("a %s key must lie in [1, n-1], and this one does not", Secp256k1)
	}
	var point secp256k1.JacobianPoint
	multiply(&scalar, &point)
	point.ToAffine()
	public := secp256k1.NewPublicKey(&point.X, &point.Y).SerializeUncompressed()
	return &Key{typ: t, private: hide(private[:]), public: public}, nil
}

// multiplication is of secp256k1's base point by k.
type multiplication func(k *secp256k1.ModNScalar, result *secp256k1.JacobianPoint)

// multiplyOnce is secp256k1.ScalarBaseMultNonConst without its table of the base point's multiples.
func multiplyOnce(k *secp256k1.ModNScalar, result *secp256k1.JacobianPoint) {
	var base secp256k1.JacobianPoint
	base.X.SetByteSlice(secp256k1.Params().Gx.Bytes())
	base.Y.SetByteSlice(secp256k1.Params().Gy.Bytes())
	base.Z.SetInt(1)
	secp256k1.ScalarMultNonConst(k, &base, result)
}

// Wipe overwrites the private key. What is public can still be asked for. A nil Key is left alone.
func (k *Key) Wipe() {
	if k != nil {
		k.private.wipe()
	}
}

// Public is what the world may know of a key: the names under which its owner is found. It holds no secret.
type Public struct {
	Type Type `json:"type"`
	// PublicKey is the public key in lower-case digits: 32 bytes for ed25519 (RFC 8032, section 5.1.2), 33 bytes,
	// compressed, for secp256k1 (SEC 1, section 2.3.3).
	PublicKey string `json:"publicKey"`
	// PeerID is libp2p's name for the node, as 12D3Koo… (ed25519) or 16Uiu2… (secp256k1). Source: the libp2p peer ID
	// specification, https://github.com/libp2p/specs/blob/master/peer-ids/peer-ids.md
	PeerID string `json:"peerID"`
	// Enode is the node ID in an enode:// URL: the 64 bytes of the public key's coordinates in lower-case digits. Only for
	// secp256k1. Source: https://ethereum.org/developers/docs/networking-layer/network-addresses/#enode
	Enode string `json:"enode,omitempty"`
	// CometNodeID is CometBFT's name for the node: the first 20 bytes of the public key's SHA-256 in lower-case digits.
	// Only for ed25519. Source: https://docs.cometbft.com, "Peer Identity" in the P2P specification.
	CometNodeID string `json:"cometNodeID,omitempty"`
}

// Public returns the key's public identities.
func (k *Key) Public() Public {
	if k.typ == Ed25519 {
		sum := sha256.Sum256(k.public)
		return Public{
			Type:        k.typ,
			PublicKey:   hex.EncodeToString(k.public),
			PeerID:      peerID(k.typ, k.public),
			CometNodeID: hex.EncodeToString(sum[:20]),
		}
	}
	x, y := k.public[1:33], k.public[33:]
	compressed := slices.Concat([]byte{0x02 | y[31]&1}, x)
	return Public{
		Type:      k.typ,
		PublicKey: hex.EncodeToString(compressed),
		PeerID:    peerID(k.typ, compressed),
		Enode:     hex.EncodeToString(k.public[1:]),
	}
}

// peerID wraps the PublicKey message in the multihash that hashes nothing (code 0x00, then the length, see
// https://multiformats.io/multihash/), as the specification asks for messages of up to 42 bytes; these have 36 or 37.
func peerID(t Type, publicKey []byte) string {
	message := libp2pMessage(t, publicKey)
	return base58(slices.Concat([]byte{0x00, byte(len(message))}, message))
}

// base58 is Bitcoin's encoding, known to multiformats as base58btc: the number that data is, big-endian, in base 58,
// after a 1 for each zero byte at the start.
func base58(data []byte) string {
	const (
		alphabet = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
		digits   = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUV" // of big.Int.Text
	)
	zeros := len(data) - len(bytes.TrimLeft(data, "\x00"))
	number := strings.TrimPrefix(new(big.Int).SetBytes(data).Text(len(alphabet)), "0")
	return strings.Map(func(digit rune) rune { return rune(alphabet[strings.IndexRune(digits, digit)]) },
		strings.Repeat("0", zeros)+number)
}

// hidden is secret bytes behind a function; nil once wiped. fmt prints the unexported fields of a struct whatever their
// methods say, and with a verb that does not fit even what a pointer among them points to; of a function it only knows the
// address.
type hidden func() []byte

func hide(secret []byte) hidden { return func() []byte { return secret } }

func (h *hidden) wipe() {
	if *h != nil {
		clear((*h)())
		*h = nil
	}
}
