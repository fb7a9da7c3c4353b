package config_test

import (
	"fmt"
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/kubevali/kubevali/internal/config"
)

const reference = "../../docs/kubevali.yaml"

// withoutDefault are the keys for which the reference shows something else than their default.
var withoutDefault = []string{"nodeTemplate.command"}

func TestReferenceShowsTheDefaults(t *testing.T) {
	cfg := parse(t, readFile(t, reference))
	shown, defaults := map[string]string{}, map[string]string{}
	flatten(reflect.ValueOf(*cfg), "", shown)
	flatten(reflect.ValueOf(*parse(t, command)), "", defaults)
	for _, key := range slices.Sorted(maps.Keys(defaults)) {
		if shown[key] != defaults[key] && !slices.Contains(withoutDefault, key) {
			t.Errorf("%s is shown as %s, its default is %s", key, shown[key], defaults[key])
		}
	}
}

func TestReferenceHasEveryKey(t *testing.T) {
	text := readFile(t, reference)
	missing := schemaPaths(reflect.TypeFor[config.Config](), "")
	for _, text := range append(examples(t, text), text) {
		var root yaml.Node
		if err := yaml.Unmarshal([]byte(text), &root); err != nil {
			t.Fatal(err)
		}
		removeKeys(root.Content[0], "", missing)
	}
	for path := range missing {
		t.Errorf("%s is missing from %s", path, reference)
	}
}

func TestReferenceExamplesLoad(t *testing.T) {
	for _, text := range examples(t, readFile(t, reference)) {
		if strings.Contains(text, "\n    expectInLog: ") {
			// It needs a watchlog, which other examples show.
			text = regexp.MustCompile(`(?s)(\nwatchlog:.*?\n  enabled: )false(.*?\n  keyword: )""`).ReplaceAllString(text, "${1}true${2}x")
		}
		parse(t, text)
	}
}

func TestReferenceNamesItsSchema(t *testing.T) {
	first, _, _ := strings.Cut(readFile(t, reference), "\n")
	if first != "# yaml-language-server: $schema=./kubevali.schema.json" {
		t.Errorf("the first line is %q", first)
	}
}

func readFile(t testing.TB, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// examples returns the reference once per example in its comments, with the example in the place of the default. An
// example is indented by three blanks and stands in the comment above its key.
func examples(t *testing.T, text string) []string {
	t.Helper()
	const mark = "#   "
	lines := strings.Split(text, "\n")
	var texts []string
	for i := 0; i < len(lines); i++ {
		first := i
		var example []string
		for strings.HasPrefix(strings.TrimLeft(lines[i], " "), mark) {
			example = append(example, strings.Replace(lines[i], mark, "", 1))
			i++
		}
		if len(example) == 0 {
			continue
		}
		key, _, _ := strings.Cut(example[0], ":")
		if !strings.HasPrefix(lines[i], key+":") {
			t.Fatalf("line %d: the example for %s does not stand above %s", first+1, key, lines[i])
		}
		texts = append(texts, strings.Join(slices.Concat(lines[:first], example, lines[i+1:]), "\n"))
	}
	if len(texts) == 0 {
		t.Fatal("the reference has no examples")
	}
	return texts
}

// flatten notes the values of all keys at and below v by their paths. Where a template stands does not matter, nor do
// nil and empty lists differ.
func flatten(v reflect.Value, path string, values map[string]string) {
	if isSection(v.Type()) {
		for i := range v.NumField() {
			if name := v.Type().Field(i).Tag.Get("yaml"); name != "" {
				flatten(v.Field(i), strings.TrimPrefix(path+"."+name, "."), values)
			}
		}
		return
	}
	if t, ok := v.Interface().(config.Template); ok {
		v = reflect.ValueOf(t.Text)
	}
	values[path] = fmt.Sprint(v.Interface())
}

// schemaPaths are the paths of all keys, with [] for the items of a list and * for names of one's own.
func schemaPaths(t reflect.Type, path string) map[string]bool {
	paths := make(map[string]bool)
	for i := range t.NumField() {
		name := t.Field(i).Tag.Get("yaml")
		if name == "" {
			continue
		}
		at := strings.TrimPrefix(path+"."+name, ".")
		paths[at] = true
		switch inner := t.Field(i).Type; {
		case isSection(inner):
			maps.Copy(paths, schemaPaths(inner, at))
		case inner.Kind() == reflect.Slice && isSection(inner.Elem()):
			maps.Copy(paths, schemaPaths(inner.Elem(), at+"[]"))
		case inner.Kind() == reflect.Map && isSection(inner.Elem()):
			maps.Copy(paths, schemaPaths(inner.Elem(), at+".*"))
		}
	}
	return paths
}

func isSection(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && t.NumField() > 0 && t.Field(0).Tag.Get("yaml") != ""
}

// removeKeys deletes the paths of the keys of a YAML document.
func removeKeys(n *yaml.Node, path string, paths map[string]bool) {
	delete(paths, path)
	for i, child := range n.Content {
		switch {
		case n.Kind == yaml.SequenceNode:
			removeKeys(child, path+"[]", paths)
		case i%2 == 1:
			name := n.Content[i-1].Value
			if path == "p2pKeys" || path == "nodeService.ports" {
				name = "*"
			}
			removeKeys(child, strings.TrimPrefix(path+"."+name, "."), paths)
		}
	}
}
