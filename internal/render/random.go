package render

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"math/rand/v2"

	"github.com/google/uuid"
)

const (
	letters       = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	decimalDigits = "0123456789"
	punctuation   = " !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
)

// randomness gives the random values of one template. They come from the seed of the facts, the pod and the template's
// key alone, so that they stay the same when another template of the file changes. A seed that nobody knows makes
// values that nobody can guess: ChaCha8 is a cryptographic generator, see math/rand/v2.
type randomness struct{ *rand.ChaCha8 }

func (f Facts) randomness(key string) randomness {
	mac := hmac.New(sha256.New, f.Seed[:])
	mac.Write([]byte(f.Namespace + "\x00" + f.Pod + "\x00" + key))
	return randomness{rand.NewChaCha8([32]byte(mac.Sum(nil)))}
}

func (r randomness) bytes(n int) []byte {
	b := make([]byte, n)
	r.Read(b)
	return b
}

func (r randomness) text(n int, alphabet string) string {
	source := rand.New(r)
	b := make([]byte, n)
	for i := range b {
		b[i] = alphabet[source.IntN(len(alphabet))]
	}
	return string(b)
}

// addRandom sets the random functions, sprig's and randHex.
func (e *engine) addRandom(funcs map[string]any) {
	for name, alphabet := range map[string]string{
		"randAlphaNum": letters + decimalDigits,
		"randAlpha":    letters,
		"randNumeric":  decimalDigits,
		"randAscii":    letters + decimalDigits + punctuation,
	} {
		funcs[name] = func(n int) (string, error) {
			if n < 0 {
				return "", errNegative
			}
			return e.random().text(n, alphabet), nil
		}
	}
	for name, encode := range map[string]func([]byte) string{
		"randBytes": base64.StdEncoding.EncodeToString,
		"randHex":   hex.EncodeToString,
	} {
		funcs[name] = func(n int) (string, error) {
			if n < 0 {
				return "", errNegative
			}
			return encode(e.random().bytes(n)), nil
		}
	}
	funcs["randInt"] = e.randInt
	funcs["uuidv4"] = e.uuidv4
	funcs["shuffle"] = e.shuffle
}

var errNegative = &failure{"the length must not be negative", ""}

// randInt is a number from low up to, but not including, high.
func (e *engine) randInt(low, high int) (int, error) {
	if high <= low {
		return 0, &failure{"the second number must be larger than the first", ""}
	}
	return low + int(rand.New(e.random()).Uint64N(uint64(high-low))), nil
}

func (e *engine) uuidv4() (string, error) {
	id, err := uuid.NewRandomFromReader(e.random())
	return id.String(), err
}

func (e *engine) shuffle(text string) string {
	runes := []rune(text)
	rand.New(e.random()).Shuffle(len(runes), func(i, j int) { runes[i], runes[j] = runes[j], runes[i] })
	return string(runes)
}
