package config

import (
	"encoding"
	"fmt"
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
	name, initial string
	required      bool // and no section, where it is for the keys in it to say
}

// keysOf lists the keys of a section.
func keysOf(section reflect.Type) []key {
	keys := make([]key, 0, section.NumField())
	for i := range section.NumField() {
		// Fields that are no keys come last.
		if field := section.Field(i); field.IsExported() {
			required := field.Tag.Get("required") != "" && !isSection(field.Type)
			keys = append(keys, key{field.Tag.Get("yaml"), field.Tag.Get("default"), required})
		}
	}
	return keys
}

// setDefault sets what dst has where nothing is written. It panics on a default that the schema has wrong.
func (k key) setDefault(dst reflect.Value) {
	mustSet := func(dst reflect.Value, text string) {
		if err := setText(dst, text); err != nil {
			panic(fmt.Sprintf("the default of %s: %v", k.name, err))
		}
	}
	switch {
	case dst.Kind() == reflect.Slice:
		items := strings.FieldsFunc(k.initial, func(r rune) bool { return r == ',' })
		dst.Set(reflect.MakeSlice(dst.Type(), len(items), len(items)))
		for i, item := range items {
			mustSet(dst.Index(i), item)
		}
	case k.initial != "":
		mustSet(dst, k.initial)
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

// unknownKey explains a key that the section of type t does not have. meant is the key of this section that was
// probably meant, if any.
func unknownKey(name string, t reflect.Type) (advice, meant string) {
	var here []string
	for _, k := range keysOf(t) {
		here = append(here, k.name)
	}
	meant = hint.Closest(name, here)
	elsewhere := paths(name, reflect.TypeFor[Config](), "")
	switch {
	case meant != "" && (len(elsewhere) == 0 || hint.Alike(meant, name)):
		return hint.DidYouMean(name, here), meant
	case len(elsewhere) == 0:
		return "known here: " + strings.Join(here, ", "), ""
	case strings.Contains(name, "."):
		return "keys are nested: put " + name[strings.LastIndexByte(name, '.')+1:] + " below " + parent(name), ""
	default:
		return "did you mean " + hint.OneOf(elsewhere) + "?", ""
	}
}

// paths returns the paths of the keys at and below the section of type t, at path, that are called name, or whose path is
// name.
func paths(name string, t reflect.Type, path string) []string {
	var found []string
	for i, k := range keysOf(t) {
		at, inner := join(path, k.name), t.Field(i).Type
		switch {
		case !hint.Alike(k.name, name) && !hint.Alike(at, name):
		case path == "":
			found = append(found, at+" at the top level")
		default:
			found = append(found, at)
		}
		switch inner.Kind() {
		case reflect.Slice:
			inner, at = inner.Elem(), at+"[]"
		case reflect.Map:
			inner, at = inner.Elem(), at+".NAME"
		}
		if isSection(inner) {
			found = append(found, paths(name, inner, at)...)
		}
	}
	return found
}
