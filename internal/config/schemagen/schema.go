package main

import (
	"bytes"
	"encoding/json"
	"reflect"

	"github.com/kubevali/kubevali/internal/config"
)

const (
	schemaURL = "https://raw.githubusercontent.com/kubevali/kubevali/main/docs/kubevali.schema.json"
	// The schema uses nothing newer, and every editor knows this one.
	schemaVersion = "http://json-schema.org/draft-07/schema#"
)

// schema is as much of a JSON Schema as kubevali.yaml needs, see
// https://json-schema.org/draft-07/draft-handrews-json-schema-validation-01.
type schema struct {
	Version              string     `json:"$schema,omitempty"`
	ID                   string     `json:"$id,omitempty"`
	Title                string     `json:"title,omitempty"`
	Description          string     `json:"description,omitempty"`
	Type                 any        `json:"type"` // a name, or several
	Enum                 []string   `json:"enum,omitempty"`
	Pattern              string     `json:"pattern,omitempty"`
	Minimum              *int       `json:"minimum,omitempty"`
	Maximum              *int       `json:"maximum,omitempty"`
	MinItems             int        `json:"minItems,omitempty"`
	Default              any        `json:"default,omitempty"`
	Examples             []string   `json:"examples,omitempty"`
	Items                *schema    `json:"items,omitempty"`
	Properties           properties `json:"properties,omitempty"`
	AdditionalProperties any        `json:"additionalProperties,omitempty"` // false, or a schema
	Required             []string   `json:"required,omitempty"`
}

// properties are in order.
type properties []property

type property struct {
	name   string
	schema *schema
}

func (ps properties) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, p := range ps {
		if i > 0 {
			b.WriteByte(',')
		}
		content, err := encode(p.schema, "")
		if err != nil {
			return nil, err
		}
		b.WriteString(`"` + p.name + `":`)
		b.Write(content)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// encode is json.Marshal without the escapes that it makes for the sake of web pages.
func encode(value any, indent string) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", indent)
	err := e.Encode(value)
	return b.Bytes(), err
}

func schemaJSON(keys []key) ([]byte, error) {
	s := section(keys)
	s.Version, s.ID, s.Title, s.Description = schemaVersion, schemaURL, "kubevali.yaml", "What kubevali runs and watches."
	return encode(s, "  ")
}

func section(keys []key) *schema {
	s := &schema{Type: "object", AdditionalProperties: false}
	for _, k := range keys {
		s.Properties = append(s.Properties, property{k.name, k.schema()})
		if k.required {
			s.Required = append(s.Required, k.name)
		}
	}
	return s
}

func (k key) schema() *schema {
	var s *schema
	item := itemType(k.is)
	below := func() *schema {
		if isSection(item) {
			return section(k.keys)
		}
		return leaf(item)
	}
	switch {
	case isSection(k.is):
		s = section(k.keys)
	case k.is.Kind() == reflect.Slice && item != nil:
		s = &schema{Type: "array", Items: below()}
		if k.required {
			s.MinItems = 1
		}
	case item != nil:
		s = &schema{Type: "object", AdditionalProperties: below()}
		if !isSection(item) {
			s.AdditionalProperties = &schema{Type: append(scalars, "null")}
		}
	default:
		s = leaf(k.is)
	}
	s.Description = k.description
	if k.is == reflect.TypeFor[config.Logging]() {
		s.AdditionalProperties = nil // zap has more keys than kubevali; they only cause a warning
	}
	if value := k.fallback(); !isSection(k.is) && value != "" && !reflect.DeepEqual(value, []string{}) {
		s.Default = value
	}
	return s
}

// scalars are the types that a text can have in YAML.
var scalars = []string{"string", "number", "boolean"}

// leaf is the schema of a type that is neither a section nor a list or mapping.
func leaf(t reflect.Type) *schema {
	number := func(n int) *int { return &n }
	switch v := reflect.Zero(t).Interface().(type) {
	case config.Template, string:
		return &schema{Type: scalars}
	case config.Args:
		arg := &schema{Type: append(scalars, "null", "array"), Items: &schema{Type: scalars}}
		return &schema{Type: "object", AdditionalProperties: arg}
	case bool:
		return &schema{Type: "boolean"}
	case int:
		return &schema{Type: "integer", Minimum: number(0)}
	case config.Duration:
		return &schema{
			Type:     "string",
			Pattern:  `^(0|([0-9]+(\.[0-9]*)?(ns|us|µs|ms|s|m|h))+)$`,
			Examples: []string{"90s", "10m", "1h30m"},
		}
	case config.FileMode:
		return &schema{Type: "string", Pattern: `^0o?[0-7]{3}$`}
	case config.Owner:
		return &schema{Type: "string", Pattern: `^([0-9]+:[0-9]+)?$`, Examples: []string{"1000:1000"}}
	case config.Signal:
		return &schema{
			Type: []string{"string", "integer"}, Pattern: `^([A-Za-z]+[0-9]*)?$`, Minimum: number(1), Maximum: number(64),
			Examples: []string{"SIGINT", "SIGTERM"},
		}
	case config.IPFamilyPolicy:
		return &schema{Type: "string", Enum: append(v.Words(), "")} // its default; those of the others are words
	case interface{ Words() []string }:
		return &schema{Type: "string", Enum: v.Words()}
	default:
		return &schema{Type: "string"}
	}
}
