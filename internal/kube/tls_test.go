package kube_test

import (
	"context"
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kubevali/kubevali/internal/hint"
	"github.com/kubevali/kubevali/internal/kube"
)

// apiServer is an HTTPS server that notes who asks: the Authorization header.
type apiServer struct {
	*httptest.Server
	mu     sync.Mutex
	asked  []string
	closed chan struct{}    // a value for each connection that was closed
	answer http.HandlerFunc // nil: node-1
}

func newAPIServer(t *testing.T) *apiServer {
	t.Helper()
	s := &apiServer{closed: make(chan struct{}, 100)}
	s.Server = httptest.NewUnstartedServer(s)
	s.EnableHTTP2 = true
	s.Config.ErrorLog = quiet()
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateClosed {
			s.closed <- struct{}{}
		}
	}
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

func (s *apiServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, r.Header.Get("Authorization"))
	switch {
	case r.ProtoMajor != 1:
		answerStatus(w, 505, "", r.Proto)
	case s.answer != nil:
		s.answer(w, r)
	default:
		answers(200, node1)(w, r)
	}
}

func (s *apiServer) address() string { return s.Listener.Addr().String() }

// account is a service account's folder that is right for the server.
func (s *apiServer) account(t *testing.T, token string) string {
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	return account(t, map[string]string{"token": token, "ca.crt": string(authority)})
}

func (s *apiServer) who(t *testing.T, client *kube.Client) string {
	t.Helper()
	if _, err := client.Node(t.Context(), "node-1"); err != nil {
		t.Fatal(hint.Line(err))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked[len(s.asked)-1]
}

// However the API server answers, it is told who asks, and nobody else is.
func TestErrorsKeepSecrets(t *testing.T) {
	s := newAPIServer(t)
	dir := s.account(t, "s3cret-abc")
	for name, tc := range map[string]struct {
		answer  http.HandlerFunc
		message string
	}{
		"bad request":    {refuses(400, "BadRequest", "what?"), "what?"},
		"not accepted":   {refuses(401, "Unauthorized", "Unauthorized"), "does not accept the credentials"},
		"forbidden":      {notYetAllowed, "may not"},
		"not there":      {refuses(404, "NotFound", `nodes "node-1" not found`), "it does not exist"},
		"conflict":       {refuses(409, "Conflict", "changed"), "changed"},
		"unavailable":    {refuses(503, "ServiceUnavailable", "apiserver not ready"), "apiserver not ready"},
		"not Kubernetes": {answers(200, "<html>"), "does not answer as a Kubernetes API server does"},
		"redirect":       {http.RedirectHandler("https://login.example.com", http.StatusFound).ServeHTTP, "redirect"},
		"cut off":        {answers(200, node1[:20]), "the answer broke off"},
		"no answer":      {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "no answer from the Kubernetes API"},
	} {
		t.Run(name, func(t *testing.T) {
			s.asked, s.answer = nil, tc.answer
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			logged := ""
			client := newClient(t, inPod(t, s.address(), dir), kube.Options{Patience: time.Hour, Log: func(format string, args ...any) {
				logged = fmt.Sprintf(format, args...)
				cancel()
			}})
			_, err := client.Node(ctx, "node-1")
			message := tc.message
			if strings.Contains(logged, message) {
				message = "given up: context canceled"
			}
			checkError(t, err, message, hint.Of(err))
			if len(s.asked) != 1 || s.asked[0] != "Bearer s3cret-abc" {
				t.Errorf("Authorization: %q", s.asked)
			}
		})
	}
}

func TestTokenIsReadAnew(t *testing.T) {
	s := newAPIServer(t)
	dir := s.account(t, " s3cret-first\n")
	client := newClient(t, inPod(t, s.address(), dir), kube.Options{})
	if got := s.who(t, client); got != "Bearer s3cret-first" {
		t.Errorf("%q", got)
	}
	writeFile(t, filepath.Join(dir, "token"), "s3cret-second")
	if got := s.who(t, client); got != "Bearer s3cret-second" {
		t.Errorf("%q", got)
	}
	writeFile(t, filepath.Join(dir, "token"), "")
	_, err := client.Node(t.Context(), "node-1")
	checkError(t, err, `cannot get node "node-1": the pod's service account: `+dir+"/token is empty", "")
}

func TestClose(t *testing.T) {
	s := newAPIServer(t)
	client := newClient(t, inPod(t, s.address(), s.account(t, "s3cret")), kube.Options{})
	for range 3 {
		s.who(t, client)
	}
	select {
	case <-s.closed:
		t.Error("the connection was not used again")
	default:
	}
	client.Close()
	select {
	case <-s.closed:
	case <-time.After(30 * time.Second):
		t.Fatal("the connection is still there")
	}
	s.who(t, client)
}

func TestNoTrust(t *testing.T) {
	s := newAPIServer(t)
	patient := kube.Options{Patience: time.Hour} // time does not mend a certificate
	dir := account(t, map[string]string{"token": "s3cret"})
	_, err := newClient(t, inPod(t, s.address(), dir), patient).Node(t.Context(), "node-1")
	checkError(t, err, "tls: failed to verify certificate", "see whether "+dir+"/ca.crt is this cluster's")

	plain := httptest.NewServer(s)
	defer plain.Close()
	_, err = newClient(t, inPod(t, plain.Listener.Addr().String(), dir), patient).Node(t.Context(), "node-1")
	checkError(t, err, "no answer from the Kubernetes API at https://127.0.0.1:", "KUBERNETES_SERVICE_HOST")
	if len(s.asked) > 0 {
		t.Errorf("the token was sent: %q", s.asked)
	}
}

func TestNobodyListens(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	listener.Close()
	_, err = newClient(t, inPod(t, address, account(t, map[string]string{"token": "s3cret"})), kube.Options{}).Node(t.Context(), "node-1")
	checkError(t, err, fmt.Sprintf("no answer from the Kubernetes API at https://%s: connect: connection refused", address),
		"whether a NetworkPolicy keeps the pod from "+address)
}
