// Sbomgen writes the bill of materials of a program that Go built: a CycloneDX document with the modules and the
// standard library that are linked into it, as the linker has recorded them in the program itself. It needs neither
// the network nor the source, and the same program always gives the same document.
//
//	go run ./internal/sbomgen -o kubevali.cdx.json path/to/kubevali
package main

import (
	"bytes"
	"flag"
	"log"
	"os"
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
	document, err := describe(bytes.NewReader(program))
	if err != nil {
		return err
	}
	return os.WriteFile(output, document, 0o644)
}
