// Package kube asks the Kubernetes API about the few things a node's pod needs: where its node can be reached, and a
// Service of its own that makes it reachable.
//
// Inside a pod a Client asks, as the pod's service account; it puts up with an API server that is away for a while, and it
// alone changes something, the pod's Service. At a desk Kubectl asks, through the operator's own kubectl. What goes wrong is
// said in the operator's terms, with the rule or field that is missing.
//
// It is no general client: it knows pods (get), nodes (get, list) and services (get, create, patch), JSON and HTTP/1.1,
// and no watches. It renders nothing and decides nothing about the node.
//
// Invariants: nothing is sent before the first look-up; every request has a deadline and every answer a size limit; a
// Service that something else made is not touched without being told to, and none is left half changed when the API
// refuses a change; credentials never reach logs or errors.
package kube

import (
	"crypto/tls"
	"crypto/x509"
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
	// UserAgent is sent with every request.
	UserAgent string
	// Patience is for how long a request puts up with an API server that does not answer, or says to come back later.
	// 0: it is tried once.
	Patience time.Duration
	// Log is told, once per outage, that a call waits and why, and that it goes on. Nil: nobody is told.
	Log func(format string, args ...any)
	// Transport replaces the client's own connections. Nil: HTTP/1.1 with the cluster's certificates.
	Transport http.RoundTripper
}

// Client asks the API server of the pod that this process runs in. It is safe for concurrent use.
type Client struct {
	reader
	cluster   Cluster
	options   Options
	transport http.RoundTripper

	mu     sync.Mutex // guards what follows, and keeps what is said about it in order
	outage bool       // whether somebody was told that a call waits
	away   time.Time  // when the API server was last seen to be away
}

// NewClient returns a client. It sends nothing. An error says what is wrong with the cluster's root certificates.
func NewClient(c Cluster, o Options) (*Client, error) {
	client := &Client{cluster: c, options: o, transport: o.Transport}
	client.reader = reader{client.do}
	if o.Log == nil {
		client.options.Log = func(string, ...any) {}
	}
	if client.transport == nil {
		roots, err := c.roots()
		if err != nil {
			return nil, err
		}
		client.transport = newTransport(roots)
	}
	return client, nil
}

// newTransport makes its connections itself, whatever proxy there is for others: the API server is in the pod's own
// cluster.
func newTransport(roots *x509.CertPool) *http.Transport {
	t := &http.Transport{
		DialContext:            (&net.Dialer{Timeout: dialTimeout}).DialContext,
		TLSClientConfig:        &tls.Config{RootCAs: roots},
		DisableCompression:     true, // unpacking needs more memory than an answer
		MaxIdleConnsPerHost:    1,
		IdleConnTimeout:        idleTimeout,
		MaxResponseHeaderBytes: maxAnswerHeader,
		Protocols:              new(http.Protocols),
	}
	t.Protocols.SetHTTP1(true)
	return t
}

// Close drops the connections that wait for another request. The client can still be used after it.
func (c *Client) Close() {
	if t, ok := c.transport.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
}
