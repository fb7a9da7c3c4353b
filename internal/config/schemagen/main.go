// Schemagen writes the JSON Schema of kubevali.yaml, from which editors complete and check. It is a command of its own
// so that kubevali does not carry the library. Run it with "go generate ./internal/config".
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"os"
	"reflect"
	"strings"

	"github.com/invopop/jsonschema"

	"github.com/kubevali/kubevali/internal/config"
)

const (
	packagePath = "github.com/kubevali/kubevali/internal/config"
	schemaURL   = "https://raw.githubusercontent.com/kubevali/kubevali/main/docs/kubevali.schema.json"
	// The schema uses nothing newer, and every editor knows this one.
	schemaVersion = "http://json-schema.org/draft-07/schema#"
)

func main() {
	log.SetFlags(0)
	if len(os.Args) != 2 {
		log.Fatal("usage: schemagen FILE, in the folder of the package config")
	}
	schema, err := generate()
	if err != nil {
		log.Fatal(err)
	}
	if err := os.WriteFile(os.Args[1], schema, 0o644); err != nil {
		log.Fatal(err)
	}
}

// generate returns the schema as indented JSON. The working directory must be the folder of the package config, whose
// comments become descriptions.
func generate() ([]byte, error) {
	r := jsonschema.Reflector{
		Anonymous:                  true,
		DoNotReference:             true, // editors show the description beside a $ref or that behind it, not both
		RequiredFromJSONSchemaTags: true,
		FieldNameTag:               "yaml",
		Mapper:                     leaf,
	}
	if err := r.AddGoComments(packagePath, "."); err != nil {
		return nil, fmt.Errorf("reading the comments of %s: %w", packagePath, err)
	}
	for name, comment := range r.CommentMap {
		r.CommentMap[name] = strings.Join(strings.Fields(comment), " ")
		// Fields describe keys in an operator's words; types are described for Go programmers.
		if strings.Count(strings.TrimPrefix(name, packagePath), ".") == 1 {
			delete(r.CommentMap, name)
		}
	}
	schema := r.Reflect(&config.Config{})
	schema.Version = schemaVersion
	schema.ID = schemaURL
	schema.Title = "kubevali.yaml"
	schema.Description = "What kubevali runs and watches."
	setDefaults(schema, reflect.ValueOf(config.Default()))
	// Zap has more keys than kubevali; they only cause a warning.
	if logging, ok := schema.Properties.Get("logging"); ok {
		logging.AdditionalProperties = nil
	}
	out, err := json.MarshalIndent(schema, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encoding the schema: %w", err)
	}
	// json.Marshal escapes them for the sake of web pages; people read this.
	readable := strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&")
	return []byte(readable.Replace(string(out)) + "\n"), nil
}

// leaf returns the schema of the types that decode from something else than their Go fields; nil for the others.
func leaf(t reflect.Type) *jsonschema.Schema {
	switch v := reflect.Zero(t).Interface().(type) {
	case config.Template, string:
		return oneOf("string", "number", "boolean")
	case map[string]config.Template:
		return &jsonschema.Schema{Type: "object", AdditionalProperties: oneOf("string", "number", "boolean", "null")}
	case config.Args:
		arg := oneOf("string", "number", "boolean", "null", "array")
		arg.Items = oneOf("string", "number", "boolean")
		return &jsonschema.Schema{Type: "object", AdditionalProperties: arg}
	case config.Duration:
		return &jsonschema.Schema{
			Type:     "string",
			Pattern:  `^(0|([0-9]+(\.[0-9]*)?(ns|us|µs|ms|s|m|h))+)$`,
			Examples: []any{"90s", "10m", "1h30m"},
		}
	case config.FileMode:
		return &jsonschema.Schema{Type: "string", Pattern: `^0o?[0-7]{3}$`, Default: config.DefaultFileMode.String()}
	case config.Owner:
		return &jsonschema.Schema{Type: "string", Pattern: `^([0-9]+:[0-9]+)?$`, Examples: []any{"1000:1000"}}
	case config.Signal:
		s := oneOf("string", "integer")
		s.Pattern = `^([A-Za-z]+[0-9]*)?$`
		s.Minimum, s.Maximum = "1", "64"
		s.Examples = []any{"SIGINT", "SIGTERM"}
		return s
	case config.Pattern:
		return &jsonschema.Schema{Type: "string"}
	case interface{ Words() []string }:
		s := &jsonschema.Schema{Type: "string"}
		for _, word := range v.Words() {
			s.Enum = append(s.Enum, word)
		}
		if t == reflect.TypeFor[config.IPFamilyPolicy]() {
			s.Enum = append(s.Enum, "") // its default; those of the others are words
		}
		return s
	default:
		return nil
	}
}

func oneOf(types ...string) *jsonschema.Schema {
	return &jsonschema.Schema{Extras: map[string]any{"type": types}}
}

// setDefaults gives the properties of a section their defaults, where these are not empty.
func setDefaults(section *jsonschema.Schema, defaults reflect.Value) {
	t := defaults.Type()
	for i := range t.NumField() {
		property, ok := section.Properties.Get(t.Field(i).Tag.Get("yaml"))
		if !ok {
			continue
		}
		if property.Properties != nil {
			setDefaults(property, defaults.Field(i))
			continue
		}
		switch defaults.Field(i).Interface().(type) {
		case map[string]config.P2PKey:
			setDefaults(property.AdditionalProperties, reflect.ValueOf(config.DefaultP2PKey()))
			continue
		case map[string]config.ServicePort:
			setDefaults(property.AdditionalProperties, reflect.ValueOf(config.DefaultServicePort()))
			continue
		}
		property.Default = plain(defaults.Field(i).Interface())
	}
}

// plain returns a default as it would stand in the file, nil for an empty one.
func plain(value any) any {
	switch v := value.(type) {
	case bool, int, []config.Stream, []config.Protocol:
		return v
	case config.Template:
		return plain(v.Text)
	}
	if kind := reflect.ValueOf(value).Kind(); kind == reflect.Slice || kind == reflect.Map || fmt.Sprint(value) == "" {
		return nil
	}
	return fmt.Sprint(value)
}
