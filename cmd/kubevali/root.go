package main

import (
	"fmt"
	"io"

	"github.com/sirupsen/logrus"
	"github.com/spf13/cobra"

	"github.com/kubevali/kubevali/internal/config"
	"github.com/kubevali/kubevali/internal/facts"
	"github.com/kubevali/kubevali/internal/hint"
	"github.com/kubevali/kubevali/internal/keyfile"
	"github.com/kubevali/kubevali/internal/plan"
)

// app is what the commands share: the process's streams and the flags that every one of them takes.
type app struct {
	stdout, stderr io.Writer
	environ        []string
	accountDir     string // where a pod's service account is
	log            *logrus.Logger

	configPath string
	logLevel   config.LogLevel
	logFormat  logFormat

	runsNode bool // the command is run, whose failures have exit codes of their own
	exitCode int
}

// logFormat is what --log-format takes.
type logFormat string

const (
	formatText logFormat = "text"
	formatJSON logFormat = "json"
)

func (a *app) rootCommand() *cobra.Command {
	var flags runFlags
	root := &cobra.Command{
		Use:   "kubevali",
		Short: "The entrypoint for blockchain nodes on Kubernetes",
		Long: `kubevali is the parent process of a blockchain node. It renders the node's command line from one
template for all pods of a StatefulSet, runs the node, watches its logs and reports whether it is alive.

Without a command it runs the node: "kubevali -c FILE" is "kubevali run -c FILE".`,
		Example: `  kubevali -c kubevali.yaml                            run the node
  POD_NAME=geth-2 kubevali -c kubevali.yaml --dry-run  show the command that pod geth-2 would run
  kubevali render -c kubevali.yaml --pod geth-0 --replicas 5
  kubevali validate -c kubevali.yaml`,
		Args:          a.knownCommand,
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE:          func(*cobra.Command, []string) error { return a.runNode(flags) },
	}
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	root.SuggestionsMinimumDistance = 2
	root.PersistentFlags().StringVarP(&a.configPath, "config", "c", "kubevali.yaml", "path of the configuration file")
	root.PersistentFlags().Var(choice[config.LogLevel]{&a.logLevel, []config.LogLevel{
		config.LevelDebug, config.LevelInfo, config.LevelWarn, config.LevelError}}, "log-level", "lowest level to log (default logging.level of the configuration)")
	root.PersistentFlags().Var(choice[logFormat]{&a.logFormat, []logFormat{formatText, formatJSON}}, "log-format",
		"how to log (default logging.encoding of the configuration)")
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		a.runsNode = c == root || c.Name() == "run"
		return hint.With(err, c.CommandPath()+" --help shows the flags")
	})
	flags.add(root)
	root.AddCommand(a.runCommand(), a.renderCommand(), a.validateCommand(), a.keyCommand(), a.installCommand(), a.probeCommand(), a.versionCommand())
	return root
}

// knownCommand refuses what is left over when no command was found: a mistyped one, or a node behind a --.
func (a *app) knownCommand(root *cobra.Command, args []string) error {
	if len(args) == 0 || root.ArgsLenAtDash() >= 0 {
		return a.noNode(args)
	}
	err := fmt.Errorf("unknown command %q", args[0])
	if similar := root.SuggestionsFor(args[0]); len(similar) > 0 {
		return hint.With(err, fmt.Sprintf("did you mean %q?", similar[0]))
	}
	return hint.With(err, "kubevali --help shows the commands")
}

// load reads the configuration and sets up the log by it.
func (a *app) load() (*config.Config, error) {
	cfg, warnings, err := config.Load(a.configPath)
	if err != nil {
		return nil, err
	}
	a.configureLog(cfg.Logging)
	for _, w := range warnings {
		a.log.Warn(w)
	}
	return cfg, nil
}

// pod is the configuration together with what it is to be rendered for.
type pod struct {
	cfg   *config.Config
	facts facts.Facts
	keys  *keyfile.Keyring
}

// open reads the configuration, takes the root secrets that it names, and tells what is known of the pod that the flags,
// or else the environment, are about.
func (a *app) open(flags podFlags) (pod, error) {
	cfg, err := a.load()
	if err != nil {
		return pod{}, err
	}
	return a.podOf(cfg, flags)
}

func (a *app) podOf(cfg *config.Config, flags podFlags) (pod, error) {
	keys := new(keyfile.Keyring)
	environ, warning := keys.Take(a.environ, plan.Roots(cfg)...)
	if warning != nil {
		a.log.Warn(warning)
	}
	a.environ = environ
	f, err := facts.FromEnviron(environ, a.accountDir)
	if err != nil && flags.pod != "" { // on the host network only the flag tells; of two values the first counts
		f, err = facts.FromEnviron(append([]string{"POD_NAME=" + flags.pod}, environ...), a.accountDir)
	}
	if err != nil {
		return pod{}, err
	}
	if flags.namespace != "" {
		f = f.InNamespace(flags.namespace)
	}
	if flags.pod != "" {
		f = f.ForPod(flags.pod)
	}
	return pod{cfg, f, keys}, nil
}

// plan makes the pod's plan, and logs what is wrong with it but does not keep it from being used.
func (a *app) plan(p pod, identities plan.Identities, source plan.Source) (*plan.Plan, error) {
	made, err := plan.Complete(p.cfg, &p.facts, identities, source)
	if err == nil {
		a.warn(made)
	}
	return made, err
}

func (a *app) warn(p *plan.Plan) {
	for _, warning := range p.Warnings {
		a.log.Warn(warning)
	}
}
