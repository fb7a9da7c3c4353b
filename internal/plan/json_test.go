package plan_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/kubevali/kubevali/internal/plan"
	"github.com/kubevali/kubevali/internal/secret"
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
	got, err := json.MarshalIndent(mustMake(t, fullFile, sts2()), "", "  ")
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
    "forceUpdate": false,
    "nodePort": 30335,
    "addressTimeout": "5m"
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
  "healthchecks": {
    "baseURL": "https://hc-ping.com",
    "timeout": "10s",
    "create": false,
    "logLines": true
  },
  "monitor": {
    "listen": ":49944"
  },
  "nodeStdout": "stdout",
  "nodeStderr": "stdout"
}`
	unescaped := strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&")
	if unescaped.Replace(string(got)) != unescaped.Replace(want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestMarshalJSONOfASmallPlan(t *testing.T) {
	got, err := json.Marshal(mustMake(t, "nodeTemplate: {command: [node]}\nmonitor: {listen: ''}", nowhere()))
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"pod":"","namespace":"","index":null,"command":["node"],"env":{},"unsetEnv":[],"workingDir":"","files":[],"keys":[],"service":null,`
	if !strings.HasPrefix(string(got), want) || !strings.Contains(string(got), `"watchlog":null,`) || !strings.Contains(string(got), `"monitor":{"listen":""}`) {
		t.Errorf("got %s", got)
	}
}

func TestMasking(t *testing.T) {
	for id, want := range map[string]string{
		"":                    `"healthcheckID":""`,
		"short":               `"healthcheckID":"…"`,
		"ping-key-of-22/slug": `"healthcheckID":"ping…"`,
		"ééééééééé":           `"healthcheckID":"éééé…"`,
	} {
		got, err := json.Marshal(&plan.Plan{Command: []string{"node"}, Watchlog: &plan.Watchlog{HealthcheckID: secret.Text(id)}})
		if err != nil || !strings.Contains(string(got), want) {
			t.Errorf("got %s, %v; want %s in it", got, err, want)
		}
	}
}
