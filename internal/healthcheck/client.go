package healthcheck

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"runtime/debug"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/x509roots/fallback/bundle"

	"github.com/kubevali/kubevali/internal/secret"
)

const (
	defaultBodyLimit = 10_000  // what an unconfigured server keeps of a body, in bytes (PING_BODY_LIMIT)
	maxBodyLimit     = 100_000 // what the hosted service keeps; more is not sent, whatever a server offers
	maxAnswer        = 512     // how much of an answer's body is read: the server's own are a few words
	maxAnswerHeader  = 16 << 10
)

// ClientOptions say which check to ping, and how.
type ClientOptions struct {
	// BaseURL is where pings go: https://hc-ping.com, or https://HOST/ping of a self-hosted server. A user and password
	// in it are sent as basic authentication.
	BaseURL string
	// ID is the check's UUID or <ping-key>/<slug>.
	ID secret.Text
	// Create lets the server create a missing check. It works for the slug form only and is ignored for a UUID.
	Create bool
	// Timeout is how long one ping may take, from the look-up of the host to the end of the answer.
	Timeout time.Duration
	// Version is kubevali's, for the User-Agent.
	Version string
	// Transport replaces the client's own one. Nil: HTTP/1.1 through the proxy the environment names, a connection per
	// ping, the system's root certificates or else the embedded ones.
	Transport http.RoundTripper
}

// Client sends pings to one check. It is safe for concurrent use.
type Client struct {
	options   ClientOptions // with the ID as the server knows it, and Create for a slug only
	base      *url.URL
	transport func() http.RoundTripper
	bodyLimit atomic.Int64 // what the server last said it keeps
}

// NewClient returns a client, or the error of ParseBaseURL or ParseID. It opens no connection and reads no certificates;
// the first Ping does.
func NewClient(o ClientOptions) (*Client, error) {
	base, err := ParseBaseURL(o.BaseURL)
	if err != nil {
		return nil, fmt.Errorf("the base URL: %w", err)
	}
	if o.ID, err = ParseID(o.ID); err != nil {
		return nil, err
	}
	o.Create = o.Create && isSlug(o.ID)
	c := &Client{options: o, base: base}
	c.bodyLimit.Store(defaultBodyLimit)
	c.transport = sync.OnceValue(c.newTransport)
	return c, nil
}

func (c *Client) newTransport() http.RoundTripper {
	if c.options.Transport != nil {
		return c.options.Transport
	}
	t := &http.Transport{
		Proxy: http.ProxyFromEnvironment,
		// Pings are a minute apart, about when servers close idle connections; a POST that meets such a close is lost.
		DisableKeepAlives:      true,
		DisableCompression:     true,
		MaxResponseHeaderBytes: maxAnswerHeader,
	}
	if c.base.Scheme == "https" {
		t.TLSClientConfig = &tls.Config{RootCAs: trustedRoots(x509.SystemCertPool)}
		// Reading hundreds of certificates leaves megabytes of garbage behind, more than all of this process's life after it.
		debug.FreeOSMemory()
	}
	return t
}

// trustedRoots returns the root certificates for servers: nil, which makes crypto/tls use the system's, or the embedded
// ones where the system has none, as in an image made from scratch. Both cost milliseconds and memory, so it is called
// before the first ping and not at start.
func trustedRoots(system func() (*x509.CertPool, error)) *x509.CertPool {
	pool, err := system()
	if err == nil && !pool.Equal(x509.NewCertPool()) {
		return nil
	}
	embedded := x509.NewCertPool()
	for root := range bundle.Roots() {
		cert, err := x509.ParseCertificate(root.Certificate)
		switch {
		case err != nil: // one root fewer; the servers it vouches for are reported as not trusted
		case root.Constraint == nil:
			embedded.AddCert(cert)
		default:
			embedded.AddCertWithConstraint(cert, root.Constraint)
		}
	}
	return embedded
}

// String names the server, without what may be secret in its address, and the check, by its first four characters.
func (c *Client) String() string {
	return c.base.Scheme + "://" + c.base.Host + " check " + c.options.ID.String()
}

// Ping sends p once and waits for the answer. An error is an *Error, which says whether another try makes sense.
func (c *Client) Ping(ctx context.Context, p Ping) error {
	ctx, cancel := context.WithTimeout(ctx, c.options.Timeout)
	defer cancel()
	// The transport is used without an http.Client around it: nothing follows a redirect, and no *url.Error, whose
	// text holds the URL, is ever made.
	resp, err := c.transport().RoundTrip(c.request(ctx, p))
	if err != nil {
		return c.unreachable(ctx, err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return c.unreachable(ctx, err)
	}
	if limit, err := strconv.Atoi(resp.Header.Get("Ping-Body-Limit")); err == nil && limit >= 0 {
		c.bodyLimit.Store(int64(min(limit, maxBodyLimit)))
	}
	return c.judge(resp, answer)
}

func (c *Client) request(ctx context.Context, p Ping) *http.Request {
	target := c.base.JoinPath(c.options.ID.Reveal(), p.endpoint())
	target.User = nil
	query := url.Values{}
	if p.RunID != "" {
		query.Set("rid", p.RunID)
	}
	if c.options.Create {
		query.Set("create", "1")
	}
	target.RawQuery = query.Encode()

	header := http.Header{"User-Agent": {"kubevali/" + c.options.Version}, "Content-Type": {"text/plain; charset=utf-8"}}
	req := &http.Request{Method: http.MethodPost, URL: target, Header: header, Body: http.NoBody}
	if user := c.base.User; user != nil {
		password, _ := user.Password()
		req.SetBasicAuth(user.Username(), password)
	}
	if body := p.body(int(c.bodyLimit.Load())); len(body) > 0 {
		// With the length known the body is not sent in chunks; the server stores a chunked one as empty.
		req.Body, req.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	}
	return req.WithContext(ctx)
}
