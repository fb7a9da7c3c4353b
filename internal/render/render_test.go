package render_test

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/Masterminds/sprig/v3"

	"github.com/kubevali/kubevali/internal/config"
	"github.com/kubevali/kubevali/internal/render"
)

const readme = `
nodeTemplate:
  index: '{{ env "HOSTNAME" | splitList "-" | mustLast }}'
  command:
    - darwinia
    - --validator
  args:
    name: '[KUBE-VALI] Development {{ printf "%02d" .Index }}'
    port: '{{ add 30333 .Index }}'
    rpc-port: '{{ add 9933 .Index }}'
    ws-port: '{{ add 9944 .Index }}'
`

func TestReadme(t *testing.T) {
	facts, err := render.FactsFromEnviron([]string{"HOSTNAME=sts-pod-2"})
	if err != nil {
		t.Fatal(err)
	}
	plan := mustRender(t, readme, facts)
	if plan.Index == nil || *plan.Index != 2 {
		t.Errorf("index %v, want 2", plan.Index)
	}
	const shell = `darwinia --validator --name '[KUBE-VALI] Development 02' --port 30335 --rpc-port 9935 --ws-port 9946`
	if got := plan.ShellCommand(); got != shell {
		t.Errorf("shell command\n%s\nwant\n%s", got, shell)
	}
	const quoted = `"darwinia" "--validator" "--name" "[KUBE-VALI] Development 02" "--port" "30335" "--rpc-port" "9935" "--ws-port" "9946"`
	if got := plan.QuotedCommand(); got != quoted {
		t.Errorf("quoted command\n%s\nwant\n%s", got, quoted)
	}
}

// value is what one template gives for pod sts-2 of namespace chains.
func TestTemplates(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("s3cr3t\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct{ template, want string }{
		{`plain`, "plain"},
		{`}} not a template {`, "}} not a template {"},
		{`{{ .Index }}`, "2"},
		{`{{ $.Index }}`, "2"},
		{`{{ .Pod.Name }} {{ .Pod.Namespace }} {{ .Node.Name }}`, "sts-2 chains machine-7"},
		{`{{ .Env.COLOUR }}`, "blue"},
		{`{{ .Env.EMPTY }}|`, "|"},
		{`{{ env "COLOUR" }}{{ env "MISSING" }}`, "blue"},
		{`{{ expandenv "$COLOUR-${COLOUR}-$MISSING" }}`, "blue-blue-"},
		{`{{ hasKey .Env "MISSING" }} {{ get .Env "COLOUR" }}`, "false blue"},
		{`{{ with .Env }}{{ $.Index }}{{ .COLOUR }}{{ end }}`, "2blue"},
		{`{{ podOrdinal "other-pod-12" }}`, "12"},
		{`{{ "other-pod-12" | podOrdinal | add 1 }}`, "13"},
		{`{{ readFile "` + secret + `" | trim }}`, "s3cr3t"},
		{`{{ required "needed" .Env.COLOUR }}`, "blue"},
		{`{{ template "port" . }}`, "30335"},
		{`{{ include "port" . | add 1 }}`, "30336"},
		{`{{ define "own" }}own {{ template "port" . }}{{ end }}{{ template "own" . }}`, "own 30335"},
		{`{{ define "port" }}mine{{ end }}{{ template "port" . }}`, "mine"},
		{`{{ block "inline" . }}{{ .Index }}{{ end }}`, "2"},
		{`{{ include "peers" . }}`, "sts-0,sts-1,sts-2"},
		{`{{ range $i := until 3 }}{{ if eq $i 2 }}{{ break }}{{ end }}{{ $i }}{{ end }}`, "01"},
		{`{{ range 3 }}{{ if eq . 1 }}{{ continue }}{{ end }}{{ . }}{{ else }}none{{ end }}`, "02"},
		{`{{ range (list) }}x{{ else }}none{{ end }}`, "none"},
		{`{{ $x := 1 }}{{ $x = 2 }}{{ $x }}`, "2"},
		{`{{ if and true (or false "x") }}yes{{ else if false }}no{{ end }}`, "yes"},
		{`{{ first (list) | default "none" }}`, "none"},
		{`{{ keys (dict "b" 1 "a" 2 "c" 3) | join "," }}`, "a,b,c"},
		{`{{ values (dict "b" 1 "a" 2 "c" 3) | join "," }}`, "2,1,3"},
		{`{{ printf "%s:%d %v" "a" 5 true }} {{ print 1 2 }} {{ println "x" }}`, "a:5 true 1 2 x\n"},
		{`{{ printf "100%% %s" "%!d(x)" }}`, "100% %!d(x)"},
		{`{{ html "<a>" }}{{ js "'" }}{{ urlquery "a b" }}`, "&lt;a&gt;\\'a+b"},
		{`{{ index (list "a" "b") 1 }}{{ len "abc" }}{{ slice (list 1 2 3) 1 | join "" }}`, "b323"},
		{`{{ toJson (dict "b" 1 "a" (list 1 "x")) }}`, `{"a":[1,"x"],"b":1}`},
		{`{{ seq 1 2 5 }}|{{ seq 3 }}|{{ untilStep 0 10 3 | join "," }}`, "1 3 5|1 2 3|0,3,6,9"},
		{`{{ indent 2 "a\nb" }}{{ repeat 3 "x" }}{{ replace "a" "bb" "aca" }}`, "  a\n  bxxxbbcbb"},
		{`{{ regexReplaceAll "a(x*)b" "-axxb-" "${1}W" }}`, "-xxW-"},
		{`{{ now | date "2006-01-02T15:04:05Z07:00" }}`, "2026-01-02T03:04:05Z"},
		{`{{ now | unixEpoch }} {{ htmlDate 0 }} {{ dateInZone "15h" 3600 "UTC" }}`, "1767323045 1970-01-01 01h"},
		{`{{ ago (now | date_modify "-90s") }} {{ durationRound (now | date_modify "-2h") }}`, "1m30s 2h"},
		{`{{ getHostByName "boot" }}`, "10.0.0.1"},
		{`{{ b64enc "x" }} {{ sha256sum "" | trunc 8 }} {{ "A" | lower }}`, "eA== e3b0c442 a"},
		{`{{/* a comment */}}x`, "x"},
		{`  {{- " x " -}}  `, " x "},
		{`{{ . | printf "%T" | len | lt 0 }}`, "true"},
	}
	for _, test := range tests {
		t.Run(test.template, func(t *testing.T) {
			cfg := configFor(test.template)
			cfg.CommonTemplate = config.Template{Text: `
				{{- define "port" -}}{{ add 30333 .Index }}{{- end -}}
				{{- define "peers" -}}
					{{- range $i := until 3 }}{{ if $i }},{{ end }}sts-{{ $i }}{{ end -}}
				{{- end -}}`}
			plan, err := render.Render(cfg, sts2())
			if err != nil {
				t.Fatal(err)
			}
			if got := plan.Env[0].Value; got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestRandomFunctions(t *testing.T) {
	tests := []struct{ template, pattern string }{
		{`{{ randHex 32 }}`, `^[0-9a-f]{64}$`},
		{`{{ randHex 0 }}x`, `^x$`},
		{`{{ randAlphaNum 200 }}`, `^[0-9a-zA-Z]{200}$`},
		{`{{ randAlpha 200 }}`, `^[a-zA-Z]{200}$`},
		{`{{ randNumeric 200 }}`, `^[0-9]{200}$`},
		{`{{ randAscii 200 }}`, `^[ -~]{200}$`},
		{`{{ randBytes 6 }}`, `^[0-9a-zA-Z+/]{8}$`},
		{`{{ randInt 10 1000000000 }}`, `^[1-9][0-9]{1,8}$`},
		{`{{ randInt -9223372036854775808 9223372036854775807 }}`, `^-?[0-9]+$`},
		{`{{ uuidv4 }}`, `^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`},
		{`{{ shuffle "abcdefghijklmnopqrstuvwxyzäöü" }}`, `^[a-zäöü]{29}$`},
	}
	for _, test := range tests {
		t.Run(test.template, func(t *testing.T) {
			value := func(f render.Facts) string {
				plan, err := render.Render(configFor(test.template), f)
				if err != nil {
					t.Fatal(err)
				}
				return plan.Env[0].Value
			}
			first := value(sts2())
			if !regexp.MustCompile(test.pattern).MatchString(first) {
				t.Errorf("got %q, want a match of %s", first, test.pattern)
			}
			if again := value(sts2()); again != first {
				t.Errorf("the same facts gave %q and %q", first, again)
			}
			other := sts2()
			other.Seed[31]++
			if len(first) > 1 && (value(other) == first || value(sts2().ForPod("sts-3")) == first) {
				t.Errorf("another seed or pod gave the same: %q", first)
			}
		})
	}
}

func TestRandomValuesOfOneTemplateDiffer(t *testing.T) {
	plan := mustRender(t, `
nodeTemplate:
  command: [node, '{{ randHex 32 }} {{ randHex 32 }}', '{{ randHex 32 }}']
`, sts2())
	values := append(strings.Fields(plan.Command[1]), plan.Command[2])
	slices.Sort(values)
	if len(slices.Compact(values)) != 3 {
		t.Errorf("there are equal values in %q", values)
	}
}

func TestRandomValuesDoNotDependOnOtherTemplates(t *testing.T) {
	const file = `
nodeTemplate:
  command: [node]
  args:
    b: '{{ randHex 16 }}'
`
	before := mustRender(t, file, sts2()).Command
	after := mustRender(t, file+`    a: '{{ randHex 16 }}'`, sts2()).Command
	if before[2] != after[4] {
		t.Errorf("%q became %q", before, after)
	}
}

func TestPlan(t *testing.T) {
	plan := mustRender(t, `
nodeTemplate:
  index: '{{ add .Index 5 }}'
  command: [geth, '{{ if gt .Index 100 }}--dev{{ end }}', --sync]
  workingDir: '/data/{{ .Index }}'
  env:
    Z: '{{ .Index }}'
    A: plain
    EMPTY: ''
  unsetEnv: [ROOT_KEY]
  files:
    - {path: '/data/{{ .Index }}/jwt', content: '{{ randHex 32 }}', ifNotExists: true, mode: "0600"}
    - {path: /data/conf, content: 'index {{ .Index }}', mode: "0644"}
nodeService:
  enabled: true
  forceUpdate: true
  nodePortTemplate: '{{ add 30333 .Index }}'
process:
  stopSignal: SIGINT
  stopGracePeriod: 2m
watchlog:
  enabled: true
  keyword: one
  keywords: [two]
  failKeywords: [bad]
  pattern: 'n=(?P<n>\d+)'
  files: ['/data/log.{{ .Index }}', '{{ env "MISSING" }}']
  healthcheckID: |
    {{ .Env.COLOUR }}-check
monitor:
  listen: ':{{ add 49944 .Index }}'
nodeStderr: stderr
`, sts2())
	jwt := plan.Files[0].Content
	if len(jwt) != 64 {
		t.Errorf("content of the random file: %q", jwt)
	}
	seven := 7
	want := &render.Plan{
		Pod: "sts-2", Namespace: "chains", Index: &seven,
		Command:    []string{"geth", "--sync"},
		Env:        []render.EnvVar{{Name: "A", Value: "plain"}, {Name: "EMPTY", Value: ""}, {Name: "Z", Value: "7"}},
		UnsetEnv:   []string{"ROOT_KEY"},
		WorkingDir: "/data/7",
		Files: []render.File{
			{Path: "/data/7/jwt", Content: jwt, Mode: 0o600, IfNotExists: true},
			{Path: "/data/conf", Content: []byte("index 7"), Mode: 0o644},
		},
		Service: &render.Service{
			Namespace: "chains", Name: "sts-2", Type: "NodePort", Ports: []render.ServicePort{{"p2p", "TCP", 30333, 30340, 30340}},
			Owner: "StatefulSet", ExternalTrafficPolicy: "Local", Labels: map[string]string{}, Annotations: map[string]string{},
			AddressTimeout: 5 * time.Minute, ForceUpdate: true,
		},
		Process: render.Process{
			StopSignal: syscall.SIGINT, StopGracePeriod: 2 * time.Minute,
			Restart: config.RestartNever, RestartBackoff: time.Second, RestartBackoffMax: time.Minute, RestartMaxTries: 10,
			OnUnhealthy: config.UnhealthyNone,
		},
		Watchlog: &render.Watchlog{
			Keywords: []string{"one", "two"}, FailKeywords: []string{"bad"}, Pattern: plan.Watchlog.Pattern,
			LastThreshold: 10 * time.Minute, Interval: time.Minute,
			Streams: []config.Stream{config.Stdout, config.Stderr}, Files: []string{"/data/log.7"}, HealthcheckID: "blue-check",
		},
		Healthchecks: render.Healthchecks{BaseURL: "https://hc-ping.com", Timeout: 10 * time.Second, LogLines: true},
		Monitor:      render.Monitor{Listen: ":49951"},
		Stdout:       config.Stdout, Stderr: config.Stderr,
	}
	if !reflect.DeepEqual(plan, want) {
		t.Errorf("got\n%+v\nwant\n%+v", plan, want)
	}
	if got := plan.Watchlog.Pattern.String(); got != `n=(?P<n>\d+)` {
		t.Errorf("pattern %s", got)
	}
}

func TestWithoutAnIndex(t *testing.T) {
	facts := render.Facts{Pod: "laptop", Env: map[string]string{"HOSTNAME": "laptop"}}
	plan := mustRender(t, "nodeTemplate: {command: [node]}", facts)
	if plan.Index != nil {
		t.Errorf("index %d, want none", *plan.Index)
	}
}

func TestHealthcheckIDs(t *testing.T) {
	const file = `
nodeTemplate: {command: [node]}
watchlog: {enabled: true, keyword: x, healthcheckIDs: [first-check-id, second-check-id]}
`
	if got := mustRender(t, file, sts2().ForPod("sts-1")).Watchlog.HealthcheckID; got != "second-check-id" {
		t.Errorf("pod 1 reports to %q", got)
	}
	expectErrors(t, file, sts2(), "watchlog.healthcheckIDs: this pod has index 2, so it needs at least 3 IDs, but has 2")
	expectErrors(t, file, sts2().ForPod("laptop"), "watchlog.healthcheckIDs: the pod has no index", "nodeTemplate.index")
}

func TestRenderListen(t *testing.T) {
	tests := []struct{ file, want string }{
		{"nodeTemplate: {command: [node]}", ":49944"},
		{"nodeTemplate: {command: [node]}\nmonitor: {listen: ''}", ""},
		{"nodeTemplate: {command: [node]}\nmonitor: {listen: '127.0.0.1:{{ add 9000 .Index }}'}", "127.0.0.1:9002"},
		{"nodeTemplate: {index: '{{ add .Index 1 }}', command: ['{{ fail \"not rendered\" }}']}\nmonitor: {listen: '[::1]:{{ add 9000 .Index }}'}", "[::1]:9003"},
	}
	for _, test := range tests {
		got, err := render.RenderListen(parse(t, test.file), sts2())
		if err != nil || got != test.want {
			t.Errorf("got %q, %v; want %q", got, err, test.want)
		}
	}
	if _, err := render.RenderListen(parse(t, "nodeTemplate: {command: [node]}\nmonitor: {listen: '{{ .Env.NONE }}:1'}"), sts2()); err == nil {
		t.Error("no error")
	}
}

func TestCheck(t *testing.T) {
	if err := render.Check(parse(t, readme)); err != nil {
		t.Errorf("a valid file: %v", err)
	}
	err := render.Check(parse(t, "nodeTemplate: {command: [node, '{{ .Index }}{{ ad 1 }}', '{{ template \"x\" }}']}"))
	if err == nil || !strings.Contains(err.Error(), `"ad"`) || !strings.Contains(err.Error(), `"x"`) {
		t.Errorf("got %v", err)
	}
}

// sts2 are the facts about a pod that most tests use.
func sts2() render.Facts {
	return render.Facts{
		Pod: "sts-2", Namespace: "chains", Node: "machine-7",
		Env: map[string]string{"POD_NAME": "sts-2", "COLOUR": "blue", "EMPTY": ""},
		Now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		LookupHost: func(host string) ([]string, error) {
			if host != "boot" {
				return nil, errors.New("no such host")
			}
			return []string{"10.0.0.2", "10.0.0.1"}, nil
		},
	}
}

// configFor has the template as the value of an environment variable, which shows whatever a template can give.
func configFor(template string) *config.Config {
	cfg := config.Default()
	cfg.NodeTemplate.Command = []config.Template{{Text: "node"}}
	at := config.Position{File: "kubevali.yaml", Line: 7, Column: 5, Path: "nodeTemplate.env.VALUE"}
	cfg.NodeTemplate.Env = map[string]config.Template{"VALUE": {Text: template, At: at, FirstLine: 8}}
	return &cfg
}

func parse(t testing.TB, file string) *config.Config {
	t.Helper()
	cfg, _, err := config.Parse("kubevali.yaml", []byte(file))
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func mustRender(t testing.TB, file string, facts render.Facts) *render.Plan {
	t.Helper()
	plan, err := render.Render(parse(t, file), facts)
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

// expectErrors renders a file that must not render, with an error that contains all of wants.
func expectErrors(t testing.TB, file string, facts render.Facts, wants ...string) {
	t.Helper()
	plan, err := render.Render(parse(t, file), facts)
	if plan != nil {
		t.Errorf("there is a plan: %s", plan.QuotedCommand())
	}
	expectText(t, fmt.Sprint(err), wants...)
	if found := (config.Errors)(nil); !errors.As(err, &found) {
		t.Errorf("error %v is a %T", err, err)
	}
}

func expectText(t testing.TB, text string, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
}

// TestEveryFunctionIsPure calls every function there is with too few, odd and good arguments.
func TestEveryFunctionIsPure(t *testing.T) {
	names := append(slices.Collect(maps.Keys(sprig.TxtFuncMap())),
		"randHex", "podOrdinal", "readFile", "include", "required", "print", "html", "js", "urlquery", "index", "len", "eq", "call", "not",
		"keyPath", "peerID", "enode", "cometNodeID", "peers", "eachPeer",
		"nodeExternalIP", "nodeExternalIP6", "nodeAddress", "getRandomNodeIP", "getNodeIPWithIndex", "multiaddr")
	for _, name := range names {
		if name == "derivePassword" {
			continue // it is only slow
		}
		for _, args := range []string{"", " .", ` "a-b"`, ` (dict "b" 1 "a" now)`, ` "a" .Env`} {
			cfg := configFor("{{ " + name + args + " }}")
			plan, err := render.Render(cfg, sts2())
			again, errAgain := render.Render(cfg, sts2())
			switch {
			case err != nil || errAgain != nil:
				if fmt.Sprint(err) != fmt.Sprint(errAgain) {
					t.Errorf("%s%s: first %v, then %v", name, args, err, errAgain)
				}
			case !plan.Equal(again):
				t.Errorf("%s%s: first %q, then %q", name, args, plan.Env, again.Env)
			}
		}
	}
}
