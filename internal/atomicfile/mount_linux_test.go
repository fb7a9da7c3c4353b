package atomicfile_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/kubevali/kubevali/internal/atomicfile"
	"github.com/kubevali/kubevali/internal/hint"
)

// inOwnMounts runs the calling test once more in a mount namespace of its own and returns true there.
func inOwnMounts(t *testing.T) bool {
	t.Helper()
	const inside = "ATOMICFILE_TEST_OWN_MOUNTS"
	if os.Getenv(inside) != "" {
		return true
	}
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), inside+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}}}
	out, err := cmd.CombinedOutput()
	if err != nil && len(out) == 0 {
		t.Skipf("mount namespaces are not permitted here: %v", err)
	}
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	if strings.Contains(string(out), "--- SKIP") {
		t.Skipf("skipped in the namespace:\n%s", out)
	}
	return false
}

func bind(t *testing.T, path string, flags uintptr) {
	t.Helper()
	if err := syscall.Mount(path, path, "", syscall.MS_BIND, ""); err != nil {
		t.Skipf("mounting is not permitted here: %v", err)
	}
	t.Cleanup(func() { check(t, syscall.Unmount(path, 0)) })
	if flags != 0 {
		check(t, syscall.Mount("", path, "", syscall.MS_REMOUNT|syscall.MS_BIND|flags, ""))
	}
}

func TestFileThatIsAMount(t *testing.T) {
	if !inOwnMounts(t) {
		return
	}
	dir := t.TempDir()
	file("f", "old", 0o600)(t, dir)
	path := filepath.Join(dir, "f")
	bind(t, path, 0)
	_, err := atomicfile.Write(path, []byte("new"), 0o600)
	expectError(t, err, path, "mount its folder instead")
	expectFile(t, path, "old", 0o600)
	expectNoTemporaries(t, dir)
}

func TestReadOnlyFileSystem(t *testing.T) {
	if !inOwnMounts(t) {
		return
	}
	dir := t.TempDir()
	file("f", "old", 0o600)(t, dir)
	path := filepath.Join(dir, "f")
	bind(t, dir, syscall.MS_RDONLY)
	_, err := atomicfile.Write(path, []byte("new"), 0o600)
	expectError(t, err, path, "read-only file system", "mount a writable volume")
	_, err = atomicfile.Create(filepath.Join(dir, "g"), nil, 0o600)
	expectError(t, err, "mount a writable volume")
	if changed, err := atomicfile.Write(path, []byte("old"), 0o600); changed || err != nil {
		t.Errorf("writing what is there: %v, %v; want neither a change nor an error", changed, err)
	}
	if changed, err := atomicfile.Chmod(path, 0o600); changed || err != nil {
		t.Errorf("giving it the mode that it has: %v, %v; want neither a change nor an error", changed, err)
	}
	if err := atomicfile.Chown(path, os.Geteuid(), -1); err != nil {
		t.Errorf("giving it to whom it belongs to: %v", err)
	}
	if err := atomicfile.Chown(path, -1, -1); err != nil {
		t.Errorf("giving it to nobody: %v", err)
	}
	if created, err := atomicfile.Create(path, nil, 0o600); created || err != nil {
		t.Errorf("creating what is there: %v, %v; want neither a change nor an error", created, err)
	}
}

func TestFolderOfAnotherUser(t *testing.T) {
	dir := t.TempDir()
	check(t, os.Chmod(dir, 0o555))
	done := make(chan struct{})
	go func() {
		defer close(done)
		// Root may write everywhere, so take away this thread's right to. It is never unlocked, so it ends with us.
		runtime.LockOSThread()
		if os.Geteuid() == 0 {
			if err := syscall.Setfsuid(65534); err != nil {
				t.Error(err)
				return
			}
		}
		_, err := atomicfile.Write(filepath.Join(dir, "f"), []byte("x"), 0o600)
		if err == nil || !strings.Contains(hint.Of(err), "may not write here") {
			t.Errorf("error %v, want one that says what to do", err)
		}
	}()
	<-done
}
