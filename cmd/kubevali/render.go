package main

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/kubevali/kubevali/internal/facts"
	"github.com/kubevali/kubevali/internal/plan"
)

// renderFormat is what -o takes.
type renderFormat string

const (
	renderText renderFormat = "text"
	renderJSON renderFormat = "json"
)

type renderFlags struct {
	podFlags
	replicas int
	offline  offlineFlag
	output   renderFormat
}

func (a *app) renderCommand() *cobra.Command {
	flags := renderFlags{output: renderText}
	c := &cobra.Command{
		Use:   "render",
		Short: "Show what a pod, or a whole fleet, would run",
		Long: `Show what a pod would run: its command, environment, files and health settings. Nothing is touched.

With --replicas N it shows the pods NAME-0 to NAME-(N-1), NAME being that of --pod or of this pod without its ordinal,
and fails when two of them would get in each other's way.

Templates that ask the Kubernetes API are answered by the cluster that kubectl asks, where the pods must exist, or with
--offline by placeholders.`,
		Example: `  kubevali render -c kubevali.yaml --pod geth-2
  kubevali render -c kubevali.yaml --pod geth-0 --replicas 5 -o json`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return a.show(flags) },
	}
	flags.add(c)
	flags.offline.add(c, "")
	c.Flags().IntVar(&flags.replicas, "replicas", 0, "show this many pods, from ordinal 0")
	c.Flags().VarP(choice[renderFormat]{&flags.output, []renderFormat{renderText, renderJSON}}, "output", "o", "how to show it")
	return c
}

func (a *app) show(flags renderFlags) error {
	p, err := a.open(flags.podFlags)
	if err != nil {
		return err
	}
	pods, err := fleet(p.facts, flags.replicas)
	if err != nil {
		return err
	}
	source := a.source(flags.offline, instead)
	if len(pods) == 0 {
		made, err := a.plan(p, p.keys.Public, source)
		if err != nil {
			return err
		}
		return a.printPlan(made, flags.output)
	}
	plans, err := plan.Fleet(p.cfg, p.facts, pods, p.keys.Public, source)
	if err != nil {
		return err
	}
	a.warn(plans[0])
	return a.printFleet(plans, flags.output)
}

// maxReplicas is more pods than any cluster has, and few enough to wait for.
const maxReplicas = 100_000

// fleet returns the names of as many pods as the flag --replicas says, none where it was not given.
func fleet(f facts.Facts, replicas int) ([]string, error) {
	if replicas < 0 {
		return nil, fmt.Errorf("--replicas %d: expected a number from 1", replicas)
	}
	if replicas > maxReplicas {
		return nil, fmt.Errorf("--replicas %d: expected at most %d", replicas, maxReplicas)
	}
	if replicas == 0 {
		return nil, nil
	}
	pods, err := f.Pods(replicas)
	if err != nil {
		return nil, fmt.Errorf("--replicas needs the StatefulSet's name: %w", err)
	}
	return pods, nil
}

func (a *app) printPlan(p *plan.Plan, format renderFormat) error {
	if format == renderJSON {
		return a.printJSON(p)
	}
	return p.WriteText(a.stdout)
}

func (a *app) printFleet(plans []*plan.Plan, format renderFormat) error {
	if format == renderJSON {
		return a.printJSON(plans)
	}
	for i, p := range plans {
		if i > 0 {
			fmt.Fprintln(a.stdout)
		}
		if err := p.WriteText(a.stdout); err != nil {
			return err
		}
	}
	return nil
}

func (a *app) printJSON(v any) error {
	enc := json.NewEncoder(a.stdout)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}
