package keyderive

import (
	"encoding/base64"
	"encoding/hex"
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
	return []string{string(Raw), string(Hex), string(CometBFTJSON), string(LibP2PProtobuf), string(LibP2PProtobufHex), string(LibP2PProtobufBase64)}
}

// Check says whether a key of type t can be written in this format, and if not, in which it can.
func (f Format) Check(t Type) error {
	if err := t.check(); err != nil {
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
		return nil, errWiped
	}
	switch f {
	case Raw:
		return slices.Clone(k.private()), nil
	case Hex:
		return hex.AppendEncode(nil, k.private()), nil
	case CometBFTJSON:
		return k.cometJSON(), nil
	}
	message := k.protobuf()
	if f == LibP2PProtobuf {
		return message, nil
	}
	defer clear(message)
	if f == LibP2PProtobufBase64 {
		return base64.StdEncoding.AppendEncode(nil, message), nil
	}
	text := make([]byte, 0, len(hexPrefix)+hex.EncodedLen(len(message)))
	return hex.AppendEncode(append(text, hexPrefix...), message), nil
}

// cometJSON is what CometBFT's NodeKey.SaveAs writes. The value is the seed and the public key.
func (k *Key) cometJSON() []byte {
	const head, tail = `{"priv_key":{"type":"` + cometKeyType + `","value":"`, `"}}`
	pair := k.libp2pData()
	defer clear(pair)
	text := make([]byte, 0, len(head)+base64.StdEncoding.EncodedLen(len(pair))+len(tail))
	text = base64.StdEncoding.AppendEncode(append(text, head...), pair)
	return append(text, tail...)
}

// protobuf is the PrivateKey message of https://github.com/libp2p/specs/blob/master/peer-ids/peer-ids.md
func (k *Key) protobuf() []byte {
	data := k.libp2pData()
	defer clear(data)
	return libp2pMessage(k.typ, data)
}

// libp2pData is the private key as libp2p and CometBFT have it: for ed25519, seed and public key.
func (k *Key) libp2pData() []byte {
	if k.typ == Ed25519 {
		return slices.Concat(k.private(), k.public)
	}
	return slices.Clone(k.private())
}

// libp2pMessage encodes a PublicKey or PrivateKey message of libp2p: field 1 is the key's type, field 2 its data. Data is
// shorter than 128 bytes for both types of keys, so that its length is one byte.
func libp2pMessage(t Type, data []byte) []byte {
	const headSize = 4
	message := make([]byte, 0, headSize+len(data))
	message = append(message, 0x08, libp2pType(t), 0x12, byte(len(data)))
	return append(message, data...)
}

// libp2pType is the type's number in the enum KeyType of the libp2p peer ID specification.
func libp2pType(t Type) byte {
	if t == Ed25519 {
		return 1
	}
	return 2
}
