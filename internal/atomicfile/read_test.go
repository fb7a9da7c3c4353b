package atomicfile_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/kubevali/kubevali/internal/atomicfile"
)

func TestRead(t *testing.T) {
	const limit = 4 << 10
	dir := t.TempDir()
	for name, size := range map[string]int{"empty": 0, "small": 5, "full": limit, "large": limit + 1} {
		file(name, strings.Repeat("x", size), 0o600)(t, dir)
	}
	link("link", "small")(t, dir)
	check(t, syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600))
	for _, test := range []struct {
		path, want string // what is read or, where that is an error, said
		fails      bool
	}{
		{path: "empty", want: ""},
		{path: "small", want: "xxxxx"},
		{path: "link", want: "xxxxx"},
		{path: "full", want: strings.Repeat("x", limit)},
		{path: "large", want: "it is too large: more than 4 KiB", fails: true},
		{path: "missing", want: "no such file or directory", fails: true},
		{path: "small/er", want: "not a directory", fails: true},
		{path: ".", want: "it is a folder", fails: true},
		{path: "pipe", want: "it is a device, pipe or socket", fails: true},
		{path: "../../../../../../dev/zero", want: "it is a device, pipe or socket", fails: true},
	} {
		t.Run(test.path, func(t *testing.T) {
			got, err := atomicfile.Read(filepath.Join(dir, test.path), limit)
			if err != nil {
				got = []byte(err.Error())
			}
			if string(got) != test.want || (err != nil) != test.fails {
				t.Errorf("got %q", got)
			}
		})
	}
	if _, err := atomicfile.Read(filepath.Join(dir, "large"), limit); !errors.Is(err, atomicfile.ErrTooLarge) {
		t.Errorf("%v is not ErrTooLarge", err)
	}
	if _, err := atomicfile.Read(filepath.Join(dir, "missing"), limit); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v is not ErrNotExist", err)
	}
}

// The kernel says that such a file is empty.
func TestReadFileOfUnknownSize(t *testing.T) {
	const path = "/proc/self/environ"
	want, err := os.ReadFile(path)
	if err != nil {
		t.Skip(err)
	}
	if got, err := atomicfile.Read(path, 1<<20); err != nil || string(got) != string(want) {
		t.Errorf("%d bytes, %v; want %d", len(got), err, len(want))
	}
	if _, err := atomicfile.Read(path, len(want)-1); !errors.Is(err, atomicfile.ErrTooLarge) {
		t.Errorf("with a lower limit: %v", err)
	}
}

func TestReadAsksItsChecks(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	file("f", "secret", 0o600)(t, filepath.Dir(path))
	want, err := os.Stat(path)
	check(t, err)
	refusal := errors.New("it is another's")
	got, err := atomicfile.Read(path, 10, func(open fs.FileInfo) error {
		if !os.SameFile(open, want) {
			t.Error("shown another file")
		}
		return refusal
	})
	if err != refusal || got != nil {
		t.Errorf("read %q, %v", got, err)
	}
}

func TestReadStream(t *testing.T) {
	dir := t.TempDir()
	file("f", "file", 0o600)(t, dir)
	pipe := filepath.Join(dir, "pipe")
	check(t, syscall.Mkfifo(pipe, 0o600))
	want := strings.Repeat("pipe", 1000)
	go os.WriteFile(pipe, []byte(want), 0)
	if got, err := atomicfile.ReadStream(pipe, len(want)); err != nil || string(got) != want {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if got, err := atomicfile.ReadStream(filepath.Join(dir, "f"), 4); err != nil || string(got) != "file" {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := atomicfile.ReadStream("/dev/zero", 1<<20); !errors.Is(err, atomicfile.ErrTooLarge) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if _, err := atomicfile.ReadStream(dir, 10); err == nil || err.Error() != "it is a folder" {
		t.Errorf("a folder: %v", err)
	}
}

func TestResolve(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	check(t, err)
	check(t, os.MkdirAll(filepath.Join(dir, "a/b"), 0o755))
	file("a/file", "", 0o600)(t, dir)
	for from, to := range map[string]string{
		"file": "a/file", "folder": "a/b", "absent": "new/file", "second": "absent", "away": dir + "/a/new", "up": "folder/../new",
		"circle": "circle", "beyond": "none/../file", "a/b/out": "../../new",
	} {
		link(from, to)(t, dir)
	}
	for path, want := range map[string]string{
		".": ".", "a/file": "a/file", "a//b/": "a/b", "file": "a/file", "folder/../file": "a/file", "folder/new": "a/b/new",
		"new": "new", "new/er/": "new/er", "absent": "new/file", "second": "new/file", "absent/x": "new/file/x", "away": "a/new",
		"up": "a/new", "folder/../new": "a/new", "a/b/out": "new", "./a/./new": "a/new",
		"circle": "too many levels of symbolic links", "beyond": "no such file or directory", "none/../file": "no such file or directory",
		"a/file/x": "not a directory",
	} {
		got, err := atomicfile.Resolve(dir + "/" + path)
		if err != nil {
			got = err.Error()
		} else if got, err = filepath.Rel(dir, got); err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Errorf("%s: got %s, want %s", path, got, want)
		}
	}
	t.Chdir(dir)
	for path, want := range map[string]string{"file": "a/file", "absent": "new/file", "new": "new", "away": dir + "/a/new"} {
		if got, err := atomicfile.Resolve(path); err != nil || got != want {
			t.Errorf("relative %s: got %s, %v; want %s", path, got, err, want)
		}
	}
}

func TestChmodAndChown(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	file("f", "", 0o640)(t, filepath.Dir(path))
	for _, want := range []bool{true, false} {
		if changed, err := atomicfile.Chmod(path, 0o600); changed != want || err != nil {
			t.Errorf("Chmod = %v, %v; want %v", changed, err, want)
		}
	}
	expectFile(t, path, "", 0o600)
	check(t, atomicfile.Chown(path, -1, -1))
	missing := path + "/../missing"
	_, err := atomicfile.Chmod(missing, 0o600)
	expectError(t, err, "cannot give the mode 0600 to "+missing)
	expectError(t, atomicfile.Chown(missing, 7, 8), "cannot give user 7 and group 8 "+missing)
}
