// Package render compiles templates and runs them, and says what is wrong with them in an operator's words: where in the
// file, with the line, and with what to do about it. It brings sprig's functions as far as they are pure; what templates
// know besides, the caller gives as data and as further functions.
//
// It knows nothing of pods, keys or clusters, and nothing of the configuration but how a template stands in it.
//
// Invariants:
//
//   - The same template with the same data, functions and random numbers gives the same text. No function of its own
//     reaches the network, changes anything or tells the time.
//   - Running ends, and within bounded memory, whatever the templates do, see [Limits].
//   - No error shows a value that only the data holds, unless a caller's own error does.
package render

import (
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"text/template"
	"text/template/parse"
	"time"

	"github.com/kubevali/kubevali/internal/config"
)

// Options are what a Renderer's caller knows of its templates.
type Options struct {
	// Functions are those that templates can call besides sprig's, which they replace where they have the same name. They
	// return a value, or a value and an error; see [Fail] for errors that are meant for the template's author. It is called
	// once, when a template calls a function.
	Functions func() map[string]any
	// Random returns the source of the random numbers of the template at a path of the file. It is called when a template
	// asks for the first one.
	Random func(path string) *rand.ChaCha8

	// Fields are what the data has, such as .Pod.Name, for hints.
	Fields []string
	// Group reports whether a value is a part of the data that has fields, and is no text itself.
	Group func(value any) bool
	// Unknown explains a key that a map or, by its Go type, a part of the data does not have. action is how the template
	// asks for it. Nil where there is nothing special about it; KeyHint may then have a hint.
	Unknown func(action, key, goType string) error
	KeyHint func(key string) string
	// Hidden are values that no error of a function may repeat, unless the templates themselves spell them.
	Hidden func() []string
	// Unquoted is the path of the template whose text can be a secret.
	Unquoted string
}

// Renderer compiles the templates of one file and runs them, any number of times. It is for one goroutine.
type Renderer struct {
	options Options
	errs    config.Errors
	common  string            // the path of the template whose definitions all others can use
	sources []config.Template // sources[n] is the template that is parsed under the name "#n"
	funcs   map[string]any    // all that can be called; nil until a template calls a function
	ready   map[string]bool   // functions that set has
	set     *template.Template
	leaves  map[config.Template]*template.Template // nil: it did not compile

	// What is being run.
	current  *template.Template
	path     string        // of current
	random   *rand.ChaCha8 // nil until a random number is asked for
	depth    int           // templates that current is in
	deadline time.Time     // for all templates together
	late     bool          // the deadline has been missed, and that was reported
}

// New returns a Renderer that knows no template yet.
func New(o Options) *Renderer {
	r := &Renderer{options: o, ready: make(map[string]bool), leaves: make(map[config.Template]*template.Template)}
	r.set = template.New("").Option("missingkey=error").Funcs(r.checks())
	r.Restart()
	return r
}

// IsPlain reports whether a text is its own rendering.
func IsPlain(text string) bool { return !strings.Contains(text, "{{") }

// Define compiles the template whose definitions all others can use, before them. Errors are reported.
func (r *Renderer) Define(common config.Template) (ok bool) {
	r.common = common.At.Path
	if IsPlain(common.Text) {
		return true
	}
	main, trees, ok := r.parse(common)
	if !ok || !r.resolve(common, trees) {
		return false
	}
	delete(trees, main)
	add(r.set, trees)
	return true
}

// Compile readies a template to be run. Errors are reported.
func (r *Renderer) Compile(source config.Template) (ok bool) {
	if IsPlain(source.Text) {
		return true
	}
	if leaf, done := r.leaves[source]; done {
		return leaf != nil
	}
	r.leaves[source] = nil
	main, trees, ok := r.parse(source)
	if !ok || !r.resolve(source, trees) {
		return false
	}
	set := r.set
	if len(trees) > 1 {
		// What it defines itself is for itself alone.
		set = template.Must(set.Clone())
	}
	add(set, trees)
	r.leaves[source] = set.Lookup(main)
	return true
}

// CheckSyntax reports what is wrong with a template whose definitions are not known.
func (r *Renderer) CheckSyntax(source config.Template) {
	if !IsPlain(source.Text) {
		r.parse(source)
	}
}

func add(set *template.Template, trees map[string]*parse.Tree) {
	for name, tree := range trees {
		template.Must(set.AddParseTree(name, tree))
	}
}

// parse returns the parse trees of a template and of what it defines.
func (r *Renderer) parse(source config.Template) (main string, trees map[string]*parse.Tree, ok bool) {
	main = "#" + strconv.Itoa(len(r.sources))
	r.sources = append(r.sources, source)
	trees = make(map[string]*parse.Tree)
	tree := parse.New(main)
	tree.Mode = parse.SkipFuncCheck // resolve does it, with better errors
	if _, err := tree.Parse(source.Text, "", "", trees); err != nil {
		r.reportParse(source, err)
		return "", nil, false
	}
	return main, trees, true
}

// resolve instruments the trees and sees that all functions and templates that they use are there.
func (r *Renderer) resolve(source config.Template, trees map[string]*parse.Tree) (ok bool) {
	var i instrumenter
	for _, name := range slices.Sorted(maps.Keys(trees)) {
		i.instrument(trees[name])
	}
	ok = true
	for _, f := range i.functions {
		if r.full() {
			return false
		}
		if err := r.provide(f.name); err != nil {
			r.Report(source, lineOf(source.Text, f.pos), err)
			ok = false
		}
	}
	for _, t := range i.templates {
		if trees[t.name] == nil && r.set.Lookup(t.name) == nil {
			r.Report(source, lineOf(source.Text, t.pos), r.undefined(t.name, trees))
			ok = false
		}
	}
	return ok
}

// provide makes a function callable.
func (r *Renderer) provide(name string) error {
	if r.ready[name] || slices.Contains(builtins, name) {
		return nil
	}
	if r.funcs == nil {
		r.funcs = r.library()
	}
	fn, ok := r.funcs[name]
	if !ok {
		return r.unknownFunction(name)
	}
	r.set.Funcs(template.FuncMap{name: fn})
	r.ready[name] = true
	return nil
}

func lineOf(text string, pos parse.Pos) int { return 1 + strings.Count(text[:pos], "\n") }

// Run runs a compiled template. Its errors are for [Renderer.Report]; nothing is reported yet.
func (r *Renderer) Run(source config.Template, data any) (string, error) {
	if IsPlain(source.Text) {
		return source.Text, nil
	}
	leaf := r.leaves[source]
	if leaf == nil {
		return "", ErrReported
	}
	r.current, r.path, r.random, r.depth = leaf, source.At.Path, nil, 0
	var out text
	if err := leaf.Execute(&out, data); err != nil {
		return "", err
	}
	return out.String(), nil
}

// include is {{ template }} as a function, so that its result can be used on.
func (r *Renderer) include(name string, data any) (string, error) {
	t := r.current.Lookup(name)
	if t == nil {
		return "", r.undefined(name, nil)
	}
	var out text
	err := t.Execute(&out, data)
	return out.String(), err
}

// Random returns the random numbers of the template that is being run. They stay the same when another template changes.
func (r *Renderer) Random() *rand.ChaCha8 {
	if r.random == nil {
		r.random = r.options.Random(r.path)
	}
	return r.random
}
