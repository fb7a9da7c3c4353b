package atomicfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// What Create does on file systems without hard links, of which there is none here.
func TestTake(t *testing.T) {
	dir := t.TempDir()
	from, to := filepath.Join(dir, "from"), filepath.Join(dir, "to")
	if err := os.WriteFile(from, []byte("first"), 0o640); err != nil {
		t.Fatal(err)
	}
	if err := take(from, to); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(from, []byte("second"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := take(from, to); !errors.Is(err, fs.ErrExist) {
		t.Errorf("the second time: %v", err)
	}
	if got, err := os.ReadFile(to); string(got) != "first" {
		t.Errorf("holds %q, %v", got, err)
	}
	if info, err := os.Stat(to); err != nil || info.Mode() != 0o640 {
		t.Errorf("%v, %v", info, err)
	}
	if err := take(filepath.Join(dir, "missing"), filepath.Join(dir, "new")); err == nil {
		t.Error("took what is not there")
	}
	if _, err := os.Lstat(filepath.Join(dir, "new")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("left the name behind: %v", err)
	}
}
