package plan_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kubevali/kubevali/internal/config"
)

func TestTooManyErrors(t *testing.T) {
	_, err := sts2().make(configFor(strings.Repeat("{{ bad }}\n", 10_000)))
	found := config.Errors(nil)
	if !errors.As(err, &found) || len(found) != 101 {
		t.Fatalf("got %d errors", len(found))
	}
	expectText(t, found[0].Error(), "kubevali.yaml: the templates have more than 100 errors")
}

// All templates share the time that there is, and one is to blame.
func TestSpentTimeIsReportedOnce(t *testing.T) {
	t.Parallel()
	_, err := sts2().make(parse(t, `
nodeTemplate:
  command: [node, '{{ range 1000000000000 }}{{ end }}', '{{ add 1 2 }}', '{{ range 1000000000000 }}{{ end }}', '{{ fail "too" }}']
  env: {A: '{{ .Index }}'}
`))
	found := config.Errors(nil)
	if !errors.As(err, &found) || len(found) != 1 || found[0].At.Path != "nodeTemplate.command[1]" {
		t.Errorf("got %v, want one error about the first loop", err)
	}
}

func TestLargeFile(t *testing.T) {
	for size, want := range map[int]string{1<<20 + 1: "it is too large: more than 1024 KiB", 1 << 20: "<nil>"} {
		path := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(path, bytes.Repeat([]byte("x"), size), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := sts2().make(configFor(`{{ readFile "` + path + `" | sha256sum }}`))
		expectText(t, fmt.Sprint(err), want)
	}
}
