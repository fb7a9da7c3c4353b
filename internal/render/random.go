package render

import (
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

var errNegative = Fail("the length must not be negative", "")

// addRandom sets the random functions, sprig's and randHex. They take their numbers from [Renderer.Random].
func (r *Renderer) addRandom(funcs map[string]any) {
	for name, alphabet := range map[string]string{
		"randAlphaNum": letters + decimalDigits,
		"randAlpha":    letters,
		"randNumeric":  decimalDigits,
		"randAscii":    letters + decimalDigits + punctuation,
	} {
		funcs[name] = func(n int) (string, error) { return r.characters(n, alphabet) }
	}
	for name, encode := range map[string]func([]byte) string{
		"randBytes": base64.StdEncoding.EncodeToString,
		"randHex":   hex.EncodeToString,
	} {
		funcs[name] = func(n int) (string, error) {
			b, err := r.bytes(n)
			return encode(b), err
		}
	}
	funcs["randInt"] = r.randInt
	funcs["uuidv4"] = r.uuidv4
	funcs["shuffle"] = r.shuffle
}

func (r *Renderer) bytes(n int) ([]byte, error) {
	switch {
	case n < 0:
		return nil, errNegative
	case n > MaxText:
		return nil, ErrValue
	}
	b := make([]byte, n)
	r.Random().Read(b)
	return b, nil
}

func (r *Renderer) characters(n int, alphabet string) (string, error) {
	b, err := r.bytes(n)
	source := rand.New(r.Random())
	for i := range b {
		b[i] = alphabet[source.IntN(len(alphabet))]
	}
	return string(b), err
}

// randInt is a number from low up to, but not including, high.
func (r *Renderer) randInt(low, high int) (int, error) {
	if high <= low {
		return 0, Fail("the second number must be larger than the first", "")
	}
	return low + int(rand.New(r.Random()).Uint64N(uint64(high-low))), nil
}

func (r *Renderer) uuidv4() (string, error) {
	id, err := uuid.NewRandomFromReader(r.Random())
	return id.String(), err
}

func (r *Renderer) shuffle(text string) string {
	runes := []rune(text)
	rand.New(r.Random()).Shuffle(len(runes), func(i, j int) { runes[i], runes[j] = runes[j], runes[i] })
	return string(runes)
}
