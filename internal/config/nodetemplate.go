package config

import (
	"maps"
	"slices"
	"strings"
	"unicode"
)

// NodeTemplate describes the node's process.
type NodeTemplate struct {
	// The pod's index, a number from 0. Empty: the number at the end of the pod's name, as a StatefulSet gives it.
	//
	//	index: '{{ podOrdinal .Pod.Name }}'
	Index Template `yaml:"index"`
	// The program and its first arguments.
	//
	//	command:
	//	  - my-node
	//	  - --validator
	Command []Template `yaml:"command" required:"true"`
	// How flags and values are joined: space gives --port 30333, equals gives --port=30333.
	ArgStyle ArgStyle `yaml:"argStyle" default:"space"`
	// Flags that follow the command, in order of their names. Names of one letter get one dash, others two; names that
	// begin with a dash are taken as they are. A list repeats the flag; true gives the flag alone; false, null and an
	// empty text leave it out. (With argStyle equals: --flag=true and --flag=false.)
	//
	//	args:
	//	  name: 'Validator {{ printf "%02d" .Index }}'
	//	  port: '{{ include "p2pPort" . }}'
	//	  http.api: [eth, net]
	//	  no-telemetry: true
	Args Args `yaml:"args"`
	// Environment variables to add, by name.
	//
	//	env:
	//	  RUST_LOG: info
	//	  POD_INDEX: '{{ .Index }}'
	Env map[string]Template `yaml:"env"`
	// Names of variables that the node does not get.
	//
	//	unsetEnv: [HEALTHCHECK_ID]
	UnsetEnv []string `yaml:"unsetEnv"`
	// The folder to start in. Empty: kubevali's own.
	//
	//	workingDir: /data/{{ .Pod.Name }}
	WorkingDir Template `yaml:"workingDir"`
	// Files to write before the node starts.
	Files []File `yaml:"files"`
}

// File is one file to write before the node starts.
type File struct {
	// Where to write it. The folders above are created.
	//
	//	path: /data/jwt.hex
	Path Template `yaml:"path" required:"true"`
	// What to write.
	//
	//	content: '{{ randHex 32 }}'
	Content Template `yaml:"content"`
	// The file's permissions, octal and in quotes.
	Mode FileMode `yaml:"mode" default:"0600"`
	// Leave a file alone that is there already, such as a random secret that must outlive restarts.
	IfNotExists bool `yaml:"ifNotExists"`
}

func (n *NodeTemplate) check(f *findings) {
	const path = "nodeTemplate."
	switch {
	case len(n.Command) == 0:
		f.failAt(path+"command", "needs at least one item, the program", "")
	case n.Command[0].Text == "":
		f.failAt(path+"command[0]", "the program is empty", "")
	}
	n.Args.check(f)
	for _, name := range slices.Sorted(maps.Keys(n.Env)) {
		f.environmentName(join(path+"env", name), name)
	}
	for i, name := range n.UnsetEnv {
		at := index(path+"unsetEnv", i)
		f.environmentName(at, name)
		if _, ok := n.Env[name]; ok {
			f.failAt(at, quote(name)+" is also in nodeTemplate.env", "remove it from one of them")
		}
	}
	earlier := make(map[string]int, len(n.Files))
	for i, file := range n.Files {
		at := index(path+"files", i) + ".path"
		if first, ok := earlier[file.Path.Text]; file.Path.Text == "" {
			f.failAt(at, "the path is empty", "")
		} else if ok {
			f.failAt(at, "the same path as "+index(path+"files", first), "")
		} else {
			earlier[file.Path.Text] = i
		}
	}
}

func (as Args) check(f *findings) {
	byName := make(map[string]string, len(as))
	for _, a := range as {
		name := a.Dashed()
		switch {
		case strings.Trim(a.Flag, "-") == "":
			f.failAt(a.At.Path, "a flag needs a name", "")
		case strings.ContainsFunc(a.Flag, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }):
			f.failAt(a.At.Path, "a flag's name has no blanks", "its value goes behind the colon; further arguments go into command")
		case byName[name] != "":
			f.failAt(a.At.Path, "the same flag as "+quote(byName[name]), "give a list to repeat a flag")
		}
		byName[name] = a.Flag
	}
}

func (f *findings) environmentName(path, name string) {
	if name == "" || strings.ContainsAny(name, "=\x00") {
		f.failAt(path, "not the name of an environment variable", "it cannot be empty or hold a =")
	}
}
