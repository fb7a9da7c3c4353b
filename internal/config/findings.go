package config

import (
	"fmt"
	"strings"

	"gopkg.in/yaml.v3"
)

// places knows where the keys of a file stand, by path.
type places struct {
	file string
	keys map[string]place
}

// place is a line and a column, from 1.
type place struct{ line, column int }

// note remembers that n stands for the value at path.
func (p places) note(path string, n *yaml.Node) { p.keys[path] = place{n.Line, n.Column} }

// position is that of n, the value at path.
func (p places) position(n *yaml.Node, path string) Position {
	return Position{File: p.file, Line: n.Line, Column: n.Column, Path: path}
}

// at returns where the key at path stands, or where the nearest key around it does.
func (p places) at(path string) Position {
	around := path
	for around != "" && p.keys[around] == (place{}) {
		around = parent(around)
	}
	return Position{File: p.file, Line: p.keys[around].line, Column: p.keys[around].column, Path: path}
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

// report records a finding. The hint may be empty.
func (f *findings) report(at Position, message, hint string) {
	f.unsound[at.Path] = true
	switch {
	case len(f.errs) < maxErrors:
		f.errs = append(f.errs, &Error{At: at, Message: message, Hint: hint})
	case len(f.errs) == maxErrors:
		message := fmt.Sprintf("there are more than %d errors, the first of which are:", maxErrors)
		f.errs = append(f.errs, &Error{At: Position{File: f.file}, Message: message})
	}
}

// fail records a finding about n, the value at path.
func (f *findings) fail(n *yaml.Node, path, message, hint string) {
	f.report(f.position(n, path), message, hint)
}

// failAt records a finding about the value at path, or about its absence, unless that value is unsound already.
func (f *findings) failAt(path, message, hint string) {
	if f.sound(path) {
		f.report(f.at(path), message, hint)
	}
}

// sound says whether nothing was reported yet about the values at the paths or about those around them.
func (f *findings) sound(paths ...string) bool {
	for _, path := range paths {
		for path != "" && !f.unsound[path] {
			path = parent(path)
		}
		if f.unsound[path] {
			return false
		}
	}
	return true
}

// warn records that what stands there has no effect.
func (f *findings) warn(at Position, message string) {
	if len(f.warnings) < maxErrors {
		f.warnings = append(f.warnings, Warning{at, message})
	}
}
