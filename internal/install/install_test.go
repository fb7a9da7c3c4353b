package install_test

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/kubevali/kubevali/internal/install"
)

const waitForInput = "INSTALL_TEST_WAIT_FOR_INPUT"

// TestMain lets this test's program stand for kubevali: it says that it runs, and goes on until its input ends.
func TestMain(m *testing.M) {
	if os.Getenv(waitForInput) == "" {
		os.Exit(m.Run())
	}
	os.Stdout.WriteString("running\n")
	io.Copy(io.Discard, os.Stdin)
}

func TestDestination(t *testing.T) {
	tests := []struct{ name, dest, want string }{
		{"file", "prog", "prog"},
		{"existing folder", "folder", "folder/kubevali"},
		{"folder to be", "new/folder/", "new/folder/kubevali"},
		{"file in a new folder", "new/prog", "new/prog"},
	}
	self, err := os.Executable()
	check(t, err)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			check(t, os.Mkdir(filepath.Join(dir, "folder"), 0o755))
			want := filepath.Join(dir, test.want)
			path, changed, err := install.Install(dir + "/" + test.dest)
			if err != nil || !changed || path != want {
				t.Fatalf("Install = %q, %v, %v; want %q, true", path, changed, err, want)
			}
			expectProgram(t, want, self)
			if _, changed, err = install.Install(dir + "/" + test.dest); err != nil || changed {
				t.Errorf("again: %v, %v; want no change", changed, err)
			}
		})
	}
}

func TestNoDestination(t *testing.T) {
	if _, _, err := install.Install(""); err == nil {
		t.Error("no error")
	}
}

func TestReplacesARunningProgram(t *testing.T) {
	self, err := os.Executable()
	check(t, err)
	path := filepath.Join(t.TempDir(), "kubevali")
	old, err := os.ReadFile(self)
	check(t, err)
	check(t, os.WriteFile(path, append(old, "an older version"...), 0o755))
	running := exec.Command(path)
	running.Env = append(os.Environ(), waitForInput+"=1")
	stdin, err := running.StdinPipe()
	check(t, err)
	stdout, err := running.StdoutPipe()
	check(t, err)
	check(t, running.Start())
	if _, err := io.ReadFull(stdout, make([]byte, len("running\n"))); err != nil {
		t.Fatal(err)
	}
	if _, changed, err := install.Install(path); err != nil || !changed {
		t.Errorf("Install: %v, %v; want a change", changed, err)
	}
	expectProgram(t, path, self)
	stdin.Close()
	if err := running.Wait(); err != nil {
		t.Errorf("the running program was disturbed: %v", err)
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func expectProgram(t *testing.T, path, like string) {
	t.Helper()
	got, err := os.ReadFile(path)
	check(t, err)
	want, err := os.ReadFile(like)
	check(t, err)
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not a copy of %s", path, like)
	}
	if info, _ := os.Stat(path); info.Mode().Perm() != 0o755 {
		t.Errorf("mode %o, want 755", info.Mode().Perm())
	}
}
