// Package atomicfile writes whole files in one step: whoever opens such a file sees all of the old content or all of
// the new, also after a crash. It does not append, lock, or keep a replaced file's owner.
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
)

const (
	folderMode fs.FileMode = 0o755
	tempName               = ".kubevali-*" // does not contain the file's own name, which may be as long as names can be
	maxLinks               = 40            // what Linux follows before it gives up with ELOOP, see path_resolution(7)
)

var (
	errFolder  = errors.New("it is a folder; name a file in it")
	errSpecial = errors.New("it is a device, pipe or socket; name another path")
)

// Write makes content the content of the file at path and mode its permissions. Missing folders are created. A file
// that has this content already is not written again, and only its mode is put right; changed says whether anything
// had to be done. Errors say what to do about them.
func Write(path string, content []byte, mode fs.FileMode) (changed bool, err error) {
	return Copy(path, bytes.NewReader(content), mode)
}

// Copy is Write for content that need not fit into memory. It reads src from its start to its end, up to two times.
func Copy(path string, src io.ReadSeeker, mode fs.FileMode) (changed bool, err error) {
	target, info, err := locate(path)
	if err != nil {
		return false, explain(path, err)
	}
	if info != nil && sameContent(target, src) {
		return putModeRight(target, info, mode)
	}
	if _, err := src.Seek(0, io.SeekStart); err != nil {
		return false, explain(path, err)
	}
	temp, err := stage(target, src, mode)
	if err != nil {
		return false, explain(path, err)
	}
	if err := os.Rename(temp, target); err != nil {
		os.Remove(temp)
		return false, explain(path, err)
	}
	return true, explain(path, syncFolder(target))
}

// Create writes the file as Write does, but only where there is none: a file that exists, even an empty one or one that
// another process creates at the same time, keeps its content and mode, and created is false.
func Create(path string, content []byte, mode fs.FileMode) (created bool, err error) {
	target, info, err := locate(path)
	if err != nil {
		return false, explain(path, err)
	}
	if info != nil {
		return false, nil
	}
	temp, err := stage(target, bytes.NewReader(content), mode)
	if err != nil {
		return false, explain(path, err)
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
		return false, explain(path, err)
	}
	return true, explain(path, syncFolder(target))
}

// locate follows the links at the end of path and returns where the file is or would be, and what is there, nil if
// nothing. Only regular files will do: replacing /dev/null or /dev/stdout would break more than this file.
func locate(path string) (target string, info fs.FileInfo, err error) {
	if path == "" || os.IsPathSeparator(path[len(path)-1]) {
		return "", nil, errFolder
	}
	target = path
	for range maxLinks {
		info, err = os.Lstat(target)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return target, nil, nil
		case err != nil:
			return "", nil, err
		case info.Mode().IsRegular():
			return target, info, nil
		case info.IsDir():
			return "", nil, errFolder
		case info.Mode()&fs.ModeSymlink == 0:
			return "", nil, errSpecial
		}
		link, err := os.Readlink(target)
		if err != nil {
			return "", nil, err
		}
		if filepath.IsAbs(link) {
			target = link
		} else {
			target = filepath.Join(filepath.Dir(target), link)
		}
	}
	return "", nil, syscall.ELOOP
}

// sameContent reports whether the file holds exactly what src holds. A file that cannot be read counts as different:
// writing it then succeeds or gives the better error.
func sameContent(path string, src io.ReadSeeker) bool {
	file, err := os.Open(path)
	if err != nil {
		return false
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return false
	}
	size, err := src.Seek(0, io.SeekEnd)
	if err != nil || size != info.Size() {
		return false
	}
	if _, err := src.Seek(0, io.SeekStart); err != nil {
		return false
	}
	return sameStream(file, src)
}

func sameStream(a, b io.Reader) bool {
	const chunk = 64 << 10
	bufA, bufB := make([]byte, chunk), make([]byte, chunk)
	for {
		n, errA := io.ReadFull(a, bufA)
		m, errB := io.ReadFull(b, bufB)
		if !bytes.Equal(bufA[:n], bufB[:m]) {
			return false
		}
		if errA != nil || errB != nil {
			return isEnd(errA) && isEnd(errB)
		}
	}
}

func isEnd(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

func putModeRight(path string, info fs.FileInfo, mode fs.FileMode) (changed bool, err error) {
	if info.Mode().Perm() == mode.Perm() {
		return false, nil
	}
	if err := os.Chmod(path, mode.Perm()); err != nil {
		return false, explain(path, err)
	}
	return true, nil
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
	if err := fill(file, src, mode); err != nil {
		os.Remove(file.Name())
		return "", err
	}
	return file.Name(), nil
}

// fill gives file its mode and content, in this order, and closes it.
func fill(file *os.File, src io.Reader, mode fs.FileMode) error {
	defer file.Close()
	if err := file.Chmod(mode.Perm()); err != nil {
		return err
	}
	if _, err := io.Copy(file, src); err != nil {
		return err
	}
	if err := file.Sync(); err != nil {
		return err
	}
	return file.Close()
}

// createInPlace is Create for file systems without hard links, where a crash can leave a part of the file.
func createInPlace(target string, content []byte, mode fs.FileMode) error {
	file, err := os.OpenFile(target, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if err := fill(file, bytes.NewReader(content), mode); err != nil {
		os.Remove(target)
		return err
	}
	return nil
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

// explain says which file could not be written, why, and what to do. The names of temporary files are left out.
func explain(path string, err error) error {
	if err == nil {
		return nil
	}
	reason := err
	var pathError *fs.PathError
	var linkError *os.LinkError
	switch {
	case errors.As(err, &pathError):
		reason = pathError.Err
	case errors.As(err, &linkError):
		reason = linkError.Err
	}
	return fmt.Errorf("cannot write %s: %w%s", path, reason, advice(path, reason))
}

func advice(path string, reason error) string {
	folder := filepath.Dir(path)
	switch {
	case errors.Is(reason, syscall.EBUSY):
		return ": it is mounted by itself (subPath or a single file), so it cannot be replaced; mount its folder instead"
	case errors.Is(reason, syscall.EROFS):
		return fmt.Sprintf(": the file system is read-only; mount a writable volume, such as an emptyDir, at %s", folder)
	case errors.Is(reason, fs.ErrPermission):
		return fmt.Sprintf(": user %d may not write here; mount a volume it may write to at %s, or set the pod's "+
			"securityContext.fsGroup", os.Geteuid(), folder)
	case errors.Is(reason, syscall.ENOTDIR):
		return ": what should be a folder on its path is a file"
	case errors.Is(reason, syscall.ENOSPC), errors.Is(reason, syscall.EDQUOT):
		return fmt.Sprintf(": the volume at %s is full", folder)
	}
	return ""
}
