package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/kubevali/kubevali/internal/hint"
	"github.com/kubevali/kubevali/internal/node"
)

type runFlags struct {
	dryRun      bool
	offline     offlineFlag
	watchConfig bool
}

func (f *runFlags) add(c *cobra.Command) {
	c.Flags().BoolVar(&f.dryRun, "dry-run", false, "print the node's command and exit; touch nothing")
	f.offline.add(c, "with --dry-run: ")
	c.Flags().BoolVarP(&f.watchConfig, "watch-config", "w", false,
		"restart the node, or change its Service, when the configuration changes the plan")
}

func (a *app) runCommand() *cobra.Command {
	var flags runFlags
	c := &cobra.Command{
		Use:   "run",
		Short: "Run the node (the default)",
		Long: `Run the node: make its Service, write its keys and files, start it, forward signals to it, watch its logs, report
its health.

Exit codes: the node's own; 128+n when signal n ended it; 127 when its program is not found, 126 when it cannot be
executed; 125 when kubevali itself failed before the node started.`,
		Args: func(_ *cobra.Command, args []string) error { return a.noNode(args) },
		RunE: func(*cobra.Command, []string) error { return a.runNode(flags) },
	}
	flags.add(c)
	return c
}

// noNode refuses a node on the command line, where tini and its like expect it.
func (a *app) noNode(args []string) error {
	if len(args) == 0 {
		return nil
	}
	a.runsNode = true
	return hint.With(fmt.Errorf("unexpected argument %q", args[0]), "the node's command goes into nodeTemplate.command of the configuration")
}

func (a *app) runNode(flags runFlags) (err error) {
	a.runsNode = true
	if flags.dryRun {
		return a.dryRun(flags.offline)
	}
	if flags.offline {
		return hint.New("--offline is for --dry-run", "a node needs real addresses")
	}
	reload := node.ReloadNever
	if flags.watchConfig {
		reload = node.ReloadOnChange
	}
	a.exitCode, err = node.Run(node.Options{
		Read: a.load, ConfigPath: a.configPath, Reload: reload,
		Environ: a.environ, AccountDir: a.accountDir, Version: version(), Log: a.log,
	})
	return err
}

func (a *app) dryRun(offline offlineFlag) error {
	p, err := a.open(podFlags{})
	if err != nil {
		return err
	}
	made, err := a.plan(p, p.keys.Public, a.source(offline, instead))
	if err != nil {
		return err
	}
	if err := node.Check(made); err != nil {
		return err
	}
	a.log.Infof("Starting node: %s", made.QuotedCommand())
	_, err = fmt.Fprintln(a.stdout, made.ShellCommand())
	return err
}
