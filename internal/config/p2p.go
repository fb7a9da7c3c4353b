package config

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/kubevali/kubevali/internal/keyderive"
	"github.com/kubevali/kubevali/internal/keyfile"
)

// P2PKey describes a key of the node in its peer-to-peer network. It is derived from a root secret and the pod's
// identity, so that it is known before the pod exists and outlives its disk.
type P2PKey struct {
	// Where the root secret is, at least 32 bytes, such as "kubevali key new" makes: one of the two below. The node does
	// not get it, and no template can read it.
	RootSecret RootSecret `yaml:"rootSecret" required:"true"`
	// How the key is derived: hkdf-sha256, or rss3-sha256 for pods that already run with the keys of the RSS3 VSL charts.
	Scheme keyderive.Scheme `yaml:"scheme" default:"hkdf-sha256"`
	// The kind of key that the node wants: secp256k1 or ed25519.
	//
	//	type: secp256k1
	Type keyderive.Type `yaml:"type" required:"true"`
	// How the key stands in its file: raw, hex, cometbft-json, libp2p-protobuf, libp2p-protobuf-hex or
	// libp2p-protobuf-base64.
	//
	//	format: hex
	Format keyderive.Format `yaml:"format" required:"true"`
	// Where the node looks for it. The folders above are created.
	//
	//	path: /data/geth/nodekey
	Path Template `yaml:"path" required:"true"`
	// The file's permissions, octal and in quotes. They are put right at every start.
	Mode FileMode `yaml:"mode" default:"0600"`
	// The file's user and group by number, such as "1000:1000", where kubevali runs as root; put right at every start, too.
	// Empty: left alone.
	Owner Owner `yaml:"owner"`
	// A network or cluster, such as mainnet: keeps two clusters with one root secret apart.
	Scope Template `yaml:"scope"`
	// Raise it to get a new key.
	Epoch int `yaml:"epoch"`
	// What to do when another key is already there: fail, keep that one, or overwrite it.
	IfExists keyfile.IfExists `yaml:"ifExists" default:"fail"`
	// What to derive from in place of the pod's own namespace and name, so that a renamed StatefulSet keeps its peers.
	Identity KeyIdentity `yaml:"identity"`
	// Plain text that the node's log must show before a sign of life counts, such as its peer ID: a node that does not
	// find its key makes a new one without a word. Needs a watchlog with a keyword or pattern.
	//
	//	expectInLog: '{{ enode "node" }}'
	ExpectInLog Template `yaml:"expectInLog"`
}

// RootSecret says where a root secret is. Templates cannot read it, and the node does not get it.
type RootSecret struct {
	// The environment variable that holds it.
	//
	//	env: P2P_ROOT_KEY
	Env string `yaml:"env"`
	// Or the file that holds it, such as /secrets/p2p-root.
	File Template `yaml:"file"`
}

// KeyIdentity is whose key it is.
type KeyIdentity struct {
	// The namespace. Empty: the pod's own.
	Namespace Template `yaml:"namespace"`
	// The pod's name. Empty: the pod's own.
	Pod Template `yaml:"pod"`
}

// checkKeys reports what is wrong with P2P keys, alone and together with the rest of the file.
func (c *Config) checkKeys(f *findings) {
	for _, name := range slices.Sorted(maps.Keys(c.P2PKeys)) {
		key, at := c.P2PKeys[name], join("p2pKeys", name)
		if strings.Trim(name, letters+digits+".-_") != "" || name == "" {
			f.failAt(at, "a key's name has letters, digits, dots, dashes and underscores only", "")
		}
		key.check(f, at)
		if _, ok := c.NodeTemplate.Env[key.RootSecret.Env]; ok {
			f.failAt(at+".rootSecret.env", quote(key.RootSecret.Env)+" is also in nodeTemplate.env", "the node never gets a root secret")
		}
		if key.ExpectInLog.Text != "" {
			c.Watchlog.checkExpectation(f, at+".expectInLog", key.ExpectInLog.Text)
		}
	}
}

func (k *P2PKey) check(f *findings, path string) {
	k.RootSecret.check(f, path+".rootSecret")
	if k.Path.Text == "" {
		f.failAt(path+".path", "the path is empty", "")
	}
	if k.Epoch < 0 {
		f.failAt(path+".epoch", "expected a number from 0, found "+strconv.Itoa(k.Epoch), "")
	}
	if k.Scheme != keyderive.RSS3SHA256 {
		return
	}
	const lacks, advice = "the scheme " + string(keyderive.RSS3SHA256) + " knows no ", "leave it out, or use the scheme " + string(keyderive.HKDFSHA256)
	if k.Scope.Text != "" {
		f.failAt(path+".scope", lacks+"scope", advice)
	}
	if k.Epoch > 0 {
		f.failAt(path+".epoch", lacks+"epoch", advice)
	}
}

func (r *RootSecret) check(f *findings, path string) {
	switch {
	case r.Env != "" && r.File.Text != "":
		f.failAt(path+".file", "env is also set", "remove one of them")
	case r.Env != "":
		f.environmentName(path+".env", r.Env)
	case r.File.Text == "" && f.sound(path+".env", path+".file"):
		f.failAt(path, "needs env or file, which say where the root secret is", "such as {env: P2P_ROOT_KEY}")
	}
}
