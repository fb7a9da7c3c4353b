package main

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/kubevali/kubevali/internal/config"
	"github.com/kubevali/kubevali/internal/render"
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

Templates that ask the Kubernetes API are answered by the cluster of KUBECONFIG, where the pods must exist, or with
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
	cfg, err := a.load()
	if err != nil {
		return err
	}
	facts, err := a.facts(flags.pod, flags.namespace, a.cluster(flags.offline, offlineHint))
	if err != nil {
		return err
	}
	pods, err := fleet(facts, flags.replicas)
	if err != nil {
		return err
	}
	if len(pods) == 0 {
		plan, err := a.render(cfg, facts)
		if err != nil {
			return err
		}
		return a.printPlan(plan, flags.output)
	}
	plans, err := renderFleet(cfg, facts, pods)
	if err != nil {
		return err
	}
	a.warn(plans[0])
	return a.printFleet(plans, flags.output)
}

// maxReplicas is more pods than any cluster has, and few enough to wait for.
const maxReplicas = 100_000

// fleet returns the names of as many pods as the flag --replicas says, none where it was not given.
func fleet(facts render.Facts, replicas int) ([]string, error) {
	if replicas < 0 {
		return nil, fmt.Errorf("--replicas %d: expected a number from 1", replicas)
	}
	if replicas > maxReplicas {
		return nil, fmt.Errorf("--replicas %d: expected at most %d", replicas, maxReplicas)
	}
	if replicas == 0 {
		return nil, nil
	}
	pods, err := facts.Pods(replicas)
	if err != nil {
		return nil, fmt.Errorf("--replicas needs the StatefulSet's name: %w", err)
	}
	return pods, nil
}

func renderFleet(cfg *config.Config, facts render.Facts, pods []string) ([]*render.Plan, error) {
	plans := make([]*render.Plan, 0, len(pods))
	for _, pod := range pods {
		plan, err := render.Render(cfg, facts.ForPod(pod))
		if err != nil {
			return nil, fmt.Errorf("pod %s:\n%w", pod, err)
		}
		plans = append(plans, plan)
	}
	return plans, render.CheckFleet(plans)
}

func (a *app) printPlan(plan *render.Plan, format renderFormat) error {
	if format == renderJSON {
		return a.printJSON(plan)
	}
	return plan.WriteText(a.stdout)
}

func (a *app) printFleet(plans []*render.Plan, format renderFormat) error {
	if format == renderJSON {
		return a.printJSON(plans)
	}
	for i, plan := range plans {
		if i > 0 {
			fmt.Fprintln(a.stdout)
		}
		if err := plan.WriteText(a.stdout); err != nil {
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
