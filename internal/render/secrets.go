package render

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kubevali/kubevali/internal/config"
)

// secrets are what templates cannot read, since what they render is shown: root secrets, and the keys derived from
// them.
type secrets struct {
	env   []string // names of variables with root secrets
	roots []string // paths of files with root secrets
	keys  []string // paths of keys
	// unsettled says that one of the paths is a template that has not been rendered, so that any file could be it.
	unsettled bool
}

func secretsOf(cfg *config.Config) secrets {
	var s secrets
	for _, key := range cfg.P2PKeys {
		root := key.RootSecret
		if root.Env != "" {
			s.env = append(s.env, root.Env)
		}
		s.unsettled = s.unsettled || !isPlain(root.File.Text) || !isPlain(key.Path.Text)
		s.add(keyFiles{root: strings.TrimSpace(root.File.Text), key: strings.TrimSpace(key.Path.Text)})
	}
	slices.Sort(s.env)
	s.env = slices.Compact(s.env)
	return s
}

func (s *secrets) add(files keyFiles) {
	s.roots = append(s.roots, files.root)
	s.keys = append(s.keys, files.key)
}

func (s *secrets) isVariable(name string) bool { return slices.Contains(s.env, name) }

// refuseVariable is the error for a template that reads a variable with a root secret.
func refuseVariable(name string) *failure {
	return &failure{"the environment variable " + name + " holds a root secret, which templates cannot read",
		"nodes get keys that are derived from it, see p2pKeys"}
}

// refuseFile returns an error if an open file, which was opened as path, holds a secret.
func (s *secrets) refuseFile(path string, open fs.FileInfo) error {
	isOpen := func(path string) bool {
		info, err := os.Stat(path)
		return err == nil && os.SameFile(info, open)
	}
	// The kernel shows each process's environment in a file, too, see proc_pid_environ(5).
	target, err := filepath.EvalSymlinks(path)
	isEnviron := err == nil && strings.HasPrefix(target, "/proc/") && filepath.Base(target) == "environ"
	switch {
	case slices.ContainsFunc(s.roots, isOpen), isEnviron && len(s.env) > 0:
		return errors.New("it holds a root secret, which templates cannot read")
	case slices.ContainsFunc(s.keys, isOpen):
		return errors.New("it holds a P2P key, which templates cannot read; nodes take it from its file")
	}
	return nil
}
