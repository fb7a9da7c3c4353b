package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// binaries are the programs under test, built once per run.
type binaries struct {
	kubevali string
	geth     string
}

var built binaries

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "kubevali-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)

	built = binaries{
		kubevali: filepath.Join(dir, "kubevali"),
		geth:     filepath.Join(dir, "geth"),
	}
	if err := build("..", built.kubevali, "./cmd/kubevali"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if err := build(".", built.geth, "github.com/ethereum/go-ethereum/cmd/geth"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// build compiles the package pkg of the module in dir, without cgo: no C compiler needed, and the same code everywhere.
func build(dir, output, pkg string) error {
	cmd := exec.Command("go", "build", "-o", output, pkg)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build %s: %w\n%s", pkg, err, strings.TrimSpace(string(out)))
	}
	return nil
}
