package keyderive

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
)

// ErrSigningKey is the error of [DecodeKey] for the key of a CometBFT validator. Such a file must never be overwritten,
// whatever the configuration says.
var ErrSigningKey = errors.New("it is a validator's signing key (it has an address), not a node's P2P key")

// DecodeKey reads a key file's content back, the way the nodes do that are more lenient than [Key.Encode] is: the text
// formats may end in one LF or CRLF, and hexadecimal digits may be upper case and follow 0x. So two contents can hold
// the same key; only Encode's is fit for every node. Errors do not show the content.
func DecodeKey(t Type, f Format, content []byte) (*Key, error) {
	if err := f.Check(t); err != nil {
		return nil, err
	}
	key, err := decode(t, f, content)
	if err != nil {
		return nil, fmt.Errorf("no %s key in format %s: %w", t, f, err)
	}
	return key, nil
}

func decode(t Type, f Format, content []byte) (*Key, error) {
	switch f {
	case Raw:
		return keyOf(t, content)
	case CometBFTJSON:
		return decodeComet(content)
	case LibP2PProtobuf:
		return decodeProtobuf(t, content)
	case LibP2PProtobufBase64:
		message, err := base64.StdEncoding.Strict().AppendDecode(nil, withoutNewline(content))
		defer clear(message)
		if err != nil {
			return nil, errors.New("it is not base64")
		}
		return decodeProtobuf(t, message)
	}
	digits := bytes.TrimPrefix(withoutNewline(content), []byte(hexPrefix))
	data, err := hex.AppendDecode(nil, digits)
	defer clear(data)
	if err != nil {
		return nil, errors.New("it is not made of pairs of hexadecimal digits")
	}
	if f == Hex {
		return keyOf(t, data)
	}
	return decodeProtobuf(t, data)
}

func decodeComet(content []byte) (*Key, error) {
	var file struct {
		Address json.RawMessage `json:"address"` // only in priv_validator_key.json, which has the same priv_key
		PubKey  json.RawMessage `json:"pub_key"` // likewise
		PrivKey struct {
			Type  string `json:"type"`
			Value []byte `json:"value"`
		} `json:"priv_key"`
	}
	err := json.Unmarshal(content, &file)
	defer clear(file.PrivKey.Value)
	switch {
	case file.Address != nil || file.PubKey != nil:
		return nil, ErrSigningKey
	case err != nil:
		return nil, errors.New("it is not a JSON object with priv_key.type and priv_key.value, a base64 text")
	case file.PrivKey.Type != cometKeyType:
		return nil, fmt.Errorf("its priv_key.type is not %s", cometKeyType)
	}
	return decodePair(file.PrivKey.Value)
}

func decodeProtobuf(t Type, message []byte) (*Key, error) {
	if len(message) < 4 || message[0] != 0x08 || message[2] != 0x12 || int(message[3]) != len(message)-4 {
		return nil, errors.New("it is not a PrivateKey message of libp2p")
	}
	if message[1] != libp2pType(t) {
		return nil, errors.New("it is a key of another type")
	}
	if t == Ed25519 {
		return decodePair(message[4:])
	}
	return keyOf(t, message[4:])
}

// decodePair reads the seed and the public key of ed25519.
func decodePair(pair []byte) (*Key, error) {
	if len(pair) != 2*keySize {
		return nil, fmt.Errorf("it has %d bytes, not %d of private and %d of public key", len(pair), keySize, keySize)
	}
	key, err := keyOf(Ed25519, pair[:keySize])
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(key.public, pair[keySize:]) {
		key.Wipe()
		return nil, errors.New("its public key is not that of its private key")
	}
	return key, nil
}

// keyOf makes a key of a copy of private.
func keyOf(t Type, private []byte) (*Key, error) {
	if len(private) != keySize {
		return nil, fmt.Errorf("it has %d bytes, not %d", len(private), keySize)
	}
	own := [keySize]byte(private)
	key, err := newKey(t, &own, onePoint)
	if err != nil {
		clear(own[:])
	}
	return key, err
}
