// Package atomicfile reads and writes files whole. Whoever opens a file that it writes sees all of the old content or all
// of the new, also after a crash; and whoever has it read a file waits for nobody. It does not append, lock, or keep a
// replaced file's owner.
//
// Invariants:
//
//   - Content is never readable by more users than the final mode allows, not even for a moment.
//   - A call that fails leaves the file as it was and nothing beside it.
//   - A symbolic link is followed, never replaced.
package atomicfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/kubevali/kubevali/internal/hint"
)

const (
	folderMode fs.FileMode = 0o755
	tempName               = ".kubevali-*" // does not contain the file's own name, which may be as long as names can be
)

// Write makes content the content of the file at path and mode its permissions. Missing folders are created. A file
// that has this content already is not written again, and only its mode is put right; changed says whether anything
// had to be done.
func Write(path string, content []byte, mode fs.FileMode) (changed bool, err error) {
	return Copy(path, bytes.NewReader(content), mode)
}

// Copy is Write for content that need not fit into memory. It reads src from its start to its end, up to two times.
func Copy(path string, src io.ReadSeeker, mode fs.FileMode) (changed bool, err error) {
	target, exists, err := locate(path)
	if exists && sameContent(target, src) {
		return Chmod(target, mode)
	}
	if err == nil {
		err = replace(target, src, mode)
	}
	return err == nil, explain("write", path, err)
}

// Create writes the file as Write does, but only where there is none: a file that exists, even an empty one or one that
// another process creates at the same time, keeps its content and mode, and created is false.
func Create(path string, content []byte, mode fs.FileMode) (created bool, err error) {
	target, exists, err := locate(path)
	if err == nil && !exists {
		created, err = add(target, content, mode)
	}
	return created, explain("write", path, err)
}

// Chmod gives the file at path its permissions. changed says whether it had others.
func Chmod(path string, mode fs.FileMode) (changed bool, err error) {
	info, err := os.Stat(path)
	if err == nil && info.Mode().Perm() == mode.Perm() {
		return false, nil
	}
	if err == nil {
		err = os.Chmod(path, mode.Perm())
	}
	return err == nil, explain(fmt.Sprintf("give the mode %04o to", mode.Perm()), path, err)
}

// Chown gives the file at path to a user and a group; -1 leaves either as it is.
func Chown(path string, uid, gid int) error {
	info, err := os.Stat(path)
	if err == nil {
		is := info.Sys().(*syscall.Stat_t)
		if (uid < 0 || uid == int(is.Uid)) && (gid < 0 || gid == int(is.Gid)) {
			return nil
		}
		err = os.Chown(path, uid, gid)
	}
	return explain(fmt.Sprintf("give user %d and group %d", uid, gid), path, err)
}

// sameContent reports whether the file holds exactly what src holds. A file that cannot be read counts as different:
// writing it then succeeds or gives the better error.
func sameContent(path string, src io.ReadSeeker) bool {
	file, err := os.Open(path)
	if err != nil {
		return false
	}
	defer file.Close()
	if _, err := src.Seek(0, io.SeekStart); err != nil {
		return false
	}
	if _, err := io.Copy(comparer{file}, src); err != nil {
		return false
	}
	n, _ := file.Read(make([]byte, 1))
	return n == 0
}

// comparer is a writer that accepts nothing but what comes next in its reader.
type comparer struct{ io.Reader }

func (c comparer) Write(p []byte) (n int, err error) {
	next := make([]byte, len(p))
	defer clear(next)
	if n, err = io.ReadFull(c, next); err == nil && !bytes.Equal(next, p) {
		err = errors.New("another content")
	}
	return n, err
}

func replace(target string, src io.ReadSeeker, mode fs.FileMode) error {
	if _, err := src.Seek(0, io.SeekStart); err != nil {
		return err
	}
	temp, err := stage(target, src, mode)
	if err != nil {
		return err
	}
	if err := os.Rename(temp, target); err != nil {
		os.Remove(temp)
		return err
	}
	return syncFolder(target)
}

func add(target string, content []byte, mode fs.FileMode) (created bool, err error) {
	temp, err := stage(target, bytes.NewReader(content), mode)
	if err != nil {
		return false, err
	}
	defer os.Remove(temp)
	// Other than rename(2), link(2) never replaces what is there.
	err = os.Link(temp, target)
	if lacksLinks(err) {
		err = createInPlace(target, content, mode)
	}
	if errors.Is(err, fs.ErrExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, syncFolder(target)
}

// stage writes src to a new file in target's folder and returns its path. The file is safely on disk.
func stage(target string, src io.Reader, mode fs.FileMode) (temp string, err error) {
	folder := filepath.Dir(target)
	if err := os.MkdirAll(folder, folderMode); err != nil {
		return "", err
	}
	file, err := os.CreateTemp(folder, tempName)
	if err != nil {
		return "", err
	}
	return file.Name(), fill(file, src, mode)
}

// fill gives a new file its mode and content, in this order, and closes it. A file that it cannot fill it removes.
func fill(file *os.File, src io.Reader, mode fs.FileMode) error {
	err := file.Chmod(mode.Perm())
	if err == nil {
		_, err = io.Copy(file, src)
	}
	if err == nil {
		err = file.Sync()
	}
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		os.Remove(file.Name())
	}
	return err
}

// createInPlace is Create for file systems without hard links, where a crash can leave a part of the file.
func createInPlace(target string, content []byte, mode fs.FileMode) error {
	file, err := os.OpenFile(target, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	return fill(file, bytes.NewReader(content), mode)
}

// lacksLinks reports whether link(2) failed because the file system has no hard links.
func lacksLinks(err error) bool {
	return errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOTSUP) || errors.Is(err, syscall.ENOSYS)
}

// syncFolder makes a new name in path's folder survive a crash.
func syncFolder(path string) error {
	folder, err := os.Open(filepath.Dir(path))
	if errors.Is(err, fs.ErrPermission) {
		return nil // a folder may be writable and not readable; the name is there, and safe once the system writes it back
	}
	if err != nil {
		return err
	}
	defer folder.Close()
	// Some file systems cannot sync folders and say so with EINVAL, see fsync(2).
	if err := folder.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, syscall.ENOTSUP) {
		return err
	}
	return nil
}

// explain says what could not be done to which file, why, and what to do. The names of temporary files are left out.
func explain(what, path string, err error) error {
	if err == nil {
		return nil
	}
	reason := plain(err)
	return hint.With(fmt.Errorf("cannot %s %s: %w", what, path, reason), advice(path, reason))
}

func advice(path string, reason error) string {
	folder := filepath.Dir(path)
	switch {
	case errors.Is(reason, syscall.EBUSY):
		return "it is mounted by itself (subPath or a single file), so it cannot be replaced; mount its folder instead"
	case errors.Is(reason, syscall.EROFS):
		return "mount a writable volume, such as an emptyDir, at " + folder
	case errors.Is(reason, fs.ErrPermission):
		return fmt.Sprintf("user %d may not write here: mount a volume it may write to at %s, or set the pod's "+
			"securityContext.fsGroup", os.Geteuid(), folder)
	case errors.Is(reason, syscall.ENOTDIR):
		return "what should be a folder on its path is a file"
	case errors.Is(reason, syscall.ENOSPC), errors.Is(reason, syscall.EDQUOT):
		return "the volume at " + folder + " is full"
	}
	return ""
}
