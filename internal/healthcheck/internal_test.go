package healthcheck

import (
	"crypto/x509"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/kubevali/kubevali/internal/secret"
)

// These tests reach inside for what no server and no system can be made to show from outside.

func TestTrustedRoots(t *testing.T) {
	some := trustedRoots(func() (*x509.CertPool, error) { return nil, errors.New("no system") })
	if some == nil || some.Equal(x509.NewCertPool()) {
		t.Fatal("the embedded roots are empty")
	}
	if trustedRoots(func() (*x509.CertPool, error) { return x509.NewCertPool(), nil }) == nil {
		t.Error("an image without certificates does not get the embedded roots")
	}
	if trustedRoots(func() (*x509.CertPool, error) { return some, nil }) != nil {
		t.Error("the system's roots are not left to crypto/tls")
	}
}

func FuzzRedact(f *testing.F) {
	const id = "5bf66975-d4c7-4bf5-bcc8-b8d8a82ea278"
	for _, seed := range []string{"", "no check " + id, id + id[3:], strings.ToUpper(id), "5bf6 75-d4c7-4", "é" + id + "İ"} {
		f.Add(id, seed)
	}
	f.Fuzz(func(t *testing.T, id, text string) {
		got := (&Client{options: ClientOptions{ID: secret.Text(id)}}).redact(text)
		if got == "…" {
			return
		}
		if got != text {
			t.Fatalf("%q became %q", text, got)
		}
		for i := 0; i+5 <= len(id); i++ {
			if strings.Contains(got, id[i:i+5]) && utf8.ValidString(id) {
				t.Fatalf("%q shows %q of %q", got, id[i:i+5], id)
			}
		}
	})
}

func TestPingBody(t *testing.T) {
	tests := map[string]struct {
		head  string
		lines string
		limit int
		want  string
	}{
		"head alone":        {"healthy", "", 100, "healthy"},
		"both":              {"healthy\n", "a\nb\n", 100, "healthy\n\na\nb\n"},
		"last lines":        {"healthy", "first\nsecond\nthird\n", 22, "healthy\n\nsecond\nthird\n"},
		"exactly":           {"healthy", "first\nsecond\n", 16, "healthy\n\nsecond\n"},
		"part of a line":    {"healthy", "a very long line", 13, "healthy\n\nline"},
		"no torn character": {"healthy", "€€", 13, "healthy\n\n€"},
		"no room for lines": {"healthy", "a\n", 9, "healthy"},
		"head cut":          {"unhealthy", "a\n", 4, "unhe"},
		"head not torn":     {"1€", "", 3, "1"},
		"limit 0":           {"healthy", "a\n", 0, ""},
		"not UTF-8":         {"a\xffb", "c\xff\n", 100, "a\uFFFDb\n\nc\n"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := string(Ping{Head: tt.head, Lines: []byte(tt.lines)}.body(tt.limit)); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func FuzzKeepLast(f *testing.F) {
	f.Add("first\nsecond\n", 8)
	f.Add("€€€", 4)
	f.Add("\n\n\n", 2)
	f.Fuzz(func(t *testing.T, text string, limit int) {
		if !utf8.ValidString(text) || limit < 1 {
			return
		}
		got := string(keepLast([]byte(text), limit))
		if len(got) > limit {
			t.Fatalf("%d bytes, limit %d", len(got), limit)
		}
		if !utf8.ValidString(got) || !strings.HasSuffix(text, got) {
			t.Fatalf("%q is not an end of %q", got, text)
		}
		if limit >= utf8.UTFMax && text != "" && got == "" {
			t.Fatalf("nothing is left of %q", text)
		}
	})
}
