package config

import (
	"fmt"
	"strings"

	"gopkg.in/yaml.v3"
)

// places knows where the keys of a file stand, by path.
type places struct {
	file string
	keys map[string]Position
}

// at returns where the key at path stands, or where the nearest key around it does.
func (p places) at(path string) Position {
	for around := path; ; around = parent(around) {
		if at, ok := p.keys[around]; ok {
			at.Path = path
			return at
		}
		if around == "" {
			return Position{File: p.file, Path: path}
		}
	}
}

// parent returns the path of the mapping or list that holds the value at path.
func parent(path string) string {
	if strings.HasSuffix(path, "]") {
		return path[:max(strings.LastIndexByte(path, '['), 0)]
	}
	return path[:max(strings.LastIndexByte(path, '.'), 0)]
}

// findings collects what is wrong with a file.
type findings struct {
	places
	unsound  map[string]bool // paths whose value is unknown because of something already reported
	errs     Errors
	warnings []Warning
}

// maxErrors bounds what one file can make us say.
const maxErrors = 100

// full says whether further findings would not be reported.
func (f *findings) full() bool { return len(f.errs) > maxErrors }

// report records a finding.
func (f *findings) report(e *Error) {
	f.unsound[e.At.Path] = true
	switch {
	case len(f.errs) < maxErrors:
		f.errs = append(f.errs, e)
	case len(f.errs) == maxErrors:
		message := fmt.Sprintf("there are more than %d errors, the first of which are:", maxErrors)
		f.errs = append(f.errs, &Error{At: Position{File: f.file}, Message: message})
	}
}

// fail records a finding about n, the value at path.
func (f *findings) fail(n *yaml.Node, path string, e *Error) {
	e.At = f.position(n, path)
	f.report(e)
}

// sound says whether nothing was reported yet about the value at path or about one around it.
func (f *findings) sound(path string) bool {
	for path != "" && !f.unsound[path] {
		path = parent(path)
	}
	return !f.unsound[path]
}

// failAt records a finding about the value at path, or about its absence, unless that value is unsound already.
func (f *findings) failAt(path string, e *Error) {
	if f.sound(path) {
		e.At = f.at(path)
		f.report(e)
	}
}

// warn records that n, the value or key at path, has no effect.
func (f *findings) warn(n *yaml.Node, path, message string) {
	if len(f.warnings) < maxErrors {
		f.warnings = append(f.warnings, Warning{At: f.position(n, path), Message: message})
	}
}

// warnAt records that the value at path has no effect.
func (f *findings) warnAt(path, message string) {
	if len(f.warnings) < maxErrors {
		f.warnings = append(f.warnings, Warning{At: f.at(path), Message: message})
	}
}

func (f *findings) position(n *yaml.Node, path string) Position {
	return Position{File: f.file, Line: n.Line, Column: n.Column, Path: path}
}
