// Package keyderive turns one root secret and a pod's identity into the pod's P2P key, and knows how nodes read such a
// key and under which public names the key's owner is known. It is pure: it opens no file, reads no environment
// variable and logs nothing; nor does it know the configuration. Keys for consensus, validators or block signing are none
// of its business, see [CheckPath].
//
// Invariants:
//
//   - Same root, scheme, type and identity: same key, in every version of this package.
//   - A key is valid: a secp256k1 key lies in [1, n-1], and no two identities share the input of hkdf-sha256.
//   - Neither a root secret nor a private key is part of an error, and printing or marshalling a [Root] or [Key] does not
//     show it.
//
// Wiping is best effort: Go may have left copies on stacks, and the arithmetic of secp256k1 does not run in constant
// time. Both matter to somebody inside of the process only, who can read the root secret anyway.
package keyderive

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubevali/kubevali/internal/hint"
)

// Scheme is the way from a root secret and an identity to a key.
type Scheme string

const (
	// HKDFSHA256 is HKDF of RFC 5869 with SHA-256. The salt is the text kubevali/p2p/v1; the info is type, scope,
	// namespace, pod, key name, epoch and counter, separated by NUL bytes, with both numbers in decimal.
	HKDFSHA256 Scheme = "hkdf-sha256"
	// RSS3SHA256 is what the charts for RSS3 VSL do with `echo ${ROOT}-${NAMESPACE}-${POD} | openssl sha256`: the SHA-256 of
	// root, namespace and pod with hyphens between them and a newline at the end. It is for pods that have such keys
	// already: the key's name and type make no difference, and namespace a with pod b-c-0 has the key of a-b with c-0.
	RSS3SHA256 Scheme = "rss3-sha256"
)

// Words lists the schemes.
func (Scheme) Words() []string { return []string{string(HKDFSHA256), string(RSS3SHA256)} }

// Type is the curve that a key is for.
type Type string

const (
	Ed25519   Type = "ed25519"   // RFC 8032; the private key is the 32-byte seed
	Secp256k1 Type = "secp256k1" // SEC 2, section 2.4.1; the private key is 32 bytes, big-endian
)

// Words lists the types.
func (Type) Words() []string { return []string{string(Secp256k1), string(Ed25519)} }

func checkWord[T interface {
	~string
	Words() []string
}](what string, word T) error {
	if words := word.Words(); !slices.Contains(words, string(word)) {
		return fmt.Errorf("unknown %s %q; use %s", what, string(word), hint.OneOf(words))
	}
	return nil
}

// CheckPath refuses a path where a consensus, validator or block-signing key would stand: one with an element, that is a
// file or folder, whose name holds priv_validator (CometBFT) or keystore (Ethereum's clients, Substrate), or begins
// with validator (NEAR, Solana, the validators folder of Ethereum's clients), in upper or lower case. Elements that a
// .. takes back count too, as behind a symbolic link they may not be taken back. Links themselves it cannot see: a
// caller who follows them asks again for what they lead to.
//
// P2P keys may be derived because two nodes with one such key are a nuisance. Two nodes with one signing key sign twice,
// and are slashed for it.
func CheckPath(path string) error {
	for element := range strings.SplitSeq(path, "/") {
		// Upper case first: the letters that are an s or a k only for case-insensitive file systems become one by it.
		name := strings.ToLower(strings.ToUpper(element))
		if strings.Contains(name, "priv_validator") || strings.Contains(name, "keystore") || strings.HasPrefix(name, "validator") {
			return hint.New(fmt.Sprintf("path %q: %q is a name for consensus or validator signing keys, and these are never derived "+
				"or written, as two nodes that sign with one key are slashed", path, element), "choose another path")
		}
	}
	return nil
}
