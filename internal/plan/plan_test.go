package plan_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/kubevali/kubevali/internal/plan"
)

func TestEqual(t *testing.T) {
	base := mustMake(t, fullFile, sts2())
	if again := mustMake(t, fullFile, sts2()); !base.Equal(again) || !again.Equal(base) {
		t.Error("the same plan is not equal to itself")
	}
	reseeded := sts2()
	reseeded.Seed[0] = 1
	if other := mustMake(t, fullFile, reseeded); !base.Equal(other) {
		t.Error("plans differ by the content of a file that is written once")
	}
	same := strings.Replace(fullFile, "add 30333", "add 30334", 1) + "logging: {level: debug}\n"
	if other := mustMake(t, same, sts2()); !base.Equal(other) {
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
		if other := mustMake(t, file, sts2()); base.Equal(other) || other.Equal(base) {
			t.Errorf("%q for %q makes no difference", change[1], change[0])
		}
	}
}

// A plan is what it says, wherever in the file that stands.
func TestEqualWhereverItStands(t *testing.T) {
	const file = `nodeTemplate:
  index: '{{ add .Index 1 }}'
  command: [node, '{{ .Index }}', '{{ randHex 8 }}']
  args: {a: '{{ .Index }}', b: [x, '{{ .Index }}']}
  env: {A: '{{ .Index }}'}
  workingDir: '/{{ .Index }}'
  files: [{path: '/a{{ .Index }}', content: '{{ .Index }}'}]
nodeService: {enabled: true, ports: {p2p: {nodePort: '{{ add 30000 .Index }}'}}, labels: {a: '{{ .Index }}'}, annotations: {a: '{{ .Index }}'}}
p2pKeys:
  node: {rootSecret: {file: '/r{{ .Index }}'}, type: ed25519, format: raw, path: '/k{{ .Index }}', scope: '{{ .Index }}',
    identity: {namespace: 'n{{ .Index }}', pod: 'p{{ .Index }}'}, expectInLog: '{{ peerID "node" }}'}
fleet: {replicas: '{{ .Index }}'}
process: {stopSignal: INT}
watchlog: {enabled: true, keyword: x, pattern: 'y', files: ['/l{{ .Index }}'], healthcheckID: 'check-{{ .Index }}'}
monitor: {listen: ':{{ .Index }}'}
`
	moved := "# a comment\n" + strings.Replace(strings.Replace(file, "nodeTemplate:", "commonTemplate: |\n  moves all\n\nnodeTemplate:   # this", 1),
		"watchlog: {", "watchlog: {   interval: 1m,  ", 1)
	for _, id := range []string{"healthcheckID: 'check-{{ .Index }}'", "healthcheckIDs: [one-one-one, two-two-two, three-three, four-four-four]"} {
		swap := strings.NewReplacer("healthcheckID: 'check-{{ .Index }}'", id)
		a, b := mustMake(t, swap.Replace(file), withKeys()), mustMake(t, swap.Replace(moved), withKeys())
		if !a.Equal(b) || !reflect.DeepEqual(a, b) {
			t.Errorf("got\n%+v\nand\n%+v", a, b)
		}
	}
}

func TestEnviron(t *testing.T) {
	made := plan.Plan{
		Env:      map[string]string{"OLD": "changed=yes", "NEW": "1"},
		UnsetEnv: []string{"ROOT_KEY", "NOT_THERE"},
	}
	got := made.Environ([]string{"A=1", "OLD=x", "ROOT_KEY=secret", "B=", "OLD=y", "ROOT_KEY_2=kept", "odd"})
	want := []string{"A=1", "B=", "ROOT_KEY_2=kept", "odd", "NEW=1", "OLD=changed=yes"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
