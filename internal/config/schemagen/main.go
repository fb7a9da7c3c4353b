// Schemagen writes what describes kubevali.yaml: the reference docs/kubevali.yaml, for people, and the JSON Schema
// docs/kubevali.schema.json, from which editors complete and check. Both say what the package config says of its structs
// and their fields, in comments and tags. Run it with "go generate ./internal/config".
package main

import (
	"log"
	"os"
	"path/filepath"
)

func main() {
	log.SetFlags(0)
	if len(os.Args) != 2 {
		log.Fatal("usage: schemagen FOLDER, in the folder of the package config")
	}
	documents, err := generate(".")
	if err != nil {
		log.Fatal(err)
	}
	for name, content := range documents {
		if err := os.WriteFile(filepath.Join(os.Args[1], name), content, 0o644); err != nil {
			log.Fatal(err)
		}
	}
}

// generate returns the documents by their files' names. The folder is that of the package config.
func generate(folder string) (map[string][]byte, error) {
	comments, err := fieldComments(folder)
	if err != nil {
		return nil, err
	}
	keys, err := comments.keys(configType)
	if err != nil {
		return nil, err
	}
	schema, err := schemaJSON(keys)
	if err != nil {
		return nil, err
	}
	return map[string][]byte{"kubevali.schema.json": schema, "kubevali.yaml": reference(keys)}, nil
}
