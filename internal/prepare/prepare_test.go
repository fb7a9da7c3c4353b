package prepare_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sirupsen/logrus"
	"github.com/sirupsen/logrus/hooks/test"

	"github.com/kubevali/kubevali/internal/config"
	"github.com/kubevali/kubevali/internal/plan"
	"github.com/kubevali/kubevali/internal/prepare"
)

// newLog returns a log, and a function for what was logged of a level at least.
func newLog() (log logrus.FieldLogger, logged func(logrus.Level) []string) {
	l, hook := test.NewNullLogger()
	l.SetLevel(logrus.DebugLevel)
	return l, func(level logrus.Level) (lines []string) {
		for _, entry := range hook.AllEntries() {
			if entry.Level <= level {
				lines = append(lines, entry.Message)
			}
		}
		return lines
	}
}

// recorder makes steps that note that they were run.
type recorder []string

func (r *recorder) step(name string, run func(context.Context) error) prepare.Step {
	return prepare.Step{Name: name, Run: func(ctx context.Context) error {
		*r = append(*r, name)
		return run(ctx)
	}}
}

func (r *recorder) expect(t *testing.T, want ...string) {
	t.Helper()
	if !slices.Equal(*r, want) {
		t.Errorf("ran %q, want %q", *r, want)
	}
}

func well(context.Context) error { return nil }

func TestStepsRunInOrder(t *testing.T) {
	var r recorder
	log, logged := newLog()
	if err := prepare.Run(t.Context(), log, r.step("b", well), r.step("a", well), r.step("c", well)); err != nil {
		t.Error(err)
	}
	r.expect(t, "b", "a", "c")
	if lines := logged(logrus.DebugLevel); !slices.Equal(lines, []string{"Preparing b", "Preparing a", "Preparing c"}) {
		t.Errorf("logged %q", lines)
	}
	if lines := logged(logrus.InfoLevel); len(lines) != 0 {
		t.Errorf("told the operator %q", lines)
	}
}

func TestFailureEndsThePreparation(t *testing.T) {
	var r recorder
	log, _ := newLog()
	failure := errors.New("failed")
	err := prepare.Run(t.Context(), log, r.step("a", well), r.step("b", func(context.Context) error { return failure }), r.step("c", well))
	if !errors.Is(err, failure) {
		t.Error(err)
	}
	r.expect(t, "a", "b")
}

// A signal ends the preparation before the next step, or in the middle of one, and after the last one keeps the node from
// being started.
func TestDoneContextEndsThePreparation(t *testing.T) {
	stopped := errors.New("stopped")
	for name, want := range map[string][]string{"before": nil, "during": {"a", "b"}, "between": {"a"}, "after": {"a", "b", "c"}} {
		var r recorder
		log, _ := newLog()
		ctx, stop := context.WithCancelCause(t.Context())
		stopAt := func(when string) func(context.Context) error {
			return func(ctx context.Context) error {
				if name == when {
					stop(stopped)
				}
				if when == "during" {
					return context.Cause(ctx)
				}
				return nil
			}
		}
		if name == "before" {
			stop(stopped)
		}
		err := prepare.Run(ctx, log, r.step("a", stopAt("between")), r.step("b", stopAt("during")), r.step("c", stopAt("after")))
		if !errors.Is(err, stopped) {
			t.Errorf("%s: error %v", name, err)
		}
		r.expect(t, want...)
		stop(nil)
	}
}

func TestFiles(t *testing.T) {
	dir := t.TempDir()
	kept := filepath.Join(dir, "kept")
	if err := os.WriteFile(kept, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	files := []plan.File{
		{Path: filepath.Join(dir, "new", "folder", "genesis.json"), Content: []byte("{}"), Mode: 0o644},
		{Path: kept, Content: []byte("new"), Mode: 0o644, IfNotExists: true},
		{Path: filepath.Join(dir, "jwt"), Content: []byte("secret"), Mode: 0o640, IfNotExists: true},
	}
	log, logged := newLog()
	if err := prepare.Run(t.Context(), log, prepare.Files(files, log)); err != nil {
		t.Fatal(err)
	}
	checkFile(t, files[0].Path, "{}", 0o644)
	checkFile(t, kept, "old", 0o600)
	checkFile(t, files[2].Path, "secret", 0o640)
	want := []string{"Wrote " + files[0].Path, "Wrote " + files[2].Path}
	if lines := logged(logrus.InfoLevel); !slices.Equal(lines, want) {
		t.Errorf("logged %q, want %q", lines, want)
	}

	log, logged = newLog()
	if err := prepare.Run(t.Context(), log, prepare.Files(files, log)); err != nil || len(logged(logrus.InfoLevel)) != 0 {
		t.Errorf("again: %v, logged %q", err, logged(logrus.InfoLevel))
	}
}

func TestFileThatCannotBeWritten(t *testing.T) {
	dir := t.TempDir()
	inTheWay := filepath.Join(dir, "file")
	if err := os.WriteFile(inTheWay, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	last := filepath.Join(dir, "last")
	log, _ := newLog()
	err := prepare.Run(t.Context(), log, prepare.Files([]plan.File{
		{Path: filepath.Join(inTheWay, "x"), Content: []byte("x"), Mode: 0o600}, {Path: last, Mode: 0o600},
	}, log))
	if err == nil || !strings.HasPrefix(err.Error(), "nodeTemplate.files: ") || !strings.Contains(err.Error(), inTheWay) {
		t.Errorf("error %v", err)
	}
	if _, err := os.Stat(last); err == nil {
		t.Error("the next file was written all the same")
	}
}

func TestSignalStopsWritingOfFiles(t *testing.T) {
	stopped := errors.New("stopped")
	ctx, stop := context.WithCancelCause(t.Context())
	stop(stopped)
	path := filepath.Join(t.TempDir(), "file")
	log, _ := newLog()
	if err := prepare.Files([]plan.File{{Path: path, Mode: 0o600}}, log).Run(ctx); !errors.Is(err, stopped) {
		t.Errorf("error %v", err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("a file was written after the signal")
	}
}

func checkFile(t *testing.T, path, content string, mode config.FileMode) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil || string(got) != content {
		t.Errorf("%s holds %q, want %q (%v)", path, got, content, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != fs.FileMode(mode) {
		t.Errorf("%s: mode %v, want %v", path, info.Mode(), mode)
	}
}
