package keyderive_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/kubevali/kubevali/internal/keyderive"
)

// The seed and public key of RFC 8032, section 7.1, test 1.
const (
	edSeed   = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"
	edPublic = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
	edValue  = "nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2DXWpgBgrEKt9VL/tPJZAc6DuFy89qmIyWvAhpo9wdRGg=="
	edJSON   = `{"priv_key":{"type":"tendermint/PrivKeyEd25519","value":"` + edValue + `"}}`
	edProto  = "08011240" + edSeed + edPublic
	secpN    = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141"
)

func TestDecodeLeniently(t *testing.T) {
	want, err := keyderive.DecodeKey(keyderive.Ed25519, keyderive.Hex, []byte(edSeed))
	if err != nil || want.Public().PublicKey != edPublic {
		t.Fatalf("the reference: %v", err)
	}
	tests := []struct {
		format  keyderive.Format
		content string
	}{
		{keyderive.Hex, edSeed + "\n"},
		{keyderive.Hex, edSeed + "\r\n"},
		{keyderive.Hex, "0x" + edSeed},
		{keyderive.Hex, strings.ToUpper(edSeed)},
		{keyderive.LibP2PProtobufHex, edProto},
		{keyderive.LibP2PProtobufHex, "0x" + edProto + "\n"},
		{keyderive.LibP2PProtobufBase64, b64(t, edProto) + "\n"},
		{keyderive.CometBFTJSON, edJSON + "\n"},
		{keyderive.CometBFTJSON, "{\n \"id\": \"x\", \"priv_key\": {\"value\": \"" + edValue +
			"\", \"type\": \"tendermint/PrivKeyEd25519\"}\n}\n"},
	}
	for _, test := range tests {
		got, err := keyderive.DecodeKey(keyderive.Ed25519, test.format, []byte(test.content))
		if err != nil || got.Public() != want.Public() {
			t.Errorf("%s %q: not the key: %v", test.format, test.content, err)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	const ed, secp = keyderive.Ed25519, keyderive.Secp256k1
	raw := unhex(t, edSeed)
	otherPublic := strings.Replace(edProto, edPublic, edSeed, 1)
	tests := []struct {
		name    string
		typ     keyderive.Type
		format  keyderive.Format
		content string
		want    string
	}{
		{"empty", ed, keyderive.Raw, "", "0 bytes"},
		{"31 bytes", ed, keyderive.Raw, raw[:31], "31 bytes"},
		{"a newline in binary", ed, keyderive.Raw, raw + "\n", "33 bytes"},
		{"zero", secp, keyderive.Raw, strings.Repeat("\x00", 32), "[1, n-1]"},
		{"n", secp, keyderive.Hex, secpN, "[1, n-1]"},
		{"n in a message", secp, keyderive.LibP2PProtobufHex, "08021220" + secpN, "[1, n-1]"},
		{"empty", ed, keyderive.Hex, "", "0 bytes"},
		{"short", ed, keyderive.Hex, edSeed[2:], "31 bytes"},
		{"odd", ed, keyderive.Hex, edSeed[1:], "hexadecimal"},
		{"two newlines", ed, keyderive.Hex, edSeed + "\n\n", "hexadecimal"},
		{"blank", ed, keyderive.Hex, " " + edSeed, "hexadecimal"},
		{"not hexadecimal", ed, keyderive.Hex, "g" + edSeed[1:], "hexadecimal"},
		{"no JSON", ed, keyderive.CometBFTJSON, edSeed, "JSON"},
		{"more after the JSON", ed, keyderive.CometBFTJSON, edJSON + edJSON, "JSON"},
		{"no value", ed, keyderive.CometBFTJSON, `{"priv_key":{"type":"tendermint/PrivKeyEd25519"}}`, "0 bytes"},
		{"value no text", ed, keyderive.CometBFTJSON, strings.Replace(edJSON, `"`+edValue+`"`, "12345678", 1), "JSON"},
		{"another type", ed, keyderive.CometBFTJSON, strings.Replace(edJSON, "Ed25519", "Secp256k1", 1), "priv_key.type"},
		{"a type for another format", secp, keyderive.CometBFTJSON, edJSON, "ed25519 keys only"},
		{"message of another type", secp, keyderive.LibP2PProtobufHex, edProto, "of this type"},
		{"message of another length", ed, keyderive.LibP2PProtobufHex, "0801123f" + edProto[8:], "PrivateKey message"},
		{"message with more", ed, keyderive.LibP2PProtobufHex, edProto + "00", "PrivateKey message"},
		{"short message", ed, keyderive.LibP2PProtobuf, "\x08\x01\x12", "PrivateKey message"},
		{"empty message", ed, keyderive.LibP2PProtobuf, "\x08\x01\x12\x00", "0 bytes"},
		{"public key of another", ed, keyderive.LibP2PProtobufHex, otherPublic, "public key"},
		{"not base64", ed, keyderive.LibP2PProtobufBase64, edProto[:63] + "!", "base64"},
		{"unknown format", ed, "pem", edSeed, `"pem"`},
		{"unknown type", "rsa", keyderive.Hex, edSeed, `"rsa"`},
	}
	for _, test := range tests {
		t.Run(string(test.format)+"/"+test.name, func(t *testing.T) {
			key, err := keyderive.DecodeKey(test.typ, test.format, []byte(test.content))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("got %v, %v; want an error with %q", key, err, test.want)
			}
			for _, secret := range []string{edSeed[2:20], edValue[:20], "12345678"} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("the error shows the content: %v", err)
				}
			}
		})
	}
}

// A validator's file has the same priv_key, and must not be taken for a node's, as it could then be overwritten.
func TestDecodeKnowsSigningKey(t *testing.T) {
	for _, content := range []string{
		`{"address":"B5C2","pub_key":{"type":"tendermint/PubKeyEd25519","value":"` + edValue + `"},` + edJSON[1:],
		`{"address":5,` + edJSON[1:],
		`{"pub_key":{},"priv_key":{"type":"tendermint/PrivKeySecp256k1","value":5}}`,
	} {
		if key, err := keyderive.DecodeKey(keyderive.Ed25519, keyderive.CometBFTJSON, []byte(content)); !errors.Is(err,
			keyderive.ErrSigningKey) {
			t.Errorf("%s: got %v, %v", content, key, err)
		}
	}
}

func TestEncodeRefuses(t *testing.T) {
	root := mustRoot(t, keyderive.HKDFSHA256, goodRoot)
	key := mustDerive(t, root, keyderive.Secp256k1, podID)
	for format, want := range map[keyderive.Format]string{
		keyderive.CometBFTJSON: "format cometbft-json is for ed25519 keys only, and the key's type is secp256k1",
		"pem":                  "libp2p-protobuf-base64",
	} {
		if content, err := key.Encode(format); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %q, %v; want an error with %q", format, content, err, want)
		}
	}
}

// FuzzDecodeKey checks that whatever is read as a key is one: its own encoding in that format is read as the same key.
func FuzzDecodeKey(f *testing.F) {
	types := []keyderive.Type{keyderive.Ed25519, keyderive.Secp256k1}
	formats := []keyderive.Format{
		keyderive.Raw, keyderive.Hex, keyderive.CometBFTJSON, keyderive.LibP2PProtobuf, keyderive.LibP2PProtobufHex,
		keyderive.LibP2PProtobufBase64,
	}
	for i, content := range []string{unhex(f, edSeed), edSeed, edJSON, unhex(f, edProto), "0x" + edProto, b64(f, edProto)} {
		f.Add(byte(0), byte(i), []byte(content))
		f.Add(byte(1), byte(i), []byte(content+"\n"))
	}
	f.Add(byte(1), byte(4), []byte("08021220"+secpN))
	f.Fuzz(func(t *testing.T, typ, format byte, content []byte) {
		ty, fo := types[int(typ)%len(types)], formats[int(format)%len(formats)]
		key, err := keyderive.DecodeKey(ty, fo, content)
		if err != nil {
			return
		}
		encoded, err := key.Encode(fo)
		if err != nil {
			t.Fatalf("%s %s: a key that was read cannot be written: %v", ty, fo, err)
		}
		again, err := keyderive.DecodeKey(ty, fo, encoded)
		if err != nil || again.Public() != key.Public() {
			t.Fatalf("%s %s: read as another key the second time: %v", ty, fo, err)
		}
	})
}

func b64(t testing.TB, digits string) string {
	t.Helper()
	key, err := keyderive.DecodeKey(keyderive.Ed25519, keyderive.LibP2PProtobufHex, []byte(digits))
	if err != nil {
		t.Fatal(err)
	}
	text, err := key.Encode(keyderive.LibP2PProtobufBase64)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
