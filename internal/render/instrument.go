package render

import (
	"strconv"
	"text/template/parse"
)

// The functions that instrument puts into templates. No template can name them: names are checked before.
const (
	funcSpend = "_spend" // at the begin of each round of a loop
	funcEnter = "_enter" // at the begin of each template, with its height
	funcLeave = "_leave" // at its end, with its height
	funcPrint = "_print" // at the end of each pipeline that is printed
)

// use is the name of a function or a template where a template uses it.
type use struct {
	name string
	pos  parse.Pos
}

// instrumenter adds calls of the budget to parse trees, so that executing them takes a number of steps that is known,
// and collects what they use.
type instrumenter struct {
	functions []use
	templates []use

	loops  int // around the node that is looked at
	height int // the most loops within each other in this template, and the template itself
}

func (i *instrumenter) instrument(tree *parse.Tree) {
	i.loops, i.height = 0, 1
	pos := tree.Root.Pos
	cost := templateCost + i.list(tree.Root)
	nodes := []parse.Node{action(pos, funcEnter, i.height), action(pos, funcSpend, cost)}
	nodes = append(nodes, tree.Root.Nodes...)
	tree.Root.Nodes = append(nodes, action(pos, funcLeave, i.height))
}

// list instruments what list holds and returns how many steps it takes, loops inside it apart.
func (i *instrumenter) list(list *parse.ListNode) (cost int) {
	if list == nil {
		return 0
	}
	for _, node := range list.Nodes {
		cost += i.node(node)
	}
	return cost
}

func (i *instrumenter) node(node parse.Node) (cost int) {
	switch n := node.(type) {
	case *parse.ActionNode:
		cost = i.pipe(n.Pipe)
		if len(n.Pipe.Decl) == 0 {
			n.Pipe.Cmds = append(n.Pipe.Cmds, command(n.Pos, funcPrint))
		}
	case *parse.IfNode:
		cost = i.pipe(n.Pipe) + i.list(n.List) + i.list(n.ElseList)
	case *parse.WithNode:
		cost = i.pipe(n.Pipe) + i.list(n.List) + i.list(n.ElseList)
	case *parse.RangeNode:
		cost = i.pipe(n.Pipe) + i.list(n.ElseList)
		i.loop(n)
	case *parse.TemplateNode:
		i.templates = append(i.templates, use{n.Name, n.Pos})
		cost = i.pipe(n.Pipe)
	}
	return 1 + cost
}

// loop instruments the body of a loop, whose cost is that of one round and charged by round.
func (i *instrumenter) loop(n *parse.RangeNode) {
	i.loops++
	i.height = max(i.height, 1+i.loops)
	round := action(n.Pos, funcSpend, roundCost+i.list(n.List))
	i.loops--
	n.List.Nodes = append([]parse.Node{round}, n.List.Nodes...)
}

func (i *instrumenter) pipe(pipe *parse.PipeNode) (cost int) {
	if pipe == nil {
		return 0
	}
	for _, cmd := range pipe.Cmds {
		i.included(cmd)
		for _, arg := range cmd.Args {
			cost += i.argument(arg)
		}
	}
	return cost
}

func (i *instrumenter) argument(arg parse.Node) (cost int) {
	switch n := arg.(type) {
	case *parse.IdentifierNode:
		i.functions = append(i.functions, use{n.Ident, n.Pos})
	case *parse.PipeNode:
		cost = i.pipe(n)
	case *parse.ChainNode:
		cost = i.argument(n.Node)
	}
	return 1 + cost
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

// action is {{function n}}.
func action(pos parse.Pos, function string, n int) *parse.ActionNode {
	cmd := command(pos, function)
	cmd.Args = append(cmd.Args, &parse.NumberNode{NodeType: parse.NodeNumber, Pos: pos, IsInt: true, Int64: int64(n),
		Text: strconv.Itoa(n)})
	pipe := &parse.PipeNode{NodeType: parse.NodePipe, Pos: pos, Cmds: []*parse.CommandNode{cmd}}
	return &parse.ActionNode{NodeType: parse.NodeAction, Pos: pos, Pipe: pipe}
}

func command(pos parse.Pos, function string) *parse.CommandNode {
	name := parse.NewIdentifier(function).SetPos(pos)
	return &parse.CommandNode{NodeType: parse.NodeCommand, Pos: pos, Args: []parse.Node{name}}
}
