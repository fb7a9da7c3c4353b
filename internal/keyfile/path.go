package keyfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/kubevali/kubevali/internal/keyderive"
)

const maxLinks = 40 // what Linux follows before it gives up with ELOOP, see path_resolution(7)

// locate returns where path leads to once all links are followed, and refuses places of signing keys on the way there.
func locate(path string) (string, error) {
	if err := keyderive.CheckPath(path); err != nil {
		return "", err
	}
	target, err := resolve(filepath.Clean(path), maxLinks)
	if err != nil {
		return "", unreadable(path, plain(err))
	}
	if err := keyderive.CheckPath(target); err != nil {
		return "", fmt.Errorf("%s is a link: %w", path, err)
	}
	return target, nil
}

// resolve is filepath.EvalSymlinks for a path whose end need not exist, and whose links may lead to where nothing is yet.
func resolve(path string, links int) (string, error) {
	target, err := filepath.EvalSymlinks(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return target, err
	}
	if links == 0 {
		return "", syscall.ELOOP
	}
	if link, err := os.Readlink(path); err == nil {
		if !filepath.IsAbs(link) {
			link = filepath.Join(filepath.Dir(path), link)
		}
		return resolve(link, links-1)
	}
	parent := filepath.Dir(path)
	if parent == path {
		return path, nil
	}
	parent, err = resolve(parent, links)
	return filepath.Join(parent, filepath.Base(path)), err
}
