// Package install copies the running program to where another container can run it. It knows nothing of volumes or
// pods: the images it works for are so bare that they have no cp.
package install

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/kubevali/kubevali/internal/atomicfile"
	"github.com/kubevali/kubevali/internal/hint"
)

// Install copies the running program to dest, or to dest/kubevali when dest is a folder or ends in a slash, and returns
// where to. Missing folders are created. The copy appears in one step, and may replace a program that is running; one
// with the same content is left alone, and changed is false.
func Install(dest string) (path string, changed bool, err error) {
	if dest == "" {
		return "", false, hint.New("no destination", "name a file or a folder")
	}
	path = dest
	if info, err := os.Stat(dest); strings.HasSuffix(dest, "/") || err == nil && info.IsDir() {
		path = filepath.Join(dest, "kubevali")
	}
	self, err := os.Executable()
	if err != nil {
		return "", false, fmt.Errorf("cannot tell where the running program is: %w", err)
	}
	program, err := os.Open(self)
	if err != nil {
		return "", false, fmt.Errorf("cannot read the running program: %w", err)
	}
	defer program.Close()
	changed, err = atomicfile.Copy(path, program, 0o755)
	return path, changed, err
}
