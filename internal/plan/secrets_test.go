package plan_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestTemplatesCannotReadSecrets(t *testing.T) {
	dir := t.TempDir()
	root, key := filepath.Join(dir, "root"), filepath.Join(dir, "key")
	link, other := filepath.Join(dir, "link"), filepath.Join(dir, "other")
	for path, content := range map[string]string{root: rootSecret, key: rootSecret, other: "fine"} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(root, link); err != nil {
		t.Fatal(err)
	}
	file := func(template string) string {
		return `
nodeTemplate: {command: [node], env: {VALUE: '` + template + `'}}
p2pKeys:
  a: {rootSecret: {env: P2P_ROOT_KEY}, type: ed25519, format: raw, path: '` + key + `'}
  b: {rootSecret: {file: '` + root + `'}, type: ed25519, format: raw, path: /b}
`
	}
	const variable = "the environment variable P2P_ROOT_KEY holds a root secret, which templates cannot read"
	for template, want := range map[string]string{
		`{{ env "P2P_ROOT_KEY" }}`:                        variable,
		`{{ .Env.P2P_ROOT_KEY }}`:                         variable,
		`{{ with .Env }}{{ .P2P_ROOT_KEY }}{{ end }}`:     variable,
		`{{ expandenv "x${P2P_ROOT_KEY}" }}`:              variable,
		`{{ index .Env "P2P_ROOT_KEY" }}`:                 "there is no value to print",
		`{{ readFile "` + root + `" }}`:                   "it holds a root secret, which templates cannot read",
		`{{ readFile "` + link + `" }}`:                   "it holds a root secret, which templates cannot read",
		`{{ readFile "` + key + `" }}`:                    "it holds a P2P key, which templates cannot read; nodes take it from its file",
		`{{ readFile (keyPath "a") }}`:                    "it holds a P2P key",
		`{{ readFile "/proc/self/environ" }}`:             "it holds a root secret",
		`{{ readFile "/proc/thread-self/../1/environ" }}`: "environ",
	} {
		expectErrors(t, file(template), withKeys(), "nodeTemplate.env.VALUE: ", want)
		if _, err := withKeys().make(parse(t, file(template))); strings.Contains(fmt.Sprint(err), rootSecret) {
			t.Errorf("the error shows the secret: %v", err)
		}
	}
	for template, want := range map[string]string{
		`{{ hasKey .Env "P2P_ROOT_KEY" }}{{ .Env | toJson | contains "P2P" }}`: "falsefalse",
		`{{ readFile "` + other + `" }}`:                                       "fine",
	} {
		if got := mustMake(t, file(template), withKeys()).Env["VALUE"]; got != want {
			t.Errorf("%s gave %q, want %q", template, got, want)
		}
	}

	// As long as it is not known where the secrets are, no file can be read.
	early := strings.Replace(file(`{{ readFile "`+other+`" }}`), "command:", `index: '{{ readFile "`+root+`" | len }}', command:`, 1)
	expectErrors(t, early, withKeys(), "nodeTemplate.index: cannot read "+root+": it holds a root secret")
	early = strings.Replace(early, "path: /b", "path: '/{{ .Env.COLOUR }}'", 1)
	expectErrors(t, early, withKeys(), "nodeTemplate.index: readFile cannot be used here, as it is not known yet which files")
}

func TestEnvironWithoutRootSecrets(t *testing.T) {
	file := strings.Replace(keysFile, "command: [geth]", "command: [geth]\n  unsetEnv: [P2P_ROOT_KEY, B]", 1)
	made := mustMake(t, file, withKeys())
	if got := made.Environ([]string{"A=1", "P2P_ROOT_KEY=" + rootSecret, "B=2"}); !slices.Equal(got, []string{"A=1"}) {
		t.Errorf("got %q", got)
	}
	if !slices.Equal(made.UnsetEnv, []string{"P2P_ROOT_KEY", "B"}) {
		t.Errorf("got %q", made.UnsetEnv)
	}
}
