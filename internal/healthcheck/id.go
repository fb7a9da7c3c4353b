package healthcheck

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/google/uuid"

	"github.com/kubevali/kubevali/internal/hint"
	"github.com/kubevali/kubevali/internal/secret"
)

const (
	slugBytes = "abcdefghijklmnopqrstuvwxyz0123456789-_"
	keyBytes  = slugBytes + "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
)

// ParseID returns a check's ID in the form the server knows: a UUID in lower case, or <ping-key>/<slug>. Blanks around it
// do not matter, since an ID read from a Secret often ends in a newline. The error has a hint and shows at most the first
// four characters.
func ParseID(id secret.Text) (secret.Text, error) {
	text := strings.TrimSpace(id.Reveal())
	key, slug, two := strings.Cut(text, "/")
	what, do := "", "expected a UUID or <ping-key>/<slug>"
	switch {
	case text == "":
		return "", hint.New("the check's ID is empty", do)
	case strings.Contains(text, "://"):
		what = "this is a ping URL"
		do = "give only the UUID or <ping-key>/<slug> at its end; what stands before that is the base URL"
	case !two && isUUID(text):
		return secret.Text(strings.ToLower(text)), nil
	case !two:
		what, do = "neither a UUID nor <ping-key>/<slug>", "a UUID has 8-4-4-4-12 hexadecimal digits"
	case isUUID(key):
		what, do = "something follows the UUID", "a UUID stands alone"
	case key == "":
		what = "the part before the slash is missing"
	case slug == "":
		what = "the part after the slash is missing"
	case strings.Contains(slug, "/"):
		what = "too many slashes"
	case strings.Trim(key, keyBytes) != "":
		what = "the ping key may hold letters, digits, - and _ only"
	case strings.Trim(slug, slugBytes) != "":
		what = "the slug may hold lower-case letters, digits, - and _ only"
	default:
		return secret.Text(text), nil
	}
	return "", hint.New(fmt.Sprintf("the check's ID %q: %s", secret.Text(text).String(), what), do)
}

func isUUID(s string) bool { return len(s) == 36 && uuid.Validate(s) == nil }

// isSlug reports whether an ID that has been parsed is a <ping-key>/<slug>.
func isSlug(id secret.Text) bool { return strings.Contains(id.Reveal(), "/") }

// redact returns text, or an ellipsis where it shows more than four characters of the check's ID in a row: a server can
// echo the ID in an answer, whole, in part, or in another spelling.
func (c *Client) redact(text string) string {
	const piece = 5
	seen, whole := strings.ToLower(text), strings.ToLower(c.options.ID.Reveal())
	for _, spelling := range []string{whole, strings.ReplaceAll(whole, "-", "")} {
		for i := 0; i+piece <= len(spelling); i++ {
			if strings.Contains(seen, spelling[i:i+piece]) {
				return "…"
			}
		}
	}
	return text
}

// ParseBaseURL reads the address of a server. The error does not repeat it: it may hold a password, or an ID pasted along
// with it.
func ParseBaseURL(raw string) (*url.URL, error) {
	const example = "such as https://hc-ping.com, or https://hc.example.com/ping for one of your own"
	base, err := url.Parse(strings.TrimSpace(raw))
	switch {
	case err != nil, base.Scheme != "http" && base.Scheme != "https", base.Hostname() == "":
		return nil, hint.New("expected a URL that begins with http:// or https:// and a host", example)
	case base.RawQuery != "" || base.Fragment != "" || base.ForceQuery:
		return nil, hint.New("expected a URL without ? and #", example)
	}
	if base.Path == "" {
		base.Path = "/" // without it JoinPath makes a relative path, which is not a request target
	}
	return base, nil
}
