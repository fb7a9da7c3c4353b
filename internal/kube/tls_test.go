package kube_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kubevali/kubevali/internal/kube"
)

// apiServer is an HTTPS server that says who asked: the certificate's name, else the Authorization header.
type apiServer struct {
	*httptest.Server
	mu     sync.Mutex
	asked  []string
	closed chan struct{} // a value for each connection that was closed
	// refuse makes it refuse who asked, with 401.
	refuse map[string]bool
}

func newAPIServer(t *testing.T) *apiServer {
	t.Helper()
	s := &apiServer{closed: make(chan struct{}, 100), refuse: map[string]bool{}}
	s.Server = httptest.NewUnstartedServer(s)
	s.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
	s.EnableHTTP2 = true
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
	who := r.Header.Get("Authorization")
	if certificates := r.TLS.PeerCertificates; len(certificates) > 0 {
		who = certificates[0].Subject.CommonName
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, who)
	if r.ProtoMajor != 1 {
		answerStatus(w, 505, "", r.Proto)
		return
	}
	if s.refuse[who] {
		answerStatus(w, 401, "Unauthorized", "Unauthorized")
		return
	}
	answers(200, node1)(w, r)
}

// authority is the server's certificate in PEM.
func (s *apiServer) authority() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}))
}

func (s *apiServer) who(t *testing.T, client *kube.Client) string {
	t.Helper()
	if _, err := client.Node(t.Context(), "node-1"); err != nil {
		t.Fatalf("%v (hint: %s)", err, kube.Hint(err))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked[len(s.asked)-1]
}

// keyPair makes a client's certificate and its key, in PEM.
func keyPair(t *testing.T, name string) (certificate, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	template.Subject.CommonName = name
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	bytes, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: bytes}))
}

func base64Of(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

func TestCredentials(t *testing.T) {
	s := newAPIServer(t)
	dir := t.TempDir()
	certificate, key := keyPair(t, "jane")
	writeFile(t, filepath.Join(dir, "ca.crt"), s.authority())
	writeFile(t, filepath.Join(dir, "jane.crt"), certificate)
	writeFile(t, filepath.Join(dir, "jane.key"), key)
	writeFile(t, filepath.Join(dir, "token"), " s3cret-file\n")
	authority := "certificate-authority-data: " + base64Of(s.authority())
	for _, tc := range []struct{ name, cluster, user, want string }{
		{"nobody", authority, "", ""},
		{"token", authority, `token: "s3cret-abc\n"`, "Bearer s3cret-abc"},
		{"token file", authority, "tokenFile: token", "Bearer s3cret-file"},
		{"token file before token", authority, "token: s3cret-abc\ntokenFile: token", "Bearer s3cret-file"},
		{"token for a lost file", authority, "token: s3cret-abc\ntokenFile: lost", "Bearer s3cret-abc"},
		{"user and password", authority, "username: joe\npassword: s3cret", "Basic " + base64Of("joe:s3cret")},
		{"certificate", authority, "client-certificate: jane.crt\nclient-key: jane.key", "jane"},
		{"certificate data", authority, "client-certificate-data: " + base64Of(certificate) + "\nclient-key-data: " + base64Of(key), "jane"},
		{"authority's file", "certificate-authority: ca.crt", "token: s3cret-abc", "Bearer s3cret-abc"},
		{"any server", "insecure-skip-tls-verify: true", "token: s3cret-abc", "Bearer s3cret-abc"},
		{"the server's other name", authority + "\ntls-server-name: example.com", "token: s3cret-abc", "Bearer s3cret-abc"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			path := filepath.Join(dir, "config")
			writeFile(t, path, kubeconfigFor(s.URL, tc.cluster, tc.user))
			client := clientFor(t, path, kube.Options{})
			defer client.Close()
			if got := s.who(t, client); got != tc.want {
				t.Errorf("asked as %q, want %q", got, tc.want)
			}
		})
	}
}

// However the API server answers, it is told who asks, and nobody else is.
func TestErrorsKeepSecrets(t *testing.T) {
	var header string // of the last request
	var answer http.HandlerFunc
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header = r.Header.Get("Authorization")
		answer(w, r)
	}))
	s.Config.ErrorLog = quiet()
	s.StartTLS()
	defer s.Close()
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "token"), "s3cret-file")
	users := map[string]struct{ user, header string }{
		"token":      {"token: s3cret-abc", "Bearer s3cret-abc"},
		"token file": {"tokenFile: token", "Bearer s3cret-file"},
		"password":   {"username: joe\npassword: s3cret", "Basic " + base64Of("joe:s3cret")},
	}
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
		for kind, u := range users {
			t.Run(name+"/"+kind, func(t *testing.T) {
				header, answer = "", tc.answer
				path := filepath.Join(dir, "config")
				writeFile(t, path, kubeconfigFor(s.URL, "insecure-skip-tls-verify: true", u.user))
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				logged := ""
				client := clientFor(t, path, kube.Options{Patience: time.Hour, Log: func(format string, args ...any) {
					logged = fmt.Sprintf(format, args...)
					cancel()
				}})
				defer client.Close()
				_, err := client.Node(ctx, "node-1")
				message := tc.message
				if strings.Contains(logged, message) {
					message = "given up: context canceled"
				}
				checkError(t, err, message, kube.Hint(err))
				if header != u.header {
					t.Errorf("Authorization: %q, want %q", header, u.header)
				}
			})
		}
	}
}

func TestTokenIsReadAnew(t *testing.T) {
	s := newAPIServer(t)
	host, port, _ := net.SplitHostPort(s.Listener.Addr().String())
	dir := account(t, map[string]string{"token": "s3cret-first", "ca.crt": s.authority()})
	cluster, err := kube.LocateWith(environ("KUBERNETES_SERVICE_HOST", host, "KUBERNETES_SERVICE_PORT", port), dir)
	if err != nil {
		t.Fatal(err)
	}
	client, err := kube.NewClient(cluster, kube.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if got := s.who(t, client); got != "Bearer s3cret-first" {
		t.Errorf("%q", got)
	}
	writeFile(t, filepath.Join(dir, "token"), "s3cret-second")
	if got := s.who(t, client); got != "Bearer s3cret-second" {
		t.Errorf("%q", got)
	}
	s.refuse["Bearer s3cret-second"] = true
	_, err = client.Node(t.Context(), "node-1")
	checkError(t, err, "does not accept the credentials of the pod's service account", "ServiceAccount still exists")
	writeFile(t, filepath.Join(dir, "token"), "")
	_, err = client.Node(t.Context(), "node-1")
	checkError(t, err, `cannot get node "node-1": the pod's service account: `+dir+"/token is empty", "")
}

func TestClose(t *testing.T) {
	s := newAPIServer(t)
	path := filepath.Join(t.TempDir(), "config")
	writeFile(t, path, kubeconfigFor(s.URL, "insecure-skip-tls-verify: true", "token: s3cret-abc"))
	client := clientFor(t, path, kube.Options{})
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
	client.Close()
}

func TestNoTrust(t *testing.T) {
	s := newAPIServer(t)
	s.Config.ErrorLog = quiet()
	path := filepath.Join(t.TempDir(), "config")
	patient := kube.Options{Patience: time.Hour} // time does not mend a certificate
	for _, cluster := range []string{"certificate-authority-data: " + base64Of(other(t)), "tls-server-name: other.example.org\ncertificate-authority-data: " + base64Of(s.authority())} {
		writeFile(t, path, kubeconfigFor(s.URL, cluster, "token: s3cret-abc"))
		_, err := clientFor(t, path, patient).Node(t.Context(), "node-1")
		checkError(t, err, "tls: failed to verify certificate", "certificate-authority")
	}
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	writeFile(t, path, kubeconfigFor(strings.Replace(plain.URL, "http:", "https:", 1), "", "token: s3cret-abc"))
	_, err := clientFor(t, path, patient).Node(t.Context(), "node-1")
	checkError(t, err, "no answer from the Kubernetes API at https://127.0.0.1:", "check the server's address")
	if len(s.asked) > 0 {
		t.Errorf("the token was sent: %q", s.asked)
	}
}

// other is a certificate that vouches for nobody here.
func other(t *testing.T) string {
	certificate, _ := keyPair(t, "other")
	return certificate
}

func TestPlainHTTPCarriesNoCredentials(t *testing.T) {
	var header http.Header
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header = r.Header
		answers(200, node1)(w, r)
	}))
	defer server.Close()
	path := filepath.Join(t.TempDir(), "config")
	writeFile(t, path, kubeconfigFor(server.URL, "", "token: s3cret-abc"))
	client := clientFor(t, path, kube.Options{})
	defer client.Close()
	if _, err := client.Node(t.Context(), "node-1"); err != nil || header.Get("Authorization") != "" {
		t.Errorf("%v, %q", err, header)
	}
}

func TestNobodyListens(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	listener.Close()
	path := filepath.Join(t.TempDir(), "config")
	writeFile(t, path, kubeconfigFor("https://"+address, "", "token: s3cret-abc"))
	_, err = clientFor(t, path, kube.Options{}).Node(t.Context(), "node-1")
	checkError(t, err, fmt.Sprintf("no answer from the Kubernetes API at https://%s: connect: connection refused", address), "see whether kubectl reaches it")
}

func TestProxy(t *testing.T) {
	s := newAPIServer(t)
	var through string
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		through = r.Method + " " + r.Host + " " + r.Header.Get("Proxy-Authorization")
		upstream, err := net.Dial("tcp", s.Listener.Addr().String())
		if err != nil {
			http.Error(w, "", http.StatusBadGateway)
			return
		}
		down, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = io.WriteString(down, "HTTP/1.1 200 OK\r\n\r\n") // only now: what follows it is read by relay alone
		relay(down, upstream)
	}))
	defer proxy.Close()
	path := filepath.Join(t.TempDir(), "config")
	url := strings.Replace(proxy.URL, "http://", "http://joe:s3cret@", 1)
	writeFile(t, path, kubeconfigFor("https://k.example.com:6443", "insecure-skip-tls-verify: true\nproxy-url: "+url, "token: s3cret-abc"))
	client := clientFor(t, path, kube.Options{})
	if got := s.who(t, client); got != "Bearer s3cret-abc" || through != "CONNECT k.example.com:6443 Basic "+base64Of("joe:s3cret") {
		t.Errorf("%q through %q", got, through)
	}
	client.Close()
	proxy.Close()
	_, err := client.Node(t.Context(), "node-1")
	checkError(t, err, "no answer from the Kubernetes API at https://k.example.com:6443: the proxy: ", "see whether kubectl reaches it")
}
