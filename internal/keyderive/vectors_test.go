package keyderive_test

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"

	"github.com/kubevali/kubevali/internal/keyderive"
)

// vector is one entry of testdata/p2p-vectors.json, on which OpenSSL, libp2p, geth and CometBFT agree.
type vector struct {
	Root      string
	Scope     string
	Namespace string
	Pod       string
	Name      string
	Epoch     uint64
	HKDF      *vectorKeys `json:"hkdf_sha256"`
	RSS3      *vectorKeys `json:"rss3_sha256"`
}

type vectorKeys struct {
	Secp256k1 struct {
		Private  string `json:"private_hex"`
		Public   string `json:"public_compressed_hex"`
		Enode    string `json:"enode_public_hex"`
		PeerID   string `json:"libp2p_peer_id"`
		Protobuf string `json:"libp2p_private_protobuf_hex"`
		Base64   string `json:"libp2p_private_protobuf_b64"`
	}
	Ed25519 struct {
		Seed   string `json:"seed_hex"`
		Public string `json:"public_hex"`
		PeerID string `json:"libp2p_peer_id"`
		NodeID string `json:"cometbft_node_id"`
		JSON   string `json:"cometbft_node_key_json"`
		Base64 string `json:"libp2p_private_protobuf_b64"`
	}
}

func (v vector) identity() keyderive.Identity {
	return keyderive.Identity{Namespace: v.Namespace, Pod: v.Pod, Scope: v.Scope, Key: v.Name, Epoch: v.Epoch}
}

func readVectors(t *testing.T) []vector {
	t.Helper()
	data, err := os.ReadFile("testdata/p2p-vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []vector
	if err := json.Unmarshal(data, &vectors); err != nil {
		t.Fatal(err)
	}
	if len(vectors) == 0 {
		t.Fatal("no vectors")
	}
	return vectors
}

func TestVectors(t *testing.T) {
	for _, v := range readVectors(t) {
		t.Run(v.Namespace+"/"+v.Pod+"/"+v.Name, func(t *testing.T) {
			if v.HKDF != nil {
				checkVector(t, keyderive.HKDFSHA256, v, v.HKDF)
			}
			if v.RSS3 != nil {
				checkVector(t, keyderive.RSS3SHA256, v, v.RSS3)
			}
		})
	}
}

func checkVector(t *testing.T, scheme keyderive.Scheme, v vector, want *vectorKeys) {
	t.Helper()
	root := mustRoot(t, scheme, v.Root)

	secp := want.Secp256k1
	checkKey(t, mustDerive(t, root, keyderive.Secp256k1, v.identity()),
		keyderive.Public{
			Type: keyderive.Secp256k1, PublicKey: secp.Public, PeerID: secp.PeerID, Enode: secp.Enode,
		},
		map[keyderive.Format]string{
			keyderive.Raw:                  unhex(t, secp.Private),
			keyderive.Hex:                  secp.Private,
			keyderive.LibP2PProtobuf:       unhex(t, secp.Protobuf),
			keyderive.LibP2PProtobufHex:    "0x" + secp.Protobuf,
			keyderive.LibP2PProtobufBase64: secp.Base64,
		})

	ed := want.Ed25519
	message, err := base64.StdEncoding.DecodeString(ed.Base64)
	if err != nil {
		t.Fatal(err)
	}
	checkKey(t, mustDerive(t, root, keyderive.Ed25519, v.identity()),
		keyderive.Public{
			Type: keyderive.Ed25519, PublicKey: ed.Public, PeerID: ed.PeerID, CometNodeID: ed.NodeID,
		},
		map[keyderive.Format]string{
			keyderive.Raw:                  unhex(t, ed.Seed),
			keyderive.Hex:                  ed.Seed,
			keyderive.CometBFTJSON:         ed.JSON,
			keyderive.LibP2PProtobuf:       string(message),
			keyderive.LibP2PProtobufHex:    "0x" + hex.EncodeToString(message),
			keyderive.LibP2PProtobufBase64: ed.Base64,
		})
}

// checkKey compares a key with its public identities and its content in each format, and reads each content back.
func checkKey(t *testing.T, key *keyderive.Key, public keyderive.Public, contents map[keyderive.Format]string) {
	t.Helper()
	if got := key.Public(); got != public {
		t.Errorf("public identities\n got %+v\nwant %+v", got, public)
	}
	for format, want := range contents {
		got, err := key.Encode(format)
		if err != nil || string(got) != want {
			t.Errorf("%s %s: got %q, %v; want %q", public.Type, format, got, err, want)
		}
		back, err := keyderive.DecodeKey(public.Type, format, got)
		if err != nil {
			t.Errorf("%s %s: cannot be read back: %v", public.Type, format, err)
			continue
		}
		if back.Public() != public {
			t.Errorf("%s %s: another key was read back", public.Type, format)
		}
	}
}

func mustRoot(t testing.TB, scheme keyderive.Scheme, secret string) *keyderive.Root {
	t.Helper()
	root, err := keyderive.NewRoot(scheme, []byte(secret))
	if err != nil {
		t.Fatal(err)
	}
	return root
}

func mustDerive(t testing.TB, root *keyderive.Root, typ keyderive.Type, id keyderive.Identity) *keyderive.Key {
	t.Helper()
	key, err := root.Derive(typ, id)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func unhex(t testing.TB, digits string) string {
	t.Helper()
	data, err := hex.DecodeString(digits)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
