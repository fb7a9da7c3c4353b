package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubevali/kubevali/internal/config"
	"github.com/kubevali/kubevali/internal/hint"
	"github.com/kubevali/kubevali/internal/install"
	"github.com/kubevali/kubevali/internal/monitor"
	"github.com/kubevali/kubevali/internal/node"
	"github.com/kubevali/kubevali/internal/plan"
)

func (a *app) validateCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "validate",
		Short: "Check the configuration; touch nothing",
		Long: `Check the configuration: its keys and values, the syntax of every template and, where POD_NAME says which pod this
is, what the templates render to, with placeholders for what the Kubernetes API would answer. Root secrets are not needed,
and nothing is touched.`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return a.validate() },
	}
}

func (a *app) validate() error {
	p, err := a.open(podFlags{})
	if err != nil {
		return err
	}
	if err := plan.Check(p.cfg); err != nil {
		return err
	}
	if p.facts.Pod == "" {
		_, err = fmt.Fprintf(a.stdout, "%s is valid (its templates were not rendered: set POD_NAME, or see kubevali render --pod NAME-0)\n", a.configPath)
		return err
	}
	// Whoever checks a configuration need not have its cluster, nor its root secrets.
	made, err := a.plan(p, plan.PlaceholderIdentity, plan.Placeholders)
	if err != nil {
		return err
	}
	if err := node.Check(made); err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.stdout, "%s is valid for pod %s\n", a.configPath, p.facts.Pod)
	return err
}

func (a *app) installCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "install DEST",
		Short: "Copy this binary to DEST, a file or a folder",
		Long: `Copy this binary to DEST, a file or a folder: from an init container into a volume that the node's container
shares. Scratch images have no cp. A file with the same content is left alone.`,
		Example: "  kubevali install /kubevali",
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			path, changed, err := install.Install(args[0])
			if err != nil {
				return err
			}
			if changed {
				a.log.Infof("Installed %s", path)
			} else {
				a.log.Infof("%s is up to date", path)
			}
			return nil
		},
	}
}

func (a *app) probeCommand() *cobra.Command {
	var listen string
	var timeout time.Duration
	c := &cobra.Command{
		Use:   "probe live|ready",
		Short: "Ask a running kubevali whether its node is alive or ready",
		Long: `Ask the kubevali that runs in this pod whether its node is alive or ready, for exec probes in images without a
shell or curl. Exits 0 for yes and 1 for no, and says why.`,
		Example:   "  kubevali probe live -c /config/kubevali.yaml",
		ValidArgs: []string{"live", "ready"},
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 || args[0] != "live" && args[0] != "ready" {
				return fmt.Errorf("invalid argument %q: expected live or ready", strings.Join(args, " "))
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			ctx, cancel := context.WithTimeout(c.Context(), timeout)
			defer cancel()
			return a.probe(ctx, monitor.Kind(args[0]), listen)
		},
	}
	c.Flags().StringVar(&listen, "listen", "", "address to ask (default monitor.listen of the configuration)")
	c.Flags().DurationVar(&timeout, "timeout", 5*time.Second, "how long to wait for the answer")
	return c
}

func (a *app) probe(ctx context.Context, kind monitor.Kind, listen string) error {
	var flaws error
	from := "--listen"
	if listen == "" {
		var err error
		from = "monitor.listen"
		if listen, flaws, err = a.listenAddress(); err != nil {
			return a.unknown(kind, err)
		}
	}
	answer, err := monitor.Probe(ctx, listen, kind)
	if answer == "" && flaws != nil {
		return a.unknown(kind, flaws)
	}
	if answer == "" && err != nil {
		return fmt.Errorf("%s: %w", from, err)
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(a.stdout, answer)
	return err
}

// listenAddress is where the kubevali of this pod most likely listens. With --watch-config it goes on by what it read
// before when the file becomes wrong, so that only monitor.listen counts here, and flaws say that it may be elsewhere.
func (a *app) listenAddress() (address string, flaws, err error) {
	cfg, flaws := config.LoadFlawed(a.configPath)
	if cfg == nil {
		return "", nil, flaws
	}
	var found config.Errors
	if errors.As(flaws, &found) && slices.ContainsFunc(found, func(e *config.Error) bool { return strings.HasPrefix(e.At.Path, "monitor") }) {
		return "", nil, flaws // whoever listens at the default address may be another pod's
	}
	p, err := a.podOf(cfg, podFlags{})
	if err != nil {
		return "", nil, err
	}
	address, err = plan.Listen(cfg, p.facts)
	return address, flaws, err
}

// unknown is the answer where nobody can be asked. A mistake in a file must not kill a node that runs.
func (a *app) unknown(kind monitor.Kind, err error) error {
	if kind != monitor.Live {
		return err
	}
	_, printErr := fmt.Fprintf(a.stdout, "taken for alive, as the configuration does not say where to ask: %s\n", hint.Line(err))
	return printErr
}
