package monitor

import (
	"context"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"
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
					s := &Server{listener: newLimitListener(l, 1)}
					served <- s.Serve(ctx, func() Status { return Status{State: "healthy", Live: true} })
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
		limited := newLimitListener(l, 2)
		accepted := make(chan net.Conn, 3)
		go func() {
			for {
				conn, err := limited.Accept()
				if err != nil {
					close(accepted)
					return
				}
				accepted <- conn
			}
		}()
		first := l.dial()
		second := l.dial()
		defer first.Close()
		defer second.Close()
		dialed := make(chan net.Conn, 1)
		go func() { dialed <- l.dial() }()
		synctest.Wait()
		if len(accepted) != 2 || len(dialed) != 0 {
			t.Fatalf("%d accepted with a limit of 2", len(accepted))
		}
		one := <-accepted
		one.Close()
		one.Close() // frees one slot, not two
		third := <-dialed
		defer third.Close()
		synctest.Wait()
		if len(accepted) != 2 {
			t.Fatalf("%d accepted after one was closed", len(accepted))
		}
		if err := limited.Close(); err != nil { // while Accept waits for a slot
			t.Error(err)
		}
		_ = limited.Close()
		for range accepted {
		}
	})
}
