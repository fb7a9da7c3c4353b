package deploy

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func document(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// elsewhere are the programs of README.md's commands that need a cluster, or are not everywhere. Kubectl looks at the
// files that it is given.
const elsewhere = `
kubectl() {
	while [ $# -gt 0 ]; do
		case $1 in
		--from-file=*) test -s "${1##*=}" ;;
		-k) test -f "$2/kustomization.yaml" ;;
		esac
		shift
	done
}
nc() { :; }
openssl() { echo 00; }
`

// What README.md has an operator run in a shell does run, in the order in which it stands there: the root secret that is
// made is the one that the pods' identities are derived from.
func TestREADMECommands(t *testing.T) {
	script := elsewhere
	for _, block := range regexp.MustCompile("(?ms)^```sh\n(.*?)^```$").FindAllStringSubmatch(document(t, "README.md"), -1) {
		script += block[1]
	}
	home := t.TempDir()
	cmd := exec.Command("sh", "-euc", script)
	cmd.Env = []string{"HOME=" + home, "PATH=" + filepath.Dir(kubevali) + ":" + os.Getenv("PATH")}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, &stderr)
	}

	secret, err := os.Stat(filepath.Join(home, "p2p-root"))
	if err != nil {
		t.Fatal(err)
	}
	if mode := secret.Mode().Perm(); mode != 0o600 {
		t.Errorf("the root secret has the mode %o, want 600", mode)
	}
	for i := range 3 {
		pod := fmt.Sprintf("geth-%d", i)
		identity := regexp.MustCompile(`(?m)^` + pod + ` +chains +node +secp256k1 .* ([0-9a-f]{128})$`).FindSubmatch(stdout)
		if identity == nil {
			t.Fatalf("no identity of %s:\n%s", pod, stdout)
		}
		if n := bytes.Count(stdout, identity[1]); n < 2 {
			t.Errorf("what is rendered has not the enode of %s that is listed:\n%s", pod, stdout)
		}
		if heading := "# pod " + pod + ", namespace chains, "; !strings.Contains(string(stdout), heading) {
			t.Errorf("no %q:\n%s", heading, stdout)
		}
	}
}

// What the documents say to write in place of nodeExternalIP can be written wherever an example has it.
func TestNodeAddressForms(t *testing.T) {
	form := regexp.MustCompile(`\(nodeAddress [^)]*\)`)
	for _, path := range []string{"README.md", "../docs/kubernetes.md"} {
		forms := form.FindAllString(document(t, path), -1)
		if len(forms) == 0 {
			t.Errorf("%s has no %s", path, form)
		}
		for _, written := range forms {
			for _, folder := range examples {
				m := build(t, folder)
				for _, c := range configurations(t, m) {
					other := filepath.Join(t.TempDir(), c.file)
					text := strings.ReplaceAll(c.text, "nodeExternalIP", written)
					if text == c.text {
						t.Errorf("%s: %s has no nodeExternalIP", folder, c.file)
					}
					if err := os.WriteFile(other, []byte(text), 0o600); err != nil {
						t.Fatal(err)
					}
					run(t, render(m, other)...)
				}
			}
		}
	}
}
