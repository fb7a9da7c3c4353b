package config

import (
	"iter"
	"maps"
	"reflect"
	"slices"
)

// Templates yields every template of the configuration that has a text, in the order of the schema. What it yields is
// to be read only: those of the environment and of P2P keys are copies.
func (c *Config) Templates() iter.Seq[*Template] {
	return func(yield func(*Template) bool) { eachTemplate(reflect.ValueOf(c).Elem(), yield) }
}

// eachTemplate calls yield for the templates at and below v until it returns false, and then returns false, too.
func eachTemplate(v reflect.Value, yield func(*Template) bool) bool {
	switch at := v.Addr().Interface().(type) {
	case *Template:
		return at.Text == "" || yield(at)
	case *Arg:
		return eachTemplate(reflect.ValueOf(&at.Values).Elem(), yield)
	case *map[string]Template:
		for _, name := range slices.Sorted(maps.Keys(*at)) {
			if t := (*at)[name]; t.Text != "" && !yield(&t) {
				return false
			}
		}
		return true
	case *map[string]P2PKey:
		return eachOfSections(*at, yield)
	case *map[string]ServicePort:
		return eachOfSections(*at, yield)
	}
	switch {
	case v.Kind() == reflect.Slice:
		for i := range v.Len() {
			if !eachTemplate(v.Index(i), yield) {
				return false
			}
		}
	case isSection(v.Type()):
		for i := range keyNames(v.Type()) {
			if !eachTemplate(v.Field(i), yield) {
				return false
			}
		}
	}
	return true
}

func eachOfSections[T any](named map[string]T, yield func(*Template) bool) bool {
	for _, name := range slices.Sorted(maps.Keys(named)) {
		section := named[name]
		if !eachTemplate(reflect.ValueOf(&section).Elem(), yield) {
			return false
		}
	}
	return true
}
