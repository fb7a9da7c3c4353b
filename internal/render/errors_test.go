package render_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/kubevali/kubevali/internal/config"
	"github.com/kubevali/kubevali/internal/render"
)

// The values that must never show in an error.
var secrets = map[string]string{"SECRET": "hunter2-hunter2", "URL": "pg://me:hunter2-hunter2@%zz", "NUMBER": "987654321"}

func TestTemplateErrors(t *testing.T) {
	tests := []struct {
		template string
		wants    []string
	}{
		// Syntax.
		{`{{ add 1 }`, []string{`unexpected "}" in operand`, "lacks its }}"}},
		{`{{ if true }}x`, []string{"unexpected EOF", "lacks its {{ end }}"}},
		{"one\ntwo {{ end }}\nthree", []string{"kubevali.yaml:9:", "unexpected {{end}}", "\n    two {{ end }}"}},
		{"{{ add 1\n2", []string{"unclosed action started at line 8"}},
		{`{{ $x }}`, []string{`undefined variable "$x"`}},
		{`{{ }}`, []string{"missing value for command"}},
		{`{{ define "a" }}1{{ end }}{{ define "a" }}2{{ end }}`, []string{`multiple definition of template "a"`}},

		// What does not exist.
		{`{{ ad 1 2 }}`, []string{`there is no function "ad" (did you mean "add"?)`}},
		{`{{ podordinal "a-1" }}`, []string{`did you mean "podOrdinal"?`}},
		{`{{ xyzzyplugh }}`, []string{`there is no function "xyzzyplugh"`}},
		{`{{ _spend 1 }}`, []string{`there is no function "_spend"`}},
		{`{{ genCA "x" 1 }}`, []string{`function "genCA" is not available`, "dry run"}},
		{`{{ template "prot" . }}`, []string{`there is no template "prot" (did you mean "port"?)`}},
		{`{{ include "nothing" . }}`, []string{`there is no template "nothing"`, "commonTemplate"}},
		{`{{ include (print "pro" "t") . }}`, []string{`there is no template "prot" (did you mean "port"?)`}},
		{`{{ if false }}{{ template "prot" . }}{{ end }}`, []string{`there is no template "prot"`}},
		{`{{ .Env.MISSING }}`, []string{"the environment variable MISSING is not set", `{{ env "MISSING" }}`}},
		{`{{ $.Env.MISSING }}`, []string{"the environment variable MISSING is not set"}},
		{`{{ (dict "a" 1).b }}`, []string{`there is no key "b"`}},
		{`{{ .Indx }}`, []string{`there is no .Indx (did you mean ".Index"?)`}},
		{`{{ .Pod.Nmae }}`, []string{`there is no .Pod.Nmae (did you mean ".Pod.Name"?)`}},
		{`{{ .Something }}`, []string{"there is no .Something (there are .Index, "}},
		{`{{ range until 3 }}{{ .Index }}{{ end }}`, []string{"can't evaluate field Index in type int", "$.Index"}},
		{`{{ template "port" }}`, []string{"commonTemplate: there is no value that could have .Index", `{{ template "name" . }}`}},
		{`{{ template "port" (dict "a" 1) }}`, []string{`there is no key "Index"`, "$.Index"}},

		// No text.
		{`{{ first (list) }}`, []string{"there is no value to print"}},
		{`{{ index (list nil) 0 }}`, []string{"there is no value to print"}},
		{`{{ coalesce "" 0 }}`, []string{"there is no value to print"}},
		{`{{ . }}`, []string{"a group of values", ".Pod.Name"}},
		{`{{ .Pod }}`, []string{"a group of values"}},

		// What functions refuse.
		{`{{ fail "stop here" }}`, []string{"nodeTemplate.env.VALUE: stop here\n"}},
		{`{{ required "COLOR is needed" (env "COLOR") }}`, []string{"COLOR is needed"}},
		{`{{ include "failing" . }}`, []string{"kubevali.yaml:2:1: commonTemplate: from within", `{{ fail "from within" }}`}},
		{`{{ podOrdinal "laptop" }}`, []string{`pod name "laptop" does not end in an ordinal`}},
		{`{{ podOrdinal "a-99999999999999999999" }}`, []string{"does not end in an ordinal"}},
		{`{{ podOrdinal "a-+5" }}`, []string{"does not end in an ordinal"}},
		{`{{ readFile "/no/such/file" }}`, []string{"cannot read /no/such/file: no such file or directory"}},
		{`{{ readFile "/" }}`, []string{"cannot read /: it is not a regular file"}},
		{`{{ readFile "/dev/zero" }}`, []string{"cannot read /dev/zero: it is not a regular file"}},
		{`{{ getHostByName "nowhere" }}`, []string{"cannot look up the host: no such host"}},
		{`{{ printf "%02d" .Env.SECRET }}`, []string{"printf: the arguments do not fit the format"}},
		{`{{ printf "%s %s" "x" }}`, []string{"printf: the arguments do not fit the format"}},
		{`{{ div 1 0 }}`, []string{"VALUE: div: integer divide by zero"}},
		{`{{ substr 5 2 "abc" }}`, []string{"VALUE: substr: slice bounds out of range"}},
		{`{{ concat 1 }}`, []string{"concat: Cannot concat type int as list"}},
		{`{{ until "3" }}`, []string{"expected integer"}},
		{`{{ randHex -1 }}`, []string{"must not be negative"}},
		{`{{ randInt 5 5 }}`, []string{"must be larger"}},
		{`{{ date "2006" "yesterday" }}`, []string{"expected a date"}},
		{`{{ dateInZone "2006" 0 "No/Where" }}`, []string{`there is no time zone "No/Where"`}},
		{`{{ getRandomNodeIP }}`, []string{"the Kubernetes API cannot be asked here"}},
		{`{{ nodeExternalIP }}`, []string{"the Kubernetes API cannot be asked here"}},
		{`{{ .Service.Address }}`, []string{"this pod has no Service of its own", "nodeService.enabled"}},
		{`{{ .Service.Adress }}`, []string{"this pod has no Service of its own"}},
		{`{{ .Servce.Address }}`, []string{"there is no .Servce"}},
		{"a\x00b", []string{"contains a NUL byte"}},
		{`{{ "a\x00b" }}`, []string{"contains a NUL byte"}},

		// What must not show.
		{`{{ range .Env.SECRET }}{{ end }}`, []string{"range can't iterate over this value"}},
		{`{{ range $a, $b := atoi .Env.NUMBER }}{{ end }}`, []string{"range can't use this value"}},
		{`{{ mustToDate "2006" .Env.SECRET }}`, []string{`mustToDate: parsing time … as "2006"`}},
		{`{{ mustRegexMatch "(" .Env.SECRET }}`, []string{"mustRegexMatch: error parsing regexp: missing closing ): `(`"}},
		{`{{ mustRegexMatch (print "(" .Env.SECRET) "x" }}`, []string{"mustRegexMatch: error parsing regexp: missing closing ): …"}},
		{`{{ urlParse .Env.URL }}`, []string{"urlParse: unable to parse url"}},
		{`{{ mustToDate "2006" (.Env.SECRET | upper | b64enc) }}`, []string{"mustToDate: parsing time …"}},
		{`{{ get .Env.SECRET "x" }}`, []string{"wrong type for value"}},
	}
	for _, test := range tests {
		t.Run(test.template, func(t *testing.T) {
			cfg := configFor(test.template)
			cfg.CommonTemplate = config.Template{
				Text:      "{{ define \"port\" }}{{ add 30333 .Index }}{{ end }}\n{{ define \"failing\" }}{{ fail \"from within\" }}{{ end }}",
				At:        config.Position{File: "kubevali.yaml", Line: 1, Column: 3, Path: "commonTemplate"},
				FirstLine: 1,
			}
			facts := sts2()
			for name, value := range secrets {
				facts.Env[name] = value
			}
			_, err := render.Render(cfg, facts)
			text := fmt.Sprint(err)
			expectText(t, text, append(test.wants, "kubevali.yaml:")...)
			for _, noise := range []string{"template:", "executing", "#0", "#1", "error calling", "<no value>", "goroutine"} {
				if strings.Contains(text, noise) {
					t.Errorf("%q is in\n%s", noise, text)
				}
			}
			for _, secret := range secrets {
				if strings.Contains(strings.ToLower(text), secret) {
					t.Errorf("the error shows a secret:\n%s", text)
				}
			}
		})
	}
}

func TestPositionsAndSources(t *testing.T) {
	const file = `commonTemplate: |
  {{ define "bad" }}
  {{ .Env.NOT_THERE }}
  {{ end }}
nodeTemplate:
  command:
    - node
    - '{{ fail "in the command" }}'
  args:
    flag: '{{ fail "in an argument" }}'
    list:
      - fine
      - '{{ fail "in a list" }}'
    block: |
      first line
      second {{ fail "in a block" }}
    used: '{{ include "bad" . }}'
    again: '{{ template "bad" . }}'
`
	_, err := render.Render(parse(t, file), sts2())
	const want = `kubevali.yaml:3:3: commonTemplate: the environment variable NOT_THERE is not set ({{ env "NOT_THERE" }} gives an empty text instead)
    {{ .Env.NOT_THERE }}
kubevali.yaml:8:7: nodeTemplate.command[1]: in the command
    {{ fail "in the command" }}
kubevali.yaml:10:11: nodeTemplate.args.flag: in an argument
    {{ fail "in an argument" }}
kubevali.yaml:13:9: nodeTemplate.args.list[1]: in a list
    {{ fail "in a list" }}
kubevali.yaml:16:7: nodeTemplate.args.block: in a block
    second {{ fail "in a block" }}`
	if got := fmt.Sprint(err); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestErrorsDoNotQuoteAHealthcheckID(t *testing.T) {
	const id = "5f9c8f3e-0000-4000-8000-00000000000"
	_, err := render.Render(parse(t, `
nodeTemplate: {command: [node]}
watchlog: {enabled: true, keyword: x, healthcheckID: '`+id+`{{ .Env.NONE }}'}
`), sts2())
	text := fmt.Sprint(err)
	expectText(t, text, "kubevali.yaml:3:54: watchlog.healthcheckID: the environment variable NONE is not set")
	if strings.Contains(text, id[4:]) {
		t.Errorf("the error shows the ID: %s", text)
	}
}

func TestAllErrorsAtOnce(t *testing.T) {
	expectErrors(t, `
nodeTemplate:
  index: '{{ fail "the index" }}'
  command: [node, '{{ .Index }}', '{{ bad1 }} {{ bad2 }}', '{{ if }}']
  env: {A: '{{ fail "the variable" }}'}
  workingDir: '{{ fail "the folder" }}'
  files:
    - {path: '{{ fail "the path" }}', content: '{{ fail "the content" }}'}
nodeService: {enabled: true, nodePortTemplate: '{{ fail "the port" }}'}
watchlog: {enabled: true, keyword: x, files: ['{{ fail "the log" }}'], healthcheckID: '{{ fail "the check" }}'}
monitor: {listen: '{{ fail "the address" }}'}
`, sts2(), "the index", `"bad1"`, `"bad2"`, "missing value for if", "the variable", "the folder", "the path", "the content",
		"the port", "the log", "the check", "the address")
}

func TestWhatFailedOnceIsReportedOnce(t *testing.T) {
	_, err := render.Render(parse(t, `
nodeTemplate:
  index: '{{ fail "the index" }}'
  command: [node, '{{ .Index }}', '{{ .Index }}']
`), sts2())
	found := config.Errors(nil)
	if !errors.As(err, &found) || len(found) != 1 {
		t.Errorf("got %v, want one error", err)
	}
}

func TestABrokenCommonTemplateDoesNotHideOtherSyntaxErrors(t *testing.T) {
	expectErrors(t, `
commonTemplate: '{{ define "a" }}'
nodeTemplate:
  command: [node, '{{ template "a" . }}', '{{ if }}']
`, sts2(), "commonTemplate: unexpected EOF", "nodeTemplate.command[2]: missing value for if")
}

func TestValueErrors(t *testing.T) {
	const node = "nodeTemplate: {command: [node]}\n"
	tests := []struct {
		name, file string
		facts      render.Facts
		wants      []string
	}{
		{"index is a word", "nodeTemplate: {index: '{{ env \"COLOUR\" }}', command: [node]}", sts2(),
			[]string{`nodeTemplate.index: expected a number from 0`, `but this is "blue"`}},
		{"index is negative", "nodeTemplate: {index: '{{ sub 1 .Index }}', command: [node]}", sts2(), []string{`but this is "-1"`}},
		{"index is empty", "nodeTemplate: {index: '{{ env \"NONE\" }}', command: [node]}", sts2(), []string{`but this is ""`}},
		{"index is huge", "nodeTemplate: {index: 99999999999999999999, command: [node]}", sts2(), []string{`"99999999999999999999"`}},
		{"index is long", "nodeTemplate: {index: '{{ repeat 1000 \"x\" }}', command: [node]}", sts2(), []string{`xxx…"`}},
		{"no pod", "nodeTemplate: {command: [node, '{{ .Index }}']}", render.Facts{},
			[]string{"neither POD_NAME nor HOSTNAME is set", "set POD_NAME"}},
		{"pod without ordinal", "nodeTemplate: {command: [node, '{{ .Index }}']}",
			render.Facts{Pod: "node-x7b2k", Env: map[string]string{"POD_NAME": "node-x7b2k"}},
			[]string{`"node-x7b2k" does not end in an ordinal`, "nodeTemplate.index"}},
		{"host network", "nodeTemplate: {command: [node, '{{ .Index }}']}",
			render.Facts{Pod: "machine", Env: map[string]string{"HOSTNAME": "machine"}},
			[]string{"on the host network is the machine's name", "set POD_NAME"}},
		{"no pod name", "nodeTemplate: {command: [node, '{{ .Pod.Name }}']}", render.Facts{}, []string{"the pod's name is not known", "POD_NAME"}},
		{"no node name", "nodeTemplate: {command: [node, '{{ .Node.Name }}']}", render.Facts{}, []string{"NODE_NAME"}},
		{"empty program", "nodeTemplate: {command: ['{{ env \"NONE\" }}', --flag]}", sts2(), []string{"command[0]: the program's name is empty"}},
		{"empty path", "nodeTemplate: {command: [node], files: [{path: '{{ env \"NONE\" }}', content: x}]}", sts2(), []string{"files[0].path: the path is empty"}},
		{"same path twice", "nodeTemplate: {command: [node], files: [{path: /a/2, content: x}, {path: '/a//{{ .Index }}', content: y}]}", sts2(),
			[]string{"files[1].path: two files have the path"}},
		{"port is a word", node + "nodeService: {enabled: true, nodePortTemplate: '{{ .Pod.Name }}'}", sts2(), []string{"nodePortTemplate: expected a number from 1 to 65535", `"sts-2"`}},
		{"port is too large", node + "nodeService: {enabled: true, nodePortTemplate: '{{ add 65534 .Index }}'}", sts2(), []string{`"65536"`}},
		{"address without port", node + "monitor: {listen: 'localhost{{ .Index }}'}", sts2(), []string{"monitor.listen: expected :port or host:port"}},
		{"address with a bad port", node + "monitor: {listen: ':{{ add 65534 .Index }}'}", sts2(), []string{`":65536"`}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { expectErrors(t, test.file, test.facts, test.wants...) })
	}
}
