package config

import (
	"encoding"
	"fmt"
	"iter"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/kubevali/kubevali/internal/hint"
)

// isSection says whether t is a struct of the schema, whose fields are keys. Their tags say
//
//   - yaml: what the key is called;
//   - required: that it must be written;
//   - default: what it is otherwise, as the file would say it, a list with commas between its items; the type's zero where
//     there is none;
//   - item: of a mapping from names to sections, the name in the documentation's example;
//   - json: what it is called in the plan, if that carries it.
func isSection(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && t.NumField() > 0 && t.Field(0).Tag.Get("yaml") != ""
}

// key is a key of a section, by the index of its field.
type key struct {
	name, initial     string
	required, section bool
}

// schema holds the keys of the sections that it was asked for.
type schema map[reflect.Type][]key

func (s schema) of(section reflect.Type) []key {
	if keys, ok := s[section]; ok {
		return keys
	}
	keys := make([]key, 0, section.NumField())
	for i := range section.NumField() {
		// Fields that are no keys come last.
		if field := section.Field(i); field.IsExported() {
			keys = append(keys, key{
				field.Tag.Get("yaml"), field.Tag.Get("default"), field.Tag.Get("required") != "", isSection(field.Type),
			})
		}
	}
	s[section] = keys
	return keys
}

// setDefaults sets what dst has where nothing is written. It panics on a default that the schema has wrong.
func (s schema) setDefaults(dst reflect.Value) {
	if !isSection(dst.Type()) {
		return
	}
	for i, k := range s.of(dst.Type()) {
		switch field := dst.Field(i); {
		case k.section:
			s.setDefaults(field)
		case field.Kind() == reflect.Slice:
			items := strings.FieldsFunc(k.initial, func(r rune) bool { return r == ',' })
			field.Set(reflect.MakeSlice(field.Type(), len(items), len(items)))
			for j, item := range items {
				mustSet(field.Index(j), item)
			}
		case k.initial != "":
			mustSet(field, k.initial)
		}
	}
}

func mustSet(dst reflect.Value, text string) {
	if err := setText(dst, text); err != nil {
		panic(fmt.Sprintf("the default %q of a %v: %v", text, dst.Type(), err))
	}
}

// word is a type of texts of which there are only a few.
type word interface{ Words() []string }

// setText sets a value of the kinds that are one text in the file; what is no such text leaves it as it is. So does the
// empty text in the place of a word.
func setText(dst reflect.Value, text string) error {
	switch to := dst.Addr().Interface().(type) {
	case *Template:
		to.Text = text
	case encoding.TextUnmarshaler:
		return to.UnmarshalText([]byte(text))
	case word:
		if other, ok := to.(interface{ canonical(string) string }); ok {
			text = other.canonical(text)
		}
		switch words := to.Words(); {
		case slices.Contains(words, text):
			dst.SetString(text)
		case text != "":
			return hint.New("expected "+hint.OneOf(words)+", found "+quote(text), hint.DidYouMean(text, words))
		}
	case *bool: // in YAML 1.1's words, too
		switch strings.ToLower(text) {
		case "true", "yes", "y", "on":
			*to = true
		case "false", "no", "n", "off":
			*to = false
		default:
			return fmt.Errorf("expected true or false, found %s", quote(text))
		}
	case *int:
		number, err := strconv.Atoi(text)
		if err != nil {
			return fmt.Errorf("expected a whole number, found %s", quote(text))
		}
		*to = number
	default:
		dst.SetString(text)
	}
	return nil
}

// expected names what dst can be.
func expected(dst reflect.Value) string {
	switch to := dst.Addr().Interface().(type) {
	case word:
		return hint.OneOf(to.Words())
	case interface{ kind() string }:
		return to.kind()
	case *bool:
		return "true or false"
	case *int:
		return "a whole number"
	}
	if dst.Kind() == reflect.Slice {
		return "a list"
	}
	return "a text"
}

// Templates yields every template of the configuration that has a text, in the order of the schema. What it yields is
// to be read only: those in mappings are copies.
func (c *Config) Templates() iter.Seq[*Template] {
	return func(yield func(*Template) bool) { eachTemplate(reflect.ValueOf(c).Elem(), yield) }
}

// eachTemplate calls yield for the templates at and below v until it returns false, and then returns false, too.
func eachTemplate(v reflect.Value, yield func(*Template) bool) bool {
	if !v.CanInterface() {
		return true
	}
	switch at := v.Addr().Interface().(type) {
	case *Template:
		return at.Text == "" || yield(at)
	case *Arg:
		v = reflect.ValueOf(&at.Values).Elem()
	}
	switch {
	case v.Kind() == reflect.Slice:
		for i := range v.Len() {
			if !eachTemplate(v.Index(i), yield) {
				return false
			}
		}
	case v.Kind() == reflect.Map:
		names := v.MapKeys()
		slices.SortFunc(names, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
		for _, name := range names {
			item := reflect.New(v.Type().Elem()).Elem()
			item.Set(v.MapIndex(name))
			if !eachTemplate(item, yield) {
				return false
			}
		}
	case isSection(v.Type()):
		for i := range v.NumField() {
			if !eachTemplate(v.Field(i), yield) {
				return false
			}
		}
	}
	return true
}

// unknownKey explains a key that the section of type t does not have. meant is the key of this section that was
// probably meant, if any.
func (s schema) unknownKey(name string, t reflect.Type) (advice, meant string) {
	var here []string
	for _, k := range s.of(t) {
		if here = append(here, k.name); hint.Alike(k.name, name) {
			return hint.DidYouMean(name, []string{k.name}), k.name
		}
	}
	elsewhere := s.paths(name, reflect.TypeFor[Config](), "")
	switch meant = hint.Closest(name, here); {
	case len(elsewhere) > 0 && strings.Contains(name, "."):
		return "keys are nested: put " + name[strings.LastIndexByte(name, '.')+1:] + " below " + parent(name), ""
	case len(elsewhere) > 0:
		return "did you mean " + hint.OneOf(elsewhere) + "?", ""
	case meant != "":
		return hint.DidYouMean(name, here), meant
	}
	return "known here: " + strings.Join(here, ", "), ""
}

// paths returns the paths of the keys at and below the section of type t, at path, that are called name, or whose path is
// name.
func (s schema) paths(name string, t reflect.Type, path string) []string {
	var paths []string
	for i, k := range s.of(t) {
		at := join(path, k.name)
		switch {
		case !hint.Alike(k.name, name) && !hint.Alike(at, name):
		case path == "":
			paths = append(paths, at+" at the top level")
		default:
			paths = append(paths, at)
		}
		switch inner := t.Field(i).Type; {
		case k.section:
			paths = append(paths, s.paths(name, inner, at)...)
		case inner.Kind() == reflect.Slice && isSection(inner.Elem()):
			paths = append(paths, s.paths(name, inner.Elem(), at+"[]")...)
		case inner.Kind() == reflect.Map && isSection(inner.Elem()):
			paths = append(paths, s.paths(name, inner.Elem(), at+".NAME")...)
		}
	}
	return paths
}
