//go:build linux

package supervise_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestUnwatchedOutputIsInherited(t *testing.T) {
	t.Parallel()
	stdin, _ := pipe(t)
	for _, test := range []struct {
		watch watching
		same  bool
	}{{watchNone, true}, {watchStdout, false}} {
		out, err := os.Create(filepath.Join(t.TempDir(), "out"))
		if err != nil {
			t.Fatal(err)
		}
		defer out.Close()
		s := startSupervisor(t, setup{stdin: stdin, stdout: out})
		s.run(order{Args: node("stat"), Watch: test.watch})
		if e := s.expect("exit"); e.Exit.Code != 0 {
			t.Errorf("unexpected exit %+v", e)
		}
		content, err := os.ReadFile(out.Name())
		if err != nil {
			t.Fatal(err)
		}
		got := strings.Fields(string(content))
		if got[0] != identity(stdin.Fd()) {
			t.Error("stdin is not the supervisor's")
		}
		if same := got[1] == identity(out.Fd()); same != test.same {
			t.Errorf("with %q watched, the node's stdout is the supervisor's: %v", test.watch, same)
		}
		log, err := os.Open(string(s.log))
		if err != nil {
			t.Fatal(err)
		}
		defer log.Close()
		if got[2] != identity(log.Fd()) {
			t.Error("stderr is not the supervisor's")
		}
	}
}

func TestStdinIsPassedThrough(t *testing.T) {
	t.Parallel()
	stdin, end := pipe(t)
	s := startSupervisor(t, setup{stdin: stdin})
	s.run(order{Args: []string{"cat"}, Watch: watchEach})
	fmt.Fprintln(end, "hello")
	s.out.expect("hello")
	end.Close()
	if e := s.expect("exit"); e.Exit.Code != 0 {
		t.Errorf("unexpected exit %+v", e)
	}
}

func TestRunsLeaveNothingBehind(t *testing.T) {
	t.Parallel()
	s := startSupervisor(t, setup{})
	run := func() {
		for _, o := range []order{
			{Args: []string{"true"}, Watch: watchEach},
			{Args: []string{"true"}, Watch: watchShared},
			{Args: []string{"true"}},
		} {
			s.run(o)
			s.expect("exit")
		}
		s.do(order{Do: "run", Args: []string{"/dev/null"}, Watch: watchEach})
		s.expect("failed")
		s.do(order{Do: "run", Args: []string{"sh", "\x00"}, Watch: watchEach}) // fails after the pipes were made
		s.expect("failed")
	}
	run()
	before := s.measure()
	for range 20 {
		run()
	}
	eventually(t, "files and goroutines to be as many as before", func() bool {
		after := s.measure()
		return after.Files <= before.Files && after.Routines <= before.Routines
	})
}
