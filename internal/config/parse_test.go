package config_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kubevali/kubevali/internal/config"
	"github.com/kubevali/kubevali/internal/keyderive"
	"github.com/kubevali/kubevali/internal/keyfile"
)

// parse returns the configuration that text is, and fails the test if it is none.
func parse(t *testing.T, text string) *config.Config {
	t.Helper()
	cfg, warnings, err := config.Parse("k.yaml", []byte(text))
	if err != nil || len(warnings) > 0 {
		t.Fatalf("errors: %v\nwarnings: %v", err, warnings)
	}
	return cfg
}

// findings returns what is wrong with text, one per line.
func findings(t *testing.T, text string) []string {
	t.Helper()
	cfg, _, err := config.Parse("k.yaml", []byte(text))
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[config.Errors](err); !ok || cfg != nil {
		t.Fatalf("got the configuration %v and an error of type %T", cfg, err)
	}
	return strings.Split(err.Error(), "\n")
}

const command = "nodeTemplate: {command: [node]}\n"

func TestParseReadsEveryKindOfValue(t *testing.T) {
	cfg := parse(t, readFile(t, "testdata/values.yaml"))
	n := cfg.NodeTemplate
	var command []string
	for _, c := range n.Command {
		command = append(command, c.Text)
	}
	if want := []string{"darwinia", "30", "true", "2024-01-01"}; n.Index.Text != "0" || !slices.Equal(command, want) {
		t.Errorf("index %q, command %q", n.Index.Text, command)
	}
	var args []string
	for _, a := range n.Args {
		arg := a.Dashed() + "="
		if a.IsBool {
			arg += " bool"
		}
		for _, v := range a.Values {
			arg += " " + v.Text
		}
		if a.Bool {
			arg += " true"
		}
		args = append(args, arg)
	}
	want := []string{
		"-x= a", "--Zeta.Flag= 1.50", "--none=", "--off= bool", "--on= bool true", "-p= 1 two", "--yes= yes",
	}
	if !slices.Equal(args, want) {
		t.Errorf("args %q, want %q", args, want)
	}
	if len(n.Env) != 2 || n.Env["A"].Text != "{{ .Index }}" || n.Env["B"].Text != "1" {
		t.Errorf("env %v", n.Env)
	}
	if n.Files[0].Mode != 0o644 || !n.Files[0].IfNotExists || n.Files[1].Mode != 0o600 {
		t.Errorf("files %v", n.Files)
	}
	node, other := cfg.P2PKeys["node"], cfg.P2PKeys["other"]
	if len(cfg.P2PKeys) != 2 || node.RootSecret.Env != "P2P_ROOT_KEY" || node.Scheme != keyderive.RSS3SHA256 || node.Type != "secp256k1" ||
		node.Format != "libp2p-protobuf-hex" || node.Path.Text != "/data/{{ .Index }}" || node.Mode != 0o440 ||
		node.Owner != (config.Owner{UID: 1000, GID: 2000, IsSet: true}) || node.IfExists != keyfile.Overwrite ||
		node.Identity.Namespace.Text != "7" || node.Identity.Pod.Text != "old-{{ .Index }}" || node.ExpectInLog.Text == "" {
		t.Errorf("key %+v", node)
	}
	if other.RootSecret.File.Text != "/root" || other.Scheme != keyderive.HKDFSHA256 || other.Epoch != 2 || other.Scope.Text != "s" ||
		other.Mode != 0o600 || other.Owner.IsSet || other.IfExists != keyfile.Fail || other.Format != "raw" {
		t.Errorf("key %+v", other)
	}
	if cfg.Fleet.Replicas.Text != "5" {
		t.Errorf("fleet %+v", cfg.Fleet)
	}
	if p := cfg.Process; p.StopSignal.String() != "SIGINT" || time.Duration(p.StopGracePeriod) != 90*time.Second ||
		p.RestartMaxTries != 3 || p.Restart != config.RestartOnFailure || p.RestartBackoffMax.String() != "1m" {
		t.Errorf("process %+v", p)
	}
	if w := cfg.Watchlog; !w.Enabled || w.Keyword != "" || !slices.Equal(w.Keywords, []string{"123"}) || w.Pattern != `n=(?P<n>\d+)` ||
		!slices.Equal(w.Streams, []config.Stream{config.Stderr}) || w.LastThreshold.String() != "10m" {
		t.Errorf("watchlog %+v", w)
	}
	if l := cfg.Logging; l.Level != config.LevelWarn || l.Encoding != config.EncodingConsole {
		t.Errorf("logging %+v", l)
	}
}

// The schema, which editors follow, is stricter than the loader about these.
func TestOldAndLooseSpellings(t *testing.T) {
	cfg := parse(t, `
nodeTemplate:
  command: [node]
  files: [{path: a, mode: 0600}, {path: b, mode: 0o644}, {path: c, mode: '0755'}]
nodeService: {enabled: no}
watchlog: {enabled: Yes, keyword: a, startupThreshold: 0}
process: {signalGroup: "on", stopSignal: 15, restartMaxTries: "3"}
nodeStdout: ""
logging: {level: WARN}
`)
	for i, want := range []string{"0600", "0644", "0755"} {
		if got := cfg.NodeTemplate.Files[i].Mode.String(); got != want {
			t.Errorf("mode %s, want %s", got, want)
		}
	}
	if cfg.NodeService.Enabled || !cfg.Watchlog.Enabled || !cfg.Process.SignalGroup {
		t.Errorf("booleans: %+v", cfg)
	}
	if cfg.Process.StopSignal.String() != "SIGTERM" || cfg.Process.RestartMaxTries != 3 ||
		cfg.NodeStdout != config.Stdout || cfg.Logging.Level != config.LevelWarn {
		t.Errorf("got %+v", cfg)
	}
}

func TestNullMeansNotSet(t *testing.T) {
	cfg := parse(t, command+`
process: {stopGracePeriod: , stopSignal: ~}
watchlog: {streams: null}
monitor:
logging: {level: ""}
`)
	want := parse(t, command)
	if cfg.Process != want.Process || len(cfg.Watchlog.Streams) != 2 || cfg.Monitor.Listen.Text != ":49944" ||
		cfg.Logging != want.Logging {
		t.Errorf("got %+v", cfg)
	}
}

func TestOldFileLoadsWithWarnings(t *testing.T) {
	cfg, warnings, err := config.Load("testdata/v04.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if cfg.NodeStdout != config.Stdout || cfg.NodeStderr != config.Stderr || cfg.Logging.Level != config.LevelError ||
		cfg.Watchlog.LastThreshold.String() != "1h" {
		t.Errorf("got %+v", cfg)
	}
	var got []string
	for _, w := range warnings {
		got = append(got, w.Error())
	}
	const ignored = ": ignored: kubevali's own log goes to stderr and has only a level and an encoding"
	want := []string{
		"testdata/v04.yaml:30:3: logging.outputPaths" + ignored,
		"testdata/v04.yaml:31:3: logging.initialFields" + ignored,
		"testdata/v04.yaml:32:3: logging.sampling" + ignored,
	}
	if !slices.Equal(got, want) {
		t.Errorf("warnings:\n%s", strings.Join(got, "\n"))
	}
}

func TestAnchorsAndMergeKeys(t *testing.T) {
	cfg := parse(t, `
nodeTemplate:
  command: &command [node, &flag --dev]
  args: &args
    a: 1
    b: &text 'b {{ .Index }}'
  env:
    <<: [*args, {b: later, c: 3}]
    a: own
watchlog: {enabled: true, keywords: *command, keyword: *flag}
process: &process
  restart: always
  <<: {restart: never, restartMaxTries: 7}
`)
	env := cfg.NodeTemplate.Env
	if len(env) != 3 || env["a"].Text != "own" || env["b"].Text != "b {{ .Index }}" || env["c"].Text != "3" {
		t.Errorf("env %v", env)
	}
	// The text stands where the anchor is, the key where the alias is.
	want := config.Position{File: "k.yaml", Line: 6, Column: 8, Path: "nodeTemplate.env.b"}
	if env["b"].At != want {
		t.Errorf("env.b at %+v", env["b"].At)
	}
	if w := cfg.Watchlog; !slices.Equal(w.Keywords, []string{"--dev", "node", "--dev"}) || w.Keyword != "" {
		t.Errorf("watchlog %+v", w)
	}
	if p := cfg.Process; p.Restart != config.RestartAlways || p.RestartMaxTries != 7 {
		t.Errorf("process %+v", p)
	}
}

func TestAliasesAreBounded(t *testing.T) {
	const bounded = "more than 100000 values (an alias counts each time it is used)"
	var lists, merges strings.Builder
	lists.WriteString("nodeTemplate:\n  command: [node]\n  unsetEnv: &many [" + strings.Repeat("a,", 1000) + "]\n  args:\n")
	for i := range 200 {
		lists.WriteString("    " + strings.Repeat("y", i+1) + ": *many\n")
	}
	merges.WriteString("nodeTemplate:\n  command: [node]\n  env:\n    <<:\n    - &a0 {A: b}\n")
	for i := range 40 {
		fmt.Fprintf(&merges, "    - &a%d {<<: [*a%d, *a%d]}\n", i+1, i, i)
	}
	for name, text := range map[string]string{"lists": lists.String(), "merges": merges.String()} {
		if got := findings(t, text); len(got) != 1 || !strings.HasSuffix(got[0], bounded) {
			t.Errorf("%s: got %q", name, got)
		}
	}
}

func TestTemplatesKnowTheirLines(t *testing.T) {
	for _, test := range []struct {
		name, text       string
		line             int // of the template
		wantLine, wantAt int // of the file
	}{
		{"plain", "commonTemplate: abc", 1, 1, 17},
		{"quoted", "commonTemplate: 'abc'", 1, 1, 17},
		{"in the next line", "commonTemplate:\n  abc", 1, 2, 3},
		{"literal, first line", "commonTemplate: |\n  a\n   b\n", 1, 2, 3},
		{"literal, last line", "commonTemplate: |\n  a\n   b\n", 2, 3, 3},
		{"literal after blank lines", "commonTemplate: |+ # comment\n\n\n    a\n    b\n", 4, 5, 5},
		{"literal with indentation", "commonTemplate: |2-\n   a\n  b\n", 2, 3, 3},
		{"literal with tag and anchor", "commonTemplate: &x !!str |\n  a\n  b\n", 2, 3, 3},
		{"literal with CRLF", "commonTemplate: |\r\n  a\r\n  b\r\n", 2, 3, 3},
		{"literal below its tag", "commonTemplate: !!str\n  |\n  a\n  b\n", 2, 1, 17},
		{"folded", "commonTemplate: >\n  a\n\n  b\n", 2, 1, 17},
		{"quoted over lines", "commonTemplate: \"a\n\n  b\"\n", 2, 1, 17},
		{"escaped line break", `commonTemplate: "a\nb"`, 2, 1, 17},
	} {
		t.Run(test.name, func(t *testing.T) {
			at := parse(t, test.text+"\n"+command).CommonTemplate.Position(test.line)
			want := config.Position{File: "k.yaml", Line: test.wantLine, Column: test.wantAt, Path: "commonTemplate"}
			if at != want {
				t.Errorf("got %+v, want %+v", at, want)
			}
		})
	}
}

func TestTemplatesYieldsAll(t *testing.T) {
	cfg := parse(t, `
commonTemplate: c
nodeTemplate:
  command: [a, b]
  args: {f: x, g: [y, z], h: true}
  env: {B: eb, A: ea}
  files: [{path: p, content: ct}]
p2pKeys:
  b: {rootSecret: {env: R}, type: ed25519, format: raw, path: /b, scope: s, identity: {pod: i}, expectInLog: log}
  a: {rootSecret: {file: root}, type: ed25519, format: raw, path: '/{{ .Index }}'}
fleet: {replicas: 3}
watchlog: {enabled: true, files: [wf], keyword: no template}
`)
	var got []string
	for _, tmpl := range cfg.Templates() {
		if tmpl.Text != "" {
			got = append(got, tmpl.Text)
		}
	}
	want := []string{"c", "a", "b", "x", "y", "z", "eb", "ea", "p", "ct",
		"/b", "s", "i", "log", "root", "/{{ .Index }}", "3", "wf", ":49944"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestKeysAreFound(t *testing.T) {
	cfg := parse(t, command+"watchlog:\n  healthcheckIDs:\n    - a\n  keyword: b\n  enabled: true\n")
	for path, want := range map[string]string{
		"watchlog.healthcheckIDs":    "k.yaml:3:3",
		"watchlog.healthcheckIDs[0]": "k.yaml:4:7",
		"watchlog.keyword":           "k.yaml:5:12",
		"watchlog.interval":          "k.yaml:2:1",
		"process.restart":            "k.yaml:1:1",
	} {
		if at := cfg.At(path); at.String() != want || at.Path != path {
			t.Errorf("%s: got %+v, want %s", path, at, want)
		}
	}
	if at := cfg.NodeTemplate.Index.At; at.String() != "k.yaml" || at.Path != "nodeTemplate.index" {
		t.Errorf("a template that is not set is at %+v", at)
	}
}

func TestWarnsOfWhatHasNoEffect(t *testing.T) {
	const (
		unwatched = "k.yaml:2:11: watchlog: nothing is watched, because watchlog.enabled is not true"
		action    = "k.yaml:3:24: process.onUnhealthy: has no effect, because watchlog.enabled is not true"
	)
	for text, want := range map[string][]string{
		"watchlog: {keyword: a}\n":                                               {unwatched},
		"watchlog: {healthcheckID: a}\n":                                         {unwatched},
		"watchlog: {files: [a]}\nprocess: {onUnhealthy: exit}\n":                 {unwatched, action},
		"watchlog: {enabled: false, keyword: a}\nprocess: {onUnhealthy: exit}\n": {action},
		"watchlog: {enabled: false, keyword: a}\n":                               nil,
		"watchlog: {enabled: true, keyword: a}\nprocess: {onUnhealthy: exit}\n":  nil,
		"watchlog: {interval: 1m}\nprocess: {onUnhealthy: none}\n":               nil,
	} {
		_, warnings, err := config.Parse("k.yaml", []byte(command+text))
		if err != nil {
			t.Errorf("%s: %v", text, err)
		}
		var got []string
		for _, w := range warnings {
			got = append(got, w.Error())
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
	}
}

// A plan carries these sections as they are.
func TestSectionsInJSON(t *testing.T) {
	cfg := parse(t, command+"watchlog: {enabled: true, keyword: a, keywords: [b], pattern: 'n=(\\d+)', files: [f]}\nprocess: {stopSignal: 2}")
	for want, section := range map[string]any{
		`{"keywords":["a","b"],"failKeywords":[],"pattern":"n=(\\d+)","lastThreshold":"10m","startupThreshold":"0s",` +
			`"interval":"1m","streams":["stdout","stderr"]}`: cfg.Watchlog,
		`{"stopSignal":"SIGINT","stopGracePeriod":"25s","signalGroup":false,"restart":"never","restartBackoff":"1s",` +
			`"restartBackoffMax":"1m","restartMaxTries":10,"onUnhealthy":"none"}`: cfg.Process,
		`{"baseURL":"https://hc-ping.com","timeout":"10s","create":false,"logLines":true}`: cfg.Healthchecks,
		`{"level":"info","encoding":"console"}`:                                            cfg.Logging,
		`"1000:1"`:                                                                         config.Owner{UID: 1000, GID: 1, IsSet: true},
		`"0640"`:                                                                           config.FileMode(0o640),
	} {
		if got, err := json.Marshal(section); string(got) != want || err != nil {
			t.Errorf("got %s, want %s; %v", got, want, err)
		}
	}
}

func TestNoListIsNil(t *testing.T) {
	cfg := parse(t, command+"watchlog: {keywords: , streams: ~}\n"+
		"nodeService: {ports: {p2p: {port: 1, protocols: }}}\np2pKeys: {a: {rootSecret: {env: R}, type: ed25519, format: raw, path: p}}")
	lists := 0
	var walk func(path string, v reflect.Value)
	walk = func(path string, v reflect.Value) {
		switch {
		case v.Kind() == reflect.Slice:
			if lists++; v.IsNil() {
				t.Errorf("%s is nil", path)
			}
		case v.Kind() == reflect.Map:
			for _, name := range v.MapKeys() {
				walk(path+"."+name.String(), v.MapIndex(name))
			}
		case isSection(v.Type()):
			for i := range v.NumField() {
				walk(path+"."+v.Type().Field(i).Name, v.Field(i))
			}
		}
	}
	walk("", reflect.ValueOf(*cfg))
	if lists < 10 {
		t.Errorf("only %d lists", lists)
	}
}

func BenchmarkParse(b *testing.B) {
	data := []byte(readFile(b, "testdata/v04.yaml"))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := config.Parse("k.yaml", data); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLoad(b *testing.B) {
	for name, path := range map[string]string{
		"quickstart": "../../docs/quickstart.yaml", "geth": "../../deploy/examples/geth/kubevali.yaml",
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := config.Load(path); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
