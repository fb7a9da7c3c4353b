package keyderive

import (
	"bytes"
	"cmp"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"unicode"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"

	"github.com/kubevali/kubevali/internal/hint"
)

const (
	// minRootSize is what hkdf-sha256 asks of a root secret, in bytes: the size of the hash, as RFC 2104 has it for keys.
	minRootSize = 32
	newRootHint = "make one with `openssl rand -hex 32` or `kubevali key new`"

	hkdfSalt   = "kubevali/p2p/v1"
	defaultKey = "node" // is left out of the derivation

	// fleetSize is how many keys of one root are derived before the table of secp256k1 is loaded. The table saves two
	// thirds of each multiplication's time, but loading it takes as long as some seventy multiplications and 4 MiB.
	fleetSize = 64
)

// Root is a root secret, to be used with one scheme. It is safe for concurrent use, apart from Wipe.
type Root struct {
	scheme  Scheme
	secret  hidden
	derived atomic.Int64
}

// NewRoot checks a root secret and makes a copy of it; wiping the argument is up to the caller. The bytes are used as
// they are, never decoded.
//
// For [HKDFSHA256] one LF or CRLF at the end is dropped, and 32 bytes must be left; a root that is a text and then begins
// or ends with a blank or a quote, or holds a newline, is refused, as it is another one than was made. For [RSS3SHA256]
// any root will do that a shell's `echo ${ROOT}-…` passes on unchanged, which a newline at the end is not. A root that is
// empty or holds a NUL byte is always refused.
func NewRoot(scheme Scheme, secret []byte) (*Root, error) {
	if err := checkWord("scheme", scheme); err != nil {
		return nil, err
	}
	if scheme == HKDFSHA256 {
		secret = withoutNewline(secret)
	}
	if err := checkRoot(scheme, secret); err != nil {
		return nil, fmt.Errorf("root secret: %w", err)
	}
	return &Root{scheme: scheme, secret: hide(slices.Clone(secret))}, nil
}

func checkRoot(scheme Scheme, secret []byte) error {
	accident, altered := mangled(secret), alteredByShell(secret)
	switch {
	case len(secret) == 0:
		return hint.New("it is empty", newRootHint)
	case bytes.IndexByte(secret, 0) >= 0:
		return hint.New("it holds a NUL byte, so it is not a text", newRootHint)
	case scheme == RSS3SHA256 && bytes.HasSuffix(secret, []byte("\n")):
		return hint.New("it ends in a newline, which the shell makes a blank in the RSS3 charts", "if their secret ends in one too, "+
			"its keys cannot be kept: move to "+string(HKDFSHA256)+"; if not, take it off here (printf %s, not echo)")
	case scheme == RSS3SHA256 && altered != "":
		return hint.New("it holds "+altered+", which the shell in the RSS3 charts may change, so its keys cannot be kept",
			"move to "+string(HKDFSHA256)+", and for its root "+newRootHint)
	case scheme == HKDFSHA256 && accident != "":
		return hint.New("it "+accident+", as after an accident with a .env file, a YAML block or the clipboard, and would "+
			"make other keys", "store it without, or "+newRootHint)
	case scheme == HKDFSHA256 && len(secret) < minRootSize:
		return hint.New(fmt.Sprintf("it has %d bytes, and %s needs %d", len(secret), scheme, minRootSize), newRootHint)
	}
	return nil
}

// mangled says what in a root looks like an accident of YAML, .env files or the clipboard; "" if nothing does. In a root
// that is no text, such as 32 random bytes, all of that is chance.
func mangled(secret []byte) string {
	switch {
	case bytes.ContainsFunc(secret, func(r rune) bool { return r > unicode.MaxASCII || !unicode.IsPrint(r) && !unicode.IsSpace(r) }):
		return ""
	case len(bytes.TrimSpace(secret)) != len(secret):
		return "begins or ends with a blank, or with more than one newline"
	case bytes.IndexByte(secret, '\n') >= 0:
		return "holds a newline"
	case len(bytes.Trim(secret, `"'`)) != len(secret):
		return "begins or ends with a quote"
	}
	return ""
}

// alteredByShell names what in text may not survive as an unquoted argument of echo; "" if all does. It is split at
// blanks, tabs and newlines and then matched against file names (POSIX, Shell Command Language, 2.6.5 and 2.6.6), and the
// echo of some shells, dash among them, knows escapes with a backslash. Nothing else is touched: quotes, $ and ~ mean
// nothing in an expansion's result, and a word that goes on with a hyphen and a namespace is no option of echo's.
func alteredByShell(text []byte) string {
	switch {
	case bytes.ContainsAny(text, " \t\n"):
		return "a blank, tab or newline"
	case bytes.ContainsAny(text, `\`):
		return "a backslash"
	case bytes.ContainsAny(text, "*?["):
		return "a glob character (* ? [)"
	}
	return ""
}

// withoutNewline drops one LF or CRLF from the end of text.
func withoutNewline(text []byte) []byte {
	if line, ok := bytes.CutSuffix(text, []byte("\n")); ok {
		return bytes.TrimSuffix(line, []byte("\r"))
	}
	return text
}

// Wipe overwrites the secret. Nothing can be derived from the Root any more.
func (r *Root) Wipe() { r.secret.wipe() }

// GenerateRoot returns a new root secret: 32 random bytes as 64 hexadecimal digits, without a newline.
func GenerateRoot() []byte {
	var random [32]byte
	rand.Read(random[:]) // never fails: it ends the program instead
	defer clear(random[:])
	return hex.AppendEncode(nil, random[:])
}

// Identity says whose key it is. The namespace and the pod must be known, never guessed: two pods with one identity have
// one key.
type Identity struct {
	Namespace string
	Pod       string
	Scope     string // network or cluster, keeps two clusters with one root apart; may be empty
	Key       string // the key's name in the configuration; empty is the same as node
	Epoch     uint64 // raised to get another key
}

func (id Identity) check(scheme Scheme) error {
	switch {
	case id.Namespace == "":
		return errors.New("the pod's namespace is empty, and its keys depend on it")
	case id.Pod == "":
		return errors.New("the pod's name is empty, and its keys depend on it")
	case scheme == RSS3SHA256 && (id.Scope != "" || id.Epoch != 0):
		// It would ignore them, so that keys would be the same where they are meant to differ.
		return fmt.Errorf("scheme %s knows no scope and no epoch; use %s", RSS3SHA256, HKDFSHA256)
	}
	for _, part := range []string{id.Namespace, id.Pod, id.Scope, id.Key} {
		if strings.Contains(part, "\x00") {
			return fmt.Errorf("%q holds a NUL byte, which separates the parts of an identity", part)
		}
		if what := alteredByShell([]byte(part)); what != "" && scheme == RSS3SHA256 {
			return fmt.Errorf("%q holds %s, which no name of a pod or namespace does", part, what)
		}
	}
	return nil
}

// info is the context that HKDF binds a candidate to.
func (id Identity) info(t Type, counter uint64) string {
	key := id.Key
	if key == defaultKey {
		key = ""
	}
	return strings.Join([]string{
		string(t), id.Scope, id.Namespace, id.Pod, key, strconv.FormatUint(id.Epoch, 10), strconv.FormatUint(counter, 10),
	}, "\x00")
}

// Derive returns the key of the given type that belongs to id. It fails when the identity is not fit for the root's
// scheme, see [Identity], and when the root has been wiped.
func (r *Root) Derive(t Type, id Identity) (*Key, error) {
	if r.secret == nil {
		return nil, errors.New("the root secret has been wiped")
	}
	if err := cmp.Or(checkWord("key type", t), id.check(r.scheme)); err != nil {
		return nil, err
	}
	multiply := multiplyOnce
	if r.derived.Add(1) > fleetSize {
		multiply = secp256k1.ScalarBaseMultNonConst
	}
	return firstValid(t, multiply, func(counter uint64) (*[keySize]byte, error) { return r.candidate(t, id, counter) })
}

// firstValid takes the first candidate, counted from 0, that is a valid private key. For secp256k1 a candidate is not with
// a probability of 2^-128, for ed25519 never.
func firstValid(t Type, multiply multiplication, candidate func(counter uint64) (*[keySize]byte, error)) (*Key, error) {
	for counter := uint64(0); ; counter++ {
		private, err := candidate(counter)
		if err != nil {
			return nil, err
		}
		if key, err := newKey(t, private, multiply); err == nil {
			return key, nil
		}
	}
}

func (r *Root) candidate(t Type, id Identity, counter uint64) (*[keySize]byte, error) {
	secret := r.secret()
	if r.scheme == HKDFSHA256 {
		okm, err := hkdf.Key(sha256.New, secret, []byte(hkdfSalt), id.info(t, counter), keySize)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", HKDFSHA256, err)
		}
		return (*[keySize]byte)(okm), nil
	}
	if counter > 0 {
		return nil, fmt.Errorf("%s has no valid %s key for pod %s in namespace %s; use %s",
			RSS3SHA256, Secp256k1, id.Pod, id.Namespace, HKDFSHA256)
	}
	line := slices.Concat(secret, []byte("-"+id.Namespace+"-"+id.Pod+"\n"))
	defer clear(line)
	sum := sha256.Sum256(line)
	return &sum, nil
}
