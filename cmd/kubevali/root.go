package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/sirupsen/logrus"
	"github.com/spf13/cobra"

	"github.com/kubevali/kubevali/internal/config"
	"github.com/kubevali/kubevali/internal/entrypoint"
	"github.com/kubevali/kubevali/internal/keyfile"
	"github.com/kubevali/kubevali/internal/render"
)

// app is what the commands share: the process's streams and the flags that every one of them takes.
type app struct {
	stdout, stderr io.Writer
	accountDir     string   // of the pod's service account
	environ        []string // without root secrets, once the configuration is loaded
	keys           entrypoint.Keys
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

func newApp(stdout, stderr io.Writer, environ []string) *app {
	return &app{
		stdout: stdout, stderr: stderr, environ: environ, log: newLog(stderr),
		keys: entrypoint.Keys{Ring: keyfile.NewKeyring()},
	}
}

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
		return hinted{err, c.CommandPath() + " --help shows the flags"}
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
		return hinted{err, fmt.Sprintf("did you mean %q?", similar[0])}
	}
	return hinted{err, "kubevali --help shows the commands"}
}

// load reads the configuration, sets up the log by it and sees to the root secrets that it names.
func (a *app) load() (*config.Config, error) {
	cfg, warnings, err := config.Load(a.configPath)
	if err != nil {
		return nil, err
	}
	a.configureLog(cfg.Logging)
	for _, w := range warnings {
		a.log.Warn(w)
	}
	a.takeRoots(cfg.P2PKeys)
	return cfg, nil
}

// facts are this pod's, with the flags' values over the environment's. cluster may be nil.
func (a *app) facts(pod, namespace string, cluster render.Cluster) (render.Facts, error) {
	environ := a.environ
	if pod != "" {
		environ = append([]string{"POD_NAME=" + pod}, environ...) // of two, the first counts
	}
	facts, err := render.FactsFromEnviron(environ)
	if err != nil {
		return facts, err
	}
	facts.Keys = a.keys
	facts.Cluster = cluster
	if namespace != "" {
		facts = facts.InNamespace(namespace)
	}
	if pod != "" {
		facts = facts.ForPod(pod)
	}
	return facts, nil
}

// render is render.Render, and logs what is wrong with the plan but does not keep it from being used.
func (a *app) render(cfg *config.Config, facts render.Facts) (*render.Plan, error) {
	plan, err := render.Render(cfg, facts)
	if err == nil {
		a.warn(plan)
	}
	return plan, err
}

func (a *app) warn(plan *render.Plan) {
	for _, warning := range plan.Warnings {
		a.log.Warn(warning)
	}
}

// getenv is os.Getenv for the environment that the commands see.
func (a *app) getenv(name string) string {
	for _, entry := range a.environ {
		if value, ok := strings.CutPrefix(entry, name+"="); ok {
			return value
		}
	}
	return ""
}
