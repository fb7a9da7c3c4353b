package kube_test

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kubevali/kubevali/internal/kube"
)

func writeFile(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// environ is an environment that holds these variables and no others.
func environ(pairs ...string) func(string) string {
	return func(name string) string {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1]
			}
		}
		return ""
	}
}

func clientFor(t *testing.T, kubeconfig string, o kube.Options) *kube.Client {
	t.Helper()
	cluster, err := kube.Locate(environ("KUBECONFIG", kubeconfig))
	if err != nil {
		t.Fatal(err)
	}
	o.Log = withoutSecrets(t, o.Log)
	client, err := kube.NewClient(cluster, o)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// checkNoSecrets checks that a text holds none of the tests' tokens, passwords and keys. All of them have s3cret in them,
// or are keys in PEM.
func checkNoSecrets(t *testing.T, text string) {
	t.Helper()
	for _, secret := range []string{"s3cret", base64Of("joe:s3cret"), "PRIVATE KEY"} {
		if strings.Contains(text, secret) {
			t.Errorf("a secret shows: %s", text)
		}
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
func checkError(t *testing.T, err error, message, hint string) {
	t.Helper()
	checkNoSecrets(t, fmt.Sprintf("%v\n%+v\n%#v\n%s", err, err, err, kube.Hint(err)))
	if err == nil || !strings.Contains(err.Error(), message) {
		t.Errorf("error %v\nwant    %s", err, message)
	}
	if got := kube.Hint(err); !strings.Contains(got, hint) || hint == "" && got != "" {
		t.Errorf("hint %q\nwant %q", got, hint)
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

// relay copies between two connections until both are at their end.
func relay(a, b net.Conn) {
	var copies sync.WaitGroup
	for _, pair := range [][2]net.Conn{{a, b}, {b, a}} {
		copies.Go(func() {
			_, _ = io.Copy(pair[0], pair[1])
			pair[0].Close()
		})
	}
	copies.Wait()
}
