//go:build unix && !linux

package procguard

import "errors"

// Undumpable is for Linux only.
func Undumpable() error { return errors.ErrUnsupported }

// EraseEnv is for Linux only.
func EraseEnv(...string) error { return errors.ErrUnsupported }
