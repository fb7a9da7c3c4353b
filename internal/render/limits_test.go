package render_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/kubevali/kubevali/internal/config"
)

// TestEndlessTemplates has templates that would take hours or years.
func TestEndlessTemplates(t *testing.T) {
	for _, template := range []string{
		`{{ range 1000000000000 }}{{ end }}`,
		`{{ range until 90000 }}{{ range $i := 90000 }}{{ $x := add 1 2 }}{{ if $x }}{{ continue }}{{ end }}{{ end }}{{ end }}`,
		`{{ range 1000 }}{{ $x := getHostByName "boot" }}{{ end }}`,
		`{{ $x := list }}{{ range 1000000 }}{{ $x = append $x 1 }}{{ end }}`,
		`{{ until 50000 | uniq }}`,
		doubling(),
	} {
		t.Run(fmt.Sprintf("%.100s", template), func(t *testing.T) {
			t.Parallel()
			_, err := sts2().make(configFor(template))
			expectText(t, fmt.Sprint(err), "the templates do too much: stopped after")
		})
	}
}

// doubling calls 2^60 templates, no more than 60 of them at once.
func doubling() string {
	var b strings.Builder
	for i := range 60 {
		fmt.Fprintf(&b, `{{ define "%d" }}{{ template "%d" }}{{ template "%[2]d" }}{{ end }}`, i, i+1)
	}
	return b.String() + `{{ define "60" }}{{ end }}{{ template "0" }}`
}

// TestLargeTemplates has templates that would fill the memory. They must fail without having taken much.
func TestLargeTemplates(t *testing.T) {
	const large = "larger than"
	big := filepath.Join(t.TempDir(), "big")
	if err := os.WriteFile(big, make([]byte, 1<<20+1), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct{ template, want string }{
		{`{{ define "a" }}{{ template "a" . }}{{ end }}{{ template "a" . }}`, "nested more than 1000 deep"},
		{`{{ define "a" }}{{ template "b" . }}{{ end }}{{ define "b" }}{{ include "a" . }}{{ end }}{{ template "a" . }}`, "nested more than 1000 deep"},
		{`{{ define "a" }}{{ include "a" . }}{{ end }}{{ include "a" . }}`, "nested more than 1000 deep"},
		{`{{ define "a" }}{{ range 2 }}{{ range 2 }}{{ template "a" . }}{{ end }}{{ end }}{{ end }}{{ template "a" . }}`, "nested more than 1000 deep"},
		{strings.Repeat("{{ range 2 }}", 2000) + strings.Repeat("{{ end }}", 2000), "nested more than 1000 deep"},
		{`{{ range until 1000000000 }}{{ end }}`, "until: the result would be " + large},
		{`{{ until -1000000000 }}`, large},
		{`{{ untilStep 0 1000000000 1 }}`, large},
		{`{{ untilStep 0 9223372036854775807 4611686018427387904 }}`, large},
		{`{{ untilStep -9223372036854775808 9223372036854775807 1 }}`, large},
		{`{{ seq 1000000000 }}`, large},
		{`{{ seq 1 1000000000 }}`, large},
		{`{{ seq 1 2 1000000000 }}`, large},
		{`{{ repeat 1000000000 "x" }}`, large},
		{`{{ repeat 9223372036854775807 "xx" }}`, large},
		{`{{ indent 1000000000 "x" }}`, large},
		{`{{ nindent 1000000000 "x" }}`, large},
		{`{{ printf "%1000000d" 1 | repeat 30 | indent 1000000 }}`, large},
		{`{{ printf "` + strings.Repeat("%1000000d", 100) + `" }}`, large},
		{`{{ printf "` + strings.Repeat("%[1]*[2]d", 100) + `" 1000000 1 }}`, large},
		{`{{ printf "` + strings.Repeat("%[1]s", 1000) + `" (repeat 1000000 "x") }}`, large},
		{`{{ $x := repeat 1000000 "x" }}{{ replace "x" $x $x }}`, large},
		{`{{ $x := repeat 1000000 "x" }}{{ regexReplaceAll "x" $x $x }}`, large},
		{`{{ $x := repeat 1000000 "x" }}{{ mustRegexReplaceAllLiteral "x" $x $x }}`, large},
		{`{{ $x := repeat 1000000 "x" }}{{ wrapWith 1 $x $x }}`, large},
		{`{{ $x := repeat 1000000 "x" }}{{ join $x (until 90000) }}`, large},
		{`{{ $x := "x" }}{{ range 60 }}{{ $x = print $x $x }}{{ end }}`, large},
		{`{{ $x := "x" }}{{ range 60 }}{{ $x = cat $x $x }}{{ end }}`, large},
		{`{{ $x := list 1 }}{{ range 60 }}{{ $x = concat $x $x }}{{ end }}`, large},
		{`{{ $x := list 1 }}{{ range 60 }}{{ $x = list $x $x }}{{ end }}{{ $x }}`, large},
		{`{{ $a := dict }}{{ $b := list $a $a $a $a $a $a }}{{ $_ := set $a "x" (repeat 1000000 "x") }}{{ $b }}`, large},
		{`{{ $a := dict }}{{ $_ := set $a "a" $a }}{{ $a }}`, "must not contain itself"},
		{`{{ $a := dict }}{{ $b := dict "a" $a }}{{ $_ := set $a "b" $b }}{{ $b }}`, "must not contain itself"},
		{`{{ $a := dict }}{{ $_ := merge $a (dict "a" $a) }}{{ $a | toJson }}`, "must not contain itself"},
		{`{{ randAlphaNum 1000000000 }}`, large},
		{`{{ randHex 1000000000 }}`, large},
		{`{{ randBytes 1000000000 }}`, large},
		{`{{ repeat 1000000 "x" }}{{ repeat 1000000 "x" }}`, "the text is larger than 1 MiB"},
		{`{{ range 10000 }}` + strings.Repeat("x", 200) + `{{ end }}`, "the text is larger than 1 MiB"},
		{`{{ readFile "` + big + `" }}`, "it is larger than 1 MiB"},
	}
	for _, test := range tests {
		t.Run(fmt.Sprintf("%.100s", test.template), func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := sts2().make(configFor(test.template))
			runtime.ReadMemStats(&after)
			expectText(t, fmt.Sprint(err), test.want)
			const most = 512 << 20 // over time, not at once
			if took := after.TotalAlloc - before.TotalAlloc; took > most {
				t.Errorf("it allocated %d MiB", took>>20)
			}
		})
	}
}

func TestLimitsLeaveRoom(t *testing.T) {
	for _, template := range []string{
		`{{ range until 50000 }}x{{ end }}`,
		`{{ $peers := list }}{{ range $i := until 1000 }}{{ $peers = append $peers (printf "enode://%s@sts-%d:30303" (randHex 64) $i) }}{{ end }}{{ join "," $peers | len }}`,
		`{{ range until 300 }}{{ range until 50 }}{{ add 1 . }}{{ end }}{{ end }}`,
		`{{ define "down" }}{{ if gt . 0 }}{{ include "down" (sub . 1) }}{{ end }}{{ end }}{{ include "down" 300 }}`,
		`{{ repeat 1000000 "x" }}`,
		`{{ printf "%-1000s" "x" }}`,
		`{{ toJson .Env }}`,
	} {
		if _, err := sts2().make(configFor(template)); err != nil {
			t.Errorf("%s: %v", template, err)
		}
	}
}

func TestTooManyErrors(t *testing.T) {
	_, err := sts2().make(configFor(strings.Repeat("{{ bad }}\n", 10_000)))
	found := config.Errors(nil)
	if !errors.As(err, &found) || len(found) != 101 {
		t.Fatalf("got %d errors", len(found))
	}
	expectText(t, found[0].Error(), "kubevali.yaml: the templates have more than 100 errors")
}

func TestSpentStepsAreReportedOnce(t *testing.T) {
	_, err := sts2().make(parse(t, `
nodeTemplate:
  command: [node, '{{ range 1000000000000 }}{{ end }}', '{{ add 1 2 }}', '{{ range 1000000000000 }}{{ end }}']
`))
	found := config.Errors(nil)
	if !errors.As(err, &found) || len(found) != 1 || found[0].At.Path != "nodeTemplate.command[1]" {
		t.Errorf("got %v, want one error about the first loop", err)
	}
}
