//go:build !linux

package footprint

func releaseProgram() error { return nil }
