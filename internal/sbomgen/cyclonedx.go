package main

import (
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"runtime/debug"
	"strings"

	"github.com/google/uuid"
)

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
func describe(program io.ReaderAt) ([]byte, error) {
	info, err := buildinfo.Read(program)
	if err != nil {
		return nil, err
	}
	if info.Main.Path == "" {
		return nil, errors.New("the program does not say from which module it was built")
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, io.NewSectionReader(program, 0, 1<<62)); err != nil {
		return nil, fmt.Errorf("program: %w", err)
	}

	app := moduleComponent("application", &info.Main)
	app.Hashes = []hash{{"SHA-256", hex.EncodeToString(sum.Sum(nil))}}
	for _, s := range info.Settings {
		app.Properties = append(app.Properties, property{"go:build:" + s.Key, s.Value})
	}
	components := []component{standardLibrary(info.GoVersion)}
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		components = append(components, moduleComponent("library", m))
	}
	// The linker records which modules there are, and not which of them requires which.
	dependencies := []dependency{{app.Ref, []string{}}}
	for _, c := range components {
		dependencies[0].DependsOn = append(dependencies[0].DependsOn, c.Ref)
	}
	return json.MarshalIndent(bom{
		Schema:       "http://cyclonedx.org/schema/bom-1.6.schema.json",
		Format:       "CycloneDX",
		SpecVersion:  "1.6",
		SerialNumber: uuid.NewSHA1(uuid.NameSpaceURL, sum.Sum(nil)).URN(),
		Version:      1,
		Metadata:     metadata{setting(info, "vcs.time"), app},
		Components:   components,
		Dependencies: dependencies,
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

// standardLibrary is a component because most reports of vulnerable Go programs are about it. The databases call it
// stdlib and its version what comes behind "go".
func standardLibrary(goVersion string) component {
	version, _, _ := strings.Cut(strings.TrimPrefix(goVersion, "go"), " ")
	ref := packageURL("stdlib", version)
	return component{Ref: ref, Type: "library", Name: "stdlib", Version: version, PURL: ref}
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

func setting(info *debug.BuildInfo, key string) string {
	for _, s := range info.Settings {
		if s.Key == key {
			return s.Value
		}
	}
	return ""
}
