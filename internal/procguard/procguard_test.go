//go:build linux

package procguard_test

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/kubevali/kubevali/internal/procguard"
)

// TestMain is also the process that guards itself: it tells what is left of its environment, and whether it is dumpable.
func TestMain(m *testing.M) {
	if os.Getenv("GUARDED") == "" {
		os.Exit(m.Run())
	}
	own, err := os.Open("/proc/self/environ") // before it is root's
	if err != nil {
		fmt.Println(err)
	}
	if err := procguard.Hide("SECRET", "EMPTY", "NOT_THERE"); err != nil {
		fmt.Println("Hide:", err)
	}
	environ, err := io.ReadAll(own)
	if err != nil {
		fmt.Println(err)
	}
	dumpable, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0)
	fmt.Printf("%s\ndumpable=%d %v known=%s\n", environ, dumpable, err, os.Getenv("SECRET"))
}

func TestSecretsOfAProcess(t *testing.T) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = []string{"SECRETS=stay", "SECRET=root=secret", "GUARDED=1", "EMPTY=", "LAST=stays"}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, want := range []string{
		"SECRETS=stay\x00SECRET=" + string(make([]byte, len("root=secret"))) + "\x00GUARDED=1\x00EMPTY=\x00LAST=stays\x00",
		"dumpable=0 <nil>",
		"known=root=secret\n",
	} {
		if !bytes.Contains(out, []byte(want)) {
			t.Errorf("%q lacks %q", out, want)
		}
	}
}
