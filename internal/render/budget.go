package render

import (
	"fmt"
	"io"
	"math"
	"reflect"
)

// What one configuration's templates may take. The limits stop mistakes, such as a range over a billion, in about a
// second and before they fill the memory, and they do so by counting, so that a template that renders on one machine
// renders on every machine.
const (
	maxSteps    = 500_000  // in all templates together: nodes walked, and the costs below
	maxOutput   = 1 << 20  // bytes that one template gives
	maxValue    = 4 << 20  // bytes that a value takes, with everything in it
	maxEstimate = 32 << 20 // bytes that a call may take before its result is looked at
	maxNesting  = 100      // values within values
	maxDepth    = 1000     // templates and loops within each other

	templateCost = 20 // steps that a template counts besides its nodes
	roundCost    = 5  // steps that a round of a loop counts besides its nodes
	callCost     = 10 // steps that a call counts besides what it takes and gives
	bytesPerStep = 64
	itemsPerStep = 8
	itemSize     = 8 // bytes that a value takes by itself
)

// failure is an error for the template's author, with a hint at what to do about it; it needs no further explanation.
type failure struct{ message, hint string }

func (f *failure) Error() string { return f.message }

var (
	errSteps = &failure{fmt.Sprintf("the templates do too much: stopped after %d steps", maxSteps),
		"look for a range over a large number"}
	errDepth = &failure{fmt.Sprintf("templates and loops are nested more than %d deep", maxDepth),
		"a template must not call itself without end"}
	errOutput  = &failure{fmt.Sprintf("the text is larger than %d MiB", maxOutput>>20), ""}
	errValue   = &failure{fmt.Sprintf("a value is larger than %d MiB", maxValue>>20), ""}
	errNesting = &failure{fmt.Sprintf("values are nested more than %d deep", maxNesting), "a value must not contain itself"}
)

// budget is what is left of maxSteps. Once it is spent, it stays so.
type budget struct{ spent int }

func (b *budget) spend(steps int) error {
	if steps > maxSteps-b.spent {
		b.spent = maxSteps
		return errSteps
	}
	b.spent += steps
	return nil
}

// weight is what a value is made of, with everything in it. What a value holds twice counts twice, since it is printed
// twice.
type weight struct {
	size  int // bytes, roughly as many as printing it takes
	items int // values
}

func weigh(v reflect.Value) (w weight, err error) {
	err = w.add(v, 0)
	return w, err
}

func (w *weight) add(v reflect.Value, depth int) error {
	if depth > maxNesting {
		return errNesting
	}
	w.items++
	w.size += itemSize
	switch v.Kind() {
	case reflect.String:
		w.size += v.Len()
	case reflect.Interface, reflect.Pointer:
		if !v.IsNil() {
			return w.add(v.Elem(), depth+1)
		}
	case reflect.Slice, reflect.Array:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			w.size += v.Len()
			break
		}
		for i := range v.Len() {
			if err := w.add(v.Index(i), depth+1); err != nil {
				return err
			}
		}
	case reflect.Map:
		for entries := v.MapRange(); entries.Next(); {
			if err := w.add(entries.Key(), depth+1); err != nil {
				return err
			}
			if err := w.add(entries.Value(), depth+1); err != nil {
				return err
			}
		}
	}
	if w.size > maxValue {
		return errValue
	}
	return nil
}

// guarded returns fn with the budget and the limits kept: both what it takes and what it gives are weighed and charged.
// The result has fn's type, but always returns an error too.
func (b *budget) guarded(name string, fn any) any {
	inner := reflect.ValueOf(fn)
	t := inner.Type()
	in := make([]reflect.Type, t.NumIn())
	for i := range in {
		in[i] = t.In(i)
	}
	outer := reflect.FuncOf(in, []reflect.Type{t.Out(0), reflect.TypeFor[error]()}, t.IsVariadic())
	return reflect.MakeFunc(outer, func(args []reflect.Value) []reflect.Value {
		err := b.admit(name, args)
		if err != nil {
			return []reflect.Value{reflect.Zero(t.Out(0)), reflect.ValueOf(&err).Elem()}
		}
		call := inner.Call
		if t.IsVariadic() {
			call = inner.CallSlice
		}
		out := call(args)
		if len(out) == 2 && !out[1].IsNil() {
			return out
		}
		err = b.charge(out[0])
		return []reflect.Value{out[0], reflect.ValueOf(&err).Elem()}
	}).Interface()
}

// admit charges for a call before it is made, or refuses it.
func (b *budget) admit(name string, args []reflect.Value) error {
	if err := b.spend(callCost); err != nil {
		return err
	}
	for _, arg := range args {
		if err := b.charge(arg); err != nil {
			return err
		}
	}
	if steps := slow[name]; steps != nil {
		if err := b.spend(steps(args)); err != nil {
			return err
		}
	}
	if estimate := estimates[name]; estimate != nil && estimate(args) > maxEstimate {
		return &failure{fmt.Sprintf("%s: the result would be larger than %d MiB", name, maxValue>>20), ""}
	}
	return nil
}

// charge counts a value that a call takes or gives. Texts are copied, but those in a list only move with it.
func (b *budget) charge(v reflect.Value) error {
	w, err := weigh(v)
	if err != nil {
		return err
	}
	steps := w.items / itemsPerStep
	if v.Kind() == reflect.String {
		steps = v.Len() / bytesPerStep
	}
	return b.spend(steps)
}

// product multiplies sizes; a negative one counts as 0, and what is too large for an int as the largest.
func product(a, b int) int {
	if a <= 0 || b <= 0 {
		return 0
	}
	if a > math.MaxInt/b {
		return math.MaxInt
	}
	return a * b
}

// sum adds sizes that are not negative.
func sum(a, b int) int {
	if a > math.MaxInt-b {
		return math.MaxInt
	}
	return a + b
}

// limitedWriter passes on to a writer up to maxOutput bytes and then fails.
type limitedWriter struct {
	io.Writer
	written int
}

func (w *limitedWriter) Write(p []byte) (int, error) {
	if w.written += len(p); w.written > maxOutput {
		return 0, errOutput
	}
	return w.Writer.Write(p)
}
