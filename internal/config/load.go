// Package config reads kubevali.yaml: its schema, its strict YAML dialect, its defaults and the checks that need no
// more than the file itself.
//
// It does not render templates (it knows where their lines stand, not what they may call) and it does not act on what
// it reads.
//
// Invariants: a *Config that Load or Parse returned is complete, defaulted and checked, and none of its lists is nil; an
// error they return is always of type Errors, holds every finding of the file, and each finding says where it stands. No
// message quotes the value of a key that may hold a secret.
package config

//go:generate go run ./schemagen ../../docs

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"reflect"

	"github.com/kubevali/kubevali/internal/atomicfile"
	"github.com/kubevali/kubevali/internal/hint"
)

// MaxSize is the size of the largest configuration file, in bytes: a ConfigMap cannot hold more.
const MaxSize = 1 << 20

// Load reads the file at path, see Parse.
func Load(path string) (*Config, []*Error, error) {
	data, err := read(path)
	if err != nil {
		return nil, nil, err
	}
	return Parse(path, data)
}

// Parse decodes, defaults and checks data, the contents of the file that errors name. The error, if any, is of type
// Errors; the warnings, about what has no effect, are only returned with a Config. Both are in file order.
func Parse(file string, data []byte) (config *Config, warnings []*Error, err error) {
	config, f := decode(file, data)
	if err := f.errs.Err(); err != nil {
		return nil, nil, err
	}
	return config, f.warnings.inOrder(), nil
}

// LoadFlawed is Load for a reader who needs one part of the configuration whatever is wrong with the others: that is left
// out, as if it were not written, and told as flaws. Where there is no Config, they are about the file as a whole.
func LoadFlawed(path string) (config *Config, flaws error) {
	data, err := read(path)
	if err != nil {
		return nil, err
	}
	config, f := decode(path, data)
	return config, f.errs.Err()
}

// decode decodes, defaults and checks what it can, and returns what it found. There is no Config where there is no YAML.
func decode(file string, data []byte) (*Config, *findings) {
	lines := bytes.Count(data, []byte("\n"))
	f := &findings{places: places{file, make(map[string]place, min(lines, maxErrors))}, unsound: make(map[string]bool)}
	root := f.parseYAML(data)
	if root == nil {
		return nil, f
	}
	f.note("", root)
	d := decoder{findings: f, data: data, templates: make([]*Template, 0, 64)}
	var config Config
	d.section(root, "", reflect.ValueOf(&config).Elem())
	config.check(f)
	config.Watchlog.foldKeyword()
	config.places, config.templates = f.places, d.templates
	return &config, f
}

func read(path string) ([]byte, error) {
	data, err := atomicfile.ReadStream(path, MaxSize)
	if err == nil {
		return data, nil
	}
	message, remedy := "cannot be read: "+err.Error(), hint.Of(err)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		message, remedy = "no such file", "run kubevali in the file's folder, or say where it is: kubevali -c PATH"
	case errors.Is(err, fs.ErrPermission):
		remedy = fmt.Sprintf("let user %d read it", os.Getuid())
	case errors.Is(err, atomicfile.ErrTooLarge):
		message, remedy = "larger than 1 MiB, the most that a ConfigMap can hold", "is it the right file?"
	}
	return nil, Errors{{At: Position{File: path}, Message: message, Cause: hint.With(err, remedy)}}
}
