package kube_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kubevali/kubevali/internal/kube"
)

// TestMain makes the test's program a kubectl where it is called so.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "kubectl" {
		os.Exit(fakeKubectl(os.Args[1:]))
	}
	os.Exit(m.Run())
}

// fakeKubectl asks the server of FAKE_SERVER and words its refusals as kubectl does; with FAKE_COMPLAINT it says that and
// fails, and with FAKE_HANG it waits.
func fakeKubectl(args []string) int {
	if len(args) != 3 || args[0] != "get" || args[1] != "--raw" {
		fmt.Fprintf(os.Stderr, "error: unknown command %q\n", args)
		return 1
	}
	if complaint := os.Getenv("FAKE_COMPLAINT"); complaint != "" {
		fmt.Fprint(os.Stderr, complaint)
		return 1
	}
	if os.Getenv("FAKE_HANG") != "" {
		time.Sleep(time.Hour)
	}
	resp, err := http.Get(os.Getenv("FAKE_SERVER") + args[2])
	if err != nil {
		fmt.Fprintln(os.Stderr, "Unable to connect to the server: "+err.Error())
		return 1
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusOK {
		_, _ = io.Copy(os.Stdout, resp.Body)
		return 0
	}
	var status struct{ Reason, Message string }
	if json.NewDecoder(resp.Body).Decode(&status) != nil {
		status.Reason, status.Message = "NotFound", "the server could not find the requested resource"
	}
	fmt.Fprintf(os.Stderr, "Warning: use of this is discouraged\nError from server (%s): %s\n", status.Reason, status.Message)
	return 1
}

// fakePath makes the test's program the only one in PATH, as kubectl.
func fakePath(t *testing.T) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Symlink(self, filepath.Join(dir, "kubectl")); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir)
}

// fakeKubectlWith runs a fake kubectl with a variable. It neither waits at its end for races nor says that nobody wants to
// know what it has covered.
func fakeKubectlWith(variable string) *kube.Kubectl {
	return kube.NewKubectl([]string{variable, "GORACE=atexit_sleep_ms=0", "GOCOVERDIR=/nonexistent"})
}

// reader is what a Client and a Kubectl have in common.
type reader interface {
	Pod(ctx context.Context, namespace, name string) (kube.Pod, error)
	Node(ctx context.Context, name string) (kube.Node, error)
	Nodes(ctx context.Context) ([]kube.Node, error)
	Service(ctx context.Context, namespace, name string) (kube.Service, error)
}

// eachReader tests a Client and a Kubectl of a handler.
func eachReader(t *testing.T, h http.Handler, test func(t *testing.T, r reader)) {
	t.Helper()
	t.Run("client", func(t *testing.T) { test(t, inlineClient(t, h, kube.Options{})) })
	t.Run("kubectl", func(t *testing.T) {
		fakePath(t)
		server := httptest.NewServer(h)
		defer server.Close()
		test(t, fakeKubectlWith("FAKE_SERVER="+server.URL))
	})
}

func TestKubectlComplains(t *testing.T) {
	fakePath(t)
	for _, tc := range []struct {
		name, complaint string
		message, remedy string
		noCluster       bool
		code            int
	}{
		{"no configuration", "The connection to the server localhost:8080 was refused - did you specify the right host or port?\n",
			"no Kubernetes cluster at hand: kubectl finds nothing at localhost:8080, where it asks without a current context", "kubectl config current-context", true, 0},
		{"refused", "The connection to the server 192.0.2.1:6443 was refused - did you specify the right host or port?\n",
			`kubectl: The connection to the server 192.0.2.1:6443 was refused`, "see whether kubectl get nodes works", false, 0},
		{"no such context", "error: context \"x\" does not exist\n", `kubectl: error: context "x" does not exist`, "kubectl config current-context", false, 0},
		{"plugin", "Unable to connect to the server: getting credentials: exec: executable nonesuch not found\n\nIt looks like you are\n\n      https://x\n",
			"kubectl: Unable to connect to the server: getting credentials: exec: executable nonesuch not found", "see whether", false, 0},
		{"noise before", "E0102 03:04:05.000006    7 memcache.go:265] \"Unhandled Error\"\n\x1b[31mwarn\x1b[0m\nerror: EOF\n", "kubectl: error: EOF", "see whether", false, 0},
		{"noise alone", "\n\x1b[31mwhat?\n", "kubectl: [31mwhat?", "see whether", false, 0},
		{"nothing", " ", "kubectl: exit status 1", "see whether", false, 0},
		{"not accepted", "error: You must be logged in to the server (Unauthorized)\n", "does not accept the credentials of kubectl's current context", "log in again", false, 401},
		{"not Kubernetes", "Error from server (NotFound): the server could not find the requested resource\n", "kubectl: Error from server (NotFound)", "see whether", false, 0},
		{"busy", "Error from server (ServiceUnavailable): apiserver not ready\n", "kubectl: Error from server (ServiceUnavailable): apiserver not ready", "see whether", false, 0},
		{"endless", "error: " + strings.Repeat("x", 60<<10), "xxx…", "see whether", false, 0},
		{"more than is read", strings.Repeat("\n", 100<<10), "kubectl: ", "see whether", false, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := fakeKubectlWith("FAKE_COMPLAINT="+tc.complaint).Node(t.Context(), "node-1")
			checkError(t, err, tc.message, tc.remedy)
			var e *kube.Error
			if errors.As(err, &e) == tc.noCluster || e != nil && (e.Code != tc.code || len(e.Message) > 1100) {
				t.Errorf("%#v", err)
			}
			if errors.Is(err, kube.ErrNoCluster) != tc.noCluster {
				t.Errorf("%v is ErrNoCluster: %v", err, !tc.noCluster)
			}
		})
	}
}

func TestKubectlForbidden(t *testing.T) {
	eachReader(t, notYetAllowed, func(t *testing.T, r reader) {
		_, err := r.Node(t.Context(), "node-1")
		checkError(t, err, `cannot get node "node-1": the service account system:serviceaccount:chains:geth may not "get" "nodes" (cluster-wide)`,
			`it takes a ClusterRole with - {apiGroups: [""], resources: [nodes], verbs: [get]}`)
		if e := (*kube.Error)(nil); !errors.As(err, &e) || e.Code != 403 {
			t.Errorf("%#v", err)
		}
	})
}

func TestKubectlAnswers(t *testing.T) {
	fakePath(t)
	for name, tc := range map[string]struct {
		answer  http.HandlerFunc
		message string
	}{
		"not Kubernetes": {answers(200, "<html>"), "kubectl does not answer as a Kubernetes API server does"},
		"nothing":        {answers(200, ""), "kubectl does not answer as a Kubernetes API server does"},
		"too much":       {answers(200, `{"metadata":{"name":"`+strings.Repeat("x", 8<<20)+`"}}`), "the answer is larger than 8 MiB"},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(tc.answer)
			defer server.Close()
			_, err := fakeKubectlWith("FAKE_SERVER="+server.URL).Node(t.Context(), "node-1")
			checkError(t, err, `cannot get node "node-1": `+tc.message, "")
		})
	}
}

func TestNoKubectl(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := kube.NewKubectl(nil).Node(t.Context(), "node-1")
	checkError(t, err, "no Kubernetes cluster at hand: there is no kubectl in PATH", "install kubectl")
	if !errors.Is(err, kube.ErrNoCluster) {
		t.Error("not ErrNoCluster")
	}
}

func TestKubectlInheritsTheEnvironment(t *testing.T) {
	fakePath(t)
	server := httptest.NewServer(answers(200, node1))
	defer server.Close()
	t.Setenv("FAKE_SERVER", server.URL)
	if node, err := kube.NewKubectl(nil).Node(t.Context(), "node-1"); err != nil || node.Name != "node-1" {
		t.Errorf("%+v, %v", node, err)
	}
}

func TestKubectlHangs(t *testing.T) {
	fakePath(t)
	k := fakeKubectlWith("FAKE_HANG=1")
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err := k.Node(ctx, "node-1")
	checkError(t, err, `cannot get node "node-1": given up: context deadline exceeded`, "")
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v is not DeadlineExceeded", err)
	}
	k.SetTimeout(100 * time.Millisecond)
	_, err = k.Node(t.Context(), "node-1")
	checkError(t, err, "kubectl did not answer within 100ms", "by hand")
	checkTemporary(t, err)
}
