package plan_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/Masterminds/sprig/v3"

	"github.com/kubevali/kubevali/internal/config"
)

// Templates are those of pod sts-2 in namespace chains.
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
		{`{{ toDate "2006-01-02" "1970-01-02" | unixEpoch | atoi | lt 0 }} {{ duration "3601" }}`, "true 1h0m1s"},
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
			made, err := sts2().make(cfg)
			if err != nil {
				t.Fatal(err)
			}
			if got := made.Env["VALUE"]; got != test.want {
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
			value := func(f world) string {
				made, err := f.make(configFor(test.template))
				if err != nil {
					t.Fatal(err)
				}
				return made.Env["VALUE"]
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
	made := mustMake(t, `
nodeTemplate:
  command: [node, '{{ randHex 32 }} {{ randHex 32 }}', '{{ randHex 32 }}']
`, sts2())
	values := append(strings.Fields(made.Command[1]), made.Command[2])
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
	before := mustMake(t, file, sts2()).Command
	after := mustMake(t, file+`    a: '{{ randHex 16 }}'`, sts2()).Command
	if before[2] != after[4] {
		t.Errorf("%q became %q", before, after)
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
		for _, args := range []string{"", " .", ` "a-b"`, ` (dict "b" 1 "a" 2)`, ` "a" .Env`} {
			cfg := configFor("{{ " + name + args + " }}")
			made, err := sts2().make(cfg)
			again, errAgain := sts2().make(cfg)
			switch {
			case err != nil || errAgain != nil:
				if fmt.Sprint(err) != fmt.Sprint(errAgain) {
					t.Errorf("%s%s: first %v, then %v", name, args, err, errAgain)
				}
			case !made.Equal(again):
				t.Errorf("%s%s: first %q, then %q", name, args, made.Env, again.Env)
			}
		}
	}
}
