package render

import (
	"fmt"
	"reflect"
	"strings"
	"text/template"
	"text/template/parse"
	"time"
)

// The limits stop mistakes, such as a range over a billion or a template that calls itself, before they fill the memory.
// Templates keep them themselves: the instrumenter puts calls of the functions below into their parse trees, so that each
// template and each round of a loop looks at the clock, and each value is looked at before a function, a variable, a loop or
// the text gets it.
const (
	// Limits is how long all templates may take together, from New or Restart on. A call that has begun is not stopped.
	Limits = 2 * time.Second
	// MaxText is how many bytes a text, and roughly how many a value with everything in it, may have.
	MaxText = 1 << 20

	maxDepth   = 100  // templates within each other
	maxNesting = 100  // values within values
	itemSize   = 8    // bytes that an item of a list takes by itself
	fewItems   = 4096 // for functions that compare every item with every other
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
	funcBound = "_bound" // behind each value
	funcPrint = "_print" // at the end of each pipeline that is printed
)

func (r *Renderer) checks() template.FuncMap {
	round := func() (string, error) { return "", r.inTime() }
	return template.FuncMap{funcEnter: r.enter, funcLeave: r.leave, funcRound: round, funcBound: r.bounded, funcPrint: r.printable}
}

// Restart gives all templates together their time anew.
func (r *Renderer) Restart() { r.deadline, r.late = time.Now().Add(Limits), false }

func (r *Renderer) inTime() error {
	if time.Now().After(r.deadline) {
		return errLate
	}
	return nil
}

func (r *Renderer) enter() (string, error) {
	if r.depth++; r.depth > maxDepth {
		return "", errDeep
	}
	return "", r.inTime()
}

func (r *Renderer) leave() string {
	r.depth--
	return ""
}

// printable passes on a value that can be printed.
func (r *Renderer) printable(v any) (any, error) {
	switch {
	case v == nil:
		return nil, Fail("there is no value to print", "a default can be given, such as: | default \"\"")
	case r.options.Group != nil && r.options.Group(v):
		return nil, Fail("this is not a text but a group of values", "name one of them: "+strings.Join(r.options.Fields, ", "))
	}
	return r.bounded(v)
}

// bounded passes on a value that is not too large, while there is time. What a value holds twice counts twice, since it is
// printed twice.
func (r *Renderer) bounded(v any) (any, error) {
	if err := r.inTime(); err != nil {
		return nil, err
	}
	size := 0
	return v, weigh(reflect.ValueOf(v), 0, &size)
}

func weigh(v reflect.Value, depth int, size *int) error {
	if depth > maxNesting {
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
			*size += itemSize
			if err := weigh(v.Index(i), depth+1, size); err != nil {
				return err
			}
		}
	case reflect.Map:
		for entries := v.MapRange(); *size <= MaxText && entries.Next(); {
			*size += itemSize + entries.Key().Len() // keys are texts
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
		i.pipe(n.Pipe)
		if len(n.Pipe.Decl) == 0 {
			n.Pipe.Cmds = append(n.Pipe.Cmds, command(n.Pos, funcPrint))
		}
	case *parse.IfNode:
		i.branch(&n.BranchNode)
	case *parse.WithNode:
		i.branch(&n.BranchNode)
	case *parse.RangeNode:
		i.branch(&n.BranchNode)
		n.List.Nodes = append([]parse.Node{action(n.Pos, funcRound)}, n.List.Nodes...)
	case *parse.TemplateNode:
		i.templates = append(i.templates, use{n.Name, n.Pos})
		i.pipe(n.Pipe)
	}
}

func (i *instrumenter) branch(n *parse.BranchNode) {
	i.pipe(n.Pipe)
	i.list(n.List)
	i.list(n.ElseList)
}

// pipe bounds what each command of a pipeline gives and gets.
func (i *instrumenter) pipe(pipe *parse.PipeNode) {
	if pipe == nil {
		return
	}
	var cmds []*parse.CommandNode
	for _, cmd := range pipe.Cmds {
		i.included(cmd)
		for n, arg := range cmd.Args {
			cmd.Args[n] = i.argument(arg, n > 0)
		}
		cmds = append(cmds, cmd, command(cmd.Pos, funcBound))
	}
	pipe.Cmds = cmds
}

// argument is an argument, bounded where it is what a function is given.
func (i *instrumenter) argument(arg parse.Node, given bool) parse.Node {
	switch n := arg.(type) {
	case *parse.IdentifierNode:
		i.functions = append(i.functions, use{n.Ident, n.Pos})
	case *parse.PipeNode:
		i.pipe(n)
	case *parse.ChainNode:
		n.Node = i.argument(n.Node, false)
	}
	switch arg.(type) {
	case *parse.DotNode, *parse.VariableNode, *parse.FieldNode, *parse.ChainNode:
		if given {
			value := &parse.CommandNode{NodeType: parse.NodeCommand, Pos: arg.Position(), Args: []parse.Node{arg}}
			cmds := []*parse.CommandNode{value, command(arg.Position(), funcBound)}
			return &parse.PipeNode{NodeType: parse.NodePipe, Pos: arg.Position(), Cmds: cmds}
		}
	}
	return arg
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
