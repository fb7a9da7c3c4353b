// Command kubevali is the entrypoint of a blockchain node's pod: it renders the node's command line from one template
// for all pods, runs the node, watches its logs and reports whether it is alive.
//
// This package holds the command line alone: each command parses its flags, calls one function and prints the result.
// Results go to stdout; the log, and errors with a hint what to do next, go to stderr.
package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/sirupsen/logrus"

	"github.com/kubevali/kubevali/internal/config"
	"github.com/kubevali/kubevali/internal/hint"
	"github.com/kubevali/kubevali/internal/kube"
	"github.com/kubevali/kubevali/internal/node"
)

func main() { os.Exit(run(os.Args[1:], kube.AccountDir)) }

// run executes one command line and returns the exit code. accountDir is where a pod's service account is.
func run(args []string, accountDir string) int {
	a := &app{stdout: os.Stdout, stderr: os.Stderr, environ: os.Environ(), accountDir: accountDir, log: newLog(os.Stderr)}
	root := a.rootCommand()
	root.SetArgs(args)
	err := root.Execute()
	if err == nil {
		return a.exitCode
	}
	a.report(err)
	if a.exitCode == 0 && a.runsNode {
		return node.CodeFailed
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
		if remedy := hint.Of(err); remedy != "" {
			entry = entry.WithField("hint", remedy)
		}
		entry.Error(err)
		return
	}
	for line := range strings.Lines(err.Error()) {
		if line = strings.TrimRight(line, "\n"); line != "" {
			fmt.Fprintf(a.stderr, "kubevali: %s\n", line)
		}
	}
	if remedy := hint.Of(err); remedy != "" {
		fmt.Fprintf(a.stderr, "kubevali: hint: %s\n", remedy)
	}
}
