package monitor

import (
	"context"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kubevali/kubevali/internal/health"
)

// These tests put a listener of their own into a Server, so that its timeouts run on a bubble's clock.

// pipes is a listener whose connections are pairs of memory.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
}

func newPipes() *pipes { return &pipes{make(chan net.Conn), make(chan struct{})} }

func (p *pipes) dial() net.Conn {
	here, there := net.Pipe()
	p.conns <- there
	return here
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { close(p.closed); return nil }
func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }

func TestSlowAndIdleClientsAreCutOff(t *testing.T) {
	const request = "GET /livez HTTP/1.1\r\nHost: x\r\n"
	tests := map[string]struct {
		send string
		want time.Duration
	}{
		"nothing sent":    {"", requestTimeout},
		"half a header":   {request, requestTimeout},
		"idle after work": {request + "\r\n", idleTimeout},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newPipes()
				ctx, cancel := context.WithCancel(t.Context())
				served := make(chan error, 1)
				go func() {
					served <- (&Server{l}).Serve(ctx, snapshot)
				}()
				began := time.Now()
				conn := l.dial()
				go func() { _, _ = io.WriteString(conn, tt.send) }()
				_, _ = io.Copy(io.Discard, conn) // until the server closes
				if took := time.Since(began); took != tt.want {
					t.Errorf("cut off after %v, want %v", took, tt.want)
				}
				cancel()
				if err := <-served; err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestFurtherConnectionsWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newPipes()
		ctx, cancel := context.WithCancel(t.Context())
		served := make(chan error, 1)
		go func() { served <- (&Server{l}).Serve(ctx, snapshot) }()
		var open []net.Conn
		for range maxConnections + 1 { // the last one is accepted and not served
			open = append(open, l.dial())
		}
		dialed := make(chan net.Conn, 1)
		go func() { dialed <- l.dial() }()
		synctest.Wait()
		if len(dialed) != 0 {
			t.Fatalf("accepted beyond %d connections", maxConnections)
		}
		open[0].Close()
		synctest.Wait()
		if len(dialed) != 1 {
			t.Fatal("not accepted after one was closed")
		}
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
		for _, conn := range append(open, <-dialed) {
			if _, err := conn.Read(make([]byte, 1)); err == nil {
				t.Error("a connection is still open")
			}
		}
	})
}

func snapshot() health.Snapshot { return health.Snapshot{State: health.Healthy} }
