package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// TestDescribe describes the test itself, which is a program with modules in it.
func TestDescribe(t *testing.T) {
	program, err := os.ReadFile(executable(t))
	if err != nil {
		t.Fatal(err)
	}
	document, err := describe(program)
	if err != nil {
		t.Fatal(err)
	}
	var got bom
	if err := json.Unmarshal(document, &got); err != nil {
		t.Fatal(err)
	}

	if name := got.Metadata.Component.Name; name != "github.com/kubevali/kubevali" {
		t.Errorf("the document is about %q", name)
	}
	if len(got.Metadata.Component.Hashes) != 1 || len(got.Metadata.Component.Hashes[0].Content) != 64 {
		t.Errorf("the program's hash is %v", got.Metadata.Component.Hashes)
	}
	seen := map[string]bool{}
	for _, c := range got.Components {
		if seen[c.Ref] {
			t.Errorf("%s is there twice", c.Ref)
		}
		seen[c.Ref] = true
	}
	if version, _, _ := strings.Cut(runtime.Version(), " "); !seen["pkg:golang/stdlib@"+strings.TrimPrefix(version, "go")] {
		t.Errorf("the standard library of %s is not among %v", runtime.Version(), seen)
	}
	if !seen["pkg:golang/github.com/google/uuid@v1.6.0"] {
		t.Errorf("this test's own dependency is not among %v", seen)
	}
	if len(got.Dependencies) != 1 || got.Dependencies[0].Ref != got.Metadata.Component.Ref {
		t.Fatalf("dependencies: %v", got.Dependencies)
	}
	for _, ref := range got.Dependencies[0].DependsOn {
		if !seen[ref] {
			t.Errorf("the program depends on %s, which is not a component", ref)
		}
	}

	again, err := describe(program)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(document, again) {
		t.Error("a second run gives another document")
	}
}

func TestPackageURL(t *testing.T) {
	for _, c := range []struct{ path, version, want string }{
		{"github.com/Masterminds/sprig/v3", "v3.3.0", "pkg:golang/github.com/Masterminds/sprig/v3@v3.3.0"},
		{"example.com/a", "v1.2.3+dirty", "pkg:golang/example.com/a@v1.2.3%2Bdirty"},
		{"example.com/a", "", "pkg:golang/example.com/a"},
	} {
		if got := packageURL(c.path, c.version); got != c.want {
			t.Errorf("packageURL(%q, %q) = %q, want %q", c.path, c.version, got, c.want)
		}
	}
}

func TestWrite(t *testing.T) {
	output := filepath.Join(t.TempDir(), "sbom.json")
	if err := write(output, executable(t)); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(output)
	if err != nil {
		t.Fatal(err)
	}
	if !json.Valid(content) {
		t.Error("what it writes is not JSON")
	}
}

func TestNotAGoProgram(t *testing.T) {
	path := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	output := path + ".json"
	if err := write(output, path); err == nil {
		t.Error("describes a shell script")
	}
	if _, err := os.Stat(output); !os.IsNotExist(err) {
		t.Errorf("leaves a document behind (%v)", err)
	}
}

func executable(t *testing.T) string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}
