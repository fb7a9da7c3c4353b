package render

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/template"
	"text/template/parse"

	"github.com/kubevali/kubevali/internal/config"
	"github.com/kubevali/kubevali/internal/hint"
)

// failure is an error for the template's author; it needs no further explanation and holds no value that must not show.
type failure struct{ text, hint string }

func (f *failure) Error() string { return f.text }

// Hint returns what to do about it; empty where there is nothing to say.
func (f *failure) Hint() string { return f.hint }

// Fail returns the error of a function that is meant for the template's author: it is shown as it is. Other errors of
// functions are shown with the function's name and without the values in them.
func Fail(text, hint string) error { return &failure{text, hint} }

// Because is Fail with the text and the hint of another error.
func Because(err error) error { return &failure{err.Error(), hint.Of(err)} }

// ErrReported is given to templates that use what has failed elsewhere, where it is reported. Nothing more is said of it.
var ErrReported = errors.New("reported elsewhere")

const (
	// maxErrors bounds what one file can make us say.
	maxErrors = 100

	// The forms of text/template's errors: "template: #n:line: message" when parsing, and when executing
	// "template: #n:line:column: executing name at <action>: message".
	parseError     = `(?s)^template: #\d+:(\d+): (.*)$`
	executionError = `(?s)^template: #(\d+):(\d+):\d+: executing .*? at <(.*?)>: (.*)$`
	ownName        = `#\d+:(\d+)`
	callError      = `(?s)^error calling (\w+): (.*)$`
	missingField   = `^can't evaluate field (\w+) in type (\S+)`
	missingKey     = `^map has no entry for key "(.*)"$`
	noData         = `^nil data; no entry for key "(.*)"$`
	withValue      = `^(?:range )?(can't iterate over|can't use) `
	inQuotes       = `"(?:[^"\\]|\\.)*"|` + "`[^`]*`"
)

// match compiles its pattern each time, since there is no time for that when all is well.
func match(pattern, text string) []string {
	return regexp.MustCompile(pattern).FindStringSubmatch(text)
}

// Failed is how many errors have been reported.
func (r *Renderer) Failed() int { return len(r.errs) }

// Err returns what has been reported, nil where all is well. It is of type config.Errors.
func (r *Renderer) Err() error { return r.errs.Err() }

// Report collects an error about a line of a template, from 1, unless it has been reported: templates that many others use
// fail many times.
func (r *Renderer) Report(source config.Template, line int, err error) {
	finding := &config.Error{At: source.Position(line), Message: err.Error(), Hint: hint.Of(err)}
	if source.At.Path != r.options.Unquoted {
		finding.Source = lineText(source.Text, line)
	}
	r.Collect(finding)
}

// Collect adds an error to the others, unless it is there already.
func (r *Renderer) Collect(finding *config.Error) {
	known := func(other *config.Error) bool { return *other == *finding }
	switch {
	case slices.ContainsFunc(r.errs, known):
	case len(r.errs) < maxErrors:
		r.errs = append(r.errs, finding)
	case len(r.errs) == maxErrors:
		message := fmt.Sprintf("the templates have more than %d errors, the first of which are:", maxErrors)
		r.errs = append(r.errs, &config.Error{At: config.Position{File: finding.At.File}, Message: message})
	}
}

// full reports whether further errors would not be collected.
func (r *Renderer) full() bool { return len(r.errs) > maxErrors }

func lineText(text string, line int) string {
	for range line - 1 {
		_, text, _ = strings.Cut(text, "\n")
	}
	text, _, _ = strings.Cut(text, "\n")
	return text
}

// reportParse collects an error of parse.Tree.Parse.
func (r *Renderer) reportParse(source config.Template, err error) {
	line, message := 1, err.Error()
	if m := match(parseError, message); m != nil {
		line, _ = strconv.Atoi(m[1])
		message = strings.TrimPrefix(m[2], "template: ")
	}
	message = regexp.MustCompile(ownName).ReplaceAllStringFunc(message, func(name string) string {
		_, number, _ := strings.Cut(name, ":")
		n, _ := strconv.Atoi(number)
		return "line " + strconv.Itoa(source.Position(n).Line)
	})
	r.Report(source, line, Fail(message, parseHint(message)))
}

func parseHint(message string) string {
	switch {
	case strings.HasPrefix(message, "unexpected EOF"):
		return "a block lacks its {{ end }}"
	case strings.HasPrefix(message, "unclosed action"), strings.HasPrefix(message, `unexpected "}"`):
		return "an action lacks its }}"
	case strings.HasPrefix(message, "unexpected {{end}}"), strings.HasPrefix(message, "unexpected {{else}}"):
		return "there is no block that it belongs to"
	case strings.HasPrefix(message, "undefined variable"):
		return "a variable lives until the {{ end }} of the block that sets it"
	}
	return ""
}

// ReportRun collects an error of Run. It is reported for the innermost place, such as a definition that others use, since
// that is what must be mended.
func (r *Renderer) ReportRun(source config.Template, err error) {
	if errors.Is(err, ErrReported) || errors.Is(err, errLate) && r.late {
		return
	}
	r.late = r.late || errors.Is(err, errLate)
	at, line, action, message := r.innermost(err)
	if at == nil {
		at, line = &source, 1
	}
	var f *failure
	if errors.As(err, &f) {
		err = f
	} else {
		err = r.explain(action, message)
	}
	r.Report(*at, line, err)
}

// innermost takes apart the error of the template where execution stopped. at is nil when it is not known.
func (r *Renderer) innermost(err error) (at *config.Template, line int, action, message string) {
	message = err.Error()
	var inner template.ExecError
	for errors.As(err, &inner) {
		message = inner.Error()
		err = inner.Err
	}
	m := match(executionError, message)
	if m == nil {
		return nil, 0, "", message
	}
	n, _ := strconv.Atoi(m[1])
	line, _ = strconv.Atoi(m[2])
	return &r.sources[n], line, m[3], m[4]
}

// explain puts an error of text/template or of a function in it into an operator's words, without the values that it
// was about.
func (r *Renderer) explain(action, message string) error {
	if m := match(callError, message); m != nil {
		return Fail(m[1]+": "+r.redact(strings.TrimPrefix(m[2], "runtime error: ")), "")
	}
	if m := match(missingKey, message); m != nil {
		if err := r.unknown(action, m[1], ""); err != nil {
			return err
		}
		return Fail("there is no key "+strconv.Quote(m[1]), cmp.Or(r.fieldHint(m[1]), r.keyHint(m[1])))
	}
	if m := match(missingField, message); m != nil {
		if err := r.unknown(action, m[1], m[2]); err != nil {
			return err
		}
		return Fail(message, r.fieldHint(m[1]))
	}
	if m := match(noData, message); m != nil {
		return Fail("there is no value that could have ."+m[1],
			`a template gets its data when it is called with a dot: {{ template "name" . }}`)
	}
	if m := match(withValue, message); m != nil {
		return Fail("range "+m[1]+" this value", "it takes a list, a map or a number")
	}
	return Fail(message, "")
}

func (r *Renderer) unknown(action, key, goType string) error {
	if r.options.Unknown == nil {
		return nil
	}
	return r.options.Unknown(action, key, goType)
}

func (r *Renderer) keyHint(key string) string {
	if r.options.KeyHint == nil {
		return ""
	}
	return r.options.KeyHint(key)
}

// fieldHint is for a field of the data that is looked for elsewhere.
func (r *Renderer) fieldHint(name string) string {
	of := func(field string) bool { return field == "."+name || strings.HasPrefix(field, "."+name+".") }
	if !slices.ContainsFunc(r.options.Fields, of) {
		return ""
	}
	return "inside of range and with, and in a definition, the dot can be another value; $." + name +
		" is that of the template's data"
}

// redact takes out of a foreign error what may be a value: everything in quotes, and everything that is hidden, unless the
// templates themselves spell it.
func (r *Renderer) redact(message string) string {
	const shortest = 4 // shorter values are no secrets, but parts of words
	message = regexp.MustCompile(inQuotes).ReplaceAllStringFunc(message, func(text string) string {
		if r.spelled(text[1 : len(text)-1]) {
			return text
		}
		return "…"
	})
	if r.options.Hidden == nil {
		return message
	}
	// The longest first, since they may contain others.
	byLength := func(a, b string) int { return cmp.Or(len(b)-len(a), strings.Compare(a, b)) }
	for _, value := range slices.SortedFunc(slices.Values(r.options.Hidden()), byLength) {
		if len(value) >= shortest && !r.spelled(value) {
			message = strings.ReplaceAll(message, value, "…")
		}
	}
	return message
}

func (r *Renderer) spelled(text string) bool {
	return slices.ContainsFunc(r.sources, func(t config.Template) bool { return strings.Contains(t.Text, text) })
}

func (r *Renderer) unknownFunction(name string) error {
	if why := withheld[name]; why != "" {
		return Fail("function "+strconv.Quote(name)+" is not available: "+why,
			"put the value into a Secret or a ConfigMap and read it with env or readFile")
	}
	names := append(slices.Sorted(maps.Keys(r.funcs)), builtins...)
	return Fail("there is no function "+strconv.Quote(name), hint.DidYouMean(name, names))
}

func (r *Renderer) undefined(name string, own map[string]*parse.Tree) error {
	names := slices.Collect(maps.Keys(own))
	for _, t := range r.set.Templates() {
		names = append(names, t.Name())
	}
	names = slices.DeleteFunc(names, func(name string) bool { return strings.HasPrefix(name, "#") })
	slices.Sort(names)
	remedy := hint.DidYouMean(name, names)
	if remedy == "" {
		remedy = "define it in " + r.common + `: {{ define ` + strconv.Quote(name) + ` }}…{{ end }}`
	}
	return Fail("there is no template "+strconv.Quote(name), remedy)
}
