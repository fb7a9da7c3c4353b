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

// Class says what to do about a ping that was not accepted.
type Class int

const (
	// Transient: the network, or a server that is busy or broken. Another try may help.
	Transient Class = iota
	// Configuration: the server will say the same again until somebody changes a setting here or there.
	Configuration
)

// Error says why a ping was not accepted. Its text names the server and the setting to look at, and holds at most four
// characters of the check's ID.
type Error struct {
	Class Class
	// RetryAfter is how long the server wants to be left alone, at most 5 minutes. 0: it did not say.
	RetryAfter time.Duration

	message string
	cause   string // the same for the same trouble, where message may differ from answer to answer
	err     error
}

func (e *Error) Error() string { return e.message }

// Unwrap returns context.Canceled or context.DeadlineExceeded where one of them ended the ping, else nil. The errors of
// the network are not passed on: their texts are beyond this package's control.
func (e *Error) Unwrap() error { return e.err }

// judge turns the server's answer into an error, nil when the ping was accepted.
func (c *Client) judge(resp *http.Response, answer []byte) error {
	code := resp.StatusCode
	switch {
	case code == http.StatusOK:
		return c.judgeOK(resp, firstLine(answer))
	case code > 200 && code < 300: // 201: the check was created
		return nil
	case code >= 300 && code < 400:
		return c.refused(resp, fmt.Sprintf("%s%s; redirects are not followed: "+
			"set healthchecks.baseURL to the address they lead to", statusText(code), c.destination(resp)))
	case code == http.StatusTooManyRequests:
		return c.later(resp, statusText(code)+"; too many pings of this check", minGap)
	case code == http.StatusRequestTimeout || code >= 500:
		return c.later(resp, statusText(code), 0)
	}
	reason := statusText(code)
	if quote := c.quote(firstLine(answer)); !strings.HasSuffix(strings.ToLower(reason), strings.ToLower(quote)) {
		reason += fmt.Sprintf(" (%q)", quote)
	}
	return c.refused(resp, reason+"; "+c.advice(code))
}

// judgeOK reads the body of a 200. For a check named by its UUID the hosted service answers 200 whatever happened.
func (c *Client) judgeOK(resp *http.Response, line string) error {
	switch {
	case line == "OK":
		return nil
	case line == "OK (not found)":
		return c.refused(resp, line+"; "+c.advice(http.StatusNotFound))
	case strings.HasPrefix(line, "OK (rate"): // it has been spelled with a blank and with a hyphen
		return c.later(resp, "OK (rate limited); too many pings of this check", minGap)
	}
	return c.refused(resp, "200, but not as a healthchecks server does; check healthchecks.baseURL")
}

func (c *Client) advice(code int) string {
	switch {
	case code == http.StatusConflict:
		return "several checks have this slug: rename them, or use the check's UUID"
	case code == http.StatusNotFound && c.id.slug && !c.create:
		return "check watchlog.healthcheckID and healthchecks.baseURL, " +
			"or let the server create the check with healthchecks.create"
	case code == http.StatusNotFound || code == http.StatusBadRequest:
		return "check watchlog.healthcheckID and healthchecks.baseURL (self-hosted servers take pings below /ping)"
	}
	return "check healthchecks.baseURL and what stands between here and the server"
}

// refused is an answer that will not change by itself.
func (c *Client) refused(resp *http.Response, answer string) error {
	return &Error{
		Class:   Configuration,
		message: fmt.Sprintf("%s answered %s", c, answer),
		cause:   strconv.Itoa(resp.StatusCode),
	}
}

// later is an answer that asks for another try. wait is how long to stay away when the server does not say.
func (c *Client) later(resp *http.Response, answer string, wait time.Duration) error {
	if asked, ok := retryAfter(resp.Header.Get("Retry-After")); ok {
		wait = asked
	}
	return &Error{
		Class:      Transient,
		RetryAfter: wait,
		message:    fmt.Sprintf("%s answered %s", c, answer),
		cause:      strconv.Itoa(resp.StatusCode),
	}
}

// unreachable is a ping without an answer.
func (c *Client) unreachable(ctx context.Context, err error) error {
	e := &Error{Class: Transient, cause: c.id.redact(describe(err))}
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		e.err, e.cause = context.Canceled, "given up"
	case ctx.Err() != nil:
		e.err, e.cause = context.DeadlineExceeded, "no answer in time"
	}
	e.message = fmt.Sprintf("%s: %s", c, e.cause)
	return e
}

// describe says what went wrong on the way to the server, without local ports and addresses, which differ each time.
func describe(err error) string {
	var dns *net.DNSError
	if errors.As(err, &dns) {
		switch {
		case dns.IsNotFound:
			return "no such host: " + dns.Name
		case dns.IsTimeout:
			return "the look-up of " + dns.Name + " took too long"
		}
		return "the look-up of " + dns.Name + " failed"
	}
	var cert *tls.CertificateVerificationError
	if errors.As(err, &cert) {
		return cert.Error() + " (SSL_CERT_FILE names a file with the roots to trust)"
	}
	var op *net.OpError
	if errors.As(err, &op) && op.Err != nil {
		return op.Err.Error()
	}
	if strings.Contains(err.Error(), "malformed") {
		return "the answer is not HTTP" // the original text quotes it
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return "the connection was closed before the end of the answer"
	}
	return err.Error()
}

// destination is where a redirect leads, without the path, since that holds the ID.
func (c *Client) destination(resp *http.Response) string {
	location, err := url.Parse(resp.Header.Get("Location"))
	if err != nil || resp.Header.Get("Location") == "" {
		return ""
	}
	location = c.base.ResolveReference(location)
	return c.id.redact(fmt.Sprintf(" to %s://%s", location.Scheme, location.Host))
}

// quote returns a line of the server's own words that is fit for an error, or nothing.
func (c *Client) quote(line string) string {
	if len(line) > maxQuote || !consistsOf(line, func(b byte) bool { return ' ' <= b && b <= '~' }) {
		return ""
	}
	return c.id.redact(line)
}

func firstLine(answer []byte) string {
	line, _, _ := strings.Cut(strings.TrimSpace(string(answer)), "\n")
	return strings.TrimSpace(line)
}

func statusText(code int) string {
	return strings.TrimSpace(strconv.Itoa(code) + " " + http.StatusText(code))
}

// retryAfter reads the header of that name, a number of seconds or a date (RFC 9110, section 10.2.3).
func retryAfter(value string) (time.Duration, bool) {
	value = strings.TrimSpace(value)
	if seconds, err := strconv.ParseInt(value, 10, 64); err == nil {
		if seconds < 0 {
			return 0, false
		}
		return time.Duration(min(seconds, int64(maxRetryAfter/time.Second))) * time.Second, true
	}
	date, err := http.ParseTime(value)
	if err != nil {
		return 0, false
	}
	return min(max(time.Until(date), 0), maxRetryAfter), true
}
