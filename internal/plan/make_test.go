package plan_test

import (
	"fmt"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/kubevali/kubevali/internal/config"
	"github.com/kubevali/kubevali/internal/facts"
	"github.com/kubevali/kubevali/internal/kube"
	"github.com/kubevali/kubevali/internal/plan"
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
	f, err := facts.FromEnviron([]string{"HOSTNAME=sts-pod-2"}, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	made := mustMake(t, readme, world{Facts: f})
	if made.Index == nil || *made.Index != 2 {
		t.Errorf("index %v, want 2", made.Index)
	}
	const shell = `darwinia --validator --name '[KUBE-VALI] Development 02' --port 30335 --rpc-port 9935 --ws-port 9946`
	if got := made.ShellCommand(); got != shell {
		t.Errorf("shell command\n%s\nwant\n%s", got, shell)
	}
	const quoted = `"darwinia" "--validator" "--name" "[KUBE-VALI] Development 02" "--port" "30335" "--rpc-port" "9935" "--ws-port" "9946"`
	if got := made.QuotedCommand(); got != quoted {
		t.Errorf("quoted command\n%s\nwant\n%s", got, quoted)
	}
}

func TestPlan(t *testing.T) {
	made := mustMake(t, `
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
	jwt := made.Files[0].Content
	if len(jwt) != 64 {
		t.Errorf("content of the random file: %q", jwt)
	}
	seven := 7
	want := &plan.Plan{
		Pod: "sts-2", Namespace: "chains", Index: &seven,
		Command:    []string{"geth", "--sync"},
		Env:        map[string]string{"A": "plain", "EMPTY": "", "Z": "7"},
		UnsetEnv:   []string{"ROOT_KEY"},
		WorkingDir: "/data/7",
		Files: []plan.File{
			{Path: "/data/7/jwt", Content: jwt, Mode: 0o600, IfNotExists: true},
			{Path: "/data/conf", Content: []byte("index 7"), Mode: 0o644},
		},
		Keys: []plan.Key{},
		Service: &plan.Service{
			ServiceSpec: kube.ServiceSpec{
				Namespace: "chains", Name: "sts-2", Type: kube.NodePort,
				Ports: []kube.ServicePort{{Name: "p2p", Protocol: "TCP", Port: 30333, NodePort: 30340, TargetPort: 30340}},
				Owner: kube.OwnedByStatefulSet, ExternalTrafficPolicy: "Local", Labels: map[string]string{}, Annotations: map[string]string{},
				ForceUpdate: true,
			},
			NodePort: 30340, AddressTimeout: config.Duration(5 * time.Minute),
		},
		Process: config.Process{
			StopSignal: config.Signal(syscall.SIGINT), StopGracePeriod: config.Duration(2 * time.Minute),
			Restart: config.RestartNever, RestartBackoff: config.Duration(time.Second), RestartBackoffMax: config.Duration(time.Minute),
			RestartMaxTries: 10, OnUnhealthy: config.UnhealthyNone,
		},
		Watchlog: &plan.Watchlog{
			Watchlog: config.Watchlog{
				Enabled: true, Keywords: []string{"one", "two"}, FailKeywords: []string{"bad"}, Pattern: `n=(?P<n>\d+)`,
				LastThreshold: config.Duration(10 * time.Minute), Interval: config.Duration(time.Minute),
				Streams: []config.Stream{config.Stdout, config.Stderr},
			},
			Files: []string{"/data/log.7"}, HealthcheckID: "blue-check",
		},
		Healthchecks: config.Healthchecks{BaseURL: "https://hc-ping.com", Timeout: config.Duration(10 * time.Second), LogLines: true},
		Monitor:      plan.Monitor{Listen: ":49951"},
		NodeStdout:   config.Stdout, NodeStderr: config.Stderr,
	}
	if !reflect.DeepEqual(made, want) {
		t.Errorf("got\n%+v\nwant\n%+v", made, want)
	}
}

func TestWithoutAnIndex(t *testing.T) {
	w := world{Facts: facts.Facts{Pod: "laptop", Env: map[string]string{"HOSTNAME": "laptop"}}}
	made := mustMake(t, "nodeTemplate: {command: [node]}", w)
	if made.Index != nil {
		t.Errorf("index %d, want none", *made.Index)
	}
}

func TestHealthcheckIDs(t *testing.T) {
	const file = `
nodeTemplate: {command: [node]}
watchlog: {enabled: true, keyword: x, healthcheckIDs: [first-check-id, second-check-id]}
`
	if got := mustMake(t, file, sts2().ForPod("sts-1")).Watchlog.HealthcheckID; got.Reveal() != "second-check-id" {
		t.Errorf("pod 1 reports to %q", got.Reveal())
	}
	expectErrors(t, file, sts2(), "watchlog.healthcheckIDs: this pod has index 2, so it needs at least 3 IDs, but has 2")
	expectErrors(t, file, sts2().ForPod("laptop"), "watchlog.healthcheckIDs: the pod has no index", "nodeTemplate.index")
}

func TestListen(t *testing.T) {
	tests := []struct{ file, want string }{
		{"nodeTemplate: {command: [node]}", ":49944"},
		{"nodeTemplate: {command: [node]}\nmonitor: {listen: ''}", ""},
		{"nodeTemplate: {command: [node]}\nmonitor: {listen: '127.0.0.1:{{ add 9000 .Index }}'}", "127.0.0.1:9002"},
		{"nodeTemplate: {index: '{{ add .Index 1 }}', command: ['{{ fail \"not rendered\" }}']}\nmonitor: {listen: '[::1]:{{ add 9000 .Index }}'}", "[::1]:9003"},
	}
	for _, test := range tests {
		got, err := plan.Listen(parse(t, test.file), sts2().Facts)
		if err != nil || got != test.want {
			t.Errorf("got %q, %v; want %q", got, err, test.want)
		}
	}
	for template, want := range map[string]string{
		"{{ .Env.NONE }}": "the environment variable NONE is not set", "{{ bad }}": `there is no function "bad"`,
		"{{ nodeExternalIP }}": "the Kubernetes API cannot be asked here", `{{ keyPath "a" }}`: "keys cannot be asked for here",
	} {
		_, err := plan.Listen(parse(t, "nodeTemplate: {command: [node]}\nmonitor: {listen: '"+template+":1'}"), sts2().Facts)
		expectText(t, fmt.Sprint(err), "kubevali.yaml:2:19: monitor.listen: ", want)
	}
}

func TestCheck(t *testing.T) {
	if err := plan.Check(parse(t, readme)); err != nil {
		t.Errorf("a valid file: %v", err)
	}
	err := plan.Check(parse(t, "nodeTemplate: {command: [node, '{{ .Index }}{{ ad 1 }}', '{{ template \"x\" }}']}"))
	if err == nil || !strings.Contains(err.Error(), `"ad"`) || !strings.Contains(err.Error(), `"x"`) {
		t.Errorf("got %v", err)
	}
}
