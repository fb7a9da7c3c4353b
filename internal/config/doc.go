// Package config reads kubevali.yaml: its schema, its strict YAML dialect, its defaults and the checks that need no
// more than the file itself.
//
// It does not render templates (it knows where their lines stand, not what they may call) and it does not act on what
// it reads.
//
// Invariants: a *Config that Load or Parse returned is complete, defaulted and checked; an error they return is always
// of type Errors, holds every finding of the file, and each finding says where it stands. No message quotes the value
// of a key that may hold a secret.
package config

//go:generate go run ./schemagen ../../docs/kubevali.schema.json
