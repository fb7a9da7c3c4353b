package kube

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

const (
	// requestTimeout is how long one request may take, from the connection to the end of the answer.
	requestTimeout = 10 * time.Second
	// dialTimeout is how long a connection may take to come up.
	dialTimeout = 5 * time.Second
	// idleTimeout is how long a connection waits for another request.
	idleTimeout = 15 * time.Second
	// maxAnswer bounds an answer, in bytes. etcd keeps no object larger than 1.5 MiB; a page of nodes holds several.
	maxAnswer = 8 << 20
	// maxAnswerHeader bounds an answer's header, in bytes.
	maxAnswerHeader = 64 << 10
)

// Options say how a client behaves. The zero value tries everything once and says nothing.
type Options struct {
	// UserAgent is sent with every request; "": kubevali.
	UserAgent string
	// Patience is for how long a request puts up with an API server that does not answer, or says to come back later.
	// 0: it is tried once.
	Patience time.Duration
	// Log is told, once per outage, that a call waits and why, and that it goes on. Nil: nobody is told.
	Log func(format string, args ...any)
	// Stderr is where credential plugins of a kubeconfig write their complaints. Nil: nowhere.
	Stderr io.Writer
	// Transport replaces the client's own connections. Nil: HTTP/1.1 with the cluster's certificates.
	Transport http.RoundTripper
}

// Client asks the API server. It is safe for concurrent use.
type Client struct {
	cluster     *Cluster
	options     Options
	credentials *credentials
	transport   http.RoundTripper

	mu     sync.Mutex // guards what follows, and keeps what is said about it in order
	outage bool       // whether somebody was told that a call waits
	away   time.Time  // when the API server was last seen to be away
}

// NewClient returns a client. It sends nothing and runs no plugin. An error is a *ConfigError about the certificates.
func NewClient(c *Cluster, o Options) (*Client, error) {
	client := &Client{
		cluster:     c,
		options:     o,
		credentials: &credentials{cluster: c, stderr: o.Stderr},
		transport:   o.Transport,
	}
	if o.UserAgent == "" {
		client.options.UserAgent = "kubevali"
	}
	if o.Log == nil {
		client.options.Log = func(string, ...any) {}
	}
	if client.transport == nil {
		config, err := client.tlsConfig()
		if err != nil {
			return nil, err
		}
		client.transport = newTransport(c, config)
	}
	return client, nil
}

func newTransport(c *Cluster, config *tls.Config) *http.Transport {
	t := &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: dialTimeout}).DialContext,
		TLSClientConfig:        config,
		DisableCompression:     true,            // unpacking needs more memory than an answer
		DisableKeepAlives:      c.plugin != nil, // a connection goes on with the certificate it began with
		MaxIdleConnsPerHost:    1,
		IdleConnTimeout:        idleTimeout,
		MaxResponseHeaderBytes: maxAnswerHeader,
		Protocols:              new(http.Protocols),
	}
	t.Protocols.SetHTTP1(true)
	if c.proxy != nil {
		t.Proxy = http.ProxyURL(c.proxy)
	}
	return t
}

func (c *Client) tlsConfig() (*tls.Config, error) {
	wrong := func(message string) (*tls.Config, error) {
		return nil, &ConfigError{Source: c.cluster.source, Message: message}
	}
	config := &tls.Config{ServerName: c.cluster.serverName, InsecureSkipVerify: c.cluster.insecure}
	if c.cluster.roots != nil {
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(c.cluster.roots) {
			return wrong("the certificate authority is not a certificate in PEM")
		}
	}
	if c.cluster.certificate != nil {
		pair, err := tls.X509KeyPair(c.cluster.certificate, c.cluster.key)
		if err != nil {
			return wrong("client-certificate and client-key are not PEM, or do not belong together")
		}
		config.Certificates = []tls.Certificate{pair}
	}
	if c.cluster.plugin != nil {
		config.GetClientCertificate = c.credentials.certificate
	}
	return config, nil
}

// Close drops the connections that wait for another request. The client can still be used after it.
func (c *Client) Close() {
	if t, ok := c.transport.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
}
