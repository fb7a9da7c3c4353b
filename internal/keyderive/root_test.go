package keyderive_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/kubevali/kubevali/internal/hint"
	"github.com/kubevali/kubevali/internal/keyderive"
)

const goodRoot = "dQw4w9WgXcQ-dQw4w9WgXcQ-dQw4w9WgXcQ"

var podID = keyderive.Identity{Namespace: "vsl", Pod: "vsl-rpc-0"}

func TestRootRefused(t *testing.T) {
	const hkdf, rss3 = keyderive.HKDFSHA256, keyderive.RSS3SHA256
	tests := []struct {
		name   string
		scheme keyderive.Scheme
		secret string
		want   []string // in the error
	}{
		{"empty", hkdf, "", []string{"empty", "openssl rand -hex 32", "kubevali key new"}},
		{"only a newline", hkdf, "\n", []string{"empty", "kubevali key new"}},
		{"31 bytes", hkdf, goodRoot[:31], []string{"31 bytes", "needs 32", "openssl rand -hex 32", "kubevali key new"}},
		{"31 bytes and a newline", hkdf, goodRoot[:31] + "\n", []string{"31 bytes"}},
		{"31 bytes and CRLF", hkdf, goodRoot[:31] + "\r\n", []string{"31 bytes"}},
		{"NUL", hkdf, goodRoot + "\x00", []string{"NUL", "kubevali key new"}},
		{"newlines at the end", hkdf, goodRoot + "\n\n", []string{"begins or ends with", "newline", "kubevali key new"}},
		{"CRLFs at the end", hkdf, goodRoot + "\r\n\r\n", []string{"newline"}},
		{"CR at the end", hkdf, goodRoot + "\r", []string{"blank"}},
		{"LF and CR at the end", hkdf, goodRoot + "\n\r", []string{"blank"}},
		{"blank at the end", hkdf, goodRoot + " ", []string{"begins or ends with a blank", "store it without"}},
		{"blank before the newline", hkdf, goodRoot + " \n", []string{"blank"}},
		{"blank at the start", hkdf, " " + goodRoot, []string{"blank"}},
		{"tab at the start", hkdf, "\t" + goodRoot, []string{"blank"}},
		{"only blanks", hkdf, strings.Repeat(" ", 40), []string{"blank"}},
		{"newline within", hkdf, goodRoot + "\n" + goodRoot, []string{"holds a newline", "YAML"}},
		{"quoted", hkdf, `"` + goodRoot + `"`, []string{"quote", ".env"}},
		{"quoted once", hkdf, "'" + goodRoot + "'\n", []string{"quote"}},
		{"quote at the start", hkdf, `"` + goodRoot, []string{"quote"}},
		{"quote at the end", hkdf, goodRoot + "'", []string{"quote"}},
		{"unknown scheme", "md5", goodRoot, []string{`"md5"`, "hkdf-sha256 or rss3-sha256"}},
		{"empty", rss3, "", []string{"empty", "kubevali key new"}},
		{"NUL", rss3, "se\x00cret", []string{"NUL"}},
		{"newline at the end", rss3, goodRoot + "\n", []string{"ends in a newline", "printf %s", "hkdf-sha256"}},
		{"CRLF at the end", rss3, goodRoot + "\r\n", []string{"ends in a newline"}},
		{"newline", rss3, goodRoot + "\n" + goodRoot, []string{"newline", "hkdf-sha256", "openssl rand -hex 32"}},
		{"blank", rss3, goodRoot + " " + goodRoot, []string{"blank"}},
		{"blank at the start", rss3, " " + goodRoot, []string{"blank"}},
		{"tab", rss3, goodRoot + "\t" + goodRoot, []string{"tab"}},
		{"backslash", rss3, goodRoot + `\n`, []string{"backslash"}},
		{"star", rss3, goodRoot + "*", []string{"glob"}},
		{"question mark", rss3, goodRoot + "?", []string{"glob"}},
		{"bracket", rss3, goodRoot + "[", []string{"glob"}},
	}
	for _, test := range tests {
		t.Run(string(test.scheme)+"/"+test.name, func(t *testing.T) {
			root, err := keyderive.NewRoot(test.scheme, []byte(test.secret))
			if err == nil {
				t.Fatalf("accepted: %v", root)
			}
			for _, want := range test.want {
				if !strings.Contains(hint.Line(err), want) {
					t.Errorf("error does not say %q: %v", want, hint.Line(err))
				}
			}
			if len(test.secret) > 2 && strings.Contains(hint.Line(err), test.secret[:len(test.secret)/2]) {
				t.Errorf("error shows the secret: %v", err)
			}
		})
	}
}

func TestRootDropsOneNewline(t *testing.T) {
	derive := func(secret string) keyderive.Public {
		return mustDerive(t, mustRoot(t, keyderive.HKDFSHA256, secret), keyderive.Ed25519, podID).Public()
	}
	plain := derive(goodRoot)
	for _, end := range []string{"\n", "\r\n"} {
		if derive(goodRoot+end) != plain {
			t.Errorf("%q at the end makes a difference", end)
		}
	}
}

// Only the shell decides what rss3-sha256 may not take, so that a short root is good, and so is all it leaves alone.
func TestRSS3Root(t *testing.T) {
	for _, secret := range []string{
		"x", "-n", "~", "$HOME", "`id`", `"`, "'", "{a,b}", "#;&|<>()!", "a]", "a\rb", "\xff\x01\x7f",
	} {
		mustRoot(t, keyderive.RSS3SHA256, secret)
	}
}

func TestRootIsCopied(t *testing.T) {
	secret := []byte(goodRoot)
	root, err := keyderive.NewRoot(keyderive.HKDFSHA256, secret)
	if err != nil {
		t.Fatal(err)
	}
	before := mustDerive(t, root, keyderive.Ed25519, podID)
	clear(secret)
	if after := mustDerive(t, root, keyderive.Ed25519, podID); after.Public() != before.Public() {
		t.Error("wiping the caller's buffer has changed the root")
	}
}

func TestWipe(t *testing.T) {
	root := mustRoot(t, keyderive.HKDFSHA256, goodRoot)
	key := mustDerive(t, root, keyderive.Ed25519, podID)
	public := key.Public()
	for range 2 {
		root.Wipe()
		key.Wipe()
	}
	if key, err := root.Derive(keyderive.Ed25519, podID); err == nil || !strings.Contains(err.Error(), "wiped") {
		t.Errorf("a wiped root gives %v, %v", key, err)
	}
	if content, err := key.Encode(keyderive.Hex); err == nil || !strings.Contains(err.Error(), "wiped") {
		t.Errorf("a wiped key gives %q, %v", content, err)
	}
	if key.Public() != public {
		t.Error("a wiped key has other public identities")
	}
	(*keyderive.Key)(nil).Wipe()
}

func TestGenerateRoot(t *testing.T) {
	first, second := keyderive.GenerateRoot(), keyderive.GenerateRoot()
	if len(first) != 64 || strings.Trim(string(first), "0123456789abcdef") != "" {
		t.Errorf("not 64 lower-case digits: %q", first)
	}
	if bytes.Equal(first, second) {
		t.Error("twice the same root")
	}
	for _, scheme := range []keyderive.Scheme{keyderive.HKDFSHA256, keyderive.RSS3SHA256} {
		mustRoot(t, scheme, string(first))
	}
}

// Whatever a caller does by mistake, neither a root nor a private key gets out.
func TestSecretsAreNotPrinted(t *testing.T) {
	root := mustRoot(t, keyderive.HKDFSHA256, goodRoot)
	key := mustDerive(t, root, keyderive.Secp256k1, podID)
	raw, err := key.Encode(keyderive.Raw)
	if err != nil {
		t.Fatal(err)
	}
	holder := struct {
		root *keyderive.Root
		Root *keyderive.Root
		key  keyderive.Key
		Key  *keyderive.Key
	}{root, root, *key, key}

	var out []string
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%08b"} {
		for _, value := range []any{root, key, *key, holder, &holder, []any{root, key}} {
			out = append(out, fmt.Sprintf(verb, value))
		}
	}
	out = append(out, fmt.Sprint(root, key))
	for _, marshal := range []func(any) ([]byte, error){json.Marshal, yaml.Marshal} {
		text, err := marshal(map[string]any{"root": root, "key": key})
		if err != nil {
			t.Error(err)
		}
		out = append(out, string(text))
	}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("test", "root", root, "key", *key)
	out = append(out, log.String())

	for _, text := range out {
		for _, secret := range [][]byte{[]byte(goodRoot), raw} {
			for _, form := range []string{"%s", "%x", "%X", "%d", "%08b", "%#v"} {
				shown := strings.Trim(fmt.Sprintf(form, secret[:8]), "[]")
				if strings.Contains(text, shown) {
					t.Errorf("shows %s: %s", shown, text)
				}
			}
		}
	}
}

func TestRootOfRandomBytesMayHoldAnythingButNUL(t *testing.T) {
	for _, secret := range []string{
		"\n\x80" + strings.Repeat("\xfe", 30) + "\"",
		" " + strings.Repeat("\x01\n", 16),
	} {
		if _, err := keyderive.NewRoot(keyderive.HKDFSHA256, []byte(secret)); err != nil {
			t.Errorf("%q: %v", secret, err)
		}
	}
}
