package render

import (
	"math"
	"reflect"
	"strconv"
	"strings"
)

// limitCalls has the functions whose result can be far larger than what they are given, or that take far longer, refuse what
// is beyond the limits, since nothing stops a call that has begun.
func limitCalls(funcs map[string]any) {
	lines := func(n int, s string) int { return product(n, 1+strings.Count(s, "\n")) }
	within2(funcs, "repeat", func(n int, s string) int { return product(n, len(s)) })
	within2(funcs, "indent", lines)
	within2(funcs, "nindent", lines)
	within2(funcs, "join", func(sep string, list any) int { return product(length(list), len(sep)) })
	within3(funcs, "wrapWith", func(width int, sep, s string) int { return product(len(s)/max(width, 1)+1, len(sep)) })
	within3(funcs, "replace", func(old, new, s string) int { return product(strings.Count(s, old), len(new)) })
	for _, name := range []string{"egexReplaceAll", "egexReplaceAllLiteral"} {
		within3(funcs, "r"+name, substituted)
		replace := funcs["mustR"+name].(func(string, string, string) (string, error))
		funcs["mustR"+name] = func(expr, s, replacement string) (string, error) {
			if substituted(expr, s, replacement) > MaxText {
				return "", ErrValue
			}
			return replace(expr, s, replacement)
		}
	}
	untilStep, seq := funcs["untilStep"].(func(int, int, int) []int), funcs["seq"].(func(...int) string)
	limited := func(start, stop, step int) ([]int, error) {
		if span(start, stop, step) > MaxText {
			return nil, ErrValue
		}
		return untilStep(start, stop, step), nil
	}
	funcs["untilStep"] = limited
	funcs["until"] = func(n int) ([]int, error) {
		if n < 0 {
			return limited(0, n, -1)
		}
		return limited(0, n, 1)
	}
	funcs["seq"] = func(bounds ...int) (string, error) {
		if n := len(bounds); n == 1 && span(1, bounds[0], 1) > MaxText || n > 1 && span(bounds[0], bounds[n-1], 1) > MaxText {
			return "", ErrValue
		}
		return seq(bounds...), nil
	}
	uniq, without := funcs["mustUniq"].(func(any) ([]any, error)), funcs["mustWithout"].(func(any, ...any) ([]any, error))
	funcs["uniq"] = func(list any) ([]any, error) {
		if length(list) > fewItems {
			return nil, errCompared
		}
		return uniq(list)
	}
	funcs["without"] = func(list any, items ...any) ([]any, error) {
		if length(list) > fewItems || len(items) > fewItems {
			return nil, errCompared
		}
		return without(list, items...)
	}
	funcs["mustUniq"], funcs["mustWithout"] = funcs["uniq"], funcs["without"]
}

func within2[A, B any](funcs map[string]any, name string, size func(A, B) int) {
	fn := funcs[name].(func(A, B) string)
	funcs[name] = func(a A, b B) (string, error) {
		if size(a, b) > MaxText {
			return "", ErrValue
		}
		return fn(a, b), nil
	}
}

func within3[A, B, C any](funcs map[string]any, name string, size func(A, B, C) int) {
	fn := funcs[name].(func(A, B, C) string)
	funcs[name] = func(a A, b B, c C) (string, error) {
		if size(a, b, c) > MaxText {
			return "", ErrValue
		}
		return fn(a, b, c), nil
	}
}

// substituted counts a replacement before each byte and at the end. What it refers to, such as $1, is no longer than the
// text.
func substituted(_, s, replacement string) int { return product(len(s)+1, len(replacement)) }

// span is how many bytes the numbers from start to stop take. Bounds near the ends of their range count as too far apart:
// the step after them would overflow, and sprig would count on from the other end.
func span(start, stop, step int) int {
	const far = 1 << 40
	for _, n := range []int{start, stop, step} {
		if n < -far || n > far {
			return math.MaxInt
		}
	}
	return product(max(start-stop, stop-start)/max(step, -step, 1), 2*itemSize)
}

// formatted is how many bytes printf takes at most: the largest width, or else all arguments, for each verb, since a verb
// can name the argument that it means. That is more than most texts come to, so that as much more is let through.
func formatted(format string, args []any) int {
	const leeway = 16
	largest := 0
	if weigh(reflect.ValueOf(args), 0, &largest) != nil || strings.Contains(format, "*") {
		largest = maxWidth
	}
	for _, digits := range strings.FieldsFunc(format, func(r rune) bool { return r < '0' || r > '9' }) {
		if n, err := strconv.Atoi(digits); err == nil {
			largest = max(largest, min(n, maxWidth))
		}
	}
	return product(strings.Count(format, "%"), largest/leeway)
}

// maxWidth is the largest width or precision that the fmt package takes.
const maxWidth = 1_000_000

// length is the number of items of a list, 1 for another value.
func length(list any) int {
	if v := reflect.ValueOf(list); v.Kind() == reflect.Slice || v.Kind() == reflect.Array {
		return v.Len()
	}
	return 1
}

// product multiplies sizes; a negative one counts as 0, and what is too large for an int as the largest.
func product(a, b int) int {
	switch {
	case a <= 0 || b <= 0:
		return 0
	case a > math.MaxInt/b:
		return math.MaxInt
	}
	return a * b
}
