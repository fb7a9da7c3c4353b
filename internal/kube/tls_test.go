package kube_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
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
	writeFile(t, filepath.Join(dir, "token"), " from-file\n")
	authority := "certificate-authority-data: " + base64Of(s.authority())
	for _, tc := range []struct{ name, cluster, user, want string }{
		{"nobody", authority, "", ""},
		{"token", authority, `token: "abc\n"`, "Bearer abc"},
		{"token file", authority, "tokenFile: token", "Bearer from-file"},
		{"token file before token", authority, "token: abc\ntokenFile: token", "Bearer from-file"},
		{"token for a lost file", authority, "token: abc\ntokenFile: lost", "Bearer abc"},
		{"user and password", authority, "username: joe\npassword: pass", "Basic " + base64Of("joe:pass")},
		{"certificate", authority, "client-certificate: jane.crt\nclient-key: jane.key", "jane"},
		{"certificate data", authority, "client-certificate-data: " + base64Of(certificate) + "\nclient-key-data: " + base64Of(key), "jane"},
		{"authority's file", "certificate-authority: ca.crt", "token: abc", "Bearer abc"},
		{"any server", "insecure-skip-tls-verify: true", "token: abc", "Bearer abc"},
		{"the server's other name", authority + "\ntls-server-name: example.com", "token: abc", "Bearer abc"},
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

func TestTokenIsReadAnew(t *testing.T) {
	s := newAPIServer(t)
	host, port, _ := net.SplitHostPort(s.Listener.Addr().String())
	dir := account(t, map[string]string{"token": "first", "ca.crt": s.authority()})
	cluster, err := kube.LocateWith(environ("KUBERNETES_SERVICE_HOST", host, "KUBERNETES_SERVICE_PORT", port), dir)
	if err != nil {
		t.Fatal(err)
	}
	client, err := kube.NewClient(cluster, kube.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if got := s.who(t, client); got != "Bearer first" {
		t.Errorf("%q", got)
	}
	writeFile(t, filepath.Join(dir, "token"), "second")
	if got := s.who(t, client); got != "Bearer second" {
		t.Errorf("%q", got)
	}
	s.refuse["Bearer second"] = true
	_, err = client.Node(t.Context(), "node-1")
	checkError(t, err, "does not accept the credentials of the pod's service account", "ServiceAccount still exists")
	writeFile(t, filepath.Join(dir, "token"), "")
	_, err = client.Node(t.Context(), "node-1")
	checkError(t, err, `cannot get node "node-1": the pod's service account: `+dir+"/token is empty", "")
}

func TestClose(t *testing.T) {
	s := newAPIServer(t)
	path := filepath.Join(t.TempDir(), "config")
	writeFile(t, path, kubeconfigFor(s.URL, "insecure-skip-tls-verify: true", "token: abc"))
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
		writeFile(t, path, kubeconfigFor(s.URL, cluster, "token: abc"))
		_, err := clientFor(t, path, patient).Node(t.Context(), "node-1")
		checkError(t, err, "tls: failed to verify certificate", "certificate-authority")
	}
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	writeFile(t, path, kubeconfigFor(strings.Replace(plain.URL, "http:", "https:", 1), "", "token: abc"))
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
	writeFile(t, path, kubeconfigFor(server.URL, "", "token: abc"))
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
	writeFile(t, path, kubeconfigFor("https://"+address, "", "token: abc"))
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
		w.WriteHeader(200)
		down, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		relay(down, upstream)
	}))
	defer proxy.Close()
	path := filepath.Join(t.TempDir(), "config")
	url := strings.Replace(proxy.URL, "http://", "http://joe:pass@", 1)
	writeFile(t, path, kubeconfigFor("https://k.example.com:6443", "insecure-skip-tls-verify: true\nproxy-url: "+url, "token: abc"))
	client := clientFor(t, path, kube.Options{})
	if got := s.who(t, client); got != "Bearer abc" || through != "CONNECT k.example.com:6443 Basic "+base64Of("joe:pass") {
		t.Errorf("%q through %q", got, through)
	}
	client.Close()
	proxy.Close()
	_, err := client.Node(t.Context(), "node-1")
	checkError(t, err, "no answer from the Kubernetes API at https://k.example.com:6443: the proxy: ", "see whether kubectl reaches it")
	if strings.Contains(err.Error(), "pass") {
		t.Error(err)
	}
}
