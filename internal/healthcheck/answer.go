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
	// maxRetryAfter bounds what a server can ask for, so that one odd answer cannot silence a check for a day.
	maxRetryAfter = 5 * time.Minute
	// maxQuote is the longest first line of an answer that an error repeats.
	maxQuote = 80
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
	err     error
}

func (e *Error) Error() string { return e.message }

// Hint says what to look at.
func (e *Error) Hint() string { return e.hint }

// Unwrap returns context.Canceled or context.DeadlineExceeded where one of them ended the ping, else nil. The errors of
// the network are not passed on: their texts are beyond this package's control.
func (e *Error) Unwrap() error { return e.err }

const (
	checkAddress = "check the base URL, and what stands between here and the server"
	checkBoth    = "check the check's ID and the base URL; self-hosted servers take pings below /ping"
	tooMany      = "too many pings of this check: does more than one pod use it, or does the node's state flap?"
)

// judge turns the server's answer into an error, nil when the ping was accepted. For a check named by its UUID the hosted
// service answers 200 whatever happened.
func (c *Client) judge(resp *http.Response, answer []byte) error {
	line, _, _ := strings.Cut(strings.TrimSpace(string(answer)), "\n")
	line = strings.TrimSpace(line)
	code := resp.StatusCode
	status := strings.TrimSpace(strconv.Itoa(code) + " " + http.StatusText(code))
	switch {
	case code == http.StatusOK && line == "OK", code > 200 && code < 300: // 201: the check was created
		return nil
	case code == http.StatusOK && line == "OK (not found)":
		return c.refused(resp, line, c.adviceNotFound())
	case code == http.StatusOK && strings.HasPrefix(line, "OK (rate"): // it has been spelled with a blank and with a hyphen
		return c.busy(resp, "OK (rate limited)", tooMany, minGap)
	case code == http.StatusOK:
		return c.refused(resp, "200, but not as a healthchecks server does", checkAddress)
	case code >= 300 && code < 400:
		return c.refused(resp, status+c.destination(resp), "redirects are not followed: set the base URL to the address they lead to")
	case code == http.StatusTooManyRequests:
		return c.busy(resp, status, tooMany, minGap)
	case code == http.StatusRequestTimeout || code >= 500:
		return c.busy(resp, status, "", 0)
	}
	if quote := c.quote(line); !strings.HasSuffix(strings.ToLower(status), strings.ToLower(quote)) {
		status += fmt.Sprintf(" (%q)", quote)
	}
	switch code {
	case http.StatusConflict:
		return c.refused(resp, status, "several checks have this slug: rename them, or use the check's UUID")
	case http.StatusNotFound:
		return c.refused(resp, status, c.adviceNotFound())
	case http.StatusBadRequest:
		return c.refused(resp, status, checkBoth)
	}
	return c.refused(resp, status, checkAddress)
}

func (c *Client) adviceNotFound() string {
	if c.id.slug && !c.create {
		return "check the check's ID and the base URL, or let the server create missing checks"
	}
	return checkBoth
}

// refused is an answer that will not change by itself.
func (c *Client) refused(resp *http.Response, answer, hint string) error {
	return &Error{
		Permanent: true,
		message:   fmt.Sprintf("%s answered %s", c, answer),
		cause:     strconv.Itoa(resp.StatusCode),
		hint:      hint,
	}
}

// busy is an answer that asks for another try. wait is how long to stay away when the server does not say.
func (c *Client) busy(resp *http.Response, answer, hint string, wait time.Duration) error {
	if asked, ok := retryAfter(resp.Header.Get("Retry-After")); ok {
		wait = asked
	}
	return &Error{
		RetryAfter: wait,
		message:    fmt.Sprintf("%s answered %s", c, answer),
		cause:      strconv.Itoa(resp.StatusCode),
		hint:       hint,
	}
}

// unreachable is a ping without an answer.
func (c *Client) unreachable(ctx context.Context, err error) error {
	e := &Error{cause: c.id.redact(describe(err))}
	var cert *tls.CertificateVerificationError
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		e.err, e.cause = context.Canceled, "given up"
	case ctx.Err() != nil:
		e.err, e.cause = context.DeadlineExceeded, "no answer in time"
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
	return " to " + location.Scheme + "://" + c.id.redact(location.Host)
}

// quote returns a line of the server's own words that is fit for an error, or nothing.
func (c *Client) quote(line string) string {
	if len(line) > maxQuote || strings.ContainsFunc(line, func(r rune) bool { return r < ' ' || r > '~' }) {
		return ""
	}
	return c.id.redact(line)
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
