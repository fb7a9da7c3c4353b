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
	"cmp"
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

// Copy is Write for content that need not fit into memory. It reads src, which stands at its start, up to two times.
func Copy(path string, src io.ReadSeeker, mode fs.FileMode) (changed bool, err error) {
	target, exists, err := locate(path)
	if exists && sameContent(target, src) {
		return Chmod(target, mode)
	}
	if err == nil {
		_, err = src.Seek(0, io.SeekStart)
	}
	if err == nil {
		err = put(target, src, mode, os.Rename)
	}
	return err == nil, explain("write", path, err)
}

// Create writes the file as Write does, but only where there is none: a file that exists, even an empty one or one that
// another process creates at the same time, keeps its content and mode, and created is false.
func Create(path string, content []byte, mode fs.FileMode) (created bool, err error) {
	target, exists, err := locate(path)
	if err == nil && !exists {
		err = put(target, bytes.NewReader(content), mode, link)
		created = err == nil
	}
	if errors.Is(err, fs.ErrExist) {
		err = nil
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
func sameContent(path string, src io.Reader) bool {
	file, err := os.Open(path)
	if err != nil {
		return false
	}
	defer file.Close()
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

// put writes src to a new file in target's folder and, once that is safely on disk, has move give it target's name.
func put(target string, src io.Reader, mode fs.FileMode, move func(from, to string) error) error {
	folder := filepath.Dir(target)
	if err := os.MkdirAll(folder, folderMode); err != nil {
		return err
	}
	temp, err := os.CreateTemp(folder, tempName)
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name()) // of no effect where it has moved
	if err := fill(temp, src, mode); err != nil {
		return err
	}
	if err := move(temp.Name(), target); err != nil {
		return err
	}
	return syncFolder(folder)
}

// fill gives a new file its mode and content, in this order, and closes it.
func fill(file *os.File, src io.Reader, mode fs.FileMode) error {
	err := file.Chmod(mode.Perm())
	if err == nil {
		_, err = io.Copy(file, src)
	}
	if err == nil {
		err = file.Sync()
	}
	return cmp.Or(err, file.Close())
}

// link is a rename that never replaces what is there, as link(2) does not.
func link(from, to string) error {
	err := os.Link(from, to)
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOTSUP) || errors.Is(err, syscall.ENOSYS) {
		return take(from, to)
	}
	return err
}

// take is link for file systems without hard links, where a crash can leave an empty file.
func take(from, to string) error {
	file, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	file.Close()
	if err := os.Rename(from, to); err != nil {
		os.Remove(to)
		return err
	}
	return nil
}

// syncFolder makes a new name in a folder survive a crash.
func syncFolder(path string) error {
	folder, err := os.Open(path)
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
	reason, advice := plain(err), ""
	switch folder := filepath.Dir(path); {
	case errors.Is(reason, syscall.EBUSY):
		advice = "it is mounted by itself (subPath or a single file), so it cannot be replaced; mount its folder instead"
	case errors.Is(reason, syscall.EROFS):
		advice = "mount a writable volume, such as an emptyDir, at " + folder
	case errors.Is(reason, fs.ErrPermission):
		advice = fmt.Sprintf("user %d may not write here: mount a volume it may write to at %s, or set the pod's "+
			"securityContext.fsGroup", os.Geteuid(), folder)
	case errors.Is(reason, syscall.ENOSPC), errors.Is(reason, syscall.EDQUOT):
		advice = "the volume at " + folder + " is full"
	}
	return hint.With(fmt.Errorf("cannot %s %s: %w", what, path, reason), advice)
}
