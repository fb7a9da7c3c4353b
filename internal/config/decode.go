package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/kubevali/kubevali/internal/hint"
)

// decoder fills a Config from a YAML document and collects everything that is wrong with it.
type decoder struct {
	*findings
	data      []byte
	lines     []string // of data, once they are asked for
	templates []*Template
	values    int          // how many were decoded; an alias counts each time
	merging   []*yaml.Node // the mappings whose << is being resolved, from the outside in
}

// maxValues bounds what aliases can multiply. A node's command line has some hundred values.
const maxValues = 100_000

// spend counts values, and says whether the file may have that many.
func (d *decoder) spend(n *yaml.Node, path string, values int) bool {
	before := d.values
	d.values += values
	if before <= maxValues && d.values > maxValues {
		d.fail(n, path, fmt.Sprintf("more than %d values", maxValues), "an alias counts each time it is used")
	}
	return d.values <= maxValues
}

// section decodes a mapping whose keys are those of dst's struct type; nil is a mapping without keys.
func (d *decoder) section(n *yaml.Node, path string, dst reflect.Value) {
	keys := keysOf(dst.Type())
	given := make([]bool, len(keys))
	for i, k := range keys {
		k.setDefault(dst.Field(i))
	}
	for _, p := range d.pairs(n, path, "") {
		at := d.locate(p, path)
		i := slices.IndexFunc(keys, func(k key) bool { return k.name == p.name })
		if i < 0 {
			d.unknown(p, path, dst.Type())
		} else if value := deref(p.value); !isNull(value) {
			given[i] = true
			d.value(value, at, dst.Field(i))
		}
	}
	for i, k := range keys {
		at, field := join(path, k.name), dst.Field(i)
		if k.required && !given[i] {
			d.failAt(at, "a required key is missing, expected "+expected(field), "")
		} else if k.required && field.IsZero() {
			d.failAt(at, "expected "+expected(field)+", found nothing", "")
		}
		if !given[i] {
			d.absent(at, field)
		}
	}
}

// absent completes a value that the file does not have: templates know their place in the schema.
func (d *decoder) absent(path string, dst reflect.Value) {
	if t, ok := dst.Addr().Interface().(*Template); ok {
		t.At = Position{File: d.file, Path: path}
		d.templates = append(d.templates, t)
	} else if isSection(dst.Type()) {
		d.section(nil, path, dst)
	}
}

// unknown reports a key that the section of type t, at path, does not have.
func (d *decoder) unknown(p pair, path string, t reflect.Type) {
	at := join(path, p.name)
	switch {
	case d.full():
	case t == reflect.TypeFor[Logging]():
		d.warn(d.position(p.key, at), "ignored: kubevali's own log goes to stderr and has only a level and an encoding")
	default:
		advice, meant := unknownKey(p.name, t)
		if meant != "" {
			d.unsound[join(path, meant)] = true
		}
		d.fail(p.key, at, "unknown key", advice)
	}
}

// value decodes n, which is neither null nor an alias, into dst. What is wrong leaves dst as it is.
func (d *decoder) value(n *yaml.Node, path string, dst reflect.Value) {
	args, ok := dst.Addr().Interface().(*Args)
	switch {
	case ok:
		d.args(n, path, args)
	case isSection(dst.Type()):
		d.section(n, path, dst)
	case dst.Kind() == reflect.Map:
		d.named(n, path, dst)
	case dst.Kind() == reflect.Slice:
		d.list(n, path, dst)
	default:
		d.text(n, path, dst)
	}
}

// list decodes a list. Items that are null have their defaults.
func (d *decoder) list(n *yaml.Node, path string, dst reflect.Value) {
	if n.Kind != yaml.SequenceNode {
		advice := ""
		if n.Kind == yaml.ScalarNode {
			advice = "write [one, two] or each item in a line of its own, behind a dash"
		}
		d.fail(n, path, "expected a list, found "+found(n), advice)
		return
	}
	if !d.spend(n, path, len(n.Content)) {
		return
	}
	dst.Set(reflect.MakeSlice(dst.Type(), len(n.Content), len(n.Content)))
	for i, item := range n.Content {
		at := index(path, i)
		d.note(at, item)
		d.item(deref(item), at, dst.Index(i))
	}
}

// named decodes a mapping with names of its author's choice. A null leaves a name out, unless it stands for a section.
func (d *decoder) named(n *yaml.Node, path string, dst reflect.Value) {
	of, advice := dst.Type().Elem(), "write NAME: value for each"
	if isSection(of) {
		advice = "write NAME: and below it what it is like, for each"
	}
	dst.Set(reflect.MakeMap(dst.Type()))
	for _, p := range d.pairs(n, path, advice) {
		at, value := d.locate(p, path), deref(p.value)
		if item := reflect.New(of).Elem(); isSection(of) || !isNull(value) {
			d.item(value, at, item)
			dst.SetMapIndex(reflect.ValueOf(p.name), item)
		}
	}
}

// item decodes n, which is no alias, into an item of a list or mapping.
func (d *decoder) item(n *yaml.Node, path string, dst reflect.Value) {
	if isNull(n) {
		d.absent(path, dst)
	} else {
		d.value(n, path, dst)
	}
}

func (d *decoder) args(n *yaml.Node, path string, args *Args) {
	for _, p := range d.pairs(n, path, "arguments that are no flags go into nodeTemplate.command") {
		at, value := d.locate(p, path), deref(p.value)
		arg := Arg{Flag: p.name, At: d.at(at)}
		switch {
		case isNull(value):
		case value.Tag == "!!bool":
			arg.IsBool = true
			d.text(value, at, reflect.ValueOf(&arg.Bool).Elem())
		case value.Kind == yaml.SequenceNode:
			d.list(value, at, reflect.ValueOf(&arg.Values).Elem())
		default:
			arg.Values = make([]Template, 1)
			d.text(value, at, reflect.ValueOf(&arg.Values[0]).Elem())
		}
		*args = append(*args, arg)
	}
	slices.SortFunc(*args, func(a, b Arg) int { return strings.Compare(a.Flag, b.Flag) })
}

// text decodes a string, number or boolean, as the file spells it.
func (d *decoder) text(n *yaml.Node, path string, dst reflect.Value) {
	if !isText(n) {
		advice := ""
		if isBareTemplate(n) {
			advice = "put the template in quotes: '{{ … }}'"
		}
		d.fail(n, path, "expected "+expected(dst)+", found "+found(n), advice)
		return
	}
	if t, ok := dst.Addr().Interface().(*Template); ok {
		d.template(n, path, t)
	} else if err := setText(dst, n.Value); err != nil {
		advice := hint.Of(err)
		if strings.Contains(n.Value, "{{") {
			advice = "this key takes no template"
		}
		d.fail(n, path, err.Error(), advice)
	}
}

func (d *decoder) template(n *yaml.Node, path string, to *Template) {
	*to = Template{Text: n.Value, At: d.position(n, path)}
	switch {
	case n.Style&yaml.LiteralStyle != 0:
		to.FirstLine, to.indent = d.block(n)
	case n.Style&yaml.FoldedStyle == 0 && !strings.Contains(n.Value, "\n"):
		to.FirstLine = n.Line
	}
	d.templates = append(d.templates, to)
}

// block returns where the text of a literal block begins in the file, and how far it is indented there; zeros when its
// lines are not those of the file.
func (d *decoder) block(n *yaml.Node) (firstLine, indent int) {
	if strings.ContainsAny(n.Value, oddBreaks) {
		return 0, 0
	}
	if d.lines == nil {
		d.lines = strings.Split(string(d.data), "\n")
	}
	for i, line := range strings.Split(n.Value, "\n") {
		if strings.TrimSpace(line) == "" {
			continue
		}
		if n.Line+i >= len(d.lines) {
			return 0, 0
		}
		before, found := strings.CutSuffix(strings.TrimSuffix(d.lines[n.Line+i], "\r"), line)
		if !found || strings.Trim(before, " ") != "" {
			return 0, 0
		}
		return n.Line + 1, len(before)
	}
	return n.Line + 1, 0
}
