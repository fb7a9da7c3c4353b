package render

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/template"
	"text/template/parse"

	"github.com/kubevali/kubevali/internal/config"
)

// engine compiles the templates of one configuration and executes them for one pod. It collects their errors rather
// than returning them, so that an operator sees all of them at once. An engine is for one goroutine.
type engine struct {
	facts      Facts
	lookups    *lookups
	anyNodeBy  string // the function by which a template got the address of any Kubernetes node; empty: none did
	data       data
	secrets    secrets
	keys       *keyring // nil: the keys are not settled yet
	budget     *budget
	errs       config.Errors
	exhausted  bool              // errSteps is in errs
	lookupErrs []*failure        // of lookups, that are in errs
	sources    []config.Template // sources[n] is the template that is parsed under the name "#n"
	funcs      map[string]any    // the library; nil until a template calls a function
	ready      map[string]bool   // functions that set has
	set        *template.Template
	leaves     map[config.Template]*template.Template // nil: it did not compile

	// What is being executed.
	current *template.Template
	depth   int         // templates and loops that current is in
	key     string      // of current
	chance  *randomness // nil until a random value is asked for
}

func newEngine(cfg *config.Config, facts Facts, b *budget) *engine {
	e := &engine{ready: make(map[string]bool), leaves: make(map[config.Template]*template.Template), budget: b}
	e.renderFor(cfg, facts)
	e.set = template.New("").Option("missingkey=error").Funcs(template.FuncMap{
		funcSpend: func(steps int) (string, error) { return "", e.budget.spend(steps) },
		funcEnter: e.enter,
		funcLeave: e.leave,
		funcPrint: e.printable,
	})
	return e
}

// renderFor makes the facts those that templates see from here on.
func (e *engine) renderFor(cfg *config.Config, facts Facts) {
	e.facts = facts
	e.secrets = secretsOf(cfg)
	e.data = data{facts: &e.facts, secrets: &e.secrets, index: facts.index, service: serviceTooEarly}
	e.lookUpBy(newLookups(&e.facts))
}

// lookUpBy makes the lookups those that templates use from here on.
func (e *engine) lookUpBy(l *lookups) { e.lookups, e.data.lookups = l, l }

// isPlain reports whether a text is its own rendering.
func isPlain(text string) bool { return !strings.Contains(text, "{{") }

// define compiles the template whose definitions all others can use.
func (e *engine) define(common config.Template) (ok bool) {
	if isPlain(common.Text) {
		return true
	}
	main, trees, ok := e.parse(common)
	if !ok || !e.resolve(common, trees) {
		return false
	}
	delete(trees, main)
	add(e.set, trees)
	return true
}

// compile readies a template for execute.
func (e *engine) compile(source config.Template) (ok bool) {
	if isPlain(source.Text) {
		return true
	}
	if leaf, done := e.leaves[source]; done {
		return leaf != nil
	}
	e.leaves[source] = nil
	main, trees, ok := e.parse(source)
	if !ok || !e.resolve(source, trees) {
		return false
	}
	set := e.set
	if len(trees) > 1 {
		// What it defines itself is for itself alone.
		set = template.Must(set.Clone())
	}
	add(set, trees)
	e.leaves[source] = set.Lookup(main)
	return true
}

func add(set *template.Template, trees map[string]*parse.Tree) {
	for name, tree := range trees {
		template.Must(set.AddParseTree(name, tree))
	}
}

// parse returns the parse trees of a template and of what it defines.
func (e *engine) parse(source config.Template) (main string, trees map[string]*parse.Tree, ok bool) {
	main = "#" + strconv.Itoa(len(e.sources))
	e.sources = append(e.sources, source)
	trees = make(map[string]*parse.Tree)
	tree := parse.New(main)
	tree.Mode = parse.SkipFuncCheck // resolve does it, with better errors
	if _, err := tree.Parse(source.Text, "", "", trees); err != nil {
		e.reportParse(source, err)
		return "", nil, false
	}
	return main, trees, true
}

// resolve instruments the trees and sees that all functions and templates that they use are there.
func (e *engine) resolve(source config.Template, trees map[string]*parse.Tree) (ok bool) {
	var i instrumenter
	for _, name := range slices.Sorted(maps.Keys(trees)) {
		i.instrument(trees[name])
	}
	ok = true
	for _, f := range i.functions {
		if e.full() {
			return false
		}
		if problem := e.provide(f.name); problem != nil {
			e.report(source, lineOf(source.Text, f.pos), problem)
			ok = false
		}
	}
	for _, t := range i.templates {
		if trees[t.name] == nil && e.set.Lookup(t.name) == nil {
			e.report(source, lineOf(source.Text, t.pos), e.undefined(t.name, trees))
			ok = false
		}
	}
	return ok
}

// provide makes a function callable.
func (e *engine) provide(name string) *failure {
	if e.ready[name] || slices.Contains(builtins, name) {
		return nil
	}
	if e.funcs == nil {
		e.funcs = e.library()
	}
	fn, ok := e.funcs[name]
	if !ok {
		return e.unknownFunction(name)
	}
	e.set.Funcs(template.FuncMap{name: e.budget.guarded(name, fn)})
	e.ready[name] = true
	return nil
}

func lineOf(text string, pos parse.Pos) int { return 1 + strings.Count(text[:pos], "\n") }

// execute renders a compiled template. Where it fails, the error is collected and ok is false.
func (e *engine) execute(source config.Template) (text string, ok bool) {
	if isPlain(source.Text) {
		return source.Text, true
	}
	leaf := e.leaves[source]
	if leaf == nil {
		return "", false
	}
	e.current, e.depth, e.key, e.chance = leaf, 0, source.At.Path, nil
	var out strings.Builder
	if err := leaf.Execute(&limitedWriter{Writer: &out}, &e.data); err != nil {
		e.reportExecution(source, err)
		return "", false
	}
	return out.String(), true
}

// include is {{ template }} as a function, so that its result can be used on.
func (e *engine) include(name string, data any) (string, error) {
	t := e.current.Lookup(name)
	if t == nil {
		return "", e.undefined(name, nil)
	}
	var out strings.Builder
	err := t.Execute(&limitedWriter{Writer: &out}, data)
	return out.String(), err
}

// enter counts a template that is executed within others, and its loops. An error has to get out of all of them, which
// takes text/template more than twice as long for twice as many.
func (e *engine) enter(height int) (string, error) {
	if e.depth += height; e.depth > maxDepth {
		return "", errDepth
	}
	return "", nil
}

func (e *engine) leave(height int) string {
	e.depth -= height
	return ""
}

// printable passes on a value that can be printed.
func (e *engine) printable(v any) (any, error) {
	switch v.(type) {
	case nil:
		return nil, &failure{"there is no value to print", "a default can be given, such as: | default \"\""}
	case *data, podData, nodeData, serviceData:
		return nil, &failure{"this is not a text but a group of values", "name one of them: " + strings.Join(fieldNames, ", ")}
	}
	return v, nil
}

func (e *engine) random() randomness {
	if e.chance == nil {
		r := e.facts.randomness(e.key)
		e.chance = &r
	}
	return *e.chance
}
