package render_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/kubevali/kubevali/internal/render"
)

const fullFile = `
nodeTemplate:
  command: [printf, '<%s>', 'a b']
  args: {name: 'it''s {{ .Index }}'}
  env:
    TRICKY: "a\ntouch /tmp/never"
    PLAIN: a<b
  unsetEnv: [ROOT_KEY]
  workingDir: /data
  files:
    - {path: /data/jwt, content: '{{ randHex 32 }}', ifNotExists: true, mode: "0644"}
    - {path: /data/private, content: 'hunter2', mode: "0640"}
    - {path: /data/public, content: "one\ntwo\rthree\n", mode: "0644"}
    - {path: /data/empty, mode: "0644"}
nodeService: {enabled: true, nodePortTemplate: '{{ add 30333 .Index }}'}
process: {stopSignal: INT, stopGracePeriod: 90s}
watchlog:
  enabled: true
  keyword: Imported
  failKeywords: [FATAL]
  pattern: 'n=(?P<n>\d+)'
  files: [/data/log]
  healthcheckID: 11111111-2222-3333-4444-555555555555
`

func TestMarshalJSON(t *testing.T) {
	got, err := json.MarshalIndent(mustRender(t, fullFile, sts2()), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	const want = `{
  "pod": "sts-2",
  "namespace": "chains",
  "index": 2,
  "command": [
    "printf",
    "<%s>",
    "a b",
    "--name",
    "it's 2"
  ],
  "env": {
    "PLAIN": "a<b",
    "TRICKY": "a\ntouch /tmp/never"
  },
  "unsetEnv": [
    "ROOT_KEY"
  ],
  "workingDir": "/data",
  "files": [
    {
      "path": "/data/jwt",
      "mode": "0644",
      "ifNotExists": true,
      "size": 64
    },
    {
      "path": "/data/private",
      "mode": "0640",
      "ifNotExists": false,
      "size": 7
    },
    {
      "path": "/data/public",
      "mode": "0644",
      "ifNotExists": false,
      "size": 14,
      "content": "one\ntwo\rthree\n"
    },
    {
      "path": "/data/empty",
      "mode": "0644",
      "ifNotExists": false,
      "size": 0,
      "content": ""
    }
  ],
  "keys": [],
  "service": {
    "name": "sts-2",
    "type": "NodePort",
    "nodePort": 30335,
    "ports": [
      {
        "name": "p2p",
        "protocol": "TCP",
        "port": 30333,
        "nodePort": 30335,
        "targetPort": 30335
      }
    ],
    "owner": "StatefulSet",
    "externalTrafficPolicy": "Local",
    "ipFamilyPolicy": "",
    "loadBalancerClass": "",
    "labels": {},
    "annotations": {},
    "addressTimeout": "5m",
    "forceUpdate": false
  },
  "process": {
    "stopSignal": "SIGINT",
    "stopGracePeriod": "1m30s",
    "signalGroup": false,
    "restart": "never",
    "restartBackoff": "1s",
    "restartBackoffMax": "1m",
    "restartMaxTries": 10,
    "onUnhealthy": "none"
  },
  "watchlog": {
    "keywords": [
      "Imported"
    ],
    "failKeywords": [
      "FATAL"
    ],
    "pattern": "n=(?P\u003cn\u003e\\d+)",
    "lastThreshold": "10m",
    "startupThreshold": "0s",
    "interval": "1m",
    "streams": [
      "stdout",
      "stderr"
    ],
    "files": [
      "/data/log"
    ],
    "healthcheckID": "1111…"
  },
  "monitor": {
    "listen": ":49944"
  }
}`
	unescaped := strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&")
	if unescaped.Replace(string(got)) != unescaped.Replace(want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestMarshalJSONOfASmallPlan(t *testing.T) {
	got, err := json.Marshal(mustRender(t, "nodeTemplate: {command: [node]}\nmonitor: {listen: ''}", render.Facts{}))
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"pod":"","namespace":"","index":null,"command":["node"],"env":{},"unsetEnv":[],"workingDir":"","files":[],"keys":[],"service":null,`
	if !strings.HasPrefix(string(got), want) || !strings.Contains(string(got), `"watchlog":null,"monitor":{"listen":""}`) {
		t.Errorf("got %s", got)
	}
}

func TestWriteText(t *testing.T) {
	const want = `# pod sts-2, namespace chains, index 2
# env PLAIN="a<b"
# env TRICKY="a\ntouch /tmp/never"
# without env ROOT_KEY
# in /data
# file /data/jwt (0644, 64 bytes, only if there is none)
# file /data/private (0640, 7 bytes)
# file /data/public (0644, 14 bytes)
#   | one
#   | "two\rthree"
# file /data/empty (0644, 0 bytes)
# service sts-2 (NodePort): p2p 30333/TCP on node port 30335
# watchlog "Imported" matching "n=(?P<n>\\d+)", failing on "FATAL", at least every 10m, healthcheck 1111…
# probes at :49944
printf '<%s>' 'a b' --name 'it'\''s 2'
`
	if got := text(t, mustRender(t, fullFile, sts2())); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestWriteTextIsASafeScript(t *testing.T) {
	for _, nasty := range nastyArgs {
		if nasty == "" {
			continue
		}
		plan := render.Plan{
			Pod: nasty, Namespace: nasty, WorkingDir: nasty, UnsetEnv: []string{nasty},
			Env:      []render.EnvVar{{Name: nasty, Value: nasty}},
			Files:    []render.File{{Path: nasty, Content: []byte("a\n" + nasty), Mode: 0o644}},
			Watchlog: &render.Watchlog{Keywords: []string{nasty}, FailKeywords: []string{nasty}, HealthcheckID: nasty + "12345678"},
			Monitor:  render.Monitor{Listen: nasty},
			Command:  []string{"printf", "%s", nasty},
		}
		script := text(t, &plan)
		out, err := exec.Command("/bin/sh", "-c", script).CombinedOutput()
		if err != nil || string(out) != nasty {
			t.Errorf("the script printed %q, %v; want %q\n%s", out, err, nasty, script)
		}
	}
}

func TestMasking(t *testing.T) {
	for id, want := range map[string]string{
		"":                    `"healthcheckID":""`,
		"short":               `"healthcheckID":"…"`,
		"ping-key-of-22/slug": `"healthcheckID":"ping…"`,
		"ééééééééé":           `"healthcheckID":"éééé…"`,
	} {
		got, err := json.Marshal(&render.Plan{Command: []string{"node"}, Watchlog: &render.Watchlog{HealthcheckID: id}})
		if err != nil || !strings.Contains(string(got), want) {
			t.Errorf("got %s, %v; want %s in it", got, err, want)
		}
	}
}

func TestEqual(t *testing.T) {
	base := mustRender(t, fullFile, sts2())
	if again := mustRender(t, fullFile, sts2()); !base.Equal(again) || !again.Equal(base) {
		t.Error("the same plan is not equal to itself")
	}
	reseeded := sts2()
	reseeded.Seed[0] = 1
	if other := mustRender(t, fullFile, reseeded); !base.Equal(other) {
		t.Error("plans differ by the content of a file that is written once")
	}
	same := strings.Replace(fullFile, "add 30333", "add 30334", 1) + "logging: {level: debug}\n"
	if other := mustRender(t, same, sts2()); !base.Equal(other) {
		t.Error("plans differ by what the node knows nothing of")
	}
	changes := [][2]string{
		{"'a b'", "'a c'"}, {"/data/log", "/data/log2"}, {"stopSignal: INT", "stopSignal: TERM"}, {`n=(?P<n>\d+)`, `m=(?P<n>\d+)`},
		{"ROOT_KEY", "ROOT"}, {"hunter2", "hunter3"}, {"ifNotExists: true, ", ""},
		{"workingDir: /data", "workingDir: /date"}, {"FATAL", "PANIC"}, {"PLAIN: a", "PLAIN: b"},
		{"enabled: true\n  keyword", "enabled: false\n  keyword"}, {"process: {", "process: {restart: always, "},
	}
	for _, change := range changes {
		file := strings.Replace(fullFile, change[0], change[1], 1)
		if file == fullFile {
			t.Fatalf("%q is not in the file", change[0])
		}
		if other := mustRender(t, file, sts2()); base.Equal(other) || other.Equal(base) {
			t.Errorf("%q for %q makes no difference", change[1], change[0])
		}
	}
}

func TestEnviron(t *testing.T) {
	plan := render.Plan{
		Env:      []render.EnvVar{{Name: "NEW", Value: "1"}, {Name: "OLD", Value: "changed=yes"}},
		UnsetEnv: []string{"ROOT_KEY", "NOT_THERE"},
	}
	got := plan.Environ([]string{"A=1", "OLD=x", "ROOT_KEY=secret", "B=", "OLD=y", "ROOT_KEY_2=kept", "odd"})
	want := []string{"A=1", "B=", "ROOT_KEY_2=kept", "odd", "NEW=1", "OLD=changed=yes"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestCheckFleet(t *testing.T) {
	fleet := func(port string) (plans []*render.Plan) {
		file := "nodeTemplate: {command: [node]}\nnodeService: {enabled: true, nodePortTemplate: '" + port + "'}"
		for i := range 3 {
			plans = append(plans, mustRender(t, file, sts2().ForPod(fmt.Sprintf("sts-%d", i))))
		}
		return plans
	}
	if err := render.CheckFleet(fleet("{{ add 30333 .Index }}")); err != nil {
		t.Errorf("a good fleet: %v", err)
	}
	err := render.CheckFleet(fleet("{{ add 30333 (div .Index 2) }}"))
	if err == nil {
		t.Fatal("no error")
	}
	expectText(t, err.Error(), "sts-0", "sts-1", "30333")
	if strings.Contains(err.Error(), "sts-2") {
		t.Errorf("%v names a pod that is not concerned", err)
	}
	mixed := func(discovery string) (plans []*render.Plan) {
		file := "nodeTemplate: {command: [node]}\nnodeService: {enabled: true, ports: {p2p: {nodePort: '{{ add 32303 .Index }}'}, " +
			"discovery: {protocols: [UDP], port: '{{ add 32303 .Index }}', nodePort: '" + discovery + "'}}}"
		for i := range 2 {
			plans = append(plans, mustRender(t, file, sts2().ForPod(fmt.Sprintf("sts-%d", i))))
		}
		return plans
	}
	if err := render.CheckFleet(mixed("{{ add 32303 .Index }}")); err != nil {
		t.Errorf("TCP and UDP on one port: %v", err)
	}
	if err := render.CheckFleet(mixed("{{ add 32304 .Index }}")); err == nil {
		t.Error("no error for a number that two Services want, one for TCP and one for UDP")
	}
	if err := render.CheckFleet([]*render.Plan{{}, {}}); err != nil {
		t.Errorf("pods without Services: %v", err)
	}
}

func TestCheckFleetChecks(t *testing.T) {
	const uuid = "11111111-2222-3333-4444-555555555555"
	check := func(watchlog string) error {
		var plans []*render.Plan
		for i := range 3 {
			file := "nodeTemplate: {command: [node]}\nwatchlog: {enabled: true, keyword: x" + watchlog + "}"
			plans = append(plans, mustRender(t, file, sts2().ForPod(fmt.Sprintf("sts-%d", i))))
		}
		return render.CheckFleet(plans)
	}
	for _, good := range []string{"", ", healthcheckID: ''", ", healthcheckID: 'key/{{ .Pod.Name }}'", ", healthcheckIDs: [a, b, c]"} {
		if err := check(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, shared := range []string{", healthcheckID: " + uuid, ", healthcheckIDs: [" + uuid + ", " + uuid + ", other]"} {
		err := check(shared)
		if err == nil {
			t.Errorf("%q: no error", shared)
			continue
		}
		expectText(t, err.Error(), "sts-0", "sts-1", "1111…")
		if strings.Contains(err.Error(), uuid[:5]) {
			t.Errorf("%v shows the ID", err)
		}
	}
}

func text(t *testing.T, plan *render.Plan) string {
	t.Helper()
	var b bytes.Buffer
	if err := plan.WriteText(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
