package render

import (
	"reflect"
	"strconv"
	"strings"
)

// estimates refuse calls of functions whose result can be far larger than what they are given, or that take far longer. They
// see the arguments, the variadic ones as one slice.
var estimates = map[string]func(args []reflect.Value) error{
	"repeat":  func(args []reflect.Value) error { return within(number(args[0]), args[1].Len()) },
	"indent":  indented,
	"nindent": indented,
	"join":    func(args []reflect.Value) error { return within(length(args[1]), args[0].Len()) },
	"wrap":    func(args []reflect.Value) error { return wrapped(args[0], 1, args[1]) },
	"wrapWith": func(args []reflect.Value) error {
		return wrapped(args[0], args[1].Len(), args[2])
	},
	"replace": func(args []reflect.Value) error {
		return within(strings.Count(args[2].String(), args[0].String()), args[1].Len())
	},
	"regexReplaceAll":            substituted,
	"mustRegexReplaceAll":        substituted,
	"regexReplaceAllLiteral":     substituted,
	"mustRegexReplaceAllLiteral": substituted,

	"until":     func(args []reflect.Value) error { return spanned(0, number(args[0]), 1) },
	"untilStep": func(args []reflect.Value) error { return spanned(number(args[0]), number(args[1]), number(args[2])) },
	"seq":       sequence,
	"printf":    formatted,

	"uniq":        compared,
	"mustUniq":    compared,
	"without":     compared,
	"mustWithout": compared,
}

func number(v reflect.Value) int { return int(v.Int()) }

// length is the number of items of a list, 1 for another value.
func length(v reflect.Value) int {
	for v.Kind() == reflect.Interface || v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	if v.Kind() == reflect.Slice || v.Kind() == reflect.Array {
		return v.Len()
	}
	return 1
}

// within refuses so many things of that many bytes. A negative number counts as 0.
func within(n, size int) error {
	if n > 0 && size > 0 && n > MaxText/size {
		return ErrValue
	}
	return nil
}

func indented(args []reflect.Value) error {
	return within(number(args[0]), 1+strings.Count(args[1].String(), "\n"))
}

func wrapped(width reflect.Value, separator int, text reflect.Value) error {
	return within(text.Len()/max(number(width), 1)+1, separator)
}

// substituted counts a replacement before each byte and at the end. A reference in the replacement, such as $1, stands for
// parts of the text that together are no longer than the text.
func substituted(args []reflect.Value) error { return within(args[1].Len()+1, args[2].Len()) }

// spanned refuses long lists of the numbers from start to stop. Bounds near the ends of their range count as too far
// apart: the step after them would overflow, and sprig would count on from the other end.
func spanned(start, stop, step int) error {
	const far = 1 << 40
	for _, n := range []int{start, stop, step} {
		if n < -far || n > far {
			return ErrValue
		}
	}
	return within(max(start-stop, stop-start)/max(step, -step, 1), 2*itemSize)
}

func sequence(args []reflect.Value) error {
	bound := func(i int) int { return number(args[0].Index(i)) }
	switch args[0].Len() {
	case 1:
		return spanned(1, bound(0), 1)
	case 2:
		return spanned(bound(0), bound(1), 1)
	case 3:
		return spanned(bound(0), bound(2), bound(1))
	}
	return nil
}

// maxWidth is the largest width or precision that the fmt package takes.
const maxWidth = 1_000_000

// formatted counts the largest width, or else all arguments, for each verb, since a verb can name the argument that it means.
// That is more than most texts come to, so that as much more is let through.
func formatted(args []reflect.Value) error {
	const leeway = 16
	format, largest := args[0].String(), 0
	if err := weigh(args[1], 0, &largest); err != nil {
		return err
	}
	if strings.Contains(format, "*") {
		largest = maxWidth
	}
	for _, digits := range strings.FieldsFunc(format, func(r rune) bool { return r < '0' || r > '9' }) {
		if n, err := strconv.Atoi(digits); err == nil {
			largest = max(largest, min(n, maxWidth))
		}
	}
	return within(strings.Count(format, "%"), largest/leeway)
}

// compared is for functions that compare every item with every other.
func compared(args []reflect.Value) error {
	for _, arg := range args {
		if length(arg) > fewItems {
			return errCompared
		}
	}
	return nil
}
