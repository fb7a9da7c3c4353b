package kube_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kubevali/kubevali/internal/kube"
)

// TestMain is the credential plugin where the environment says so: it notes what it was told, and prints what it is told
// to print.
func TestMain(m *testing.M) {
	notes := os.Getenv("PLUGIN_NOTES")
	if notes == "" {
		os.Exit(m.Run())
	}
	f, err := os.OpenFile(notes, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		panic(err)
	}
	fmt.Fprintf(f, "%s %s\n", strings.Join(os.Args[1:], " "), os.Getenv("KUBERNETES_EXEC_INFO"))
	f.Close()
	answer, err := os.ReadFile(os.Getenv("PLUGIN_ANSWER"))
	if err != nil {
		fmt.Fprintln(os.Stderr, "no answer today")
		os.Exit(3)
	}
	_, _ = os.Stdout.Write(answer)
	os.Exit(0)
}

// plugin is a kubeconfig with a plugin in a folder of its own.
type plugin struct {
	t   *testing.T
	dir string
}

func newPlugin(t *testing.T, s *apiServer, version, more string) plugin {
	t.Helper()
	p := plugin{t, t.TempDir()}
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(executable, filepath.Join(p.dir, "plugin")); err != nil {
		t.Fatal(err)
	}
	writeFile(t, p.path("config"), kubeconfigFor(s.URL, "certificate-authority-data: "+base64Of(s.authority())+`
extensions:
- name: client.authentication.k8s.io/exec
  extension: {audience: us}`, fmt.Sprintf(`exec:
  command: ./plugin
  args: [get, token]
  env:
  - {name: GORACE, value: atexit_sleep_ms=0}
  - {name: PLUGIN_NOTES, value: %q}
  - {name: PLUGIN_ANSWER, value: %q}
  apiVersion: client.authentication.k8s.io/%s
  interactiveMode: IfAvailable
  %s`, p.path("notes"), p.path("answer"), version, more)))
	return p
}

func (p plugin) path(name string) string { return filepath.Join(p.dir, name) }

func (p plugin) answer(status map[string]any) {
	p.t.Helper()
	data, err := json.Marshal(map[string]any{
		"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": status,
	})
	if err != nil {
		p.t.Fatal(err)
	}
	writeFile(p.t, p.path("answer"), string(data))
}

// runs returns what the plugin was told, a line for each time it ran.
func (p plugin) runs() []string {
	notes, err := os.ReadFile(p.path("notes"))
	if err != nil {
		return nil
	}
	return strings.Split(strings.TrimSpace(string(notes)), "\n")
}

func TestPlugin(t *testing.T) {
	s := newAPIServer(t)
	p := newPlugin(t, s, "v1", "")
	p.answer(map[string]any{"token": "s3cret-one"})
	client := clientFor(t, p.path("config"), kube.Options{})
	if runs := p.runs(); len(runs) != 0 {
		t.Errorf("it ran before it was needed: %q", runs)
	}
	for range 2 {
		if got := s.who(t, client); got != "Bearer s3cret-one" {
			t.Errorf("asked as %q", got)
		}
	}
	want := `get token {"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","spec":{"interactive":false}}`
	if runs := p.runs(); len(runs) != 1 || runs[0] != want {
		t.Errorf("it ran %q", runs)
	}

	// A token that is not accepted any more is asked for again, once.
	s.refuse["Bearer s3cret-one"] = true
	p.answer(map[string]any{"token": "s3cret-two", "expirationTimestamp": time.Now().Add(-time.Minute).Format(time.RFC3339)})
	if got := s.who(t, client); got != "Bearer s3cret-two" || len(p.runs()) != 2 {
		t.Errorf("asked as %q after %d runs", got, len(p.runs()))
	}
	// So is one that has expired.
	p.answer(map[string]any{"token": "s3cret-one"})
	_, err := client.Node(t.Context(), "node-1")
	checkError(t, err, "does not accept the credentials", "log in again")
	if runs := len(p.runs()); runs != 4 {
		t.Errorf("%d runs", runs)
	}
}

func TestPluginCertificate(t *testing.T) {
	s := newAPIServer(t)
	p := newPlugin(t, s, "v1", "")
	client := clientFor(t, p.path("config"), kube.Options{})
	answer := func(name string) {
		certificate, key := keyPair(t, name)
		p.answer(map[string]any{"clientCertificateData": certificate, "clientKeyData": key})
	}
	answer("jane")
	if got := s.who(t, client); got != "jane" {
		t.Errorf("asked as %q", got)
	}
	s.refuse["jane"] = true
	answer("joan")
	if got := s.who(t, client); got != "joan" {
		t.Errorf("asked as %q", got)
	}
}

func TestPluginClusterInfo(t *testing.T) {
	s := newAPIServer(t)
	p := newPlugin(t, s, "v1", "provideClusterInfo: true")
	p.answer(map[string]any{"token": "s3cret-one"})
	s.who(t, clientFor(t, p.path("config"), kube.Options{}))
	var info struct {
		Spec struct{ Cluster map[string]any }
	}
	_, told, _ := strings.Cut(p.runs()[0], "get token ")
	if err := json.Unmarshal([]byte(told), &info); err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprint(info.Spec.Cluster)
	if want := fmt.Sprint(map[string]any{
		"server": s.URL, "certificate-authority-data": base64Of(s.authority()), "config": map[string]any{"audience": "us"},
	}); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
}

func TestPluginMistakes(t *testing.T) {
	s := newAPIServer(t)
	p := newPlugin(t, s, "v1", "")
	one, _ := keyPair(t, "jane")
	_, key := keyPair(t, "joan")
	for _, tc := range []struct {
		name    string
		answer  func()
		message string
	}{
		{"fails", func() {}, "plugin: exit status 3"},
		{"no JSON", func() { writeFile(t, p.path("answer"), "s3cret") }, "did not print an ExecCredential"},
		{"too much", func() { writeFile(t, p.path("answer"), strings.Repeat("s3cret", 1<<20)) }, "more than 1 MiB"},
		{"another version", func() {
			writeFile(t, p.path("answer"), `{"apiVersion":"client.authentication.k8s.io/v1beta1","kind":"ExecCredential"}`)
		}, `printed apiVersion "client.authentication.k8s.io/v1beta1" in place of client.authentication.k8s.io/v1`},
		{"no status", func() { p.answer(nil) }, "neither a token nor a certificate"},
		{"half a pair", func() { p.answer(map[string]any{"clientKeyData": "s3cret"}) }, "a certificate or its key, but not both"},
		{"no pair", func() { p.answer(map[string]any{"clientCertificateData": one, "clientKeyData": key}) }, "do not fit each other"},
		{"no token", func() { p.answer(map[string]any{"token": "s3cret\n"}) }, "characters that no token has"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			os.Remove(p.path("answer"))
			tc.answer()
			var complaints strings.Builder
			_, err := clientFor(t, p.path("config"), kube.Options{Stderr: &complaints}).Node(t.Context(), "node-1")
			checkError(t, err, `cannot get node "node-1": kubeconfig `+p.path("config")+", context c: the credential plugin ", "kubectl works")
			checkError(t, err, tc.message, "kubectl works")
			if want := tc.name == "fails"; strings.Contains(complaints.String(), "no answer today") != want {
				t.Errorf("complaints %q", complaints.String())
			}
		})
	}
	os.Remove(p.path("plugin"))
	_, err := clientFor(t, p.path("config"), kube.Options{}).Node(t.Context(), "node-1")
	checkError(t, err, "no such file or directory", "install "+p.path("plugin"))

	for hint, want := range map[string]string{"": "install kubevali-no-such-plugin", `installHint: "Get it:\n  brew \e[1minstall\e[0m"`: "Get it: brew [1minstall [0m"} {
		path := filepath.Join(t.TempDir(), "config")
		writeFile(t, path, kubeconfigFor(s.URL, "", "exec:\n  command: kubevali-no-such-plugin\n  apiVersion: client.authentication.k8s.io/v1beta1\n  "+hint))
		_, err := clientFor(t, path, kube.Options{}).Node(t.Context(), "node-1")
		checkError(t, err, "executable file not found", want)
	}
}
