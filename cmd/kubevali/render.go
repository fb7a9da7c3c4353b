package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"

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
	pod, namespace string
	replicas       int
	output         renderFormat
}

func (a *app) renderCommand() *cobra.Command {
	flags := renderFlags{output: renderText}
	c := &cobra.Command{
		Use:   "render",
		Short: "Show what a pod, or a whole fleet, would run",
		Long: `Show what a pod would run: its command, environment, files and health settings. Nothing is touched.

With --replicas N it shows the pods NAME-0 to NAME-(N-1), NAME being that of --pod or of this pod without its ordinal,
and fails when two of them would get in each other's way.`,
		Example: `  kubevali render -c kubevali.yaml --pod geth-2
  kubevali render -c kubevali.yaml --pod geth-0 --replicas 5 -o json`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return a.render(flags) },
	}
	c.Flags().StringVar(&flags.pod, "pod", "", "name of the pod (default $POD_NAME, then $HOSTNAME)")
	c.Flags().StringVar(&flags.namespace, "namespace", "", "namespace of the pod (default $POD_NAMESPACE)")
	c.Flags().IntVar(&flags.replicas, "replicas", 0, "show this many pods, from ordinal 0")
	c.Flags().VarP(choice[renderFormat]{&flags.output, []renderFormat{renderText, renderJSON}}, "output", "o", "how to show it")
	return c
}

func (a *app) render(flags renderFlags) error {
	cfg, err := a.load()
	if err != nil {
		return err
	}
	facts, err := a.facts(flags.pod, flags.namespace)
	if err != nil {
		return err
	}
	if flags.replicas < 0 {
		return fmt.Errorf("--replicas %d: expected a number from 1", flags.replicas)
	}
	if flags.replicas == 0 {
		plan, err := render.Render(cfg, facts)
		if err != nil {
			return err
		}
		return a.printPlan(plan, flags.output)
	}
	plans, err := renderFleet(cfg, facts, flags.replicas)
	if err != nil {
		return err
	}
	return a.printFleet(plans, flags.output)
}

func renderFleet(cfg *config.Config, facts render.Facts, replicas int) ([]*render.Plan, error) {
	name := regexp.MustCompile(`-[0-9]+$`).ReplaceAllString(facts.Pod, "")
	if name == "" {
		return nil, hinted{errors.New("--replicas needs the StatefulSet's name"), "add --pod NAME, such as --pod geth-0"}
	}
	plans := make([]*render.Plan, 0, replicas)
	for i := range replicas {
		pod := fmt.Sprintf("%s-%d", name, i)
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
