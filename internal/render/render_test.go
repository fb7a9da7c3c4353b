package render_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/kubevali/kubevali/internal/config"
	"github.com/kubevali/kubevali/internal/hint"
	"github.com/kubevali/kubevali/internal/render"
)

func TestRun(t *testing.T) {
	r := render.New(options)
	common, plain := template(`{{ define "a" }}[{{ . }}]{{ end }}`), template("}} plain {")
	if !r.Define(common) || !r.Compile(plain) {
		t.Fatal(r.Err())
	}
	texts := map[string]string{
		`{{ template "a" .x }}`:                                   "[1]",
		`{{ include "a" .x | repeat 2 }}`:                         "[1][1]",
		`{{ define "a" }}own {{ end }}{{ template "a" }}{{ .x }}`: "own 1",
		`{{ define "b" }}b{{ end }}{{ include "b" . }}`:           "b",
		`{{ .x }}{{ template "a" .x }}`:                           "1[1]", // a definition of another template is nothing to this one
	}
	for text, want := range texts {
		source := template(text)
		for range 2 { // compiling twice is compiling once
			if !r.Compile(source) {
				t.Fatal(r.Err())
			}
		}
		for range 2 {
			if got, err := r.Run(source, map[string]any{"x": 1}); got != want || err != nil {
				t.Errorf("%s: got %q, %v", text, got, err)
			}
		}
	}
	if got, err := r.Run(plain, nil); got != plain.Text || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	if r.Compile(template(`{{ template "b" . }}`)) || !strings.Contains(fmt.Sprint(r.Err()), `there is no template "b"`) {
		t.Errorf("what a template defines is not for itself alone: %v", r.Err())
	}
}

func TestErrorsAreCollected(t *testing.T) {
	r := render.New(options)
	broken, failing := template("{{ bad }}"), template(`{{ fail "no" }}`)
	if r.Compile(broken) || r.Failed() != 1 {
		t.Errorf("%d errors: %v", r.Failed(), r.Err())
	}
	// What has been reported is known, so it is said once.
	_, err := r.Run(broken, nil)
	if err != render.ErrReported || r.Compile(broken) {
		t.Errorf("got %v", err)
	}
	r.ReportRun(broken, err)
	r.Compile(failing)
	for range 2 {
		_, err := r.Run(failing, nil)
		if r.Failed() > 2 {
			t.Errorf("running reports by itself: %v", r.Err())
		}
		r.ReportRun(failing, err)
	}
	r.CheckSyntax(template("{{ alsoBad }}{{ template \"none\" }}"))
	r.CheckSyntax(template("{{ if }}"))
	r.Report(template("one\ntwo"), 2, render.Because(hint.With(errors.New("from elsewhere"), "look there")))
	const want = `kubevali.yaml:8:1: x: there is no function "bad"
    {{ bad }}
kubevali.yaml:8:1: x: no
    {{ fail "no" }}
kubevali.yaml:8:1: x: missing value for if
    {{ if }}
kubevali.yaml:9:1: x: from elsewhere (look there)
    two`
	if got := fmt.Sprint(r.Err()); got != want || r.Failed() != 4 {
		t.Errorf("got %d errors\n%s\nwant\n%s", r.Failed(), got, want)
	}
}

// What the caller knows of its templates goes into errors, and what must not show does not.
func TestOptions(t *testing.T) {
	type group struct{ Name string }
	o := options
	o.Functions = func() map[string]any {
		return map[string]any{
			"upper":  func(s string) string { return "my " + s },
			"secret": func() (string, error) { return "", errors.New("wrong: hunter2-hunter2, shown") },
		}
	}
	o.Fields = []string{".Group.Name"}
	o.Group = func(value any) bool { _, ok := value.(group); return ok }
	o.Unknown = func(action, key, goType string) error {
		if key == "Nmae" {
			return render.Fail("no "+action+" in "+goType, "")
		}
		return nil
	}
	o.KeyHint = func(key string) string { return strings.Repeat("a key", len(key)%2) }
	o.Hidden = func() []string { return []string{"hunter2", "hunter2-hunter2", "own"} }
	o.Unquoted = "secret"
	data := map[string]any{"Group": group{"x"}}
	tests := []struct{ text, path, want string }{
		{`{{ upper "x" }}`, "x", "my x"},
		{`{{ .Group }}`, "x", "kubevali.yaml:8:1: x: this is not a text but a group of values (name one of them: .Group.Name)\n    {{ .Group }}"},
		{`{{ .Group.Nmae }}`, "x", "x: no .Group.Nmae in "},
		{`{{ .Nmae }}`, "x", "x: no .Nmae in \n"},
		{`{{ .Key }}`, "x", `x: there is no key "Key" (a key)`},
		{`{{ range list 1 }}{{ .Group }}{{ end }}`, "x", "$.Group is that of the template's data"},
		{`{{ secret }}`, "x", "x: secret: wrong: …, shown\n"},
		{`{{ secret }}{{/* hunter2-hunter2 */}}`, "x", "x: secret: wrong: hunter2-hunter2, shown\n"},
		{`{{ .Key }}`, "secret", `kubevali.yaml:8:1: secret: there is no key "Key" (a key)`},
	}
	for _, test := range tests {
		r := render.New(o)
		source := template(test.text)
		source.At.Path = test.path
		r.Compile(source)
		got, err := r.Run(source, data)
		if err != nil {
			r.ReportRun(source, err)
			got = fmt.Sprint(r.Err())
		}
		if !strings.Contains(got, test.want) || test.path == "secret" && strings.Contains(got, "{{") {
			t.Errorf("%s: got %s\nwant %s", test.text, got, test.want)
		}
	}
}

// The functions that are not pure are withheld: none of sprig's is left that gives something else the next time.
func TestWithheldFunctions(t *testing.T) {
	for _, name := range []string{"now", "ago", "date", "dateInZone", "date_in_zone", "htmlDate", "htmlDateInZone", "durationRound",
		"getHostByName", "genPrivateKey", "genCA", "genSelfSignedCert", "genSignedCert", "bcrypt", "htpasswd", "encryptAES"} {
		_, err := run("{{ "+name+" }}", nil)
		expectText(t, fmt.Sprint(err), `function "`+name+`" is not available: `, "(put the value into a Secret or a ConfigMap")
	}
}

// Random numbers depend on the template's path alone, in whatever order templates are run.
func TestRandomNumbersByPath(t *testing.T) {
	a, b := template("{{ randHex 8 }}"), template("{{ randHex 8 }}")
	b.At.Path = "y"
	texts := make(map[string]bool)
	for _, order := range [][]config.Template{{a, b, a}, {b, a, b}} {
		r := render.New(options)
		for _, source := range order {
			r.Compile(source)
			text, err := r.Run(source, nil)
			if err != nil {
				t.Fatal(err)
			}
			texts[source.At.Path+text] = true
		}
	}
	if len(texts) != 2 {
		t.Errorf("got %v", texts)
	}
}

func TestRestart(t *testing.T) {
	t.Parallel()
	r := render.New(options)
	endless, quick := template("{{ range 1000000000000 }}{{ end }}"), template("{{ range 3 }}{{ . }}{{ end }}")
	r.Compile(endless)
	r.Compile(quick)
	for _, source := range []config.Template{endless, quick, endless} {
		_, err := r.Run(source, nil)
		expectText(t, fmt.Sprint(err), "stopped after 2s")
		r.ReportRun(source, err)
	}
	if r.Failed() != 1 {
		t.Errorf("got %v", r.Err())
	}
	r.Restart()
	if text, err := r.Run(quick, nil); text != "012" || err != nil {
		t.Errorf("with time anew: %q, %v", text, err)
	}
}
