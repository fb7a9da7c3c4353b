//go:build linux

package supervise_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/kubevali/kubevali/internal/hint"
	"github.com/kubevali/kubevali/internal/supervise"
)

func TestExitCodes(t *testing.T) {
	t.Parallel()
	for _, pid1 := range []bool{false, true} {
		s := startSupervisor(t, setup{pid1: pid1})
		for _, test := range []struct {
			script string
			code   int
			signal syscall.Signal
		}{
			{"exit 0", 0, 0},
			{"exit 7", 7, 0},
			{"exit 255", 255, 0},
			{"kill -9 $$", 137, syscall.SIGKILL},
			{"ulimit -c 0; kill -11 $$", 139, syscall.SIGSEGV},
			{"ulimit -c 0; kill -ABRT $$", 134, syscall.SIGABRT},
			{"kill -s TERM $$", 143, syscall.SIGTERM},
		} {
			s.run(order{Args: []string{"sh", "-c", test.script}})
			e := s.expect("exit").Exit
			if e.Code != test.code || e.Signal != test.signal || e.Stop != supervise.StopNone || e.Elapsed <= 0 || e.Stopped != 0 {
				t.Errorf("%s: unexpected exit %+v", test.script, e)
			}
		}
		if code := s.wait(); code != 143 {
			t.Errorf("the supervisor's exit code is %d, wanted the last node's", code)
		}
	}
}

// programs makes a folder of files that cannot be run, each in a way of its own, and one that can.
func programs(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, file := range []struct {
		name, content string
		mode          os.FileMode
	}{
		{"good", "#!/bin/sh\nexit 6\n", 0o755},
		{"plain", "#!/bin/sh\n", 0o644},
		{"orphaned", "#!/no/such/interpreter\n", 0o755},
		{"garbage", "\x7fELFnot really", 0o755},
		{"bare", "exit 3\n", 0o755},
	} {
		if err := os.WriteFile(filepath.Join(dir, file.name), []byte(file.content), file.mode); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "folder"), 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestStartErrors(t *testing.T) {
	t.Parallel()
	dir := programs(t)
	s := startSupervisor(t, setup{})
	for _, test := range []struct {
		name         string
		order        order
		code         int
		reason, hint string
		late         bool // only execve(2) can tell
	}{
		{"not in PATH", order{Args: []string{"no-such-node"}, Env: []string{"PATH=/bin:/nowhere"}},
			127, "not found in PATH (/bin:/nowhere)", "full path", false},
		{"no PATH", order{Args: []string{"sh"}, Env: []string{}}, 127, "not found in PATH ()", "full path", false},
		{"path", order{Args: []string{dir + "/no-such-node"}}, 127, "no such file", "full path", false},
		{"path through a file", order{Args: []string{dir + "/good/node"}}, 127, "no such file", "full path", false},
		{"not executable", order{Args: []string{dir + "/plain"}}, 126, "may not execute it", "chmod a+rx", false},
		{"not executable in PATH", order{Args: []string{"plain"}, Env: []string{"PATH=/nowhere:" + dir}},
			126, "may not execute it", "chmod a+rx", false},
		{"folder", order{Args: []string{dir + "/folder"}}, 126, "it is a folder", "must be a program", false},
		{"no interpreter", order{Args: []string{dir + "/orphaned"}}, 126, "interpreter or dynamic loader is missing", "Alpine", true},
		{"wrong format", order{Args: []string{dir + "/garbage"}}, 126, "not a program for this machine", "architecture", true},
		{"no #!", order{Args: []string{dir + "/bare"}}, 126, "not a program for this machine", "#!", true},
		{"argument with NUL", order{Args: []string{"sh", "a\x00b"}, Env: []string{"PATH=/bin"}}, 126, "invalid argument", "", true},
		{"missing Dir", order{Args: []string{dir + "/good"}, Dir: "/no/such/dir"},
			0, "cannot enter its working directory /no/such/dir: no such file or directory", "must be a folder", false},
		{"Dir is a file", order{Args: []string{dir + "/good"}, Dir: dir + "/plain"}, 0, "not a directory", "must be a folder", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.order.Do = "run"
			s.do(test.order)
			e := s.expect("failed")
			if e.Code != test.code || !strings.Contains(e.Reason, test.reason) || !strings.Contains(e.Hint, test.hint) {
				t.Errorf("got code %d, reason %q, hint %q; wanted %d, %q, %q", e.Code, e.Reason, e.Hint, test.code, test.reason, test.hint)
			}
			err := supervise.Command{Args: test.order.Args, Env: test.order.Env, Dir: test.order.Dir}.Check()
			var start *supervise.StartError
			switch {
			case test.late && err != nil && test.order.Env == nil:
				t.Errorf("Check says %v of what only execve can tell", err)
			case !test.late && (!errors.As(err, &start) || start.Code != test.code || start.Reason != e.Reason || hint.Of(err) != e.Hint):
				t.Errorf("Check says %v, Run says %q", err, e.Reason)
			}
		})
	}
}

func TestStartErrorSaysWhetherTheFolderIsWrong(t *testing.T) {
	t.Parallel()
	for dir, want := range map[string]string{"/no/such/dir": "/no/such/dir", "/": ""} {
		err := supervise.Command{Args: []string{"/no/such/node"}, Dir: dir}.Check()
		var start *supervise.StartError
		if !errors.As(err, &start) || start.Dir != want {
			t.Errorf("in %s: %#v", dir, err)
		}
	}
}

func TestStartErrorSaysWhichCommand(t *testing.T) {
	t.Parallel()
	err := supervise.Command{Args: []string{"/no/such/node"}}.Check()
	if got, want := err.Error(), `cannot start "/no/such/node": no such file`; got != want {
		t.Errorf("got %q, wanted %q", got, want)
	}
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v is not os.ErrNotExist", err)
	}
}

func TestProgramIsFoundAsInAShell(t *testing.T) {
	t.Parallel()
	dir := programs(t)
	s := startSupervisor(t, setup{})
	for name, o := range map[string]order{
		"in the command's own PATH":       {Args: []string{"good"}, Env: []string{"PATH=/nowhere:" + dir}},
		"behind one that is no program":   {Args: []string{"plain"}, Env: []string{"PATH=" + dir + ":" + second(t, "plain")}},
		"behind a folder of its name":     {Args: []string{"folder"}, Env: []string{"PATH=" + dir + ":" + second(t, "folder")}},
		"relative to the working folder":  {Args: []string{"./good"}, Dir: dir},
		"in a relative PATH":              {Args: []string{"good"}, Dir: filepath.Dir(dir), Env: []string{"PATH=" + filepath.Base(dir)}},
		"in an empty element of the PATH": {Args: []string{"good"}, Dir: dir, Env: []string{"PATH=/nowhere:"}},
	} {
		s.run(o)
		if e := s.expect("exit").Exit; e.Code != 6 {
			t.Errorf("%s: unexpected exit %+v", name, e)
		}
	}
}

func second(t *testing.T, name string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\nexit 6\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestNodeGetsItsEnvironmentAndFolder(t *testing.T) {
	t.Parallel()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	s := startSupervisor(t, setup{})
	s.run(order{Args: []string{"/bin/sh", "-c", "echo $NAME; pwd -P; set | grep -c GORACE"}, Env: []string{"NAME=a b"}, Dir: dir})
	s.out.expect("a b", dir, "0")
}

func TestElapsedIsTheNodesTime(t *testing.T) {
	t.Parallel()
	s := startSupervisor(t, setup{})
	begin := time.Now()
	s.run(order{Args: []string{"true"}})
	e := s.expect("exit").Exit
	if most := time.Since(begin); e.Elapsed <= 0 || e.Elapsed > most {
		t.Errorf("elapsed %s of at most %s", e.Elapsed, most)
	}
}
