// Package monitor serves the pod's HTTP probes and asks them.
//
// Server answers /livez, /readyz and /healthz from the health.Snapshot that its owner gives it; what makes a node live or
// ready is decided there. Probe is the other side, for images without a shell. The server is reachable by everybody in the
// cluster's network: it takes no input but a path, and what a client can make it spend is bounded.
package monitor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"syscall"
	"time"

	"github.com/kubevali/kubevali/internal/health"
	"github.com/kubevali/kubevali/internal/hint"
)

const (
	// requestTimeout bounds reading a request and writing its answer. A prober sends one packet and waits a second.
	requestTimeout = 5 * time.Second
	// idleTimeout closes connections that nobody asks on. The kubelet opens a new one for each probe.
	idleTimeout = 30 * time.Second
	// maxHeader bounds a request's header in bytes; net/http adds 4 KiB.
	maxHeader = 4 << 10
	// maxConnections bounds the memory that clients can make the server use; each costs some 15 KiB.
	maxConnections = 256
	// shutdownTimeout is how long answers on their way may take once the server stops.
	shutdownTimeout = time.Second
)

// Server is a bound listener, later an HTTP server on it.
type Server struct {
	listener net.Listener
}

// Listen binds addr, which is ":port" or "host:port", at once, so that a port in use is known before the node starts. Its
// errors wrap the system's and have a hint. The owner calls Serve or Close.
func Listen(addr string) (*Server, error) {
	if addr == "" {
		return nil, hint.New("no address to listen on", addressForm)
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		remedy := advice(err)
		if op := (*net.OpError)(nil); errors.As(err, &op) {
			err = op.Err // the message says the rest already
		}
		return nil, hint.With(fmt.Errorf("cannot listen on %q: %w", addr, err), remedy)
	}
	return &Server{l}, nil
}

// addressForm says what Listen and Probe take.
const addressForm = `expected ":port" or "host:port", such as ":49944"`

func advice(err error) string {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return "pods on the host network share its ports: give each one of its own"
	case errors.Is(err, syscall.EACCES):
		return "ports below 1024 need a privilege: take a higher one"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return `this host does not have that address: use ":port" to listen on all it has`
	}
	return addressForm
}

// Addr is the address that was bound, with its real port where port 0 was asked for.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// Close gives up the address. It is for a server that was never served; Serve does so itself.
func (s *Server) Close() error { return s.listener.Close() }

// Serve answers probes until ctx is done, then lets answers on their way finish, for a second at most. It returns when all
// is closed; nil, unless the listener broke. current is called once per request and from many goroutines; it must be quick.
func (s *Server) Serve(ctx context.Context, current func() health.Snapshot) error {
	open := make(chan struct{}, maxConnections)
	server := &http.Server{
		Handler:           newHandler(current),
		ReadHeaderTimeout: requestTimeout,
		ReadTimeout:       requestTimeout,
		WriteTimeout:      requestTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ConnState: func(_ net.Conn, state http.ConnState) {
			switch state {
			case http.StateNew:
				open <- struct{}{} // accepts no more until there is room: further ones wait in the kernel's queue
			case http.StateClosed:
				<-open
			}
		},
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(s.listener) }()
	select {
	case err := <-served:
		_ = server.Close()
		return fmt.Errorf("serving probes: %w", err)
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	if server.Shutdown(grace) != nil {
		_ = server.Close()
	}
	<-served
	return nil
}
