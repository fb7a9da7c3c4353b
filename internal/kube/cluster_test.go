package kube_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kubevali/kubevali/internal/kube"
)

// account makes a service account's folder with these files.
func account(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		writeFile(t, filepath.Join(dir, name), content)
	}
	return dir
}

func TestLocateInCluster(t *testing.T) {
	inPod := []string{"KUBERNETES_SERVICE_HOST", "10.96.0.1", "KUBERNETES_SERVICE_PORT", "443"}
	token := map[string]string{"token": "s3cret-token\n"}
	other := filepath.Join(t.TempDir(), "config")
	writeFile(t, other, kubeconfigFor("https://other.example.com", "", `token: "x"`))
	for _, tc := range []struct {
		name           string
		env            []string
		files          map[string]string
		server, source string
		message, hint  string
	}{
		{name: "usual", env: inPod, files: token, server: "https://10.96.0.1:443", source: "the pod's service account"},
		{name: "IPv6", env: []string{"KUBERNETES_SERVICE_HOST", "fd00::1", "KUBERNETES_SERVICE_PORT", "443"}, files: token,
			server: "https://[fd00::1]:443", source: "the pod's service account"},
		{name: "before KUBECONFIG", env: append(inPod, "KUBECONFIG", other), files: token,
			server: "https://10.96.0.1:443", source: "the pod's service account"},
		{name: "no token, but a kubeconfig", env: append(inPod, "KUBECONFIG", other),
			server: "https://other.example.com", source: "kubeconfig " + other + ", context c"},
		{name: "no token", env: inPod, message: "the pod has no token (", hint: "automountServiceAccountToken"},
		{name: "empty token", env: inPod, files: map[string]string{"token": "\n"}, message: "token is empty"},
		{name: "no such token", env: inPod, files: map[string]string{"token": "s3cret\nLine: 2"}, message: "token holds no token"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c, err := kube.LocateWith(environ(tc.env...), account(t, tc.files))
			if tc.message != "" {
				checkError(t, err, tc.message, tc.hint)
				if errors.Is(err, kube.ErrNoCluster) {
					t.Error(err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if c.Server() != tc.server || c.Source() != tc.source {
				t.Errorf("%s, %s", c.Server(), c.Source())
			}
		})
	}
	c, err := kube.LocateWith(environ(inPod...), account(t, map[string]string{"token": "t", "ca.crt": "no PEM"}))
	if err == nil {
		_, err = kube.NewClient(c, kube.Options{})
	}
	checkError(t, err, "the pod's service account: the certificate authority is not a certificate in PEM", "")
}

func TestLocateFiles(t *testing.T) {
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		writeFile(t, path, content)
		return path
	}
	a := file("a", `
contexts: [{name: one, context: {cluster: k, user: u}}]
clusters: [{name: k, cluster: {server: "https://a.example.com"}}]`)
	b := file("b", `
current-context: one
contexts: [{name: one, context: {cluster: other, user: u}}, {name: two, context: {cluster: k, user: u}}]
clusters: [{name: k, cluster: {server: "https://b.example.com"}}, {name: other, cluster: {server: "https://other.example.com"}}]
users: [{name: u, user: {token: t}}]`)
	empty := file("empty", "")
	home := filepath.Dir(filepath.Dir(file("home/.kube/config", kubeconfigFor("https://home.example.com", "", ""))))
	missing := filepath.Join(dir, "missing")
	big := file("big", "# "+strings.Repeat("x", 1<<20))
	paths := func(p ...string) string { return strings.Join(p, string(filepath.ListSeparator)) }
	for _, tc := range []struct {
		name           string
		env            []string
		server, source string
		message, hint  string
		noCluster      bool
	}{
		{name: "nothing", env: nil, noCluster: true, message: kube.ErrNoCluster.Error()},
		{name: "no file", env: []string{"KUBECONFIG", missing, "HOME", home}, noCluster: true,
			message: "no Kubernetes cluster at hand: KUBECONFIG names " + missing + ", which does not exist"},
		{name: "none of several files", env: []string{"KUBECONFIG", paths(missing, "", missing+"2")}, noCluster: true,
			message: "no Kubernetes cluster at hand: KUBECONFIG names " + missing + " and " + missing + "2, which do not exist"},
		{name: "nothing in one, and no other", env: []string{"KUBECONFIG", paths(missing, empty)}, noCluster: true, message: kube.ErrNoCluster.Error()},
		{name: "no names of files", env: []string{"KUBECONFIG", paths("", "")}, noCluster: true, message: kube.ErrNoCluster.Error()},
		{name: "/dev/null", env: []string{"KUBECONFIG", os.DevNull}, noCluster: true, message: kube.ErrNoCluster.Error()},
		{name: "empty file", env: []string{"KUBECONFIG", empty}, noCluster: true, message: kube.ErrNoCluster.Error()},
		{name: "no file at home", env: []string{"HOME", dir}, noCluster: true, message: kube.ErrNoCluster.Error()},
		{name: "home", env: []string{"HOME", home}, server: "https://home.example.com", source: filepath.Join(home, ".kube/config") + ", context c"},
		{name: "the first of a name counts", env: []string{"KUBECONFIG", paths("", missing, a, b)}, server: "https://a.example.com", source: a + ", context one"},
		{name: "the other way round", env: []string{"KUBECONFIG", paths(b, a)}, server: "https://other.example.com", source: b + ", context one"},
		{name: "no context", env: []string{"KUBECONFIG", a}, message: "no current-context", hint: "there are: one"},
		{name: "too large", env: []string{"KUBECONFIG", big}, message: "big is larger than 1 MiB"},
		{name: "a folder", env: []string{"KUBECONFIG", dir}, message: "is a directory"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c, err := kube.Locate(environ(tc.env...))
			if tc.message != "" {
				checkError(t, err, tc.message, tc.hint)
				if errors.Is(err, kube.ErrNoCluster) != tc.noCluster {
					t.Errorf("%v is ErrNoCluster: %v", err, !tc.noCluster)
				}
				if tc.noCluster && err.Error() != tc.message {
					t.Errorf("error %q\nwant  %q", err, tc.message)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if c.Server() != tc.server || c.Source() != "kubeconfig "+tc.source {
				t.Errorf("%s, %s", c.Server(), c.Source())
			}
			if printed := fmt.Sprintf("%v %+v %#v %s", c, c, c, c); printed != strings.TrimSpace(strings.Repeat(c.Source()+" ", 4)) {
				t.Errorf("printed: %s", printed)
			}
		})
	}
}

func TestKubeconfigMistakes(t *testing.T) {
	const server = "https://k.example.com"
	exec := func(lines string) string {
		return kubeconfigFor(server, "", "exec:\n  "+strings.ReplaceAll(lines, "\n", "\n  "))
	}
	for _, tc := range []struct{ name, content, message string }{
		{"not YAML", "a: [s3cret", "/etc/kubeconfig: not a kubeconfig: wrong YAML or a value of the wrong type in line "},
		{"anchor", "a: *s3cret", "/etc/kubeconfig: not a kubeconfig"},
		{"wrong type", "current-context: c\nusers: s3cret", "/etc/kubeconfig: not a kubeconfig: wrong YAML or a value of the wrong type in line 2"},
		{"a list", "[]", "/etc/kubeconfig: not a kubeconfig"},
		{"unknown context", "current-context: x", `there is no context "x", which current-context names`},
		{"unknown cluster", "current-context: x\ncontexts: [{name: x, context: {cluster: y}}]", `there is no cluster "y"`},
		{"unknown user", "current-context: x\ncontexts: [{name: x, context: {cluster: y, user: z}}]\nclusters: [{name: y, cluster: {server: s}}]", `there is no user "z"`},
		{"names twice", "users: [{name: z}, {name: z}]\nclusters: [{name: k}, {name: k}]", `two clusters are called "k"; two users are called "z"`},
		{"no server", kubeconfigFor(`""`, "", ""), `cluster "k": no server`},
		{"server", kubeconfigFor(`"ftp://x"`, "", ""), `cluster "k": server is not a URL`},
		{"no scheme", kubeconfigFor("localhost:8080", "", ""), `cluster "k": server is not a URL`},
		{"user in the server", kubeconfigFor("https://joe:s3cret@k.example.com", "", ""), `cluster "k": server holds a user`},
		{"authority data", kubeconfigFor(server, "certificate-authority-data: s3cret", ""), `cluster "k": certificate-authority-data is not base64`},
		{"authority file", kubeconfigFor(server, "certificate-authority: none.crt", ""), `cluster "k": certificate-authority: open /etc/none.crt: no such file`},
		{"authority and none", kubeconfigFor(server, "certificate-authority-data: QUFB\ninsecure-skip-tls-verify: true", ""), `exclude each other`},
		{"proxy", kubeconfigFor(server, `proxy-url: "http://joe:s3cret@[x"`, ""), `proxy-url is not the URL of a proxy`},
		{"proxy's scheme", kubeconfigFor(server, `proxy-url: "ftp://joe:s3cret@x"`, ""), `proxy-url is not the URL of a proxy`},
		{"auth-provider", kubeconfigFor(server, "", "auth-provider: {name: gcp}"), `user "u": auth-provider (gcp) is not supported`},
		{"impersonation", kubeconfigFor(server, "", "as: jane"), `user "u": impersonation`},
		{"impersonated groups", kubeconfigFor(server, "", "as-groups: [x]"), `user "u": impersonation`},
		{"token and user", kubeconfigFor(server, "", "token: s3cret\nusername: joe"), `token and username exclude each other`},
		{"token file and user", kubeconfigFor(server, "", "tokenFile: x\npassword: s3cret"), `token and username exclude each other`},
		{"data and file", kubeconfigFor(server, "", "client-key: x\nclient-key-data: QUFB"), `client-key and client-key-data exclude each other`},
		{"token", kubeconfigFor(server, "", `token: "s3cret\r\nx: y"`), `token holds characters that no token has`},
		{"certificate without key", kubeconfigFor(server, "", "client-certificate-data: QUFB"), `belong together; one is missing`},
		{"key data", kubeconfigFor(server, "", "client-key-data: s3cret!"), `client-key-data is not base64`},
		{"no command", exec("apiVersion: client.authentication.k8s.io/v1"), `user "u": exec: no command`},
		{"old version", exec("command: x\napiVersion: client.authentication.k8s.io/v1alpha1"), `exec: apiVersion "client.authentication.k8s.io/v1alpha1" is not supported`},
		{"interactive", exec("command: x\napiVersion: client.authentication.k8s.io/v1\ninteractiveMode: Always"), `interactiveMode Always is not supported`},
		{"no mode", exec("command: x\napiVersion: client.authentication.k8s.io/v1"), `interactiveMode "" is not one of`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := kube.ParseKubeconfig("/etc/kubeconfig", []byte(tc.content))
			checkError(t, err, tc.message, kube.Hint(err))
			var config *kube.ConfigError
			if !errors.As(err, &config) {
				t.Errorf("%#v", err)
			}
		})
	}
}

func TestKubeconfigServer(t *testing.T) {
	for _, tc := range []struct{ server, want string }{
		{"https://k.example.com", "https://k.example.com"},
		{"https://k.example.com:6443/k8s/clusters/c-1/?x=y#z", "https://k.example.com:6443/k8s/clusters/c-1"},
		{"http://localhost:8080", "http://localhost:8080"},
	} {
		c, err := kube.ParseKubeconfig("/etc/kubeconfig", []byte(kubeconfigFor(tc.server, "", "")))
		if err != nil || c.Server() != tc.want {
			t.Errorf("%s: %v, %v; want %s", tc.server, c, err, tc.want)
		}
	}
}

func FuzzKubeconfig(f *testing.F) {
	f.Add([]byte(kubeconfigFor("https://k.example.com", "certificate-authority-data: QUFB", "token: s3cret")))
	f.Add([]byte(kubeconfigFor("k:1", "proxy-url: socks5://joe:s3cret@x", "exec: {command: x, apiVersion: client.authentication.k8s.io/v1beta1, provideClusterInfo: true}")))
	f.Add([]byte("current-context: x\ncontexts: [{name: x, context: {cluster: y, user: z}}]\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := kube.ParseKubeconfig("/nowhere/kubeconfig", data)
		if (c == nil) == (err == nil) {
			t.Fatalf("%v, %v", c, err)
		}
		if err != nil {
			var config *kube.ConfigError
			if !errors.As(err, &config) {
				t.Errorf("%#v", err)
			}
			return
		}
		if client, err := kube.NewClient(c, kube.Options{}); err == nil {
			client.Close()
		}
	})
}
