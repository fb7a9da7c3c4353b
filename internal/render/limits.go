package render

import (
	"fmt"
	"math"
	"reflect"
	"strings"
	"text/template"
	"text/template/parse"
	"time"
)

// The limits stop mistakes, such as a range over a billion or a template that calls itself, before they fill the memory.
// Templates check them themselves: the instrumenter puts calls of the functions below into their parse trees.
const (
	// Limits is how long all templates may take together, from New or Restart on.
	Limits = 2 * time.Second
	// MaxText is how many bytes a text, and roughly how many a value with everything in it, may have.
	MaxText = 1 << 20

	maxDepth   = 100     // templates within each other
	maxNesting = 100     // values within values
	maxItems   = 1 << 16 // that a function may make at once
	itemSize   = 8       // bytes that a value takes by itself
	fewItems   = 4096    // for functions that compare every item with every other
	perLook    = 1 << 7  // rounds of loops between two looks at the clock
)

var (
	errLate = Fail(fmt.Sprintf("the templates do too much: stopped after %s", Limits), "look for a range over a large number")
	errDeep = Fail(fmt.Sprintf("templates are nested more than %d deep", maxDepth), "a template must not call itself without end")
	errText = Fail(fmt.Sprintf("the text is larger than %d MiB", MaxText>>20), "")
	// ErrValue is the error for a value that is too large.
	ErrValue    = Fail(fmt.Sprintf("a value is larger than %d MiB", MaxText>>20), "")
	errCompared = Fail(fmt.Sprintf("the list has more than %d items, which would all be compared", fewItems), "")
	errNesting  = Fail(fmt.Sprintf("values are nested more than %d deep", maxNesting), "a value must not contain itself")
)

// The functions that are put into templates. No template can name them: names are checked before.
const (
	funcEnter = "_enter" // at the begin of each template
	funcLeave = "_leave" // at its end
	funcRound = "_round" // at the begin of each round of a loop
	funcBound = "_bound" // at the end of each pipeline whose value is kept, looped over or given to a function
	funcPrint = "_print" // at the end of each pipeline that is printed
)

func (r *Renderer) checks() template.FuncMap {
	return template.FuncMap{funcEnter: r.enter, funcLeave: r.leave, funcRound: r.round, funcBound: bounded, funcPrint: r.printable}
}

// Restart gives all templates together their time anew.
func (r *Renderer) Restart() { r.deadline, r.rounds, r.late = time.Now().Add(Limits), 0, false }

func (r *Renderer) enter() (string, error) {
	if r.depth++; r.depth > maxDepth {
		return "", errDeep
	}
	return r.round()
}

func (r *Renderer) leave() string {
	r.depth--
	return ""
}

func (r *Renderer) round() (string, error) {
	if r.rounds++; r.rounds%perLook == 0 && time.Now().After(r.deadline) {
		return "", errLate
	}
	return "", nil
}

// printable passes on a value that can be printed.
func (r *Renderer) printable(v any) (any, error) {
	switch {
	case v == nil:
		return nil, Fail("there is no value to print", "a default can be given, such as: | default \"\"")
	case r.options.Group != nil && r.options.Group(v):
		return nil, Fail("this is not a text but a group of values", "name one of them: "+strings.Join(r.options.Fields, ", "))
	}
	return bounded(v)
}

// bounded passes on a value that is not too large. What a value holds twice counts twice, since it is printed twice.
func bounded(v any) (any, error) {
	switch v := v.(type) {
	case nil, bool, int, int64, float64:
		return v, nil
	case string:
		if len(v) > MaxText {
			return nil, ErrValue
		}
		return v, nil
	}
	size := 0
	return v, weigh(reflect.ValueOf(v), 0, &size)
}

func weigh(v reflect.Value, depth int, size *int) error {
	if *size += itemSize; depth > maxNesting {
		return errNesting
	}
	switch v.Kind() {
	case reflect.String:
		*size += v.Len()
	case reflect.Interface, reflect.Pointer:
		if !v.IsNil() {
			return weigh(v.Elem(), depth+1, size)
		}
	case reflect.Slice, reflect.Array:
		for i := 0; i < v.Len() && *size <= MaxText; i++ {
			if err := weigh(v.Index(i), depth+1, size); err != nil {
				return err
			}
		}
	case reflect.Map:
		for entries := v.MapRange(); *size <= MaxText && entries.Next(); {
			*size += entries.Key().Len() // keys are texts
			if err := weigh(entries.Value(), depth+1, size); err != nil {
				return err
			}
		}
	}
	if *size > MaxText {
		return ErrValue
	}
	return nil
}

// text is what a template gives, up to MaxText bytes.
type text struct{ strings.Builder }

func (t *text) Write(p []byte) (int, error) {
	if t.Len()+len(p) > MaxText {
		return 0, errText
	}
	return t.Builder.Write(p)
}

// use is the name of a function or a template where a template uses it.
type use struct {
	name string
	pos  parse.Pos
}

// instrumenter makes parse trees check the limits, and collects what they use.
type instrumenter struct{ functions, templates []use }

func (i *instrumenter) instrument(tree *parse.Tree) {
	i.list(tree.Root)
	pos := tree.Root.Pos
	tree.Root.Nodes = append([]parse.Node{action(pos, funcEnter)}, append(tree.Root.Nodes, action(pos, funcLeave))...)
}

func (i *instrumenter) list(list *parse.ListNode) {
	if list == nil {
		return
	}
	for _, node := range list.Nodes {
		i.node(node)
	}
}

func (i *instrumenter) node(node parse.Node) {
	switch n := node.(type) {
	case *parse.ActionNode:
		if len(n.Pipe.Decl) == 0 {
			i.pipe(n.Pipe, funcPrint)
		} else {
			i.pipe(n.Pipe, funcBound)
		}
	case *parse.IfNode:
		i.branch(&n.BranchNode, "")
	case *parse.WithNode:
		i.branch(&n.BranchNode, "")
	case *parse.RangeNode:
		i.branch(&n.BranchNode, funcBound)
		n.List.Nodes = append([]parse.Node{action(n.Pos, funcRound)}, n.List.Nodes...)
	case *parse.TemplateNode:
		i.templates = append(i.templates, use{n.Name, n.Pos})
		i.pipe(n.Pipe, "")
	}
}

func (i *instrumenter) branch(n *parse.BranchNode, check string) {
	i.pipe(n.Pipe, check)
	i.list(n.List)
	i.list(n.ElseList)
}

// pipe looks through a pipeline and adds a check at its end, if any.
func (i *instrumenter) pipe(pipe *parse.PipeNode, check string) {
	if pipe == nil {
		return
	}
	for _, cmd := range pipe.Cmds {
		i.included(cmd)
		for _, arg := range cmd.Args {
			i.argument(arg)
		}
	}
	if check != "" {
		pipe.Cmds = append(pipe.Cmds, command(pipe.Pos, check))
	}
}

func (i *instrumenter) argument(arg parse.Node) {
	switch n := arg.(type) {
	case *parse.IdentifierNode:
		i.functions = append(i.functions, use{n.Ident, n.Pos})
	case *parse.PipeNode:
		i.pipe(n, funcBound)
	case *parse.ChainNode:
		i.argument(n.Node)
	}
}

// included notes the template that a command includes by its literal name.
func (i *instrumenter) included(cmd *parse.CommandNode) {
	if len(cmd.Args) < 2 {
		return
	}
	function, ok := cmd.Args[0].(*parse.IdentifierNode)
	name, literal := cmd.Args[1].(*parse.StringNode)
	if ok && literal && function.Ident == "include" {
		i.templates = append(i.templates, use{name.Text, name.Pos})
	}
}

// action is {{function}}.
func action(pos parse.Pos, function string) *parse.ActionNode {
	pipe := &parse.PipeNode{NodeType: parse.NodePipe, Pos: pos, Cmds: []*parse.CommandNode{command(pos, function)}}
	return &parse.ActionNode{NodeType: parse.NodeAction, Pos: pos, Pipe: pipe}
}

func command(pos parse.Pos, function string) *parse.CommandNode {
	name := parse.NewIdentifier(function).SetPos(pos)
	return &parse.CommandNode{NodeType: parse.NodeCommand, Pos: pos, Args: []parse.Node{name}}
}

// limitFunctions has the functions whose result can be far larger than what they are given, or that take far longer,
// refuse what would go beyond the limits, so that no single call does.
func limitFunctions(funcs map[string]any) {
	lines := func(n int, s string) int { return product(n, 1+strings.Count(s, "\n")) }
	funcs["repeat"] = within2(funcs["repeat"].(func(int, string) string), func(n int, s string) int { return product(n, len(s)) })
	funcs["indent"] = within2(funcs["indent"].(func(int, string) string), lines)
	funcs["nindent"] = within2(funcs["nindent"].(func(int, string) string), lines)
	funcs["join"] = within2(funcs["join"].(func(string, any) string), func(sep string, list any) int { return product(length(list), len(sep)) })
	funcs["wrap"] = within2(funcs["wrap"].(func(int, string) string), func(_ int, s string) int { return len(s) })
	funcs["wrapWith"] = within3(funcs["wrapWith"].(func(int, string, string) string),
		func(width int, sep, s string) int { return product(len(s)/max(width, 1)+1, len(sep)) })
	funcs["replace"] = within3(funcs["replace"].(func(string, string, string) string),
		func(old, new, s string) int { return product(strings.Count(s, old), len(new)) })
	// A replacement before each byte and at the end. What it refers to, such as $1, is no longer than the text.
	replaced := func(_, s, new string) int { return product(len(s)+1, len(new)) }
	for _, name := range []string{"regexReplaceAll", "regexReplaceAllLiteral"} {
		funcs[name] = within3(funcs[name].(func(string, string, string) string), replaced)
		must := "mustR" + name[1:]
		replace := funcs[must].(func(string, string, string) (string, error))
		funcs[must] = func(expr, s, new string) (string, error) {
			if replaced(expr, s, new) > MaxText {
				return "", ErrValue
			}
			return replace(expr, s, new)
		}
	}
	until, untilStep := funcs["until"].(func(int) []int), funcs["untilStep"].(func(int, int, int) []int)
	funcs["until"] = func(n int) ([]int, error) {
		if n > maxItems || n < -maxItems {
			return nil, ErrValue
		}
		return until(n), nil
	}
	funcs["untilStep"] = within3(untilStep, span)
	seq := funcs["seq"].(func(...int) string)
	funcs["seq"] = func(bounds ...int) (string, error) {
		if last := len(bounds) - 1; last >= 0 && span(bounds[0]*min(last, 1), bounds[last], 1) > MaxText {
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

// span is how many bytes the numbers from start to stop take. Bounds near the ends of their range count as too many: the
// step after them would overflow, and sprig would count on from the other end.
func span(start, stop, step int) int {
	const far = 1 << 40
	for _, n := range []int{start, stop, step} {
		if n < -far || n > far {
			return math.MaxInt
		}
	}
	return product(max(start-stop, stop-start)/max(step, -step, 1), MaxText/maxItems)
}

func within2[A, B any](fn func(A, B) string, size func(A, B) int) func(A, B) (string, error) {
	return func(a A, b B) (string, error) {
		if size(a, b) > MaxText {
			return "", ErrValue
		}
		return fn(a, b), nil
	}
}

func within3[A, B, C, T any](fn func(A, B, C) T, size func(A, B, C) int) func(A, B, C) (T, error) {
	return func(a A, b B, c C) (result T, err error) {
		if size(a, b, c) > MaxText {
			return result, ErrValue
		}
		return fn(a, b, c), nil
	}
}

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
