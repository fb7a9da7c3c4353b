package healthcheck

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	maxRetryAfter = 5 * time.Minute // so that one odd answer cannot silence a check for a day
	maxQuote      = 80              // the longest first line of an answer that an error repeats
)

// Error says why a ping was not accepted. Its text names the server, and holds at most four characters of the check's ID.
type Error struct {
	// Permanent: the server will say the same again until somebody changes a setting here or there. Otherwise, with the
	// network and a server that is busy or broken, another try may help.
	Permanent bool
	// RetryAfter is how long the server wants to be left alone, at most 5 minutes. 0: it did not say.
	RetryAfter time.Duration

	message string
	cause   string // the same for the same trouble, where message may differ from answer to answer
	hint    string
}

func (e *Error) Error() string { return e.message }

// Hint says what to look at.
func (e *Error) Hint() string { return e.hint }

// judge turns the server's answer into an error, nil when the ping was accepted. For a check named by its UUID the hosted
// service answers 200 whatever happened.
func (c *Client) judge(resp *http.Response, answer []byte) error {
	const tooMany = "too many pings of this check: does more than one pod use it, or does the node's state flap?"
	line, _, _ := strings.Cut(strings.TrimSpace(string(answer)), "\n")
	line = strings.TrimSpace(line)
	code := resp.StatusCode
	text := strings.TrimSpace(strconv.Itoa(code) + " " + http.StatusText(code))
	e := &Error{Permanent: true, cause: strconv.Itoa(code), hint: c.advice(code)}
	switch {
	case code == http.StatusOK && line == "OK", code > 200 && code < 300: // 201: the check was created
		return nil
	case code == http.StatusOK && line == "OK (not found)":
		text, e.hint = line, c.advice(http.StatusNotFound)
	case code == http.StatusOK && strings.HasPrefix(line, "OK (rate"): // it has been spelled with a blank and with a hyphen
		text, e.hint = "OK (rate limited)", tooMany
		e.Permanent, e.RetryAfter = false, minGap
	case code == http.StatusOK:
		text = "200, but not as a healthchecks server does"
	case code >= 300 && code < 400:
		text += c.destination(resp)
		e.hint = "redirects are not followed: set the base URL to the address they lead to"
	case code == http.StatusTooManyRequests:
		e.Permanent, e.RetryAfter, e.hint = false, minGap, tooMany
	case code == http.StatusRequestTimeout || code >= 500:
		e.Permanent, e.hint = false, ""
	default:
		if quote := c.quote(line); !strings.HasSuffix(strings.ToLower(text), strings.ToLower(quote)) {
			text += fmt.Sprintf(" (%q)", quote)
		}
	}
	if wait, ok := retryAfter(resp.Header.Get("Retry-After")); ok && !e.Permanent {
		e.RetryAfter = wait
	}
	e.message = fmt.Sprintf("%s answered %s", c, text)
	return e
}

// advice says what to look at when the server refuses a ping.
func (c *Client) advice(code int) string {
	switch {
	case code == http.StatusConflict:
		return "several checks have this slug: rename them, or use the check's UUID"
	case code == http.StatusNotFound && isSlug(c.options.ID) && !c.options.Create:
		return "check the check's ID and the base URL, or let the server create missing checks"
	case code == http.StatusNotFound, code == http.StatusBadRequest:
		return "check the check's ID and the base URL; self-hosted servers take pings below /ping"
	}
	return "check the base URL, and what stands between here and the server"
}

// unreachable is a ping without an answer. The errors of the network are not passed on: their texts are beyond this
// package's control.
func (c *Client) unreachable(ctx context.Context, err error) error {
	e := &Error{cause: c.redact(describe(err))}
	var cert *tls.CertificateVerificationError
	switch {
	case ctx.Err() != nil:
		e.cause = "no answer in time"
	case errors.As(err, &cert):
		e.hint = "SSL_CERT_FILE names a file with the roots to trust"
	}
	e.message = fmt.Sprintf("%s: %s", c, e.cause)
	return e
}

// describe says what went wrong on the way to the server, without local ports and addresses, which differ each time.
func describe(err error) string {
	var dns *net.DNSError
	var op *net.OpError
	switch {
	case errors.As(err, &dns) && dns.IsNotFound:
		return "no such host: " + dns.Name
	case errors.As(err, &dns) && dns.IsTimeout:
		return "the look-up of " + dns.Name + " took too long"
	case errors.As(err, &dns):
		return "the look-up of " + dns.Name + " failed"
	case errors.As(err, &op) && op.Err != nil:
		return op.Err.Error()
	case strings.Contains(err.Error(), "malformed"):
		return "the answer is not HTTP" // the original text quotes it
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return "the connection was closed before the end of the answer"
	}
	return err.Error()
}

// destination is where a redirect leads, without the path, since that holds the ID.
func (c *Client) destination(resp *http.Response) string {
	location, err := url.Parse(resp.Header.Get("Location"))
	if err != nil || *location == (url.URL{}) {
		return ""
	}
	location = c.base.ResolveReference(location)
	return " to " + location.Scheme + "://" + c.redact(location.Host)
}

// quote returns a line of the server's own words that is fit for an error, or nothing.
func (c *Client) quote(line string) string {
	if len(line) > maxQuote || strings.ContainsFunc(line, func(r rune) bool { return r < ' ' || r > '~' }) {
		return ""
	}
	return c.redact(line)
}

// retryAfter reads the header of that name, a number of seconds or a date (RFC 9110, section 10.2.3).
func retryAfter(value string) (time.Duration, bool) {
	value = strings.TrimSpace(value)
	if seconds, err := strconv.ParseInt(value, 10, 64); err == nil {
		return time.Duration(min(seconds, int64(maxRetryAfter/time.Second))) * time.Second, seconds >= 0
	}
	date, err := http.ParseTime(value)
	return min(max(time.Until(date), 0), maxRetryAfter), err == nil
}
