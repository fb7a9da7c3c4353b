package plan_test

import (
	"fmt"
	"strings"
	"testing"
)

// FuzzTemplate renders any text: it must give a plan or an error, the same each time, and never what Go prints for a
// value that is not there, nor a root secret.
func FuzzTemplate(f *testing.F) {
	for _, seed := range []string{
		"", "{{", "}}", "{{}}", "{{ .Index }}", "{{ range 3 }}{{ . }}{{ else }}x{{ end }}", "{{ with .Env }}{{ .A }}{{ end }}",
		`{{ define "a" }}{{ template "a" . }}{{ end }}{{ include "a" . }}`, `{{ printf "%*d%[1]v" 3 4 }}`, "{{ $x := list 1 }}{{ first $x }}",
		`{{ if and .Pod.Name (eq 1 2) }}{{ else with 1 }}{{ . }}{{ end }}`, `{{ block "b" . }}{{ break }}{{ end }}`,
		`{{ dict "a" (list nil) | toJson }}`, `{{ .Env | keys | join "," }}`, `{{ (index (list 1 2) 5).X }}`, `{{ call .Index }}`,
		`{{ slice "abc" 1 9 }}`, `{{ untilStep 5 1 -1 }}{{ chunk 0 (list 1) }}`, `{{ randHex 4 }}{{ uuidv4 }}`, `{{ mustToDate "x" "y" }}`,
		`{{ html . }}{{ print nil }}{{ not nil }}`, `{{ semver "1.2.3" }}{{ dig "a" "b" 1 (dict "a" (dict)) }}`, `{{ typeOf . }}{{ kindOf nil }}`,
		`{{ peerID "node" }}{{ enode "node" "a-1" }}{{ keyPath "node" }}`, `{{ range peers "node" }}{{ .Enode }}@{{ .Pod }}{{ end }}`,
		`{{ eachPeer "node" "{PeerID}@{Pod}{" | join "," }}`, `{{ env "P2P_ROOT_KEY" }}`, `{{ expandenv "${P2P_ROOT_KEY}" }}`,
		`{{ .Env.P2P_ROOT_KEY }}{{ .Env | toJson }}`, `{{ range $k, $v := .Env }}{{ $v }}{{ end }}`, `{{ mustToDate "x" .Env.P2P_ROOT_KEY }}`,
		`{{ nodeExternalIP }}{{ .Node.Name }}{{ getRandomNodeIP }}`, `{{ $a := dict }}{{ set $a "a" $a | print }}{{ deepCopy $a }}`,
		`{{ $p := "x" }}{{ range 20 }}{{ $p = peerID "node" $p }}{{ end }}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, template string) {
		w := withKeys()
		w.source = dualStack().answer
		cfg := configFor(template)
		cfg.P2PKeys = parse(t, keysFile).P2PKeys
		cfg.Fleet.Replicas.Text = "3"
		made, err := w.make(cfg)
		again, errAgain := w.make(cfg)
		if strings.Contains(fmt.Sprint(made, err), rootSecret) && !strings.Contains(template, rootSecret) {
			t.Fatalf("the root secret shows: %v, %v", made, err)
		}
		if err != nil {
			if errAgain == nil || err.Error() != errAgain.Error() {
				t.Fatalf("first %v, then %v", err, errAgain)
			}
			return
		}
		if !made.Equal(again) {
			t.Fatalf("first %q, then %q", made.Env, again.Env)
		}
		const missing = "<no value>"
		if strings.Contains(made.Env["VALUE"], missing) && !strings.Contains(template, "no value") {
			t.Fatalf("it gave %s", missing)
		}
	})
}
