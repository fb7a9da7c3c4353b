// Package footprint gives back the memory that a process needed for its start alone.
//
// A supervisor lives as long as its node, in every pod, and does next to nothing; its start, which parses, renders and
// sets up TLS, would decide for good how much memory it occupies. The package knows nothing of what the process does.
package footprint

import (
	"os"
	"runtime/debug"
)

// gcPercent is how much the heap may grow between two collections, in percent of what is in use: a small heap that
// hardly changes can be collected often. Go's default is 100, and no less than 4 MiB.
const gcPercent = 25

// Shrink collects garbage, returns it to the system, keeps the heap small from now on, and lets go of the program's own
// pages. It takes about a millisecond, and is of use once, when the start is over. It leaves the garbage collector alone
// where GOGC or GOMEMLIMIT set it up.
func Shrink() error {
	if os.Getenv("GOGC") == "" && os.Getenv("GOMEMLIMIT") == "" {
		debug.SetGCPercent(gcPercent)
	}
	debug.FreeOSMemory()
	return releaseProgram()
}
