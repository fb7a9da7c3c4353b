// Command libp2p reads a key file with go-libp2p, and prints whose it is:
//
//	libp2p TYPE FORMAT FILE
//
// TYPE and FORMAT are kubevali's words for them.
package main

import (
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
)

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: libp2p TYPE FORMAT FILE")
		os.Exit(2)
	}
	id, err := peerID(os.Args[1], os.Args[2], os.Args[3])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(id)
}

func peerID(keyType, format, file string) (peer.ID, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	key, err := decode(keyType, format, content)
	if err != nil {
		return "", err
	}
	if key.Type().String() != map[string]string{"ed25519": "Ed25519", "secp256k1": "Secp256k1"}[keyType] {
		return "", fmt.Errorf("it is a key of the type %s", key.Type())
	}
	return peer.IDFromPrivateKey(key)
}

func decode(keyType, format string, content []byte) (crypto.PrivKey, error) {
	switch format {
	case "raw":
		return fromBytes(keyType, content)
	case "hex":
		return fromHex(string(content), func(key []byte) (crypto.PrivKey, error) { return fromBytes(keyType, key) })
	case "libp2p-protobuf":
		return crypto.UnmarshalPrivateKey(content)
	case "libp2p-protobuf-hex":
		digits, found := strings.CutPrefix(string(content), "0x")
		if !found {
			return nil, errors.New("it does not begin with 0x")
		}
		return fromHex(digits, crypto.UnmarshalPrivateKey)
	case "libp2p-protobuf-base64":
		key, err := crypto.ConfigDecodeKey(string(content))
		if err != nil {
			return nil, err
		}
		return crypto.UnmarshalPrivateKey(key)
	}
	return nil, fmt.Errorf("the format %q is not libp2p's", format)
}

func fromHex(digits string, decode func([]byte) (crypto.PrivKey, error)) (crypto.PrivKey, error) {
	key, err := hex.DecodeString(digits)
	if err != nil {
		return nil, err
	}
	return decode(key)
}

func fromBytes(keyType string, key []byte) (crypto.PrivKey, error) {
	if keyType == "secp256k1" {
		return crypto.UnmarshalSecp256k1PrivateKey(key)
	}
	if len(key) != ed25519.SeedSize {
		return nil, fmt.Errorf("%d bytes, want %d", len(key), ed25519.SeedSize)
	}
	full := ed25519.NewKeyFromSeed(key)
	private, _, err := crypto.KeyPairFromStdKey(&full)
	return private, err
}
