package main

import (
	_ "embed"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/kubevali/kubevali/internal/config"
)

// head is what the reference says of all keys together.
//
//go:embed head.yaml
var head string

// width is how long lines of the reference may be.
const width = 120

// reference returns a kubevali.yaml that has every key with its default. Comments say what it is and show, indented
// further, what else may be written.
func reference(keys []key) []byte {
	lines := sectionLines(keys, width, false)
	return []byte(head + "\n" + strings.Join(lines, "\n") + "\n")
}

// sectionLines are the lines of a section. Within an example, keys have the values of their own examples.
func sectionLines(keys []key, width int, within bool) []string {
	var lines []string
	for _, k := range keys {
		if len(lines) > 0 && !within {
			lines = append(lines, "")
		}
		lines = append(lines, wrapped(k.description, width)...)
		switch {
		case isSection(k.is):
			lines = append(lines, k.name+":")
			lines = append(lines, indented("  ", sectionLines(k.keys, width-2, within))...)
		case len(k.example) > 0 && (within || k.required):
			lines = append(lines, k.example...)
		default:
			lines = append(lines, indented("#   ", k.items(width-len("#   ")))...)
			lines = append(lines, k.name+": "+k.value())
		}
	}
	return lines
}

// items are the lines of the key's example. That of a list or mapping of sections begins with an item that has all keys.
func (k key) items(width int) []string {
	if len(k.keys) == 0 {
		return k.example
	}
	lines := indented("  ", sectionLines(k.keys, width-4, true))
	if k.item != "" {
		lines = append([]string{k.item + ":"}, lines...)
	} else {
		first := slices.IndexFunc(lines, func(line string) bool { return !strings.HasPrefix(line, "  #") })
		for i := range first {
			lines[i] = lines[i][2:]
		}
		lines[first] = "- " + lines[first][2:]
	}
	lines = append([]string{k.name + ":"}, indented("  ", lines)...)
	if len(k.example) > 0 {
		lines = append(lines, k.example[1:]...)
	}
	return lines
}

// value is the key's default as it stands in the file.
func (k key) value() string {
	switch v := k.fallback().(type) {
	case []string:
		return "[" + strings.Join(v, ", ") + "]"
	case string:
		if k.is.Kind() == reflect.Map || k.is == reflect.TypeFor[config.Args]() {
			return "{}"
		}
		// Others would be another kind of value, or look like one.
		if plain := regexp.MustCompile(`^([1-9a-zA-Z/][\w./:-]*|0s?)$`); !plain.MatchString(v) {
			return strconv.Quote(v)
		}
		return v
	default:
		return fmt.Sprint(v)
	}
}

func indented(by string, lines []string) []string {
	out := make([]string, len(lines))
	for i, line := range lines {
		if line != "" {
			out[i] = by + line
		}
	}
	return out
}

// wrapped is a comment of lines that are no longer than width.
func wrapped(text string, width int) []string {
	var lines []string
	line := "#"
	for _, word := range strings.Fields(text) {
		if len([]rune(line))+1+len([]rune(word)) > width {
			lines = append(lines, line)
			line = "#"
		}
		line += " " + word
	}
	return append(lines, line)
}
