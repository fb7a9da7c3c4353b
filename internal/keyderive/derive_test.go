package keyderive_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/kubevali/kubevali/internal/keyderive"
)

func TestIdentityRefused(t *testing.T) {
	const hkdf, rss3 = keyderive.HKDFSHA256, keyderive.RSS3SHA256
	tests := []struct {
		scheme keyderive.Scheme
		id     keyderive.Identity
		want   string
	}{
		{hkdf, keyderive.Identity{Pod: "p"}, "namespace is empty"},
		{hkdf, keyderive.Identity{Namespace: "n"}, "name is empty"},
		{rss3, keyderive.Identity{Pod: "p"}, "namespace is empty"},
		{rss3, keyderive.Identity{Namespace: "n"}, "name is empty"},
		{hkdf, keyderive.Identity{Namespace: "n\x00", Pod: "p"}, `"n\x00" holds a NUL`},
		{hkdf, keyderive.Identity{Namespace: "n", Pod: "\x00p"}, `"\x00p" holds a NUL`},
		{hkdf, keyderive.Identity{Namespace: "n", Pod: "p", Scope: "a\x00b"}, `"a\x00b" holds a NUL`},
		{hkdf, keyderive.Identity{Namespace: "n", Pod: "p", Key: "a\x00b"}, `"a\x00b" holds a NUL`},
		{rss3, keyderive.Identity{Namespace: "n", Pod: "p\x00"}, "NUL"},
		{rss3, keyderive.Identity{Namespace: "n", Pod: "p", Scope: "eu"}, "knows no scope"},
		{rss3, keyderive.Identity{Namespace: "n", Pod: "p", Epoch: 1}, "no epoch"},
		{rss3, keyderive.Identity{Namespace: "n m", Pod: "p"}, "blank"},
		{rss3, keyderive.Identity{Namespace: "n", Pod: "p*"}, "glob"},
	}
	for _, test := range tests {
		root := mustRoot(t, test.scheme, goodRoot)
		key, err := root.Derive(keyderive.Ed25519, test.id)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s %#v: %v, %v; want an error with %q", test.scheme, test.id, key, err, test.want)
		}
	}
	if key, err := mustRoot(t, hkdf, goodRoot).Derive("rsa", podID); err == nil || !strings.Contains(err.Error(), `"rsa"`) {
		t.Errorf("type rsa: %v, %v", key, err)
	}
}

// Every part of an identity makes a difference, and no part can be mistaken for another.
func TestIdentitiesDiffer(t *testing.T) {
	root := mustRoot(t, keyderive.HKDFSHA256, goodRoot)
	ids := []keyderive.Identity{
		{Namespace: "n", Pod: "p"},
		{Namespace: "p", Pod: "n"},
		{Namespace: "n-p", Pod: "0"},
		{Namespace: "n", Pod: "p-0"},
		{Namespace: "n", Pod: "p", Scope: "s"},
		{Namespace: "n", Pod: "p", Key: "s"},
		{Namespace: "n", Pod: "p", Epoch: 1},
		{Namespace: "n", Pod: "p", Epoch: 10},
		{Namespace: "n", Pod: "p", Epoch: 1<<64 - 1},
		{Namespace: "n", Pod: "p", Key: "1"},
	}
	seen := map[string]string{}
	for _, typ := range []keyderive.Type{keyderive.Ed25519, keyderive.Secp256k1} {
		for _, id := range ids {
			content, err := mustDerive(t, root, typ, id).Encode(keyderive.Hex)
			if err != nil {
				t.Fatal(err)
			}
			who := fmt.Sprintf("%s %+v", typ, id)
			if other, ok := seen[string(content)]; ok {
				t.Errorf("%s and %s have the same key", who, other)
			}
			seen[string(content)] = who
		}
	}
}

func TestKeyNamedNode(t *testing.T) {
	root := mustRoot(t, keyderive.HKDFSHA256, goodRoot)
	named := podID
	named.Key = "node"
	if mustDerive(t, root, keyderive.Ed25519, named).Public() != mustDerive(t, root, keyderive.Ed25519, podID).Public() {
		t.Error("the key called node is not the key without a name")
	}
}

// A fleet is derived by another way of multiplying than single keys are, and by many goroutines.
func TestFleet(t *testing.T) {
	const pods = 100
	root := mustRoot(t, keyderive.HKDFSHA256, goodRoot)
	identity := func(i int) keyderive.Identity {
		return keyderive.Identity{Namespace: "vsl", Pod: fmt.Sprintf("vsl-rpc-%d", i)}
	}
	fleet := make([]keyderive.Public, pods)
	var wait sync.WaitGroup
	for worker := range 4 {
		wait.Go(func() {
			for i := worker; i < pods; i += 4 {
				if key, err := root.Derive(keyderive.Secp256k1, identity(i)); err == nil {
					fleet[i] = key.Public()
				}
			}
		})
	}
	wait.Wait()
	for i, got := range fleet {
		alone := mustRoot(t, keyderive.HKDFSHA256, goodRoot)
		if want := mustDerive(t, alone, keyderive.Secp256k1, identity(i)).Public(); got != want {
			t.Errorf("pod %d\n got %+v\nwant %+v", i, got, want)
		}
	}
}

func BenchmarkFleetOf10000(b *testing.B) {
	for _, typ := range []keyderive.Type{keyderive.Ed25519, keyderive.Secp256k1} {
		b.Run(string(typ), func(b *testing.B) {
			for b.Loop() {
				root := mustRoot(b, keyderive.HKDFSHA256, goodRoot)
				for i := range 10_000 {
					mustDerive(b, root, typ, keyderive.Identity{Namespace: "vsl", Pod: fmt.Sprintf("vsl-rpc-%d", i)}).Public()
				}
			}
		})
	}
}

func BenchmarkOneKey(b *testing.B) {
	for _, typ := range []keyderive.Type{keyderive.Ed25519, keyderive.Secp256k1} {
		b.Run(string(typ), func(b *testing.B) {
			for b.Loop() {
				mustDerive(b, mustRoot(b, keyderive.HKDFSHA256, goodRoot), typ, podID).Public()
			}
		})
	}
}
