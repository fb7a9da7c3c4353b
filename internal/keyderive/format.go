package keyderive

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// Format is how a private key stands in its file.
type Format string

const (
	// Raw is the 32 bytes of the private key; of ed25519, the seed.
	Raw Format = "raw"
	// Hex is Raw in 64 lower-case digits, without 0x and newline, on which some nodes choke.
	Hex Format = "hex"
	// CometBFTJSON is CometBFT's node_key.json, for ed25519 only.
	CometBFTJSON Format = "cometbft-json"
	// LibP2PProtobuf is the PrivateKey message of the libp2p peer ID specification.
	LibP2PProtobuf Format = "libp2p-protobuf"
	// LibP2PProtobufHex is LibP2PProtobuf in lower-case digits after 0x, as Teku writes it.
	LibP2PProtobufHex Format = "libp2p-protobuf-hex"
	// LibP2PProtobufBase64 is LibP2PProtobuf in base64 of RFC 4648, section 4, with padding.
	LibP2PProtobufBase64 Format = "libp2p-protobuf-base64"
)

const (
	cometKeyType = "tendermint/PrivKeyEd25519" // also in CometBFT, which kept the name
	hexPrefix    = "0x"
)

// Words lists the formats.
func (Format) Words() []string {
	return []string{string(Raw), string(Hex), string(CometBFTJSON),
		string(LibP2PProtobuf), string(LibP2PProtobufHex), string(LibP2PProtobufBase64)}
}

// Check says whether a key of type t can be written in this format, and if not, in which it can.
func (f Format) Check(t Type) error {
	if err := checkWord("key type", t); err != nil {
		return err
	}
	if f == CometBFTJSON && t != Ed25519 {
		return fmt.Errorf("format %s is for %s keys only, and the key's type is %s", f, Ed25519, t)
	}
	return checkWord("format", f)
}

// Encode returns the content of a key file, which the caller wipes after use. It fails for a format that is not fit for
// the key's type, see [Format.Check], and for a key that has been wiped.
func (k *Key) Encode(f Format) ([]byte, error) {
	if err := f.Check(k.typ); err != nil {
		return nil, err
	}
	if k.private == nil {
		return nil, errors.New("the key has been wiped")
	}
	switch f {
	case Raw:
		return slices.Clone(k.private()), nil
	case Hex:
		return hex.AppendEncode(nil, k.private()), nil
	}
	data := k.libp2pData()
	defer clear(data)
	if f == CometBFTJSON { // as CometBFT's NodeKey.SaveAs writes it
		value := base64.StdEncoding.AppendEncode(nil, data)
		defer clear(value)
		return slices.Concat([]byte(`{"priv_key":{"type":"`+cometKeyType+`","value":"`), value, []byte(`"}}`)), nil
	}
	message := libp2pMessage(k.typ, data)
	if f == LibP2PProtobuf {
		return message, nil
	}
	defer clear(message)
	if f == LibP2PProtobufBase64 {
		return base64.StdEncoding.AppendEncode(nil, message), nil
	}
	return hex.AppendEncode([]byte(hexPrefix), message), nil
}

// libp2pData is the private key as libp2p and CometBFT have it: for ed25519, seed and public key.
func (k *Key) libp2pData() []byte {
	if k.typ == Ed25519 {
		return slices.Concat(k.private(), k.public)
	}
	return slices.Clone(k.private())
}

// libp2pMessage encodes a PublicKey or PrivateKey message of the libp2p peer ID specification,
// https://github.com/libp2p/specs/blob/master/peer-ids/peer-ids.md.
func libp2pMessage(t Type, data []byte) []byte { return append(libp2pHead(t, len(data)), data...) }

// libp2pHead is the four bytes before a message's data: field 1 is the key's type, a number of the enum KeyType, and field 2
// the data, shorter than 128 bytes for both types of keys, so that its length is one byte.
func libp2pHead(t Type, size int) []byte {
	keyType := byte(2)
	if t == Ed25519 {
		keyType = 1
	}
	return []byte{0x08, keyType, 0x12, byte(size)}
}

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

func decode(t Type, f Format, content []byte) (key *Key, err error) {
	data := content
	switch f {
	case CometBFTJSON:
		return decodeComet(content)
	case Hex, LibP2PProtobufHex:
		data, err = hex.AppendDecode(nil, bytes.TrimPrefix(withoutNewline(content), []byte(hexPrefix)))
		defer clear(data)
		if err != nil {
			return nil, errors.New("it is not made of pairs of hexadecimal digits")
		}
	case LibP2PProtobufBase64:
		data, err = base64.StdEncoding.Strict().AppendDecode(nil, withoutNewline(content))
		defer clear(data)
		if err != nil {
			return nil, errors.New("it is not base64")
		}
	}
	if f == Raw || f == Hex {
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
	data, ok := bytes.CutPrefix(message, libp2pHead(t, len(message)-4))
	switch {
	case !ok:
		return nil, errors.New("it is not a PrivateKey message of libp2p with a key of this type")
	case t == Ed25519:
		return decodePair(data)
	}
	return keyOf(t, data)
}

// decodePair reads the seed and the public key of ed25519.
func decodePair(pair []byte) (*Key, error) {
	if len(pair) != 2*keySize {
		return nil, fmt.Errorf("it has %d bytes, not %d of private and %d of public key", len(pair), keySize, keySize)
	}
	key, err := keyOf(Ed25519, pair[:keySize])
	if err == nil && !bytes.Equal(key.public, pair[keySize:]) {
		key.Wipe()
		return nil, errors.New("its public key is not that of its private key")
	}
	return key, err
}

// keyOf makes a key of a copy of private.
func keyOf(t Type, private []byte) (*Key, error) {
	if len(private) != keySize {
		return nil, fmt.Errorf("it has %d bytes, not %d", len(private), keySize)
	}
	own := [keySize]byte(private)
	return newKey(t, &own, multiplyOnce)
}
