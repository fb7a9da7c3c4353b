package render_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// TestEndlessTemplates has templates that would take hours or years.
func TestEndlessTemplates(t *testing.T) {
	for _, template := range []string{
		`{{ range 1000000000000 }}{{ end }}`,
		`{{ range until 60000 }}{{ range $i := 90000 }}{{ $x := add 1 2 }}{{ if $x }}{{ continue }}{{ end }}{{ end }}{{ end }}`,
		`{{ $x := list }}{{ range 1000000 }}{{ $x = append $x 1 }}{{ end }}`,
		strings.Repeat("{{ range 2 }}", 2000) + strings.Repeat("{{ end }}", 2000),
		// What takes long is stopped between two calls, whether in a loop or not.
		`{{ range 100 }}{{ $x := derivePassword 1 "long" "x" "y" "z" }}{{ end }}`,
		strings.Repeat(`{{ $x := derivePassword 1 "long" "x" "y" "z" }}`, 100),
		doubling(),
	} {
		t.Run(fmt.Sprintf("%.100s", template), func(t *testing.T) {
			t.Parallel()
			_, err := run(template, nil)
			expectText(t, fmt.Sprint(err), "the templates do too much: stopped after 2s (look for a range over a large number)")
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
	const large, deep, itself = "a value is larger than 1 MiB", "templates are nested more than 100 deep", "must not contain itself"
	tests := []struct{ template, want string }{
		{`{{ define "a" }}{{ template "a" . }}{{ end }}{{ template "a" . }}`, deep},
		{`{{ define "a" }}{{ template "b" . }}{{ end }}{{ define "b" }}{{ include "a" . }}{{ end }}{{ template "a" . }}`, deep},
		{`{{ define "a" }}{{ include "a" . }}{{ end }}{{ include "a" . }}`, deep},
		{`{{ define "a" }}{{ range 2 }}{{ range 2 }}{{ template "a" . }}{{ end }}{{ end }}{{ end }}{{ template "a" . }}`, deep},
		{`{{ define "down" }}{{ if gt . 0 }}{{ include "down" (sub . 1) }}{{ end }}{{ end }}{{ include "down" 99 }}`, deep},

		{`{{ range until 1000000000 }}{{ end }}`, large},
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
		{`{{ printf (repeat 80000 "%1000000[1]d") 1 }}`, large},
		{`{{ printf (repeat 80000 "%.1000000[1]f") 1.0 }}`, large},
		{`{{ printf "` + strings.Repeat("%[1]*[2]d", 100) + `" 1000000 1 }}`, large},
		{`{{ printf "` + strings.Repeat("%[1]s", 1000) + `" (repeat 1000000 "x") }}`, large},
		{`{{ printf "` + strings.Repeat("%[1]v", 1000) + `" (until 60000) }}`, large},
		{`{{ $x := repeat 1000000 "x" }}{{ replace "x" $x $x }}`, large},
		{`{{ $x := repeat 1000000 "x" }}{{ regexReplaceAll "x" $x $x }}`, large},
		{`{{ $x := repeat 1000000 "x" }}{{ mustRegexReplaceAllLiteral "x" $x $x }}`, large},
		{`{{ $x := repeat 1000000 "x" }}{{ wrapWith 1 $x $x }}`, large},
		{`{{ wrapWith 1 (repeat 100000 "x") (repeat 100000 "x y ") }}`, large},
		{`{{ $x := repeat 1000000 "x" }}{{ join $x (until 60000) }}`, large},
		{`{{ $x := "x" }}{{ range 60 }}{{ $x = print $x $x }}{{ end }}`, large},
		{`{{ $x := "x" }}{{ range 60 }}{{ $x = cat $x $x }}{{ end }}`, large},
		{`{{ $x := list 1 }}{{ range 60 }}{{ $x = concat $x $x }}{{ end }}`, large},
		{`{{ $x := list 1 }}{{ range 60 }}{{ $x = list $x $x }}{{ end }}{{ $x }}`, large},
		{`{{ until 5000 | uniq }}`, "the list has more than 4096 items, which would all be compared"},
		{`{{ without (until 5000) 1 }}`, "the list has more than 4096 items"},
		{`{{ randAlphaNum 1000000000 }}`, large},
		{`{{ randHex 1000000000 }}`, large},
		{`{{ randBytes 1000000000 }}`, large},
		{`{{ repeat 1000000 "x" }}{{ repeat 1000000 "x" }}`, "the text is larger than 1 MiB"},
		{`{{ range 10000 }}` + strings.Repeat("x", 200) + `{{ end }}`, "the text is larger than 1 MiB"},
		{`{{ define "a" }}{{ range 10000 }}` + strings.Repeat("x", 200) + `{{ end }}{{ end }}{{ include "a" . }}`, "the text is larger than 1 MiB"},

		// Values that become large, or their own part, only after they have been given to somebody.
		{`{{ $a := dict }}{{ $b := list $a $a $a $a $a $a }}{{ $_ := set $a "x" (repeat 1000000 "x") }}{{ $b }}`, large},
		{`{{ $a := dict }}{{ $b := list }}{{ range 100 }}{{ $b = append $b $a }}{{ end }}{{ $_ := set $a "x" (repeat 1000000 "x") }}{{ toJson $b | len }}`, large},
		{`{{ $a := dict }}{{ $b := list $a $a }}{{ $_ := set $a "x" (repeat 1000000 "x") }}{{ $b | print }}`, large},
		{`{{ $a := dict }}{{ $_ := set $a "a" $a }}{{ $a }}`, itself},
		{`{{ $a := dict }}{{ set $a "a" $a }}`, itself},
		{`{{ $a := dict }}{{ set $a "a" $a | print }}`, itself},
		{`{{ $a := dict }}{{ if set $a "a" $a }}{{ deepCopy $a }}{{ end }}`, itself},
		{`{{ define "x" }}{{ print . }}{{ end }}{{ $a := dict }}{{ template "x" set $a "a" $a }}`, itself},
		{`{{ $a := dict }}{{ with set $a "a" $a }}{{ . | quote }}{{ end }}`, itself},
		{`{{ $a := dict }}{{ $b := dict "a" $a }}{{ $_ := set $a "b" $b }}{{ $b }}`, itself},
		{`{{ $a := dict }}{{ $_ := merge $a (dict "a" $a) }}{{ $a | toJson }}`, itself},
	}
	for _, test := range tests {
		t.Run(fmt.Sprintf("%.100s", test.template), func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := run(test.template, nil)
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
		`{{ define "down" }}{{ if gt . 0 }}{{ include "down" (sub . 1) }}{{ end }}{{ end }}{{ include "down" 98 }}`,
		`{{ repeat 1000000 "x" }}`,
		`{{ printf "%-1000s" "x" }}`,
		`{{ printf "%s%s%s" (repeat 300000 "x") "y" "port 1000000" | len }}`,
		`{{ until 1000 | uniq | len }}{{ without (until 4096) 1 | len }}`,
		`{{ seq 10000 | len }}{{ seq 5 | len }}{{ untilStep 10 0 -3 | len }}{{ seq 5 1 | len }}`,
		`{{ $a := list 1 2 }}{{ $b := dict "x" $a "y" $a }}{{ toJson $b }}`,
	} {
		if _, err := run(template, nil); err != nil {
			t.Errorf("%s: %v", template, err)
		}
	}
}
