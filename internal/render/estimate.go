package render

import (
	"math"
	"reflect"
	"strconv"
	"strings"
)

// estimates say how many bytes a call of a function will take at most, for the functions whose result can be far larger
// than what they are given. They see the call's arguments, the variadic ones as one slice.
var estimates = map[string]func(args []reflect.Value) int{
	"repeat":  func(args []reflect.Value) int { return product(number(args[0]), args[1].Len()) },
	"indent":  indentSize,
	"nindent": indentSize,
	"replace": func(args []reflect.Value) int {
		return product(strings.Count(args[2].String(), args[0].String()), args[1].Len())
	},
	"wrap":     func(args []reflect.Value) int { return wrapSize(number(args[0]), 1, args[1].Len()) },
	"wrapWith": func(args []reflect.Value) int { return wrapSize(number(args[0]), args[1].Len(), args[2].Len()) },
	"join":     func(args []reflect.Value) int { return product(args[0].Len(), length(args[1])) },

	"regexReplaceAll":            substitutionSize,
	"mustRegexReplaceAll":        substitutionSize,
	"regexReplaceAllLiteral":     substitutionSize,
	"mustRegexReplaceAllLiteral": substitutionSize,

	"until":     func(args []reflect.Value) int { return listSize(0, args[0].Int(), 1) },
	"untilStep": func(args []reflect.Value) int { return listSize(args[0].Int(), args[1].Int(), args[2].Int()) },
	"seq":       seqSize,
	"printf":    formatSize,

	"randAlphaNum": func(args []reflect.Value) int { return number(args[0]) },
	"randAlpha":    func(args []reflect.Value) int { return number(args[0]) },
	"randNumeric":  func(args []reflect.Value) int { return number(args[0]) },
	"randAscii":    func(args []reflect.Value) int { return number(args[0]) },
	"randBytes":    func(args []reflect.Value) int { return product(number(args[0]), 2) },
	"randHex":      func(args []reflect.Value) int { return product(number(args[0]), 2) },
}

// slow says how many more steps than others some functions count.
var slow = map[string]func(args []reflect.Value) int{
	"derivePassword": func([]reflect.Value) int { return maxSteps / 4 }, // scrypt takes a tenth of a second on purpose
	"getHostByName":  func([]reflect.Value) int { return maxSteps / 100 },

	// These compare every item with many others.
	"uniq":        func(args []reflect.Value) int { return product(length(args[0]), length(args[0])/2) },
	"mustUniq":    func(args []reflect.Value) int { return product(length(args[0]), length(args[0])/2) },
	"without":     func(args []reflect.Value) int { return product(length(args[0]), args[1].Len()) },
	"mustWithout": func(args []reflect.Value) int { return product(length(args[0]), args[1].Len()) },
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

func indentSize(args []reflect.Value) int {
	return product(number(args[0]), 1+strings.Count(args[1].String(), "\n"))
}

func wrapSize(width, separator, text int) int {
	return product(text/max(width, 1)+1, max(separator, 1))
}

// substitutionSize counts a replacement before each byte and at the end. A reference in the replacement, such as $1,
// stands for parts of the text that together are no longer than the text.
func substitutionSize(args []reflect.Value) int {
	return product(args[1].Len()+1, args[2].Len())
}

// listSize is for the numbers from start to stop. Bounds near the end of the int64 range count as too many: the
// step after them would overflow, and sprig would count on from the other end.
func listSize(start, stop, step int64) int {
	const far = 1 << 40
	for _, n := range []int64{start, stop, step} {
		if n < -far || n > far {
			return math.MaxInt
		}
	}
	return product(int(max(start-stop, stop-start)/max(step, -step, 1)), 2*itemSize)
}

func seqSize(args []reflect.Value) int {
	switch params := args[0]; params.Len() {
	case 1:
		return listSize(1, params.Index(0).Int(), 1)
	case 2:
		return listSize(params.Index(0).Int(), params.Index(1).Int(), 1)
	case 3:
		return listSize(params.Index(0).Int(), params.Index(2).Int(), params.Index(1).Int())
	}
	return 0
}

// maxWidth is the largest width or precision that the fmt package takes.
const maxWidth = 1_000_000

// formatSize counts every argument once per verb, since a verb can name the argument that it means, and adds the widths
// and precisions, which can be arguments too.
func formatSize(args []reflect.Value) int {
	verbs, widths, stars := scanFormat(args[0].String())
	weight, _ := weigh(args[1])
	size := sum(product(verbs, weight.size), widths)
	for i := range args[1].Len() {
		if v := args[1].Index(i).Elem(); v.CanInt() {
			size = sum(size, product(stars, int(min(max(v.Int(), -v.Int()), maxWidth))))
		}
	}
	return size
}

// scanFormat counts a format's verbs, the sum of the numbers in them, and the widths that are arguments.
func scanFormat(format string) (verbs, widths, stars int) {
	for {
		_, rest, found := strings.Cut(format, "%")
		if !found {
			return verbs, widths, stars
		}
		format = strings.TrimLeft(rest, "-+# 0123456789.*[]")
		verb := rest[:len(rest)-len(format)]
		verbs++
		stars += strings.Count(verb, "*")
		for _, digits := range strings.FieldsFunc(verb, func(r rune) bool { return r < '0' || r > '9' }) {
			if n, err := strconv.Atoi(digits); err == nil {
				widths = sum(widths, min(n, maxWidth))
			}
		}
	}
}
