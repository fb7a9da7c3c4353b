package config

import (
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// decoder fills a Config from a YAML document and collects everything that is wrong with it.
type decoder struct {
	*findings
	text    []string     // the file's lines
	values  int          // how many were decoded; an alias counts each time
	merging []*yaml.Node // the mappings whose << is being resolved, from the outside in
}

// maxValues bounds what aliases can multiply. A node's command line has some hundred values.
const maxValues = 100_000

// spend counts values, and says whether the file may have that many.
func (d *decoder) spend(n *yaml.Node, path string, values int) bool {
	before := d.values
	d.values += values
	if before <= maxValues && d.values > maxValues {
		d.fail(n, path, &Error{
			Message: fmt.Sprintf("more than %d values", maxValues), Hint: "an alias counts each time it is used",
		})
	}
	return d.values <= maxValues
}

// value decodes n, which is neither null nor an alias, into dst.
func (d *decoder) value(n *yaml.Node, path string, dst reflect.Value) {
	if isSection(dst.Type()) {
		d.section(n, path, dst)
		return
	}
	switch to := dst.Addr().Interface().(type) {
	case *Template:
		*to = d.template(n, path)
	case *Args:
		*to = d.args(n, path)
	case *map[string]Template:
		*to = d.templates(n, path)
	case *map[string]P2PKey:
		*to = sections(d, n, path, DefaultP2PKey())
	case *map[string]ServicePort:
		*to = sections(d, n, path, DefaultServicePort())
	case encoding.TextUnmarshaler:
		d.word(n, path, to)
	case *string:
		*to, _ = d.scalar(n, path, "a text")
	case *bool:
		*to = d.boolean(n, path)
	case *int:
		*to = d.integer(n, path)
	default:
		d.list(n, path, dst)
	}
}

// section decodes a mapping whose keys are those of dst's struct type; nil is a mapping without keys.
func (d *decoder) section(n *yaml.Node, path string, dst reflect.Value) {
	names := keyNames(dst.Type())
	given := make([]bool, len(names))
	for _, p := range d.pairs(n, path, "") {
		at := join(path, p.name)
		d.locate(p, at)
		i := slices.Index(names, p.name)
		switch value := deref(p.value); {
		case i < 0:
			d.unknown(p, path, dst.Type())
		case !isNull(value):
			given[i] = true
			d.value(value, at, dst.Field(i))
		}
	}
	for i, name := range names {
		if !given[i] {
			d.absent(join(path, name), dst.Type().Field(i), dst.Field(i))
		}
	}
}

// absent completes a field that the file does not set.
func (d *decoder) absent(path string, field reflect.StructField, dst reflect.Value) {
	if strings.HasPrefix(field.Tag.Get("jsonschema"), "required") && !isSection(field.Type) {
		expected := "a text"
		switch to := dst.Addr().Interface().(type) {
		case encoding.TextUnmarshaler:
			expected = expectation(to)
		default:
			if field.Type.Kind() == reflect.Slice {
				expected = "a list"
			}
		}
		d.failAt(path, &Error{Message: "a required key is missing, expected " + expected})
	}
	d.unset(path, dst)
}

// unset gives the templates at and below path their place in the schema, for errors in rendering them.
func (d *decoder) unset(path string, dst reflect.Value) {
	switch to := dst.Addr().Interface().(type) {
	case *Template:
		to.At = Position{File: d.file, Path: path}
	default:
		if isSection(dst.Type()) {
			d.section(nil, path, dst)
		}
	}
}

// unknown reports a key that the section of type t, at path, does not have.
func (d *decoder) unknown(p pair, path string, t reflect.Type) {
	at := join(path, p.name)
	switch {
	case d.full():
	case t == reflect.TypeFor[Logging]():
		d.warn(p.key, at, "ignored: kubevali's own log goes to stderr and has only a level and an encoding")
	default:
		hint, meant := unknownKey(p.name, t)
		if meant != "" {
			d.unsound[join(path, meant)] = true
		}
		d.fail(p.key, at, &Error{Message: "unknown key", Hint: hint})
	}
}

// list decodes a list into the slice dst. Items that are null have their type's zero value.
func (d *decoder) list(n *yaml.Node, path string, dst reflect.Value) {
	if n.Kind != yaml.SequenceNode {
		hint := ""
		if n.Kind == yaml.ScalarNode {
			hint = "write [one, two] or each item in a line of its own, behind a dash"
		}
		d.fail(n, path, &Error{Message: "expected a list, found " + found(n), Hint: hint})
		return
	}
	if !d.spend(n, path, len(n.Content)) {
		return
	}
	dst.Set(reflect.MakeSlice(dst.Type(), len(n.Content), len(n.Content)))
	for i, item := range n.Content {
		at := index(path, i)
		d.keys[at] = d.position(item, at)
		// Default cannot give items of lists their defaults; files are the only ones that have any.
		if to, ok := dst.Index(i).Addr().Interface().(*File); ok {
			to.Mode = DefaultFileMode
		}
		if item = deref(item); isNull(item) {
			d.unset(at, dst.Index(i))
		} else {
			d.value(item, at, dst.Index(i))
		}
	}
}

// templates decodes a mapping of names to templates. Names whose value is null are left out.
func (d *decoder) templates(n *yaml.Node, path string) map[string]Template {
	pairs := d.pairs(n, path, "write NAME: value for each")
	templates := make(map[string]Template, len(pairs))
	for _, p := range pairs {
		at := join(path, p.name)
		d.locate(p, at)
		if value := deref(p.value); !isNull(value) {
			templates[p.name] = d.template(value, at)
		}
	}
	return templates
}

// sections decodes a mapping of names to sections, each of which has the defaults.
func sections[T any](d *decoder, n *yaml.Node, path string, defaults T) map[string]T {
	pairs := d.pairs(n, path, "write NAME: and below it what it is like, for each")
	named := make(map[string]T, len(pairs))
	for _, p := range pairs {
		at := join(path, p.name)
		d.locate(p, at)
		value := deref(p.value)
		if isNull(value) {
			value = nil
		}
		section := defaults
		d.section(value, at, reflect.ValueOf(&section).Elem())
		named[p.name] = section
	}
	return named
}

func (d *decoder) args(n *yaml.Node, path string) Args {
	pairs := d.pairs(n, path, "arguments that are no flags go into nodeTemplate.command")
	args := make(Args, 0, len(pairs))
	for _, p := range pairs {
		at := join(path, p.name)
		d.locate(p, at)
		arg := Arg{Flag: p.name, At: d.keys[at]}
		d.arg(deref(p.value), at, &arg)
		args = append(args, arg)
	}
	slices.SortFunc(args, func(a, b Arg) int { return strings.Compare(a.Flag, b.Flag) })
	return args
}

func (d *decoder) arg(n *yaml.Node, path string, arg *Arg) {
	switch {
	case isNull(n):
		arg.Kind = ArgOmitted
	case n.Tag == "!!bool":
		arg.Kind = ArgBool
		arg.Bool = d.boolean(n, path)
	case n.Kind == yaml.SequenceNode:
		arg.Kind = ArgList
		d.list(n, path, reflect.ValueOf(&arg.Values).Elem())
	default:
		arg.Kind = ArgValue
		arg.Values = []Template{d.template(n, path)}
	}
}

func (d *decoder) word(n *yaml.Node, path string, to encoding.TextUnmarshaler) {
	text, ok := d.scalar(n, path, expectation(to))
	if !ok {
		return
	}
	// The schema's types return no other errors.
	var e *Error
	if errors.As(to.UnmarshalText([]byte(text)), &e) {
		if strings.Contains(text, "{{") {
			e.Hint = "this key takes no template"
		}
		d.fail(n, path, e)
	}
}

// boolean reads true and false, and the words that YAML 1.1 has for them.
func (d *decoder) boolean(n *yaml.Node, path string) bool {
	text, ok := d.scalar(n, path, "true or false")
	if !ok {
		return false
	}
	switch strings.ToLower(text) {
	case "true", "yes", "y", "on":
		return true
	case "false", "no", "n", "off":
		return false
	}
	d.fail(n, path, &Error{Message: "expected true or false, found " + quote(text)})
	return false
}

func (d *decoder) integer(n *yaml.Node, path string) int {
	text, ok := d.scalar(n, path, "a whole number")
	if !ok {
		return 0
	}
	number, err := strconv.Atoi(text)
	if err != nil {
		d.fail(n, path, &Error{Message: "expected a whole number, found " + quote(text)})
	}
	return number
}

// scalar returns the text of a string, number or boolean, as the file spells it.
func (d *decoder) scalar(n *yaml.Node, path, expected string) (text string, ok bool) {
	if n.Kind == yaml.ScalarNode && slices.Contains(plainTags, n.Tag) {
		return n.Value, true
	}
	hint := ""
	if isBareTemplate(n) {
		hint = "put the template in quotes: '{{ … }}'"
	}
	d.fail(n, path, &Error{Message: "expected " + expected + ", found " + found(n), Hint: hint})
	return "", false
}

func (d *decoder) template(n *yaml.Node, path string) Template {
	text, _ := d.scalar(n, path, "a text")
	t := Template{Text: text, At: d.position(n, path)}
	switch {
	case n.Style&yaml.LiteralStyle != 0:
		t.FirstLine, t.indent = d.block(n)
	case n.Style&yaml.FoldedStyle == 0 && !strings.Contains(text, "\n"):
		t.FirstLine = n.Line
	}
	return t
}

// block returns where the text of a literal block begins in the file, and how far it is indented there; zeros when its
// lines are not those of the file.
func (d *decoder) block(n *yaml.Node) (firstLine, indent int) {
	if strings.ContainsAny(n.Value, oddBreaks) {
		return 0, 0
	}
	for i, line := range strings.Split(n.Value, "\n") {
		if strings.TrimSpace(line) == "" {
			continue
		}
		if n.Line+i >= len(d.text) {
			return 0, 0
		}
		before, found := strings.CutSuffix(strings.TrimSuffix(d.text[n.Line+i], "\r"), line)
		if !found || strings.Trim(before, " ") != "" {
			return 0, 0
		}
		return n.Line + 1, len(before)
	}
	return n.Line + 1, 0
}
