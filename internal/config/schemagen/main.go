// Schemagen writes what describes kubevali.yaml: the reference docs/kubevali.yaml, for people, and the JSON Schema
// docs/kubevali.schema.json, from which editors complete and check. Both say what the package config says of its structs
// and their fields, in comments and tags. Run it with "go generate ./internal/config".
package main

import (
	"cmp"
	"go/ast"
	"go/parser"
	"go/token"
	"log"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"

	"github.com/kubevali/kubevali/internal/config"
)

func main() {
	log.SetFlags(0)
	if len(os.Args) != 2 {
		log.Fatal("usage: schemagen FOLDER, in the folder of the package config")
	}
	for name, content := range documents(readKeys(".")) {
		check(os.WriteFile(filepath.Join(os.Args[1], name), content, 0o644))
	}
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// documents returns what describes the keys, by the files' names.
func documents(keys []key) map[string][]byte {
	return map[string][]byte{"kubevali.schema.json": schemaJSON(keys), "kubevali.yaml": reference(keys)}
}

// key is a key of kubevali.yaml.
type key struct {
	name        string
	description string // what it is, in one line
	example     []string
	required    bool
	initial     string // the tag default
	is          reflect.Type
	item        string // how the first item of a mapping of sections is called
	keys        []key  // of a section, or of each item that is one
}

// fallback is the key's default.
func (k key) fallback() any {
	switch {
	case k.is.Kind() == reflect.Bool:
		return k.initial == "true"
	case k.is == reflect.TypeFor[int]():
		n, _ := strconv.Atoi(k.initial) // config takes no other
		return n
	case k.is.Kind() == reflect.Slice && itemType(k.is) != nil:
		return strings.FieldsFunc(k.initial, func(r rune) bool { return r == ',' })
	case k.is == reflect.TypeFor[config.Duration]():
		return cmp.Or(k.initial, config.Duration(0).String())
	}
	return k.initial
}

// itemType is the type of the items of a list or mapping, nil for all else.
func itemType(t reflect.Type) reflect.Type {
	if (t.Kind() == reflect.Slice || t.Kind() == reflect.Map) && t != reflect.TypeFor[config.Args]() {
		return t.Elem()
	}
	return nil
}

func isSection(t reflect.Type) bool {
	return t != nil && t.Kind() == reflect.Struct && t.NumField() > 0 && t.Field(0).Tag.Get("yaml") != ""
}

// readKeys returns all keys of kubevali.yaml. The folder is that of the package config, where the comments are.
func readKeys(folder string) []key {
	files, err := filepath.Glob(filepath.Join(folder, "*.go"))
	check(err)
	comments := make(map[string]string) // above the fields of structs, by Type.Field
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		check(err)
		ast.Inspect(file, func(n ast.Node) bool {
			spec, _ := n.(*ast.TypeSpec)
			if spec == nil {
				return true
			}
			if section, ok := spec.Type.(*ast.StructType); ok {
				for _, field := range section.Fields.List {
					for _, name := range field.Names {
						comments[spec.Name.Name+"."+name.Name] = field.Doc.Text()
					}
				}
			}
			return false
		})
	}
	return keysOf(reflect.TypeFor[config.Config](), comments)
}

// keysOf lists the keys of a section, with those below them.
func keysOf(section reflect.Type, comments map[string]string) []key {
	var keys []key
	for i := range section.NumField() {
		field := section.Field(i)
		k := key{
			name:     field.Tag.Get("yaml"),
			required: field.Tag.Get("required") != "",
			initial:  field.Tag.Get("default"),
			is:       field.Type,
			item:     field.Tag.Get("item"),
		}
		if k.name == "" {
			continue
		}
		k.describe(comments[section.Name()+"."+field.Name])
		for _, below := range []reflect.Type{field.Type, itemType(field.Type)} {
			if isSection(below) {
				k.keys = keysOf(below, comments)
			}
		}
		keys = append(keys, k)
	}
	return keys
}

// describe takes a comment apart: its code block is the example. What the type shows is added to the first sentence.
func (k *key) describe(comment string) {
	var words []string
	for _, line := range strings.Split(strings.TrimSpace(comment), "\n") {
		if code, ok := strings.CutPrefix(line, "\t"); ok {
			k.example = append(k.example, code)
		} else {
			words = append(words, strings.Fields(line)...)
		}
	}
	k.description = strings.Join(words, " ")
	if k.description == "" {
		log.Fatalf("the field of the key %s has no comment", k.name)
	}
	kind := ""
	switch k.is {
	case reflect.TypeFor[config.Template]():
		kind = " (template)"
	case reflect.TypeFor[[]config.Template](), reflect.TypeFor[map[string]config.Template](), reflect.TypeFor[config.Args]():
		kind = " (templates)"
	}
	first, rest, _ := strings.Cut(k.description+" ", ". ")
	k.description = strings.TrimSpace(first + kind + ". " + rest)
	if k.required {
		k.description += " Required."
	}
}
