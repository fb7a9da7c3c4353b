package render_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/kubevali/kubevali/internal/config"
	"github.com/kubevali/kubevali/internal/render"
)

// options give each template of the same path the same random numbers.
var options = render.Options{
	Random: func(path string) *rand.ChaCha8 {
		var seed [32]byte
		copy(seed[:], path)
		return rand.NewChaCha8(seed)
	},
}

// template is the one in line 7 of a file.
func template(text string) config.Template {
	return config.Template{Text: text, At: config.Position{File: "kubevali.yaml", Line: 7, Column: 5, Path: "x"}, FirstLine: 8}
}

// run compiles a template and runs it. The error is what was reported.
func run(text string, data any) (string, error) {
	r := render.New(options)
	source := template(text)
	if !r.Compile(source) {
		return "", r.Err()
	}
	text, err := r.Run(source, data)
	if err != nil {
		r.ReportRun(source, err)
	}
	return text, r.Err()
}

func expectText(t testing.TB, text string, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
}
