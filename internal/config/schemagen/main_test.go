package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/kubevali/kubevali/internal/config"
)

const schemaFile = "../../docs/kubevali.schema.json"

func TestDocumentsAreFresh(t *testing.T) {
	for name, want := range documents(readKeys("..")) {
		got, err := os.ReadFile(filepath.Join("../../../docs", name))
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != string(want) {
			t.Errorf("docs/%s is stale; renew it with: go generate ./internal/config", name)
		}
	}
}

// TestDescriptionsHaveEveryWord holds what is said of a key against what can be written there. Zap's other levels and the
// other word for console work, but are nothing to choose.
func TestDescriptionsHaveEveryWord(t *testing.T) {
	hidden := []string{"dpanic", "panic", "fatal", "text"}
	seen := 0
	var walk func([]key)
	walk = func(keys []key) {
		for _, k := range keys {
			walk(k.keys)
			is := k.is
			if of := itemType(is); of != nil {
				is = of
			}
			words, ok := reflect.Zero(is).Interface().(interface{ Words() []string })
			if !ok {
				continue
			}
			for _, word := range words.Words() {
				seen++
				if !strings.Contains(k.description, word) && !slices.Contains(hidden, word) {
					t.Errorf("%s: %q does not say what %s is", k.name, k.description, word)
				}
			}
		}
	}
	walk(readKeys(".."))
	if seen == 0 {
		t.Error("no key takes words")
	}
}

func TestSchemaDescribesEveryKey(t *testing.T) {
	t.Chdir("..")
	var walk func(path string, schema map[string]any)
	walk = func(path string, schema map[string]any) {
		if schema["description"] == nil && !strings.HasSuffix(path, "[]") {
			t.Errorf("%s has no description", path)
		}
		for name, property := range object(schema["properties"]) {
			walk(path+"."+name, object(property))
		}
		if items := object(schema["items"]); items["properties"] != nil {
			walk(path+"[]", items)
		}
		if items := object(schema["additionalProperties"]); items["properties"] != nil {
			walk(path+"[]", items)
		}
	}
	walk("", readSchema(t))
}

func TestSchemaAcceptsWhatLoads(t *testing.T) {
	t.Chdir("..")
	schema := readSchema(t)
	for _, file := range []string{
		"testdata/v04.yaml", "testdata/values.yaml", "../../docs/kubevali.yaml", "../../docs/quickstart.yaml",
	} {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := config.Parse(file, data); err != nil {
			t.Error(err)
		}
		if problems := validate(t, schema, data); len(problems) > 0 {
			t.Errorf("%s:\n%s", file, strings.Join(problems, "\n"))
		}
	}
}

func TestSchemaRefusesWhatDoesNotLoad(t *testing.T) {
	t.Chdir("..")
	schema := readSchema(t)
	const command = "nodeTemplate: {command: [node]}\n"
	for text, want := range map[string]string{
		"monitor: {}":                                                                     "$: nodeTemplate is missing",
		"nodeTemplate: {}":                                                                "$.nodeTemplate: command is missing",
		"nodeTemplate: {command: []}":                                                     "$.nodeTemplate.command: too short",
		"nodeTemplate: {command: node}":                                                   "$.nodeTemplate.command: is no array",
		command + "keywrd: x":                                                             "$: unknown keywrd",
		command + "watchlog: {keyword: [x]}":                                              "$.watchlog.keyword: is no string, number, boolean",
		command + "watchlog: {interval: 60 minutes}":                                      "$.watchlog.interval: does not match",
		command + "watchlog: {interval: 60}":                                              "$.watchlog.interval: is no string",
		command + "watchlog: {streams: [stdin]}":                                          "$.watchlog.streams[0]: is none of [stdout stderr]",
		command + "process: {restart: sometimes}":                                         "$.process.restart: is none of [never on-failure always]",
		command + "process: {restartMaxTries: -1}":                                        "$.process.restartMaxTries: is below 0",
		command + "process: {stopSignal: 65}":                                             "$.process.stopSignal: is above 64",
		command + "nodeService: {enabled: maybe}":                                         "$.nodeService.enabled: is no boolean",
		command + "p2pKeys: {a: {rootSecret: {env: R}, type: ed25519, format: hex}}":      "$.p2pKeys.a: path is missing",
		command + "p2pKeys: {a: {rootSecret: {env: R}, type: rsa, format: hex, path: p}}": "$.p2pKeys.a.type: is none of [secp256k1 ed25519]",
		command + "p2pKeys: {a: {rootSecret: {env: R}, type: ed25519, format: hex, path: p, owner: me}}": "$.p2pKeys.a.owner: does not match",
		"nodeTemplate: {command: [a], args: {b: {c: d}}}":                                                "$.nodeTemplate.args.b: is no string, number, boolean, null, array",
		"nodeTemplate: {command: [a], env: {b: [c]}}":                                                    "$.nodeTemplate.env.b: is no string, number, boolean, null",
		"nodeTemplate: {command: [a], files: [{path: b, mode: '600'}]}":                                  "$.nodeTemplate.files[0].mode: does not match",
	} {
		if _, _, err := config.Parse("k.yaml", []byte(text)); err == nil {
			t.Errorf("%q loads", text)
		}
		if got := validate(t, schema, []byte(text)); !slices.Equal(got, []string{want}) {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func readSchema(t *testing.T) map[string]any {
	t.Helper()
	data, err := os.ReadFile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	var schema map[string]any
	if err := json.Unmarshal(data, &schema); err != nil {
		t.Fatal(err)
	}
	return schema
}

func validate(t *testing.T, schema map[string]any, data []byte) []string {
	t.Helper()
	var value any
	if err := yaml.Unmarshal(data, &value); err != nil {
		t.Fatal(err)
	}
	return problems(schema, value, "$")
}

// problems is as much of a validator as this schema needs, see
// https://json-schema.org/draft-07/draft-handrews-json-schema-validation-01.
func problems(schema map[string]any, value any, path string) []string {
	if types := list(schema["type"]); !slices.Contains(types, jsonType(value)) &&
		!(jsonType(value) == "integer" && slices.Contains(types, "number")) {
		return []string{path + ": is no " + strings.Join(types, ", ")}
	}
	switch v := value.(type) {
	case map[string]any:
		return objectProblems(schema, v, path)
	case []any:
		var found []string
		if least, ok := schema["minItems"].(float64); ok && len(v) < int(least) {
			found = append(found, path+": too short")
		}
		for i, item := range v {
			found = append(found, problems(object(schema["items"]), item, fmt.Sprintf("%s[%d]", path, i))...)
		}
		return found
	case string:
		if pattern, ok := schema["pattern"].(string); ok && !regexp.MustCompile(pattern).MatchString(v) {
			return []string{path + ": does not match"}
		}
		if words := list(schema["enum"]); len(words) > 0 && !slices.Contains(words, v) {
			return []string{fmt.Sprintf("%s: is none of %v", path, words)}
		}
	case int:
		if least, ok := schema["minimum"].(float64); ok && v < int(least) {
			return []string{fmt.Sprintf("%s: is below %v", path, least)}
		}
		if most, ok := schema["maximum"].(float64); ok && v > int(most) {
			return []string{fmt.Sprintf("%s: is above %v", path, most)}
		}
	}
	return nil
}

func objectProblems(schema, value map[string]any, path string) []string {
	var found []string
	for _, name := range list(schema["required"]) {
		if _, ok := value[name]; !ok {
			found = append(found, path+": "+name+" is missing")
		}
	}
	properties := object(schema["properties"])
	for name, child := range value {
		if property, ok := properties[name]; ok {
			found = append(found, problems(object(property), child, path+"."+name)...)
		} else if schema["additionalProperties"] == false {
			found = append(found, path+": unknown "+name)
		} else if others := object(schema["additionalProperties"]); others != nil {
			found = append(found, problems(others, child, path+"."+name)...)
		}
	}
	return found
}

func jsonType(value any) string {
	switch value.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case int:
		return "integer"
	case float64:
		return "number"
	case []any:
		return "array"
	case map[string]any:
		return "object"
	default:
		return "string"
	}
}

func object(v any) map[string]any {
	m, _ := v.(map[string]any)
	return m
}

// list takes a list of strings, or one of them.
func list(v any) []string {
	if s, ok := v.(string); ok {
		return []string{s}
	}
	var words []string
	items, _ := v.([]any)
	for _, item := range items {
		words = append(words, item.(string))
	}
	return words
}
