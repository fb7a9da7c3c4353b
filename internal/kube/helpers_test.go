package kube_test

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kubevali/kubevali/internal/hint"
	"github.com/kubevali/kubevali/internal/kube"
)

func writeFile(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// environ is the environment of a pod that finds its API server there.
func environ(host, port string) []string {
	return []string{"KUBERNETES_SERVICE_HOST=" + host, "OTHER=x", "KUBERNETES_SERVICE_PORT=" + port}
}

// account makes a service account's folder with these files.
func account(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		writeFile(t, filepath.Join(dir, name), content)
	}
	return dir
}

// inPod is the cluster of a pod that finds its API server at an address HOST:PORT, and its service account in dir.
func inPod(t *testing.T, address, dir string) kube.Cluster {
	t.Helper()
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	cluster, ok := kube.InPod(environ(host, port), dir)
	if !ok {
		t.Fatal("no cluster")
	}
	return cluster
}

func newClient(t *testing.T, cluster kube.Cluster, o kube.Options) *kube.Client {
	t.Helper()
	o.Log = withoutSecrets(t, o.Log)
	client, err := kube.NewClient(cluster, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

// checkNoSecrets checks that a text holds none of the tests' tokens. All of them have s3cret in them.
func checkNoSecrets(t *testing.T, text string) {
	t.Helper()
	if strings.Contains(text, "s3cret") {
		t.Errorf("a secret shows: %s", text)
	}
}

// withoutSecrets checks each line that is logged before it goes to log, which may be nil.
func withoutSecrets(t *testing.T, log func(string, ...any)) func(string, ...any) {
	return func(format string, args ...any) {
		checkNoSecrets(t, fmt.Sprintf(format, args...))
		if log != nil {
			log(format, args...)
		}
	}
}

// checkError checks that an error and its hint contain what they should, and no secret.
func checkError(t *testing.T, err error, message, remedy string) {
	t.Helper()
	checkNoSecrets(t, fmt.Sprintf("%v\n%+v\n%#v\n%s", err, err, err, hint.Of(err)))
	if err == nil || !strings.Contains(err.Error(), message) {
		t.Errorf("error %v\nwant    %s", err, message)
	}
	if got := hint.Of(err); !strings.Contains(got, remedy) || remedy == "" && got != "" {
		t.Errorf("hint %q\nwant %q", got, remedy)
	}
}

// checkTemporary checks that an error says that the same may work later.
func checkTemporary(t *testing.T, err error) {
	t.Helper()
	var e *kube.Error
	if !errors.As(err, &e) || !e.Temporary() {
		t.Errorf("not temporary: %#v", err)
	}
}

// eventually waits until a condition holds.
func eventually(t *testing.T, condition func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !condition(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it did not come true within 30 s")
		}
	}
}

func quiet() *log.Logger { return log.New(io.Discard, "", 0) }

// checkField checks what an error says is wrong.
func checkField(t *testing.T, err error, field string) {
	t.Helper()
	var e *kube.Error
	if !errors.As(err, &e) || e.Field != field {
		t.Errorf("%#v\nwant the field %q", err, field)
	}
}
