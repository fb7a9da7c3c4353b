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

// errReported is given to templates that use what has failed already and been reported.
var errReported = errors.New("reported before")

// The forms of text/template's errors: "template: #n:line: message" when parsing, and when executing
// "template: #n:line:column: executing name at <action>: message".
const (
	parseError      = `(?s)^template: #\d+:(\d+): (.*)$`
	executionError  = `(?s)^template: #(\d+):(\d+):\d+: executing .*? at <(.*?)>: (.*)$`
	ownName         = `#\d+:(\d+)`
	callError       = `(?s)^error calling (\w+): (.*)$`
	missingOwnField = `^can't evaluate field \w+ in type \*?render\.`
	missingField    = `^can't evaluate field (\w+) in type`
	missingKey      = `^map has no entry for key "(.*)"$`
	noData          = `^nil data; no entry for key "(.*)"$`
	withValue       = `^(?:range )?(can't iterate over|can't use) `
	inQuotes        = `"(?:[^"\\]|\\.)*"|` + "`[^`]*`"
)

// match compiles its pattern each time, since there is no time for that when all is well.
func match(pattern, text string) []string {
	return regexp.MustCompile(pattern).FindStringSubmatch(text)
}

// report collects an error about a line of a template, unless it has been reported: templates that many keys use fail
// many times.
func (e *engine) report(source config.Template, line int, err error) {
	finding := &config.Error{At: source.Position(line), Message: err.Error()}
	if source.At.Path != secretKey {
		finding.Source = lineText(source.Text, line)
	}
	var f *failure
	if errors.As(err, &f) {
		finding.Hint = f.hint
	}
	e.collect(finding)
}

// collect adds an error to the others, unless it is there already.
func (e *engine) collect(finding *config.Error) {
	known := func(other *config.Error) bool { return *other == *finding }
	switch {
	case slices.ContainsFunc(e.errs, known):
	case len(e.errs) < maxErrors:
		e.errs = append(e.errs, finding)
	case len(e.errs) == maxErrors:
		message := fmt.Sprintf("the templates have more than %d errors, the first of which are:", maxErrors)
		e.errs = append(e.errs, &config.Error{At: config.Position{File: finding.At.File}, Message: message})
	}
}

const (
	// maxErrors bounds what one file can make us say.
	maxErrors = 100
	// secretKey is the one template whose text can be a secret.
	secretKey = "watchlog.healthcheckID"
)

// full reports whether further errors would not be collected.
func (e *engine) full() bool { return len(e.errs) > maxErrors }

func lineText(text string, line int) string {
	for range line - 1 {
		_, text, _ = strings.Cut(text, "\n")
	}
	text, _, _ = strings.Cut(text, "\n")
	return text
}

// reportParse collects an error of parse.Tree.Parse.
func (e *engine) reportParse(source config.Template, err error) {
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
	e.report(source, line, &failure{message, parseHint(message)})
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

// reportExecution collects an error of template.Execute. It is reported for the innermost place, such as a definition in
// commonTemplate, since that is what must be mended, and once, however many templates use it.
func (e *engine) reportExecution(source config.Template, err error) {
	if errors.Is(err, errReported) || errors.Is(err, errSteps) && e.exhausted {
		return
	}
	if e.reportedBefore(err) {
		return
	}
	e.exhausted = e.exhausted || errors.Is(err, errSteps)
	at, line, action, message := e.innermost(err)
	if at == nil {
		at, line = &source, 1
	}
	var f *failure
	if !errors.As(err, &f) {
		f = e.explain(action, message)
	}
	e.report(*at, line, f)
}

// reportedBefore recognizes what went wrong with the cluster: one report is enough, however many templates it is in the
// way of.
func (e *engine) reportedBefore(err error) bool {
	var f *failure
	if !errors.As(err, &f) || !slices.Contains(e.lookups.problems, f) {
		return false
	}
	before := slices.Contains(e.lookupErrs, f)
	e.lookupErrs = append(e.lookupErrs, f)
	return before
}

// innermost takes apart the error of the template where execution stopped. at is nil when it is not known.
func (e *engine) innermost(err error) (at *config.Template, line int, action, message string) {
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
	return &e.sources[n], line, m[3], m[4]
}

// explain puts an error of text/template or of a function in it into an operator's words, without the values that it
// was about.
func (e *engine) explain(action, message string) *failure {
	if m := match(callError, message); m != nil {
		return &failure{m[1] + ": " + e.redact(strings.TrimPrefix(m[2], "runtime error: ")), ""}
	}
	if m := match(missingKey, message); m != nil {
		if e.secrets.isVariable(m[1]) {
			return refuseVariable(m[1])
		}
		if strings.HasSuffix(action, ".Env."+m[1]) {
			return &failure{"the environment variable " + m[1] + " is not set",
				`{{ env "` + m[1] + `" }} gives an empty text instead`}
		}
		return &failure{"there is no key " + strconv.Quote(m[1]), cmp.Or(fieldHint(m[1]), peerHint(m[1]))}
	}
	if match(missingOwnField, message) != nil {
		hint := hint.DidYouMean(action, fieldNames)
		if hint == "" {
			hint = "there are " + strings.Join(fieldNames, ", ")
		}
		return &failure{"there is no " + action, hint}
	}
	if m := match(missingField, message); m != nil {
		return &failure{message, fieldHint(m[1])}
	}
	if m := match(noData, message); m != nil {
		return &failure{"there is no value that could have ." + m[1],
			`a template gets its data when it is called with a dot: {{ template "name" . }}`}
	}
	if m := match(withValue, message); m != nil {
		return &failure{"range " + m[1] + " this value", "it takes a list, a map or a number"}
	}
	return &failure{message, ""}
}

// fieldHint is for a field of data that is looked for elsewhere.
func fieldHint(name string) string {
	if !slices.Contains([]string{"Index", "Pod", "Node", "Env", "Service"}, name) {
		return ""
	}
	return "inside of range and with, and in a definition, the dot can be another value; $." + name +
		" is that of the template's data"
}

// redact takes out of a foreign error what may be a value: everything in quotes, and everything from the environment,
// unless the templates themselves spell it.
func (e *engine) redact(message string) string {
	const shortest = 4 // shorter values are no secrets, but parts of words
	message = regexp.MustCompile(inQuotes).ReplaceAllStringFunc(message, func(text string) string {
		if e.spelled(text[1 : len(text)-1]) {
			return text
		}
		return "…"
	})
	// The longest first, since they may contain others.
	byLength := func(a, b string) int { return cmp.Or(len(b)-len(a), strings.Compare(a, b)) }
	for _, value := range slices.SortedFunc(maps.Values(e.facts.Env), byLength) {
		if len(value) >= shortest && !e.spelled(value) {
			message = strings.ReplaceAll(message, value, "…")
		}
	}
	return message
}

func (e *engine) spelled(text string) bool {
	return slices.ContainsFunc(e.sources, func(t config.Template) bool { return strings.Contains(t.Text, text) })
}

func (e *engine) unknownFunction(name string) *failure {
	if slices.Contains(withheld, name) {
		return &failure{"function " + strconv.Quote(name) + " is not available: each call gives something else, so a dry " +
			"run could not show what a run does", "put the value into a Secret and read it with env or readFile"}
	}
	names := append(slices.Sorted(maps.Keys(e.funcs)), builtins...)
	return &failure{"there is no function " + strconv.Quote(name), hint.DidYouMean(name, names)}
}

func (e *engine) undefined(name string, own map[string]*parse.Tree) *failure {
	names := slices.Collect(maps.Keys(own))
	for _, t := range e.set.Templates() {
		names = append(names, t.Name())
	}
	names = slices.DeleteFunc(names, func(name string) bool { return strings.HasPrefix(name, "#") })
	slices.Sort(names)
	hint := hint.DidYouMean(name, names)
	if hint == "" {
		hint = `define it in commonTemplate: {{ define ` + strconv.Quote(name) + ` }}…{{ end }}`
	}
	return &failure{"there is no template " + strconv.Quote(name), hint}
}
