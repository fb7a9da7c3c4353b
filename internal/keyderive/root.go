package keyderive

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"slices"
	"sync/atomic"
	"unicode"

	"github.com/kubevali/kubevali/internal/hint"
)

const (
	// minRootSize is what hkdf-sha256 asks of a root secret, in bytes: the size of the hash, as RFC 2104 has it for keys.
	minRootSize = 32
	newRootHint = "make one with `openssl rand -hex 32` or `kubevali key new`"
)

// Root is a root secret, to be used with one scheme. It is safe for concurrent use, apart from Wipe.
type Root struct {
	redacted
	scheme  Scheme
	secret  hidden
	derived atomic.Int64
}

// NewRoot checks a root secret and makes a copy of it; wiping the argument is up to the caller. The bytes are used as
// they are, never decoded.
//
// For [HKDFSHA256] one LF or CRLF at the end is dropped, and 32 bytes must be left; a root that then begins or ends with a
// blank or a quote, or holds a newline, and is a text, is refused, as it is another one than was made. For [RSS3SHA256] any root will do
// that a shell's `echo ${ROOT}-…` passes on unchanged, which a newline at the end is not. A root that is empty or holds
// a NUL byte is always refused. Errors say why, and what to do.
func NewRoot(scheme Scheme, secret []byte) (*Root, error) {
	if err := scheme.check(); err != nil {
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
	switch {
	case len(secret) == 0:
		return hint.New("it is empty", newRootHint)
	case bytes.IndexByte(secret, 0) >= 0:
		return hint.New("it holds a NUL byte, so it is not a text", newRootHint)
	case scheme == RSS3SHA256:
		return checkEchoed(secret)
	case mangled(secret) != "":
		return hint.New("it "+mangled(secret)+", as after an accident with a .env file, a YAML block or the clipboard, and would "+
			"make other keys", "store it without, or "+newRootHint)
	case len(secret) < minRootSize:
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
	case isQuote(secret[0]) || isQuote(secret[len(secret)-1]):
		return "begins or ends with a quote"
	}
	return ""
}

func isQuote(c byte) bool { return c == '"' || c == '\'' }

// checkEchoed refuses a root that `echo ${ROOT}-…` would not print as it is: unquoted, it is split at blanks, tabs and
// newlines and then matched against file names (POSIX, Shell Command Language, 2.6.5 and 2.6.6), and the echo of some
// shells, dash among them, knows escapes with a backslash. Nothing else is touched: quotes, $ and ~ mean nothing in an
// expansion's result, and a word that goes on with a hyphen and a namespace is no option of echo's.
func checkEchoed(secret []byte) error {
	if bytes.HasSuffix(secret, []byte("\n")) {
		return hint.New("it ends in a newline, which the shell makes a blank in the RSS3 charts", "if their secret ends in one too, "+
			"its keys cannot be kept: move to "+string(HKDFSHA256)+"; if not, take it off here (printf %s, not echo)")
	}
	if what := alteredByShell(secret); what != "" {
		return hint.New("it holds "+what+", which the shell in the RSS3 charts may change, so its keys cannot be kept",
			"move to "+string(HKDFSHA256)+", and for its root "+newRootHint)
	}
	return nil
}

// alteredByShell names what in text may not survive an unquoted expansion as an argument of echo; "" if all does.
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
	line, found := bytes.CutSuffix(text, []byte("\n"))
	if !found {
		return text
	}
	return bytes.TrimSuffix(line, []byte("\r"))
}

// Wipe overwrites the secret. Nothing can be derived from the Root any more. A nil Root is left alone.
func (r *Root) Wipe() {
	if r != nil {
		r.secret.wipe()
	}
}

// GenerateRoot returns a new root secret: 32 random bytes as 64 hexadecimal digits, without a newline.
func GenerateRoot() []byte {
	var random [32]byte
	rand.Read(random[:]) // never fails: it ends the program instead
	defer clear(random[:])
	return hex.AppendEncode(nil, random[:])
}
