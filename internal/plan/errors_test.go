package plan_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/kubevali/kubevali/internal/config"
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
		{`{{ _enter }}`, []string{`there is no function "_enter"`}},
		{`{{ genCA "x" 1 }}`, []string{`function "genCA" is not available`, "dry run"}},
		{`{{ now | date "2006" }}`, []string{`function "now" is not available`, `function "date" is not available`, "cannot tell the time"}},
		{`{{ getHostByName "nowhere" }}`, []string{`function "getHostByName" is not available`, "do not reach the network"}},
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
		{`{{ readFile "/" }}`, []string{"cannot read /: it is a folder"}},
		{`{{ readFile "/dev/zero" }}`, []string{"cannot read /dev/zero: it is a device, pipe or socket"}},
		{`{{ printf "%02d" .Env.SECRET }}`, []string{"printf: the arguments do not fit the format"}},
		{`{{ printf "%s %s" "x" }}`, []string{"printf: the arguments do not fit the format"}},
		{`{{ div 1 0 }}`, []string{"VALUE: div: integer divide by zero"}},
		{`{{ substr 5 2 "abc" }}`, []string{"VALUE: substr: slice bounds out of range"}},
		{`{{ concat 1 }}`, []string{"concat: Cannot concat type int as list"}},
		{`{{ until "3" }}`, []string{"expected integer"}},
		{`{{ randHex -1 }}`, []string{"must not be negative"}},
		{`{{ randInt 5 5 }}`, []string{"must be larger"}},
		{`{{ getRandomNodeIP }}`, []string{"there is no cluster here (go where one is)"}},
		{`{{ nodeExternalIP }}`, []string{"there is no cluster here (go where one is)"}},
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
			w := sts2()
			for name, value := range secrets {
				w.Env[name] = value
			}
			_, err := w.make(cfg)
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
