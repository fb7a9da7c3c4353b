package atomicfile

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/kubevali/kubevali/internal/hint"
)

// ErrTooLarge is in the chain of errors about a file that is larger than it may be.
var ErrTooLarge = errors.New("it is too large")

var (
	errFolder  = hint.New("it is a folder", "name a file in it")
	errSpecial = hint.New("it is a device, pipe or socket", "name another path")
)

// Read returns the content of a file of at most limit bytes. It opens nothing but a regular file: a pipe could block, a
// device act on it. It leaves no other copy of the content in memory, so that a caller can wipe it. The checks see the open
// file before it is read, and can refuse it. Errors do not name the file, as the caller knows what it is for.
func Read(path string, limit int, checks ...func(open fs.FileInfo) error) ([]byte, error) {
	info, err := os.Stat(path)
	if err == nil {
		err = checkRegular(info)
	}
	if err != nil {
		return nil, plain(err)
	}
	// By now it can be another file, for which O_NONBLOCK does not wait.
	return read(path, syscall.O_NONBLOCK, limit, append(slices.Clip(checks), checkRegular))
}

// ReadStream is Read for all but a folder. It reads a pipe, such as a shell's <(…), to its end, and waits for that.
func ReadStream(path string, limit int) ([]byte, error) { return read(path, 0, limit, nil) }

func read(path string, flags, limit int, checks []func(fs.FileInfo) error) ([]byte, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|flags, 0)
	if err != nil {
		return nil, plain(err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err == nil && info.IsDir() {
		err = errFolder
	}
	if err != nil {
		return nil, plain(err)
	}
	for _, check := range checks {
		if err := check(info); err != nil {
			return nil, err
		}
	}
	return readAll(file, info.Size(), limit)
}

// readAll is io.ReadAll with a limit, and without the copies that it leaves behind. The size is a guess: files of /proc
// have none.
func readAll(r io.Reader, size int64, limit int) ([]byte, error) {
	const least = 512
	content := make([]byte, 0, int(min(max(size, least), int64(limit)))+1) // one more, to see the end
	for {
		n, err := r.Read(content[len(content):cap(content)])
		content = content[:len(content)+n]
		switch {
		case len(content) > limit:
			err = fmt.Errorf("%w: more than %d KiB", ErrTooLarge, limit>>10)
		case err == io.EOF:
			return content, nil
		case err == nil && len(content) == cap(content):
			larger := append(make([]byte, 0, min(2*len(content), limit)+1), content...)
			clear(content)
			content = larger
		}
		if err != nil {
			clear(content)
			return nil, plain(err)
		}
	}
}

func checkRegular(info fs.FileInfo) error {
	switch {
	case info.IsDir():
		return errFolder
	case !info.Mode().IsRegular():
		return errSpecial
	}
	return nil
}

// Resolve returns where path leads to once all links are followed: filepath.EvalSymlinks for a path whose end need not
// exist, and whose links may lead to where nothing is yet. Errors do not name the path.
func Resolve(path string) (string, error) {
	_, err := os.Stat(path)
	if err == nil {
		path, err = filepath.EvalSymlinks(path)
		return path, plain(err)
	}
	folder, name := filepath.Split(strings.TrimRight(path, "/"))
	if !errors.Is(err, fs.ErrNotExist) || name == ".." {
		return "", plain(err)
	}
	if link, err := os.Readlink(folder + name); err == nil {
		if !filepath.IsAbs(link) {
			link = folder + link // not filepath.Join, which would drop a link before a ..
		}
		return Resolve(link)
	}
	folder, err = Resolve(cmp.Or(folder, "."))
	return filepath.Join(folder, name), err
}

// locate returns where a file is to be written, and whether there is one. Only regular files will do: replacing /dev/null
// or /dev/stdout would break more than this file.
func locate(path string) (target string, exists bool, err error) {
	if path == "" || os.IsPathSeparator(path[len(path)-1]) {
		return "", false, errFolder
	}
	info, err := os.Stat(path)
	if err == nil {
		err = checkRegular(info)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", false, err
	}
	target, errTarget := Resolve(path)
	return target, err == nil, errTarget
}

// plain is an error of the system without the operation and the paths.
func plain(err error) error {
	errno, ok := errors.AsType[syscall.Errno](err)
	switch {
	case !ok:
		return err
	case errno == syscall.ENOTDIR:
		return hint.With(errno, "what should be a folder on its path is a file")
	}
	return errno
}
