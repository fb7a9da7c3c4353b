package plan_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/kubevali/kubevali/internal/config"
	"github.com/kubevali/kubevali/internal/facts"
)

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
	_, err := sts2().make(parse(t, file))
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
	_, err := sts2().make(parse(t, `
nodeTemplate: {command: [node]}
watchlog: {enabled: true, keyword: x, healthcheckID: '`+id+`{{ .Env.NONE }}'}
`))
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
	_, err := sts2().make(parse(t, `
nodeTemplate:
  index: '{{ fail "the index" }}'
  command: [node, '{{ .Index }}', '{{ .Index }}']
`))
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
		w          world
		wants      []string
	}{
		{"index is a word", "nodeTemplate: {index: '{{ env \"COLOUR\" }}', command: [node]}", sts2(),
			[]string{`nodeTemplate.index: expected a number from 0`, `but this is "blue"`}},
		{"index is negative", "nodeTemplate: {index: '{{ sub 1 .Index }}', command: [node]}", sts2(), []string{`but this is "-1"`}},
		{"index is empty", "nodeTemplate: {index: '{{ env \"NONE\" }}', command: [node]}", sts2(), []string{`but this is ""`}},
		{"index is huge", "nodeTemplate: {index: 99999999999999999999, command: [node]}", sts2(), []string{`"99999999999999999999"`}},
		{"index is long", "nodeTemplate: {index: '{{ repeat 1000 \"x\" }}', command: [node]}", sts2(), []string{`xxx…"`}},
		{"no pod", "nodeTemplate: {command: [node, '{{ .Index }}']}", nowhere(),
			[]string{"neither POD_NAME nor HOSTNAME is set", "set POD_NAME"}},
		{"pod without ordinal", "nodeTemplate: {command: [node, '{{ .Index }}']}",
			world{Facts: facts.Facts{Pod: "node-x7b2k", Env: map[string]string{"POD_NAME": "node-x7b2k"}}},
			[]string{`"node-x7b2k" does not end in an ordinal`, "nodeTemplate.index"}},
		{"host network", "nodeTemplate: {command: [node, '{{ .Index }}']}",
			world{Facts: facts.Facts{Pod: "machine", Env: map[string]string{"HOSTNAME": "machine"}}},
			[]string{"on the host network is the machine's name", "set POD_NAME"}},
		{"no pod name", "nodeTemplate: {command: [node, '{{ .Pod.Name }}']}", nowhere(), []string{"the pod's name is not known", "POD_NAME"}},
		{"no node name", "nodeTemplate: {command: [node, '{{ .Node.Name }}']}", nowhere(), []string{"there is no cluster here", "go where one is"}},
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
		t.Run(test.name, func(t *testing.T) { expectErrors(t, test.file, test.w, test.wants...) })
	}
}
