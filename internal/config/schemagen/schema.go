package main

import (
	"bytes"
	"encoding/json"
	"maps"
	"reflect"

	"github.com/kubevali/kubevali/internal/config"
)

const (
	schemaURL = "https://raw.githubusercontent.com/kubevali/kubevali/main/docs/kubevali.schema.json"
	// The schema uses nothing newer, and every editor knows this one.
	schemaVersion = "http://json-schema.org/draft-07/schema#"
)

// schema is a JSON Schema, see https://json-schema.org/draft-07/draft-handrews-json-schema-validation-01.
type schema map[string]any

func schemaJSON(keys []key) []byte {
	s := section(keys)
	maps.Copy(s, schema{"$schema": schemaVersion, "$id": schemaURL, "title": "kubevali.yaml", "description": "What kubevali runs and watches."})
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // people read this
	e.SetIndent("", "  ")
	check(e.Encode(s))
	return b.Bytes()
}

func section(keys []key) schema {
	properties := make(schema)
	var required []string
	for _, k := range keys {
		properties[k.name] = k.schema()
		if k.required {
			required = append(required, k.name)
		}
	}
	s := schema{"type": "object", "properties": properties, "additionalProperties": false}
	if required != nil {
		s["required"] = required
	}
	return s
}

func (k key) schema() schema {
	s := schemaOf(k.is, k.keys)
	s["description"] = k.description
	if k.is == reflect.TypeFor[config.Logging]() {
		delete(s, "additionalProperties") // zap has more keys than kubevali; they only cause a warning
	}
	if k.is.Kind() == reflect.Slice && k.required {
		s["minItems"] = 1
	}
	if value := k.fallback(); !isSection(k.is) && value != "" && !reflect.DeepEqual(value, []string{}) {
		s["default"] = value
	}
	return s
}

// scalars are the types that a text can have in YAML, and others.
func scalars(others ...string) []string {
	return append([]string{"string", "number", "boolean"}, others...)
}

// schemaOf is the schema of a type; the keys are those of a section, or of each item that is one.
func schemaOf(t reflect.Type, keys []key) schema {
	switch v := reflect.Zero(t).Interface().(type) {
	case config.Template, string:
		return schema{"type": scalars()}
	case map[string]config.Template:
		return schema{"type": "object", "additionalProperties": schema{"type": scalars("null")}}
	case config.Args:
		arg := schema{"type": scalars("null", "array"), "items": schema{"type": scalars()}}
		return schema{"type": "object", "additionalProperties": arg}
	case bool:
		return schema{"type": "boolean"}
	case int:
		return schema{"type": "integer", "minimum": 0}
	case config.Duration:
		const pattern = `^(0|([0-9]+(\.[0-9]*)?(ns|us|µs|ms|s|m|h))+)$`
		return schema{"type": "string", "pattern": pattern, "examples": []string{"90s", "10m", "1h30m"}}
	case config.FileMode:
		return schema{"type": "string", "pattern": `^0o?[0-7]{3}$`}
	case config.Owner:
		return schema{"type": "string", "pattern": `^([0-9]+:[0-9]+)?$`, "examples": []string{"1000:1000"}}
	case config.Signal:
		types, examples := []string{"string", "integer"}, []string{"SIGINT", "SIGTERM"}
		return schema{"type": types, "pattern": `^([A-Za-z]+[0-9]*)?$`, "minimum": 1, "maximum": 64, "examples": examples}
	case config.IPFamilyPolicy:
		return schema{"type": "string", "enum": append(v.Words(), "")} // its default; those of the others are words
	case interface{ Words() []string }:
		return schema{"type": "string", "enum": v.Words()}
	}
	switch {
	case isSection(t):
		return section(keys)
	case t.Kind() == reflect.Slice:
		return schema{"type": "array", "items": schemaOf(t.Elem(), keys)}
	case t.Kind() == reflect.Map:
		return schema{"type": "object", "additionalProperties": schemaOf(t.Elem(), keys)}
	default:
		return schema{"type": "string"}
	}
}
