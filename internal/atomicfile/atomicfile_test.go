package atomicfile_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/kubevali/kubevali/internal/atomicfile"
	"github.com/kubevali/kubevali/internal/hint"
)

func TestWrite(t *testing.T) {
	long := strings.Repeat("n", 255)
	tests := []struct {
		name    string
		path    string // in the test's folder
		before  func(t *testing.T, dir string)
		content string
		mode    fs.FileMode
		changed bool
	}{
		{name: "new file", path: "f", content: "hello", mode: 0o600, changed: true},
		{name: "new folders", path: "a/b/c", content: "hello", mode: 0o640, changed: true},
		{name: "empty content", path: "f", content: "", mode: 0o644, changed: true},
		{name: "longest name", path: long, content: "x", mode: 0o644, changed: true},
		{name: "other content", path: "f", before: file("f", "old", 0o600), content: "new", mode: 0o600, changed: true},
		{name: "other content of the same end", path: "f", before: file("f", "old", 0o600), content: "olD", mode: 0o600, changed: true},
		{name: "same", path: "f", before: file("f", "same", 0o600), content: "same", mode: 0o600},
		{name: "same but the mode", path: "f", before: file("f", "same", 0o666), content: "same", mode: 0o600, changed: true},
		{name: "through a link", path: "link", before: link("link", "data/f"), content: "x", mode: 0o644, changed: true},
		{name: "unreadable", path: "f", before: file("f", "old", 0o200), content: "new", mode: 0o200, changed: true},
		{name: "mode that a umask would narrow", path: "f", content: "x", mode: 0o777, changed: true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			if test.before != nil {
				test.before(t, dir)
			}
			path := filepath.Join(dir, test.path)
			changed, err := atomicfile.Write(path, []byte(test.content), test.mode)
			if err != nil || changed != test.changed {
				t.Fatalf("Write = %v, %v; want %v", changed, err, test.changed)
			}
			expectFile(t, path, test.content, test.mode)
			expectNoTemporaries(t, dir)
		})
	}
}

func TestWriteKeepsTheLink(t *testing.T) {
	dir := t.TempDir()
	link("link", "data/f")(t, dir)
	if _, err := atomicfile.Write(filepath.Join(dir, "link"), []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	if to, err := os.Readlink(filepath.Join(dir, "link")); to != "data/f" {
		t.Errorf("the link is now %q, %v", to, err)
	}
	expectFile(t, filepath.Join(dir, "data/f"), "x", 0o644)
}

func TestWriteLeavesIdenticalFilesAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	file("f", "same", 0o600)(t, filepath.Dir(path))
	before, _ := os.Stat(path)
	if _, err := atomicfile.Write(path, []byte("same"), 0o640); err != nil {
		t.Fatal(err)
	}
	if after, _ := os.Stat(path); !os.SameFile(before, after) || !after.ModTime().Equal(before.ModTime()) {
		t.Error("the file was replaced")
	}
}

func TestErrors(t *testing.T) {
	tests := []struct {
		name   string
		path   string
		before func(t *testing.T, dir string)
		want   string
	}{
		{"folder", "d", func(t *testing.T, dir string) { check(t, os.Mkdir(filepath.Join(dir, "d"), 0o755)) }, "it is a folder"},
		{"trailing slash", "d/", nil, "it is a folder"},
		{"pipe", "p", func(t *testing.T, dir string) { check(t, syscall.Mkfifo(filepath.Join(dir, "p"), 0o600)) }, "device, pipe or socket"},
		{"link to a device", "l", link("l", "/dev/null"), "device, pipe or socket"},
		{"links in a circle", "l", link("l", "l"), "too many levels of symbolic links"},
		{"parent is a file", "f/g", file("f", "", 0o600), "what should be a folder"},
		{"name too long", strings.Repeat("n", 256), nil, "file name too long"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			if test.before != nil {
				test.before(t, dir)
			}
			path := dir + "/" + test.path
			_, err := atomicfile.Write(path, []byte("x"), 0o600)
			expectError(t, err, path, test.want)
			_, err = atomicfile.Create(path, []byte("x"), 0o600)
			expectError(t, err, path, test.want)
			expectNoTemporaries(t, dir)
		})
	}
}

// failingReader gives some content and then an error.
type failingReader struct{ io.ReadSeeker }

var errSource = errors.New("source broke")

func (r failingReader) Read(p []byte) (int, error) {
	n, err := r.ReadSeeker.Read(p)
	if err == io.EOF {
		err = errSource
	}
	return n, err
}

func TestAFailureLeavesEverythingAsItWas(t *testing.T) {
	dir := t.TempDir()
	file("f", "old", 0o600)(t, dir)
	path := filepath.Join(dir, "f")
	_, err := atomicfile.Copy(path, failingReader{bytes.NewReader([]byte("half of it"))}, 0o644)
	if !errors.Is(err, errSource) {
		t.Errorf("error %v, want one that wraps %v", err, errSource)
	}
	expectFile(t, path, "old", 0o600)
	expectNoTemporaries(t, dir)
}

// spyingReader looks at the temporary file while its content is on the way.
type spyingReader struct {
	io.ReadSeeker
	dir  string
	seen []fs.FileMode
}

func (r *spyingReader) Read(p []byte) (int, error) {
	found, _ := filepath.Glob(filepath.Join(r.dir, ".kubevali-*"))
	for _, path := range found {
		info, err := os.Stat(path)
		if err == nil {
			r.seen = append(r.seen, info.Mode().Perm())
		}
	}
	return r.ReadSeeker.Read(p)
}

func TestTheModeIsSetBeforeTheContent(t *testing.T) {
	dir := t.TempDir()
	spy := &spyingReader{ReadSeeker: strings.NewReader("secret"), dir: dir}
	if _, err := atomicfile.Copy(filepath.Join(dir, "f"), spy, 0o400); err != nil {
		t.Fatal(err)
	}
	if len(spy.seen) == 0 {
		t.Fatal("no temporary file was seen")
	}
	for _, mode := range spy.seen {
		if mode != 0o400 {
			t.Errorf("mode %o while the content was written, want 400", mode)
		}
	}
}

func TestCreate(t *testing.T) {
	tests := []struct {
		name    string
		before  func(t *testing.T, dir string)
		created bool
		content string
		mode    fs.FileMode
	}{
		{"new", nil, true, "new", 0o600},
		{"existing", file("f", "old", 0o644), false, "old", 0o644},
		{"existing and empty", file("f", "", 0o644), false, "", 0o644},
		{"link to nothing yet", link("f", "data/g"), true, "new", 0o600},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			if test.before != nil {
				test.before(t, dir)
			}
			path := filepath.Join(dir, "f")
			created, err := atomicfile.Create(path, []byte("new"), 0o600)
			if err != nil || created != test.created {
				t.Fatalf("Create = %v, %v; want %v", created, err, test.created)
			}
			expectFile(t, path, test.content, test.mode)
			expectNoTemporaries(t, dir)
		})
	}
}

func TestCreateHasOneWinner(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	const contenders = 16
	var winners [contenders]bool
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range contenders {
		wg.Go(func() {
			<-start
			created, err := atomicfile.Create(path, []byte{byte(i)}, 0o600)
			if err != nil {
				t.Error(err)
			}
			winners[i] = created
		})
	}
	close(start)
	wg.Wait()
	content, err := os.ReadFile(path)
	check(t, err)
	for i, won := range winners {
		if won != (byte(i) == content[0]) {
			t.Errorf("contender %d: created = %v, but the file holds %d's content", i, won, content[0])
		}
	}
	expectNoTemporaries(t, filepath.Dir(path))
}

func TestReadersSeeOldOrNew(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	texts := [][]byte{bytes.Repeat([]byte("a"), 100_000), bytes.Repeat([]byte("b"), 50_000)}
	check(t, os.WriteFile(path, texts[0], 0o600))
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range 50 {
			if _, err := atomicfile.Write(path, texts[(i+1)%2], 0o600); err != nil {
				t.Error(err)
			}
		}
	}()
	defer func() { <-done }()
	for {
		got, err := os.ReadFile(path)
		if err != nil || !bytes.Equal(got, texts[0]) && !bytes.Equal(got, texts[1]) {
			t.Fatalf("saw %d bytes that are neither the old nor the new content, %v", len(got), err)
		}
		select {
		case <-done:
			return
		default:
		}
	}
}

func file(name, content string, mode fs.FileMode) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		path := filepath.Join(dir, name)
		check(t, os.WriteFile(path, []byte(content), mode))
		check(t, os.Chmod(path, mode))
		old := time.Now().Add(-time.Hour)
		check(t, os.Chtimes(path, old, old))
	}
}

func link(name, to string) func(*testing.T, string) {
	return func(t *testing.T, dir string) { check(t, os.Symlink(to, filepath.Join(dir, name))) }
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func expectFile(t *testing.T, path, content string, mode fs.FileMode) {
	t.Helper()
	info, err := os.Stat(path)
	check(t, err)
	if info.Mode().Perm() != mode {
		t.Errorf("mode %o, want %o", info.Mode().Perm(), mode)
	}
	check(t, os.Chmod(path, 0o600))
	got, err := os.ReadFile(path)
	if err != nil || string(got) != content {
		t.Errorf("content %q, %v; want %q", got, err, content)
	}
}

func expectError(t *testing.T, err error, wants ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one with %q", wants)
	}
	for _, want := range wants {
		if !strings.Contains(hint.Line(err), want) {
			t.Errorf("error %q does not contain %q", hint.Line(err), want)
		}
	}
	if strings.Contains(hint.Line(err), ".kubevali-") {
		t.Errorf("error %q names a temporary file", err)
	}
}

func expectNoTemporaries(t *testing.T, dir string) {
	t.Helper()
	check(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasPrefix(d.Name(), ".kubevali-") {
			t.Errorf("%s was left behind", path)
		}
		return err
	}))
}
