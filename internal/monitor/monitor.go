// Package monitor serves the pod's HTTP probes and asks them.
//
// Server answers /livez, /readyz and /healthz from a Status that its owner gives it; what makes a node live or ready is
// decided there. Probe is the other side, for images without a shell. The server is reachable by everybody in the
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
// errors say what to change in monitor.listen. The owner calls Serve or Close.
func Listen(addr string) (*Server, error) {
	if addr == "" {
		return nil, errors.New("monitor.listen: no address to listen on")
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("monitor.listen: cannot listen on %q: %w (%s)", addr, cause(err), advice(err))
	}
	return &Server{listener: newLimitListener(l, maxConnections)}, nil
}

// cause drops what the message has said already.
func cause(err error) error {
	var op *net.OpError
	if errors.As(err, &op) && op.Err != nil {
		return op.Err
	}
	return err
}

func advice(err error) string {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return "pods on the host network share its ports: give each one of its own, such as ':{{ add 49944 .Index }}'; " +
			`"" switches the probes off`
	case errors.Is(err, syscall.EACCES):
		return "ports below 1024 need a privilege: take a higher one"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return `this host does not have that address: use ":port" to listen on all it has`
	}
	return `expected ":port" or "host:port", such as ":49944"`
}

// Addr is the address that was bound, with its real port where port 0 was asked for.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// Close gives up the address. It is for a server that was never served; Serve does so itself.
func (s *Server) Close() error { return s.listener.Close() }

// Serve answers probes until ctx is done, then lets answers on their way finish, for a second at most. It returns when all
// is closed; nil, unless the listener broke. source is called once per request and from many goroutines; it must be quick.
func (s *Server) Serve(ctx context.Context, source func() Status) error {
	server := &http.Server{
		Handler:           newHandler(source),
		ReadHeaderTimeout: requestTimeout,
		ReadTimeout:       requestTimeout,
		WriteTimeout:      requestTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(s.listener) }()
	select {
	case err := <-served:
		_ = server.Close()
		return fmt.Errorf("monitor: %w", err)
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
