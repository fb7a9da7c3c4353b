package keyderive

import (
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
)

const (
	orderHex     = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141" // SEC 2, section 2.4.1
	largestHex   = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364140"
	afterHex     = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364142"
	zeroHex      = "0000000000000000000000000000000000000000000000000000000000000000"
	oneHex       = "0000000000000000000000000000000000000000000000000000000000000001"
	allOnesHex   = "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
	basePointHex = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
)

// fixed is a source of the given candidates. It fails the test when asked in another order than 0, 1, 2 and so on.
func fixed(t *testing.T, given ...string) func(counter uint64) (*[keySize]byte, error) {
	var asked uint64
	return func(counter uint64) (*[keySize]byte, error) {
		if counter != asked {
			t.Fatalf("asked for candidate %d, not %d", counter, asked)
		}
		asked++
		if counter >= uint64(len(given)) {
			return nil, errors.New("no candidates left")
		}
		data, err := hex.DecodeString(given[counter])
		if err != nil {
			t.Fatal(err)
		}
		return (*[keySize]byte)(data), nil
	}
}

func TestFirstValid(t *testing.T) {
	tests := []struct {
		typ   Type
		given []string
		want  string
	}{
		{Secp256k1, []string{oneHex, largestHex}, oneHex},
		{Secp256k1, []string{largestHex}, largestHex},
		{Secp256k1, []string{zeroHex, oneHex}, oneHex},
		{Secp256k1, []string{orderHex, oneHex}, oneHex},
		{Secp256k1, []string{zeroHex, orderHex, afterHex, allOnesHex, largestHex, oneHex}, largestHex},
		{Ed25519, []string{zeroHex, oneHex}, zeroHex},
		{Ed25519, []string{allOnesHex}, allOnesHex},
	}
	for _, multiply := range []multiplication{multiplyOnce, secp256k1.ScalarBaseMultNonConst} {
		for _, test := range tests {
			key, err := firstValid(test.typ, multiply, fixed(t, test.given...))
			if err != nil {
				t.Errorf("%s of %v: %v", test.typ, test.given, err)
				continue
			}
			if got, err := key.Encode(Hex); err != nil || string(got) != test.want {
				t.Errorf("%s of %v: got %s, %v", test.typ, test.given, got, err)
			}
		}
		// The public keys of 1 and n-1 are the base point and its negative: the same x, the other y.
		for private, want := range map[string]string{oneHex: basePointHex, largestHex: "03" + basePointHex[2:]} {
			key, err := firstValid(Secp256k1, multiply, fixed(t, private))
			if err != nil {
				t.Fatal(err)
			}
			if got := key.Public().PublicKey; got != want {
				t.Errorf("public key of %s: got %s, want %s", private, got, want)
			}
		}
	}
	if key, err := firstValid(Secp256k1, multiplyOnce, fixed(t, zeroHex, orderHex)); err == nil ||
		err.Error() != "no candidates left" {
		t.Errorf("a failing source: got %v, %v", key, err)
	}
}

// What is refused by the loop must not stay in memory.
func TestRefusedCandidateIsWiped(t *testing.T) {
	refused := [keySize]byte([]byte(strings.Repeat("\xff", keySize)))
	_, err := firstValid(Secp256k1, multiplyOnce, func(counter uint64) (*[keySize]byte, error) {
		if counter == 0 {
			return &refused, nil
		}
		return &[keySize]byte{1}, nil
	})
	if err != nil || refused != [keySize]byte{} {
		t.Errorf("got %v, and the refused candidate is %x", err, refused)
	}
}

func TestCandidatesOfSchemes(t *testing.T) {
	id := Identity{Namespace: "vsl", Pod: "vsl-rpc-0"}
	hkdfRoot, err := NewRoot(HKDFSHA256, []byte(strings.Repeat("r", minRootSize)))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[[keySize]byte]uint64{}
	for counter := range uint64(3) {
		candidate, err := hkdfRoot.candidate(Secp256k1, id, counter)
		if err != nil {
			t.Fatal(err)
		}
		if other, ok := seen[*candidate]; ok {
			t.Errorf("candidates %d and %d are the same", other, counter)
		}
		seen[*candidate] = counter
	}

	rss3Root, err := NewRoot(RSS3SHA256, []byte("r"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := rss3Root.candidate(Secp256k1, id, 1); err == nil || !strings.Contains(err.Error(), "vsl-rpc-0") {
		t.Errorf("rss3-sha256 has a second candidate, or an error that does not name the pod: %v", err)
	}
}

func TestBase58(t *testing.T) {
	// The vectors of the Internet-Draft "The Base58 Encoding Scheme" (draft-msporny-base58), section 5, and leading zeros.
	for data, want := range map[string]string{
		"":             "",
		"\x00":         "1",
		"\x00\x00\x01": "112",
		"Hello World!": "2NEpo7TZRRrLZSi2U",
		"The quick brown fox jumps over the lazy dog.": "USm3fpXnKG5EUBx2ndxBDMPVciP5hGey2Jh4NDv6gmeo1LkMeiKrLJUUBk6Z",
		"\x00\x00\x28\x7f\xb4\xcd":                     "11233QC4",
	} {
		if got := base58([]byte(data)); got != want {
			t.Errorf("%q: got %s, want %s", data, got, want)
		}
	}
}
