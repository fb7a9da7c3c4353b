package keyderive

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
)

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
	const alphabet = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
	digits := make([]byte, 0, 2*len(data)) // the lowest first
	for _, b := range data {
		carry := int(b)
		for i, digit := range digits {
			carry += int(digit) << 8
			digits[i] = byte(carry % 58)
			carry /= 58
		}
		for ; carry > 0; carry /= 58 {
			digits = append(digits, byte(carry%58))
		}
	}
	for _, b := range data {
		if b != 0 {
			break
		}
		digits = append(digits, 0)
	}
	slices.Reverse(digits)
	for i, digit := range digits {
		digits[i] = alphabet[digit]
	}
	return string(digits)
}
