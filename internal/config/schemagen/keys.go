package main

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"

	"github.com/kubevali/kubevali/internal/config"
)

var configType = reflect.TypeFor[config.Config]()

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

// comments are those above the fields of structs, by Type.Field.
type comments map[string]string

func fieldComments(folder string) (comments, error) {
	files, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil {
		return nil, err
	}
	found := make(comments)
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			return nil, fmt.Errorf("reading the comments: %w", err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if spec, ok := n.(*ast.TypeSpec); ok {
				found.add(spec)
			}
			return true
		})
	}
	return found, nil
}

func (c comments) add(spec *ast.TypeSpec) {
	section, ok := spec.Type.(*ast.StructType)
	if !ok {
		return
	}
	for _, field := range section.Fields.List {
		for _, name := range field.Names {
			c[spec.Name.Name+"."+name.Name] = field.Doc.Text()
		}
	}
}

// keys lists the keys of a section, with those below them.
func (c comments) keys(section reflect.Type) ([]key, error) {
	var keys []key
	for i := range section.NumField() {
		field := section.Field(i)
		if !field.IsExported() {
			continue
		}
		k := key{
			name:     field.Tag.Get("yaml"),
			required: field.Tag.Get("required") != "",
			initial:  field.Tag.Get("default"),
			is:       field.Type,
			item:     field.Tag.Get("item"),
		}
		comment := c[section.Name()+"."+field.Name]
		if comment == "" {
			return nil, fmt.Errorf("%v.%s has no comment", section, field.Name)
		}
		k.describe(comment)
		var err error
		for _, below := range []reflect.Type{field.Type, itemType(field.Type)} {
			if isSection(below) && err == nil {
				k.keys, err = c.keys(below)
			}
		}
		if err != nil {
			return nil, err
		}
		keys = append(keys, k)
	}
	return keys, nil
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
	kind := ""
	switch k.is {
	case reflect.TypeFor[config.Template]():
		kind = " (template)"
	case reflect.TypeFor[[]config.Template](), reflect.TypeFor[map[string]config.Template](), reflect.TypeFor[config.Args]():
		kind = " (templates)"
	}
	end := len(k.description) - 1
	if i := strings.Index(k.description, ". "); i >= 0 {
		end = i
	}
	k.description = k.description[:end] + kind + k.description[end:]
	if k.required {
		k.description += " Required."
	}
}
