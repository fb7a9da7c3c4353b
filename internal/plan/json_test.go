package plan_test

import (
	"encoding"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
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
healthchecks: {baseURL: 'https://somebody:hunter2@hc.example.com/ping'}
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
    "baseURL": "https://…@hc.example.com/ping",
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

// notInJSON are the fields that nobody needs to see, or that must not be seen. All others are there.
var notInJSON = []string{
	"Plan.Warnings",                                     // for the log
	"Key.Pod", "Key.Namespace", "ServiceSpec.Namespace", // the plan's own
	"Key.Root", "Key.Scheme", "Key.Identity", // where it comes from, not what it is
	"Watchlog.Enabled", "Watchlog.Keyword", // in keywords, and by being there
	"Watchlog.Files", "Watchlog.HealthcheckID", "Watchlog.HealthcheckIDs", // as they were before they were rendered
}

// Nothing of a plan can be left out of its JSON by forgetting it.
func TestJSONHasEveryField(t *testing.T) {
	const more = `
p2pKeys: {node: {rootSecret: {env: P2P_ROOT_KEY}, type: ed25519, format: raw, path: /key}}
`
	content, err := json.Marshal(mustMake(t, strings.Replace(fullFile, "nodePortTemplate: '{{ add 30333 .Index }}'",
		"nodePortTemplate: '{{ add 30333 .Index }}', labels: {a: b}, annotations: {a: b}", 1)+more, withKeys()))
	if err != nil {
		t.Fatal(err)
	}
	var object any
	if err := json.Unmarshal(content, &object); err != nil {
		t.Fatal(err)
	}
	left := make(map[string]bool)
	compareJSON(t, reflect.TypeFor[plan.Plan](), object, left)
	if got, want := slices.Sorted(maps.Keys(left)), slices.Sorted(slices.Values(notInJSON)); !slices.Equal(got, want) {
		t.Errorf("left out are %q, want %q", got, want)
	}
}

// compareJSON checks that a JSON value has all that a value of the type has, and notes in left the fields that are not to
// be there.
func compareJSON(t *testing.T, typ reflect.Type, value any, left map[string]bool) {
	t.Helper()
	switch {
	case value == nil:
		t.Errorf("a %s is null", typ)
	case typ.Implements(reflect.TypeFor[json.Marshaler]()):
		object, _ := value.(map[string]any)
		for i := range typ.NumField() {
			name := typ.Field(i).Name
			_, ok := object[strings.ToLower(name[:1])+name[1:]]
			if !ok && name != "Content" { // which may be private
				t.Errorf("%s has no %s: %v", typ, name, value)
			}
		}
	case typ.Implements(reflect.TypeFor[encoding.TextMarshaler]()):
	case typ.Kind() == reflect.Pointer:
		compareJSON(t, typ.Elem(), value, left)
	case typ.Kind() == reflect.Slice:
		list, _ := value.([]any)
		if len(list) == 0 {
			t.Fatalf("there is no %s to look at", typ)
		}
		compareJSON(t, typ.Elem(), list[0], left)
	case typ.Kind() == reflect.Struct:
		for i := range typ.NumField() {
			compareField(t, typ, typ.Field(i), value.(map[string]any), left)
		}
	}
}

func compareField(t *testing.T, in reflect.Type, field reflect.StructField, object map[string]any, left map[string]bool) {
	t.Helper()
	name, option, _ := strings.Cut(field.Tag.Get("json"), ",")
	value, ok := object[name]
	switch {
	case field.Anonymous:
		compareJSON(t, field.Type, object, left)
	case name == "-":
		left[in.Name()+"."+field.Name] = true
	case name == "":
		t.Errorf("%s.%s has no name in JSON", in, field.Name)
	case !ok && option != "omitempty":
		t.Errorf("%s.%s is not in %v", in, field.Name, object)
	case ok:
		compareJSON(t, field.Type, value, left)
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
	// What is there with nothing in it is an empty list, not null.
	for _, watchlog := range []string{"failKeywords: [x]", "keyword: x, streams: [], files: [x]"} {
		got, err := json.Marshal(mustMake(t, "nodeTemplate: {command: [node]}\nwatchlog: {enabled: true, "+watchlog+"}\n"+
			"nodeService: {enabled: true, nodePortTemplate: 1}", sts2()))
		if err != nil || strings.Contains(string(got), "null") {
			t.Errorf("%s: got %s, %v", watchlog, got, err)
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
		got, err := json.Marshal(&plan.Plan{Command: []string{"node"}, Watchlog: &plan.Watchlog{HealthcheckID: secret.Text(id)}})
		if err != nil || !strings.Contains(string(got), want) {
			t.Errorf("got %s, %v; want %s in it", got, err, want)
		}
	}
}
