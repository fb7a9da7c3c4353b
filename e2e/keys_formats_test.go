package e2e

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// TestKeyFormats has every kind of key file read by the program, or the library of the programs, that it is for.
func TestKeyFormats(t *testing.T) {
	t.Parallel()
	byLibp2p := func(keyType, format string) func(*testing.T, string) string {
		return func(t *testing.T, file string) string {
			return printed(t, libp2p.build(t), keyType, format, file)
		}
	}
	peerID := func(id identity) string { return id.PeerID }
	for _, c := range []struct {
		keyType, format, reader string
		read                    func(t *testing.T, file string) string
		want                    func(identity) string
	}{
		{"secp256k1", "hex", "devp2p", func(t *testing.T, file string) string {
			return printed(t, devp2p.build(t), "key", "to-enode", "--ip", "192.0.2.1", "--tcp", "30303", "--udp", "30303", file)
		}, func(id identity) string { return "enode://" + id.Enode + "@192.0.2.1:30303" }},
		{"secp256k1", "hex", "op-node", func(t *testing.T, file string) string {
			return printed(t, opNode.build(t), "--p2p.bootnodes", " ", "--p2p.discovery.path", "memory",
				"--p2p.peerstore.path", "memory", "--p2p.priv.path", file)
		}, peerID},
		{"ed25519", "cometbft-json", "cometbft", func(t *testing.T, file string) string {
			return printed(t, cometbft.build(t), "show-node-id", "--home", filepath.Dir(filepath.Dir(file)))
		}, func(id identity) string { return id.CometNodeID }},
		{"secp256k1", "hex", "libp2p", byLibp2p("secp256k1", "hex"), peerID},
		{"secp256k1", "raw", "libp2p", byLibp2p("secp256k1", "raw"), peerID},
		{"secp256k1", "libp2p-protobuf", "libp2p", byLibp2p("secp256k1", "libp2p-protobuf"), peerID},
		{"secp256k1", "libp2p-protobuf-hex", "libp2p", byLibp2p("secp256k1", "libp2p-protobuf-hex"), peerID},
		{"secp256k1", "libp2p-protobuf-base64", "libp2p", byLibp2p("secp256k1", "libp2p-protobuf-base64"), peerID},
		{"ed25519", "hex", "libp2p", byLibp2p("ed25519", "hex"), peerID},
		{"ed25519", "raw", "libp2p", byLibp2p("ed25519", "raw"), peerID},
		{"ed25519", "libp2p-protobuf", "libp2p", byLibp2p("ed25519", "libp2p-protobuf"), peerID},
		{"ed25519", "libp2p-protobuf-hex", "libp2p", byLibp2p("ed25519", "libp2p-protobuf-hex"), peerID},
		{"ed25519", "libp2p-protobuf-base64", "libp2p", byLibp2p("ed25519", "libp2p-protobuf-base64"), peerID},
	} {
		t.Run(strings.Join([]string{c.keyType, c.format, c.reader}, "/"), func(t *testing.T) {
			t.Parallel()
			for _, scheme := range []string{"hkdf-sha256", "rss3-sha256"} {
				file := filepath.Join(t.TempDir(), "config", "node_key.json") // where cometbft looks for it
				f := newFleet(t, "node", 2, fmt.Sprintf(`
p2pKeys:
  node:
    rootSecret: {env: P2P_ROOT_KEY}
    scheme: %s
    type: %s
    format: %s
    path: %s
nodeTemplate:
  command: [node]
`, scheme, c.keyType, c.format, file))
				f.kubevali(t, f.pod(1), "key", "write")
				if got, want := c.read(t, file), c.want(f.key(1)); got != want {
					t.Errorf("%s: %s reads the key of %q, want %q", scheme, c.reader, got, want)
				}
			}
		})
	}
}
