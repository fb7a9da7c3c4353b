// Command kubevali is the entrypoint of a blockchain node's pod: it renders the node's command line from one template
// for all pods, runs the node, watches its logs and reports whether it is alive.
//
// This package holds the command line alone: each command parses its flags, calls one function and prints the result.
// Results go to stdout; the log, and errors with a hint what to do next, go to stderr.
package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/sirupsen/logrus"

	"github.com/kubevali/kubevali/internal/config"
	"github.com/kubevali/kubevali/internal/entrypoint"
	"github.com/kubevali/kubevali/internal/kube"
	"github.com/kubevali/kubevali/internal/supervise"
)

func main() { os.Exit(run(os.Args[1:])) }

// run executes one command line and returns the exit code.
func run(args []string) int {
	a := newApp(os.Stdout, os.Stderr, os.Environ())
	root := a.rootCommand()
	root.SetArgs(args)
	err := root.Execute()
	if err == nil {
		return a.exitCode
	}
	a.report(err)
	if a.exitCode == 0 && a.runsNode {
		return entrypoint.CodeFailed
	}
	return max(a.exitCode, 1)
}

// report prints an error, one line per finding, and what to do about it; where the log is JSON, as one entry of it.
func (a *app) report(err error) {
	if a.logFormat == formatJSON {
		a.configureLog(config.Logging{Level: config.LevelInfo}) // the error may be that there is no configuration
	}
	if _, json := a.log.Formatter.(*logrus.JSONFormatter); json {
		entry := logrus.NewEntry(a.log)
		if hint := hintOf(err); hint != "" {
			entry = entry.WithField("hint", hint)
		}
		entry.Error(err)
		return
	}
	for line := range strings.Lines(err.Error()) {
		if line = strings.TrimRight(line, "\n"); line != "" {
			fmt.Fprintf(a.stderr, "kubevali: %s\n", line)
		}
	}
	if hint := hintOf(err); hint != "" {
		fmt.Fprintf(a.stderr, "kubevali: hint: %s\n", hint)
	}
}

func hintOf(err error) string {
	var start *supervise.StartError
	var h hinted
	switch {
	case errors.As(err, &start):
		return start.Hint()
	case errors.As(err, &h):
		return h.hint
	}
	return kube.Hint(err)
}

// hinted adds a hint to an error.
type hinted struct {
	error
	hint string
}

func (h hinted) Unwrap() error { return h.error }

// Hint is for templates whose question to the cluster it answers.
func (h hinted) Hint() string { return h.hint }
