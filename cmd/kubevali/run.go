package main

import (
	"errors"
	"fmt"
	"sync"

	"github.com/spf13/cobra"

	"github.com/kubevali/kubevali/internal/config"
	"github.com/kubevali/kubevali/internal/entrypoint"
	"github.com/kubevali/kubevali/internal/render"
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
	return hinted{fmt.Errorf("unexpected argument %q", args[0]), "the node's command goes into nodeTemplate.command of the configuration"}
}

func (a *app) runNode(flags runFlags) error {
	a.runsNode = true
	if flags.dryRun {
		return a.dryRun(flags.offline)
	}
	if flags.offline {
		return hinted{errors.New("--offline is for --dry-run"), "a node needs real addresses"}
	}
	reload := entrypoint.ReloadNever
	if flags.watchConfig {
		reload = entrypoint.ReloadOnChange
	}
	cluster := a.newCluster(podPatience, "a pod needs the token of its service account (automountServiceAccountToken), other "+
		"machines KUBECONFIG")
	var err error
	a.exitCode, err = entrypoint.Run(entrypoint.Options{
		Read:       a.reader(),
		ConfigPath: a.configPath,
		Reload:     reload,
		Keys:       a.keys,
		Cluster:    cluster,
		Environ:    func() []string { return a.environ },
		Version:    version(),
		Log:        a.log,
	})
	return err
}

// reader reads the configuration. The facts are gathered only once: random values of templates are to stay the same as long
// as the node runs.
func (a *app) reader() func() (entrypoint.Configuration, error) {
	gather := sync.OnceValues(func() (render.Facts, error) { return a.facts("", "", nil) })
	return func() (entrypoint.Configuration, error) {
		cfg, err := a.load()
		if err != nil {
			return nil, err
		}
		facts, err := gather()
		return configuration{cfg, facts}, err
	}
}

// configuration is an entrypoint.Configuration.
type configuration struct {
	cfg   *config.Config
	facts render.Facts
}

func (c configuration) Listen() (string, error) { return render.RenderListen(c.cfg, c.facts) }

func (c configuration) Plan(cluster render.Cluster) (*render.Plan, error) {
	c.facts.Cluster = cluster
	return render.Render(c.cfg, c.facts)
}

func (a *app) dryRun(offline offlineFlag) error {
	cfg, err := a.load()
	if err != nil {
		return err
	}
	facts, err := a.facts("", "", a.cluster(offline, offlineHint))
	if err != nil {
		return err
	}
	plan, err := a.render(cfg, facts)
	if err != nil {
		return err
	}
	if err := entrypoint.Check(plan); err != nil {
		return err
	}
	a.log.Infof("Starting node: %s", plan.QuotedCommand())
	_, err = fmt.Fprintln(a.stdout, plan.ShellCommand())
	return err
}
