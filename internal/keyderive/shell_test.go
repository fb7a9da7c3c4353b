package keyderive_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kubevali/kubevali/internal/keyderive"
)

// The shells that run charts' scripts: Debian's, Alpine's and everyone's.
var shells = [][]string{{"sh"}, {"dash"}, {"bash"}, {"busybox", "ash"}}

// Where rss3-sha256 takes a root, a real shell's echo gives the bytes that the key is the SHA-256 of. Every byte is
// tried at the root's start, in its middle and twice in a row at its end, in a folder where patterns find files.
func TestRSS3AsTheShellDoes(t *testing.T) {
	folder := t.TempDir()
	for _, name := range []string{"xx-vsl-vsl-rpc-0", "xzx-vsl-vsl-rpc-0", "-n", "x"} {
		if err := os.WriteFile(filepath.Join(folder, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var secrets []string
	for b := 1; b < 256; b++ {
		c := string([]byte{byte(b)})
		secrets = append(secrets, c, c+"x", "x"+c+"x", "x"+c+c)
	}
	secrets = append(secrets,
		"-n", "-e", "-neE", "--help", "~root", "$HOME", "$(id)", "x{a,b}", "x{1..3}", "!x", "+(x)", "корень-✓")
	var taken []string
	var keys [][]byte
	for _, secret := range secrets {
		root, err := keyderive.NewRoot(keyderive.RSS3SHA256, []byte(secret))
		if err != nil {
			continue
		}
		private, err := mustDerive(t, root, keyderive.Ed25519, podID).Encode(keyderive.Raw)
		if err != nil {
			t.Fatal(err)
		}
		taken, keys = append(taken, secret), append(keys, private)
	}
	if len(taken) < len(secrets)*9/10 {
		t.Fatalf("only %d of %d roots are accepted", len(taken), len(secrets))
	}

	ran := 0
	for _, shell := range shells {
		if _, err := exec.LookPath(shell[0]); err != nil {
			continue
		}
		ran++
		for i, line := range echoed(t, shell, folder, taken) {
			if sum := sha256.Sum256(line); !bytes.Equal(keys[i], sum[:]) {
				t.Errorf("%v: root %q: the shell's echo gives %q, and that is not what is hashed", shell, taken[i], line)
			}
		}
	}
	if ran == 0 {
		t.Skip("no shell here")
	}
}

// echoed returns what the charts' line gives in a shell for each of the roots.
func echoed(t *testing.T, shell []string, folder string, secrets []string) [][]byte {
	t.Helper()
	var script strings.Builder
	environ := []string{"PATH=" + os.Getenv("PATH"), "NS=" + podID.Namespace, "POD=" + podID.Pod}
	for i, secret := range secrets {
		environ = append(environ, fmt.Sprintf("R%d=%s", i, secret))
		fmt.Fprintf(&script, "echo ${R%d}-${NS}-${POD}; printf '\\000'\n", i)
	}
	cmd := exec.CommandContext(t.Context(), shell[0], append(slices.Clone(shell[1:]), "-c", script.String())...)
	cmd.Dir, cmd.Env = folder, environ
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v", shell, err)
	}
	lines := bytes.Split(bytes.TrimSuffix(out, []byte{0}), []byte{0})
	if len(lines) != len(secrets) {
		t.Fatalf("%v: %d lines for %d roots", shell, len(lines), len(secrets))
	}
	return lines
}
