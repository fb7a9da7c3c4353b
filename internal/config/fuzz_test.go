package config_test

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/kubevali/kubevali/internal/config"
)

// FuzzParse looks for files that make the loader panic or hang, for findings outside the file, and for templates whose
// lines are not where they say.
func FuzzParse(f *testing.F) {
	archive, err := txtar.ParseFile("testdata/findings.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range archive.Files {
		if strings.HasSuffix(file.Name, ".yaml") {
			f.Add(file.Data)
		}
	}
	f.Add([]byte(readFile(f, "testdata/v04.yaml")))
	f.Add([]byte(readFile(f, "testdata/values.yaml")))
	f.Add([]byte("?\r0"))
	f.Add([]byte("nodeTemplate: {command: [a]}\np2pKeys:\n  a: &k\n    rootSecret: {env: R}\n    type: ed25519\n    format: raw\n" +
		"    path: |\n      a{{ 1 }}\n    owner: 1:2\n  b: {<<: *k, path: b}\nfleet: {replicas: 3}\n"))
	f.Add([]byte("nodeTemplate: &a\n  command: &c [&x a, *x]\n  env: {<<: [{A: b}]}\n  args: {a: *c, b: ~}\ncommonTemplate: |+\n\n  x\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		cfg, _, err := config.Parse("k.yaml", data)
		if err == nil {
			for _, tmpl := range cfg.Templates() {
				checkTemplate(t, data, tmpl)
			}
			return
		}
		errs, ok := errors.AsType[config.Errors](err)
		if !ok || len(errs) == 0 || cfg != nil {
			t.Fatalf("got %v and the error %#v", cfg, err)
		}
		for _, e := range errs {
			if e.Message == "" || e.At.Line != 0 && !inside(data, e.At) {
				t.Errorf("%v is not in the file: %q", e, data)
			}
		}
	})
}

// checkTemplate holds a template's lines against those of the file.
func checkTemplate(t *testing.T, data []byte, tmpl *config.Template) {
	lines := strings.Split(string(data), "\n")
	for i, line := range strings.Split(tmpl.Text, "\n") {
		at := tmpl.Position(i + 1)
		if at.Line == 0 || at.Line == tmpl.At.Line || strings.TrimSpace(line) == "" {
			continue
		}
		if at.Line > len(lines) || !strings.HasSuffix(strings.TrimSuffix(lines[at.Line-1], "\r"), line) {
			t.Errorf("line %d of %s, %q, is not in line %d of %q", i+1, at.Path, line, at.Line, data)
		}
	}
}

// inside says whether the position is one of the file, or right behind a line's end. YAML has more kinds of line breaks
// than most editors, see https://yaml.org/spec/1.1/#id871136.
func inside(data []byte, at config.Position) bool {
	text := strings.NewReplacer("\r\n", "\n", "\r", "\n", "\u0085", "\n", "\u2028", "\n", "\u2029", "\n").Replace(string(data))
	lines := strings.Split(text, "\n")
	return at.Line >= 1 && at.Line <= len(lines) && at.Column >= 1 &&
		at.Column <= max(utf8.RuneCountInString(lines[at.Line-1]), 1)+1
}
