// Sbomgen writes the bill of materials of a program that Go built: a CycloneDX document with the modules and the
// standard library that are linked into it, as the linker has recorded them in the program itself. It needs neither
// the network nor the source, and the same program always gives the same document.
//
//	go run ./internal/sbomgen -o kubevali.cdx.json path/to/kubevali
package main

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"log"
	"net/url"
	"os"
	"runtime/debug"
	"strings"

	"github.com/google/uuid"
)

func main() {
	log.SetFlags(0)
	output := flag.String("o", "", "file to write")
	flag.Parse()
	if *output == "" || flag.NArg() != 1 {
		log.Fatal("usage: sbomgen -o FILE PROGRAM")
	}
	if err := write(*output, flag.Arg(0)); err != nil {
		log.Fatal(err)
	}
}

func write(output, path string) error {
	program, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	document, err := describe(program)
	if err != nil {
		return err
	}
	return os.WriteFile(output, document, 0o644)
}

// The document, as https://cyclonedx.org/docs/1.6/json/ defines it, in so far as it is used here.
type (
	bom struct {
		Schema       string       `json:"$schema"`
		Format       string       `json:"bomFormat"`
		SpecVersion  string       `json:"specVersion"`
		SerialNumber string       `json:"serialNumber"`
		Version      int          `json:"version"`
		Metadata     metadata     `json:"metadata"`
		Components   []component  `json:"components"`
		Dependencies []dependency `json:"dependencies"`
	}
	metadata struct {
		Timestamp string    `json:"timestamp,omitempty"`
		Component component `json:"component"`
	}
	component struct {
		Ref        string     `json:"bom-ref"`
		Type       string     `json:"type"`
		Name       string     `json:"name"`
		Version    string     `json:"version,omitempty"`
		Hashes     []hash     `json:"hashes,omitempty"`
		PURL       string     `json:"purl"`
		Properties []property `json:"properties,omitempty"`
	}
	hash struct {
		Algorithm string `json:"alg"`
		Content   string `json:"content"`
	}
	property struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	}
	dependency struct {
		Ref       string   `json:"ref"`
		DependsOn []string `json:"dependsOn"`
	}
)

// describe returns the bill of materials of a program, as indented JSON.
func describe(program []byte) ([]byte, error) {
	info, err := buildinfo.Read(bytes.NewReader(program))
	if err != nil {
		return nil, err
	}
	if info.Main.Path == "" {
		return nil, errors.New("the program does not say from which module it was built")
	}
	sum := sha256.Sum256(program)
	app := moduleComponent("application", &info.Main)
	app.Hashes = []hash{{"SHA-256", hex.EncodeToString(sum[:])}}
	built := ""
	for _, s := range info.Settings {
		app.Properties = append(app.Properties, property{"go:build:" + s.Key, s.Value})
		if s.Key == "vcs.time" {
			built = s.Value
		}
	}
	// Most reports of vulnerable Go programs are about the standard library. The databases call it stdlib and its version
	// what comes behind "go".
	version, _, _ := strings.Cut(strings.TrimPrefix(info.GoVersion, "go"), " ")
	components := []component{moduleComponent("library", &debug.Module{Path: "stdlib", Version: version})}
	for _, m := range info.Deps {
		components = append(components, moduleComponent("library", cmp.Or(m.Replace, m)))
	}
	// The linker records which modules there are, and not which of them requires which.
	all := dependency{Ref: app.Ref}
	for _, c := range components {
		all.DependsOn = append(all.DependsOn, c.Ref)
	}
	return json.MarshalIndent(bom{
		Schema:       "http://cyclonedx.org/schema/bom-1.6.schema.json",
		Format:       "CycloneDX",
		SpecVersion:  "1.6",
		SerialNumber: uuid.NewSHA1(uuid.NameSpaceURL, sum[:]).URN(),
		Version:      1,
		Metadata:     metadata{built, app},
		Components:   components,
		Dependencies: []dependency{all},
	}, "", "  ")
}

func moduleComponent(kind string, m *debug.Module) component {
	ref := packageURL(m.Path, m.Version)
	c := component{Ref: ref, Type: kind, Name: m.Path, Version: m.Version, PURL: ref}
	if m.Sum != "" {
		c.Properties = []property{{"go:sum", m.Sum}}
	}
	return c
}

// packageURL returns the name that https://github.com/package-url/purl-spec gives a module. Its case is kept, as
// vulnerability databases know modules by their exact path.
func packageURL(path, version string) string {
	purl := "pkg:golang/" + path
	if version != "" {
		purl += "@" + url.QueryEscape(version)
	}
	return purl
}
