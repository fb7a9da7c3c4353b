package kube_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/kubevali/kubevali/internal/kube"
)

func TestInPod(t *testing.T) {
	for _, tc := range []struct{ host, port, server string }{
		{"10.96.0.1", "443", "https://10.96.0.1:443"},
		{"fd00::1", "443", "https://[fd00::1]:443"},
		{"", "", ""},
		{"10.96.0.1", "", ""},
		{"", "443", ""},
	} {
		c, ok := kube.InPod(environ(tc.host, tc.port), kube.AccountDir)
		if ok != (tc.server != "") || ok && c.Server() != tc.server {
			t.Errorf("%q, %q: %s, %v", tc.host, tc.port, c.Server(), ok)
		}
	}
}

func TestAccountMistakes(t *testing.T) {
	for _, tc := range []struct {
		name            string
		files           map[string]string
		message, remedy string
	}{
		{"no token", nil, `cannot get node "node-1": the pod's service account: the pod has no token (DIR/token)`, "automountServiceAccountToken"},
		{"empty token", map[string]string{"token": "\n"}, "the pod's service account: DIR/token is empty", ""},
		{"no such token", map[string]string{"token": "s3cret\nLine: 2"}, "DIR/token holds no token", ""},
		{"not ASCII", map[string]string{"token": "s3cret\xff"}, "DIR/token holds no token", ""},
		{"a large token", map[string]string{"token": strings.Repeat("s3cret", 1<<18)}, "DIR/token: it is too large: more than 1024 KiB", ""},
		{"no authority", map[string]string{"token": "s3cret", "ca.crt": "no PEM"}, "the pod's service account: DIR/ca.crt is not a certificate in PEM", ""},
		{"a large authority", map[string]string{"token": "s3cret", "ca.crt": strings.Repeat("x", 1<<20+1)}, "DIR/ca.crt: it is too large: more than 1024 KiB", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := account(t, tc.files)
			client, err := kube.NewClient(inPod(t, "127.0.0.1:1", dir), kube.Options{})
			if err == nil {
				_, err = client.Node(t.Context(), "node-1")
			}
			checkError(t, err, strings.ReplaceAll(tc.message, "DIR", filepath.Clean(dir)), tc.remedy)
		})
	}
}
