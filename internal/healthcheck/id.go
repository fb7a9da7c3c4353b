package healthcheck

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/google/uuid"
)

// shown is how many characters of an ID may be seen.
const shown = 4

// checkID is a check's ID in the form the server knows. Its zero value is not an ID.
type checkID struct {
	text string // a UUID in lower case, or <ping-key>/<slug>
	slug bool
}

// CheckID says what is wrong with the form of a check's ID, or nil. Blanks around it do not matter, since an ID read from
// a Secret often ends in a newline. The error shows at most the first four characters.
func CheckID(id string) error {
	_, err := parseID(id)
	return err
}

func parseID(raw string) (checkID, error) {
	text := strings.TrimSpace(raw)
	problem := func(format string, args ...any) (checkID, error) {
		return checkID{}, fmt.Errorf("healthcheck ID %q: %s", mask(text), fmt.Sprintf(format, args...))
	}
	if text == "" {
		return checkID{}, errors.New("healthcheck ID: empty")
	}
	if strings.Contains(text, "://") {
		return problem("this is a ping URL; give only the UUID or <ping-key>/<slug> at its end, " +
			"and what stands before that as healthchecks.baseURL")
	}
	key, slug, isSlug := strings.Cut(text, "/")
	if !isSlug {
		if !isUUID(text) {
			return problem("neither a UUID (8-4-4-4-12 hexadecimal digits) nor <ping-key>/<slug>")
		}
		return checkID{text: strings.ToLower(text)}, nil
	}
	switch {
	case isUUID(key):
		return problem("a UUID stands alone; leave out what follows it")
	case key == "" || slug == "":
		return problem("the part %s the slash is missing; expected <ping-key>/<slug>", emptySide(key))
	case strings.Contains(slug, "/"):
		return problem("too many slashes; expected <ping-key>/<slug>")
	case !consistsOf(key, isKeyByte):
		return problem("the ping key may hold letters, digits, - and _ only")
	case !consistsOf(slug, isSlugByte):
		return problem("the slug may hold lower-case letters, digits, - and _ only")
	}
	return checkID{text: text, slug: true}, nil
}

func emptySide(key string) string {
	if key == "" {
		return "before"
	}
	return "after"
}

func isUUID(s string) bool { return len(s) == 36 && uuid.Validate(s) == nil }

func isSlugByte(b byte) bool {
	return 'a' <= b && b <= 'z' || '0' <= b && b <= '9' || b == '-' || b == '_'
}

func isKeyByte(b byte) bool { return isSlugByte(b) || 'A' <= b && b <= 'Z' }

func consistsOf(s string, allowed func(byte) bool) bool {
	for i := range len(s) {
		if !allowed(s[i]) {
			return false
		}
	}
	return true
}

// mask shows the first four characters of an ID.
func mask(id string) string {
	runes := 0
	for i := range id {
		if runes == shown {
			return id[:i] + "…"
		}
		runes++
	}
	return id + "…"
}

// redact takes from text every piece of the ID that is longer than may be shown. A server can echo the ID in an answer,
// whole, in part, or in another spelling.
func (id checkID) redact(text string) string {
	const piece = shown + 1
	whole, bare := lowerASCII(id.text), lowerASCII(strings.ReplaceAll(id.text, "-", ""))
	seen := lowerASCII(text)
	secret := make([]bool, len(text))
	for i := 0; i+piece <= len(seen); i++ {
		if strings.Contains(whole, seen[i:i+piece]) || strings.Contains(bare, seen[i:i+piece]) {
			for j := range piece {
				secret[i+j] = true
			}
		}
	}
	var out strings.Builder
	for i := range len(text) {
		switch {
		case !secret[i]:
			out.WriteByte(text[i])
		case i == 0 || !secret[i-1]:
			out.WriteString("…")
		}
	}
	return out.String()
}

// lowerASCII keeps every byte where it is, which strings.ToLower does not.
func lowerASCII(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

// parseBaseURL reads healthchecks.baseURL. Its errors do not repeat the URL: it may hold a password, or an ID pasted
// along with it.
func parseBaseURL(raw string) (*url.URL, error) {
	text := strings.TrimSpace(raw)
	if text == "" {
		return nil, errors.New("healthchecks.baseURL: empty; the hosted service is https://hc-ping.com")
	}
	base, err := url.Parse(text)
	switch {
	case err != nil:
		return nil, errors.New("healthchecks.baseURL: not a URL; expected one such as https://hc.example.com/ping")
	case base.Scheme != "http" && base.Scheme != "https" || base.Hostname() == "":
		return nil, errors.New("healthchecks.baseURL: must begin with http:// or https:// and a host, " +
			"such as https://hc.example.com/ping")
	case base.RawQuery != "" || base.Fragment != "" || base.ForceQuery:
		return nil, errors.New("healthchecks.baseURL: must end with the path; leave out ? and # and what follows")
	}
	if base.Path == "" {
		base.Path = "/" // without it JoinPath makes a relative path, which is not a request target
	}
	return base, nil
}
