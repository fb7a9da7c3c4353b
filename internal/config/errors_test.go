package config_test

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/kubevali/kubevali/internal/config"
	"github.com/kubevali/kubevali/internal/hint"
)

var update = flag.Bool("update", false, "write what is found into testdata/findings.txtar")

func TestFindings(t *testing.T) {
	const golden = "testdata/findings.txtar"
	archive, err := txtar.ParseFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(archive.Files); i += 2 {
		file, want := archive.Files[i], &archive.Files[i+1]
		name := strings.TrimSuffix(file.Name, ".yaml")
		t.Run(name, func(t *testing.T) {
			if want.Name != name+".want" {
				t.Fatalf("%s follows", want.Name)
			}
			got := strings.Join(append(findings(t, string(file.Data)), ""), "\n")
			if *update {
				want.Data = []byte(got)
			}
			if got != string(want.Data) || got == "" {
				t.Errorf("got:\n%swant:\n%s", got, want.Data)
			}
		})
	}
	if *update {
		if err := os.WriteFile(golden, txtar.Format(archive), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestFindingsInBytesThatAreNoText(t *testing.T) {
	for text, want := range map[string]string{
		"a: b\nc: é\xff":   "k.yaml:2:5: not UTF-8 (save the file as UTF-8)",
		"\xff\xfea\x00":    "k.yaml:1:1: not UTF-8 (save the file as UTF-8)",
		"a: \x01":          "k.yaml:1:4: not YAML: control characters are not allowed",
		"\ufeffkeyword: x": "k.yaml:1:1: keyword: unknown key (did you mean watchlog.keyword?)",
	} {
		if got := findings(t, text); len(got) == 0 || got[0] != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

// The secrets of a file are the IDs of healthchecks and whatever else an operator puts into it as a text.
func TestFindingsKeepSecrets(t *testing.T) {
	const secret = "5f9c8f3e-5cf1-4a3b-9b0e-2d8a6f1c7e55"
	for _, text := range []string{
		command + "watchlog: {healthcheckIDs: " + secret + "}",
		command + "watchlog: {healthcheckID: [" + secret + "]}",
		command + "watchlog: {healthcheckID: " + secret + ", healthcheckIDs: [" + secret + "]}",
		command + "watchlog: {healthcheckIDs: [{a: " + secret + "}]}",
		command + "healthchecks: {baseURL: '" + secret + "'}",
		command + "nodeTemplate: " + secret,
		command + "watchlog: {healthcheckID: \"" + secret + "\\d\"}",
		command + "watchlog:\n  healthcheckID: '" + secret,
		command + "watchlog:\n  healthcheckID: " + secret + ": " + secret,
	} {
		if got := strings.Join(findings(t, text), "\n"); got == "" || strings.Contains(got, secret[5:]) {
			t.Errorf("%q: %s", text, got)
		}
	}
}

func TestErrorsAreBounded(t *testing.T) {
	text := command
	for i := range 300 {
		text += fmt.Sprintf("x%d: 1\n", i)
	}
	got := findings(t, text)
	if len(got) != 101 || got[0] != "k.yaml: there are more than 100 errors, the first of which are:" ||
		!strings.HasPrefix(got[1], "k.yaml:2:1: x0: ") {
		t.Errorf("%d errors, the first %q", len(got), got[:2])
	}
}

func TestLoad(t *testing.T) {
	folder := t.TempDir()
	write := func(name, text string, mode fs.FileMode) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good := write("good.yaml", command, 0o644)
	largest := write("largest.yaml", command+strings.Repeat("#", config.MaxSize-len(command)), 0o644)
	for _, path := range []string{good, largest} {
		if cfg, _, err := config.Load(path); err != nil || cfg.NodeTemplate.Command[0].At.File != path {
			t.Errorf("got %v, %v", cfg, err)
		}
	}
	big := write("big.yaml", "", 0o644)
	if err := os.Truncate(big, 1<<40); err != nil {
		t.Fatal(err)
	}
	missing := filepath.Join(folder, "missing.yaml")
	for path, want := range map[string]string{
		big:     ": larger than 1 MiB, the most that a ConfigMap can hold (is it the right file?)",
		missing: ": no such file (run kubevali in the file's folder, or say where it is: kubevali -c PATH)",
		folder:  ": cannot be read: it is a folder (name a file in it)",
	} {
		_, _, err := config.Load(path)
		if err == nil || hint.Line(err) != path+want || strings.Contains(err.Error(), "(") {
			t.Errorf("got %v, want %s", err, path+want)
		}
	}
	if _, _, err := config.Load(missing); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the cause of %v is not fs.ErrNotExist", err)
	}
	if os.Getuid() != 0 {
		locked := write("locked.yaml", command, 0)
		if _, _, err := config.Load(locked); !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "permission denied") {
			t.Errorf("got %v", err)
		}
	}
}

func TestErrorForms(t *testing.T) {
	at := config.Position{File: "k.yaml", Line: 3, Column: 7, Path: "nodeTemplate.index"}
	for want, e := range map[string]*config.Error{
		"wrong":                                 {Message: "wrong"},
		"k.yaml: wrong (mend it)":               {At: config.Position{File: "k.yaml"}, Message: "wrong", Hint: "mend it"},
		"k.yaml:3:7: nodeTemplate.index: wrong": {At: at, Message: "wrong"},
		"k.yaml:3:7: nodeTemplate.index: wrong\n    {{ x }}": {At: at, Message: "wrong", Source: "  {{ x }}\n"},
	} {
		if got := e.Error(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	later := &config.Error{At: config.Position{Line: 9}, Message: "later"}
	sooner := &config.Error{At: config.Position{Line: 8, Column: 80}, Message: "sooner"}
	err := config.Errors{later, sooner}.Err()
	if err.Error() != "sooner\nlater" || !errors.Is(err, later) {
		t.Errorf("got %v", err)
	}
	if err := (config.Errors{}).Err(); err != nil {
		t.Errorf("no findings are the error %v", err)
	}
}
