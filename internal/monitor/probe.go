package monitor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"

	"github.com/kubevali/kubevali/internal/hint"
)

// Kind is a probe: Live or Ready.
type Kind string

const (
	Live  Kind = "live"
	Ready Kind = "ready"
)

// maxLine is how much of an answer is read, in bytes.
const maxLine = 4 << 10

// Probe asks the server that listens on addr, in the form that Listen takes. It returns the server's line; the error is
// nil when the answer is 200, and otherwise holds that line, or says why there is none. ctx bounds the wait.
func Probe(ctx context.Context, addr string, kind Kind) (string, error) {
	target, err := reachable(addr)
	if err != nil {
		return "", err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+target+"/"+string(kind)+"z", nil)
	if err != nil {
		return "", fmt.Errorf("cannot ask %s: %w", target, err)
	}
	// A transport of its own: the environment's proxy has no business here.
	resp, err := (&http.Transport{DisableKeepAlives: true, MaxResponseHeaderBytes: maxLine}).RoundTrip(req)
	if err != nil {
		return "", unanswered(target, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxLine))
	if err != nil {
		return "", unanswered(target, err)
	}
	line, _, _ := strings.Cut(strings.TrimSpace(string(body)), "\n")
	line = oneLine(line)
	switch resp.StatusCode {
	case http.StatusOK:
		return line, nil
	case http.StatusServiceUnavailable:
		return line, errors.New(line)
	}
	return line, hint.With(fmt.Errorf("%s answered %d %q", target, resp.StatusCode, line), "is this kubevali's address?")
}

// reachable turns an address to listen on into one to connect to.
func reachable(addr string) (string, error) {
	if addr == "" {
		return "", hint.New("no address to ask: the probes are switched off", "give one, such as :49944")
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "", hint.With(err, addressForm)
	}
	switch ip := net.ParseIP(host); {
	case host == "" || ip.Equal(net.IPv4zero): // without a host the server listens on both, IPv4 and IPv6
		host = "127.0.0.1"
	case ip.Equal(net.IPv6unspecified):
		host = "::1"
	}
	return net.JoinHostPort(host, port), nil
}

func unanswered(target string, err error) error {
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return hint.With(fmt.Errorf("nothing listens on %s", target), "kubevali is not running here, or listens on another address")
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("no answer from %s in time", target)
	}
	return fmt.Errorf("cannot ask %s: %w", target, err)
}
