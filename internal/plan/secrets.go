package plan

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kubevali/kubevali/internal/atomicfile"
	"github.com/kubevali/kubevali/internal/config"
	"github.com/kubevali/kubevali/internal/keyfile"
	"github.com/kubevali/kubevali/internal/render"
)

// hidden is what templates cannot read, since what they render is shown: root secrets, and the keys derived from them.
type hidden struct {
	env   []string // names of variables with root secrets
	roots []string // paths of files with root secrets
	keys  []string // paths of keys
	// unsettled is the error for who reads a file while one of the paths is a template that has not been rendered, so that
	// any file could be it.
	unsettled error
}

func hiddenIn(cfg *config.Config) hidden {
	var h hidden
	for _, root := range Roots(cfg) {
		if root.Env != "" && !slices.Contains(h.env, root.Env) {
			h.env = append(h.env, root.Env)
		}
	}
	slices.Sort(h.env)
	for _, key := range cfg.P2PKeys {
		root := key.RootSecret.File.Text
		if !render.IsPlain(root) || !render.IsPlain(key.Path.Text) {
			h.unsettled = errUnsettled
		}
		h.add(strings.TrimSpace(root), strings.TrimSpace(key.Path.Text))
	}
	return h
}

var errUnsettled = render.Fail("readFile cannot be used here, as it is not known yet which files hold keys and root secrets",
	"write the paths in p2pKeys without templates")

// Roots returns where the configuration's root secrets are, in order of the keys. A file can be a template still.
func Roots(cfg *config.Config) []keyfile.Source {
	var roots []keyfile.Source
	for _, name := range slices.Sorted(maps.Keys(cfg.P2PKeys)) {
		root := cfg.P2PKeys[name].RootSecret
		roots = append(roots, keyfile.Source{Env: root.Env, File: root.File.Text})
	}
	return roots
}

func (h *hidden) add(root, key string) {
	h.roots = append(h.roots, root)
	h.keys = append(h.keys, key)
}

func (h *hidden) isVariable(name string) bool { return slices.Contains(h.env, name) }

// refuseVariable is the error for a template that reads a variable with a root secret.
func refuseVariable(name string) error {
	return render.Fail("the environment variable "+name+" holds a root secret, which templates cannot read",
		"nodes get keys that are derived from it, see p2pKeys")
}

// refuseFile returns an error if an open file, which was opened as path, holds a secret.
func (h *hidden) refuseFile(path string, open fs.FileInfo) error {
	isOpen := func(path string) bool {
		info, err := os.Stat(path)
		return err == nil && os.SameFile(info, open)
	}
	// The kernel shows each process's environment in a file, too, see proc_pid_environ(5).
	target, err := atomicfile.Resolve(path)
	isEnviron := err == nil && strings.HasPrefix(target, "/proc/") && filepath.Base(target) == "environ"
	switch {
	case slices.ContainsFunc(h.roots, isOpen), isEnviron && len(h.env) > 0:
		return errors.New("it holds a root secret, which templates cannot read")
	case slices.ContainsFunc(h.keys, isOpen):
		return errors.New("it holds a P2P key, which templates cannot read; nodes take it from its file")
	}
	return nil
}
