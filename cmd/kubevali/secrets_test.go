package main

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/kubevali/kubevali/internal/keyderive"
)

// rootSecret is what setroot gives to scripts. Scripts have keys in folders called keys only. It is no constant, which
// would be part of every copy of this binary that a script makes.
func rootSecret() string {
	ascending := make([]byte, 32)
	for i := range ascending {
		ascending[i] = byte(i)
	}
	return hex.EncodeToString(ascending)
}

// secrets are all texts that no script may show or leave anywhere but in key files.
type secrets struct {
	texts map[string]string // what each of them tells
}

// newSecrets knows the root secret, and in every format the keys of all pods and key names that scripts use.
func newSecrets(t *testing.T) secrets {
	t.Helper()
	s := secrets{texts: map[string]string{
		rootSecret(): "the root secret", clusterToken(): "the token for the Kubernetes API",
	}}
	for _, scheme := range []keyderive.Scheme{keyderive.HKDFSHA256, keyderive.RSS3SHA256} {
		root, err := keyderive.NewRoot(scheme, []byte(rootSecret()))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"node", "comet"} {
			for epoch := range uint64(2) {
				if epoch > 0 && scheme == keyderive.RSS3SHA256 {
					continue
				}
				for ordinal := range 5 {
					id := keyderive.Identity{Namespace: "vsl", Pod: fmt.Sprintf("vsl-rpc-%d", ordinal), Key: name, Epoch: epoch}
					s.addKeys(t, root, id)
				}
			}
		}
	}
	return s
}

func (s secrets) addKeys(t *testing.T, root *keyderive.Root, id keyderive.Identity) {
	t.Helper()
	for _, typ := range []keyderive.Type{keyderive.Ed25519, keyderive.Secp256k1} {
		key, err := root.Derive(typ, id)
		if err != nil {
			t.Fatal(err)
		}
		private, err := key.Encode(keyderive.Raw)
		if err != nil {
			t.Fatal(err)
		}
		message, err := key.Encode(keyderive.LibP2PProtobufBase64)
		if err != nil {
			t.Fatal(err)
		}
		what := fmt.Sprintf("the %s key %s of %s", typ, id.Key, id.Pod)
		s.texts[string(private)] = what
		s.texts[hex.EncodeToString(private)] = what + " in digits"
		s.texts[base64.StdEncoding.EncodeToString(private)[:40]] = what + " in base64" // the rest depends on what follows
		s.texts[string(message)] = what + " in libp2p's message"
	}
}

// in names a secret that content holds.
func (s secrets) in(content []byte) (what string, found bool) {
	lower := bytes.ToLower(content)
	for text, what := range s.texts {
		if bytes.Contains(content, []byte(text)) || bytes.Contains(lower, []byte(text)) {
			return what, true
		}
	}
	return "", false
}

// checkFiles looks through all files below a script's folder, save copies of the program and the like.
func (s secrets) checkFiles(t *testing.T, folder string) {
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		if info, err := entry.Info(); err != nil || info.Size() > 1<<20 {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		isKey := filepath.Base(filepath.Dir(path)) == "keys" && entry.Name() != "identities.json"
		if what, found := s.in(content); found && !isKey {
			t.Errorf("%s holds %s", path, what)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestSecretsAreFound(t *testing.T) {
	known := newSecrets(t)
	root, err := keyderive.NewRoot(keyderive.HKDFSHA256, []byte(rootSecret()))
	if err != nil {
		t.Fatal(err)
	}
	key, err := root.Derive(keyderive.Ed25519, keyderive.Identity{Namespace: "vsl", Pod: "vsl-rpc-3", Key: "comet"})
	if err != nil {
		t.Fatal(err)
	}
	for _, format := range []keyderive.Format{keyderive.Raw, keyderive.Hex, keyderive.CometBFTJSON, keyderive.LibP2PProtobuf,
		keyderive.LibP2PProtobufHex, keyderive.LibP2PProtobufBase64} {
		content, err := key.Encode(format)
		if err != nil {
			t.Fatal(err)
		}
		if _, found := known.in(slices.Concat([]byte("log: "), content, []byte("\n"))); !found {
			t.Errorf("%q would not be noticed", content)
		}
	}
	if what, found := known.in([]byte("peer 16Uiu2HAmUwz2DnCymZVS9mVrbRUrzdijS8d1Z8NJH1Q3S39jrAEh")); found {
		t.Errorf("takes a peer ID for %s", what)
	}
}

// checked is a script's test that shows the script's whole transcript, with all that its commands printed, to secrets.
type checked struct {
	*testing.T
	secrets secrets
}

// Verbose has testscript keep the transcript of what succeeds.
func (c checked) Verbose() bool { return true }

func (c checked) Log(args ...any) {
	if what, found := c.secrets.in([]byte(fmt.Sprint(args...))); found {
		c.Errorf("the script's output tells %s", what)
	}
	c.T.Log(args...)
}

func (c checked) Run(name string, f func(testscript.T)) {
	c.T.Run(name, func(t *testing.T) { f(checked{t, c.secrets}) })
}
